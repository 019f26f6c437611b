/* SPDX-License-Identifier: MIT */
/* Values: their forms, their bounds, and the way back to text. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/conf/value.h"

#define KIB UINT64_C(1024)

struct row {
	const char *text;
	int rc;
	uint64_t n;
};

static void expect_rows(enum config_form form, const struct row *row)
{
	for (; row->text != NULL; row++) {
		uint64_t n = 0;
		int rc = config_value_read(form, row->text, &n);
		cr_expect_eq(rc, row->rc, "\"%s\": %d", row->text, rc);
		if (row->rc == 0)
			cr_expect_eq(n, row->n, "\"%s\": %lu", row->text, n);
	}
}

Test(config_value, size)
{
	expect_rows(CONFIG_FORM_SIZE, (struct row[]){
		{ "0", 0, 0 }, { "4096", 0, 4096 }, { "1K", 0, KIB },
		{ "1kb", 0, KIB }, { "64M", 0, 64 * KIB * KIB },
		{ "64MB", 0, 64 * KIB * KIB }, { "1GiB", 0, KIB * KIB * KIB },
		{ "2g", 0, 2 * KIB * KIB * KIB },
		{ "1t", 0, KIB * KIB * KIB * KIB },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "184467440737095516150", -ERANGE, 0 },
		{ "18014398509481983K", 0, UINT64_MAX - 1023 },
		{ "18014398509481984K", -ERANGE, 0 },
		{ "16777215T", 0, UINT64_C(16777215) << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "", -EINVAL, 0 }, { "K", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 }, { "1P", -EINVAL, 0 },
		{ "1KK", -EINVAL, 0 }, { "1i", -EINVAL, 0 },
		{ "1B", -EINVAL, 0 }, { "1Kx", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 }, { "1.5G", -EINVAL, 0 },
		{ "1,000", -EINVAL, 0 }, { "16777216Tx", -EINVAL, 0 }, { 0 } });
}

Test(config_value, duration)
{
	static const uint64_t ms[] = {0, 1, 999, 1000, 60000, 90000, 3600000,
	                              86400000, 61001, UINT64_MAX};
	char text[CONFIG_VALUE_BYTES];
	uint64_t again;
	expect_rows(CONFIG_FORM_DURATION, (struct row[]){
		{ "0", 0, 0 }, { "0s", 0, 0 }, { "1ms", 0, 1 },
		{ "500MS", 0, 500 }, { "1s", 0, 1000 }, { "2m", 0, 120000 },
		{ "2min", 0, 120000 }, { "1h", 0, 3600000 },
		{ "1", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 }, { "1.5s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 }, { "1d", -EINVAL, 0 },
		{ "1sx", -EINVAL, 0 }, { "1us", -EINVAL, 0 },
		{ "18446744073709551615ms", 0, UINT64_MAX },
		{ "18446744073709551615s", -ERANGE, 0 },
		{ "18446744073709551616ms", -ERANGE, 0 }, { 0 } });
	for (unsigned i = 0; i < sizeof(ms) / sizeof(*ms); i++) {
		config_value_put(CONFIG_FORM_DURATION, text, ms[i]);
		cr_expect_eq(config_value_read(CONFIG_FORM_DURATION, text,
		                               &again), 0, "%s", text);
		cr_expect_eq(again, ms[i], "%s", text);
	}
	cr_expect_str_eq(config_value_put(CONFIG_FORM_DURATION, text, 90000), "90s");
	cr_expect_str_eq(config_value_put(CONFIG_FORM_DURATION, text, 7200000), "2h");
	cr_expect_str_eq(config_value_put(CONFIG_FORM_DURATION, text, 0), "0");
}

Test(config_value, percent)
{
	expect_rows(CONFIG_FORM_PERCENT, (struct row[]){
		{ "0%", 0, 0 }, { "25%", 0, 25 }, { "100%", 0, 100 },
		{ "25", -EINVAL, 0 }, { "%", -EINVAL, 0 },
		{ "25%%", -EINVAL, 0 }, { "2 %", -EINVAL, 0 },
		{ "99999999999999999999%", -ERANGE, 0 }, { 0 } });
}

Test(config_value, mode)
{
	expect_rows(CONFIG_FORM_MODE, (struct row[]){
		{ "0", 0, 0 }, { "660", 0, 0660 }, { "0777", 0, 0777 },
		{ "1000", 0, 01000 }, { "8", -EINVAL, 0 },
		{ "0668", -EINVAL, 0 }, { "rw", -EINVAL, 0 },
		{ "7777777777777777777777777", -ERANGE, 0 }, { 0 } });
}

Test(config_value, number)
{
	expect_rows(CONFIG_FORM_NUMBER, (struct row[]){
		{ "0", 0, 0 }, { "010", 0, 10 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "1a", -EINVAL, 0 }, { "", -EINVAL, 0 }, { 0 } });
}

Test(config_value, truth)
{
	static const char *const yes[] = { "yes", "TRUE", "On", "1" };
	static const char *const no[] = { "no", "FALSE", "Off", "0" };
	static const char *const neither[] = { "", "y", "2", "yes ", "none" };
	for (int i = 0; i < 4; i++) {
		expect_rows(CONFIG_FORM_BOOL, (struct row[]){
			{ yes[i], 0, 1 }, { no[i], 0, 0 }, { 0 } });
	}
	for (int i = 0; i < 5; i++)
		expect_rows(CONFIG_FORM_BOOL, (struct row[]){
			{ neither[i], -EINVAL, 0 }, { 0 } });
}

Test(config_value, words_read_back)
{
	static const struct {
		enum config_form form;
		unsigned n;
	} row[] = { { CONFIG_FORM_BOOL, 2 }, { CONFIG_FORM_FAR, 2 },
		    { CONFIG_FORM_PAGE, CONFIG_PAGE_4K + 1 },
		    { CONFIG_FORM_LEVEL, LOG_LEVEL_DEBUG + 1 } };
	char text[CONFIG_VALUE_BYTES];
	uint64_t again;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		for (unsigned n = 0; n < row[i].n; n++) {
			config_value_put(row[i].form, text, n);
			cr_expect_eq(config_value_read(row[i].form, text,
			                               &again), 0, "%s", text);
			cr_expect_eq(again, n, "%s", text);
		}
	expect_rows(CONFIG_FORM_LEVEL, (struct row[]){
		{ "error", 0, LOG_LEVEL_ERROR }, { "debug", 0, LOG_LEVEL_DEBUG },
		{ "Info", -EINVAL, 0 }, { "", -EINVAL, 0 }, { 0 } });
	expect_rows(CONFIG_FORM_PAGE, (struct row[]){
		{ "thp", 0, CONFIG_PAGE_THP }, { "THP", -EINVAL, 0 }, { 0 } });
	expect_rows(CONFIG_FORM_FAR, (struct row[]){
		{ "tier", 0, 1 }, { "tiers", -EINVAL, 0 }, { 0 } });
}

Test(config_value, put_size_reads_back)
{
	static const uint64_t sizes[] = { 0, 1, 1023, 1024, 1536, 16 << 20,
		UINT64_C(3) << 30, UINT64_C(1) << 40, UINT64_C(1) << 63,
		UINT64_MAX };
	char text[CONFIG_VALUE_BYTES];
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t n = 1;
		config_value_put(CONFIG_FORM_SIZE, text, sizes[i]);
		cr_expect_eq(config_value_read(CONFIG_FORM_SIZE, text, &n), 0,
		             "%s", text);
		cr_expect_eq(n, sizes[i], "%s", text);
	}
	cr_expect_str_eq(config_value_put(CONFIG_FORM_SIZE, text, 16 << 20), "16M");
	cr_expect_str_eq(config_value_put(CONFIG_FORM_SIZE, text, 1536), "1536");
}

Test(config_value, lists)
{
	struct config_ids users = { 0 };
	struct config_ids groups = { 0 };
	char why[CONFIG_WHY_BYTES] = "";
	cr_expect_eq(config_value_ids("root,,5 \t root", false, &users, why),
	             0);
	cr_expect_eq(users.n, 2);
	cr_expect_eq(users.id[1], 5);
	cr_expect_eq(config_value_ids("5 6 7", false, &users, why), 0);
	cr_expect_eq(users.n, 4, "adds to what is there");
	users.n = CONFIG_LIST_MAX;
	cr_expect_eq(config_value_ids("8", false, &users, why), -E2BIG);
	cr_expect_str_eq(why, "more than 64 users");
	cr_expect_eq(config_value_ids(" , ", true, &groups, why), -EINVAL);
	cr_expect_str_eq(why, "no group in the list");
	cr_expect_eq(config_value_ids("4294967294", true, &groups, why), 0);
	cr_expect_eq(groups.id[0], 4294967294u);
	cr_expect_eq(config_value_ids("4294967295", true, &groups, why),
	             -ERANGE);
	cr_expect_eq(config_value_ids("not-there", true, &groups, why),
	             -ENOENT);
	cr_expect_str_eq(why, "group \"not-there\" does not exist");
}

Test(config_value, list_of_one_long_name)
{
	struct config_ids users = { 0 };
	char text[4096];
	char why[CONFIG_WHY_BYTES] = "";
	memset(text, 'u', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(config_value_ids(text, false, &users, why), -ENOENT);
	cr_expect_eq(users.n, 0);
}
