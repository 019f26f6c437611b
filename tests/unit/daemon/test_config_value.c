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

typedef int reader(const char *text, uint64_t *out);

static void expect_rows(reader *read, const struct row *row)
{
	for (; row->text != NULL; row++) {
		uint64_t n = 0;
		int rc = read(row->text, &n);
		cr_expect_eq(rc, row->rc, "\"%s\": %d", row->text, rc);
		if (row->rc == 0)
			cr_expect_eq(n, row->n, "\"%s\": %lu", row->text, n);
	}
}

Test(config_value, size)
{
	expect_rows(config_value_size, (struct row[]){
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
	char text[CONFIG_DURATION_BYTES];
	uint64_t again;
	expect_rows(config_value_duration, (struct row[]){
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
		config_value_put_duration(text, ms[i]);
		cr_expect_eq(config_value_duration(text, &again), 0, "%s",
		             text);
		cr_expect_eq(again, ms[i], "%s", text);
	}
	cr_expect_str_eq(config_value_put_duration(text, 90000), "90s");
	cr_expect_str_eq(config_value_put_duration(text, 7200000), "2h");
	cr_expect_str_eq(config_value_put_duration(text, 0), "0");
}

Test(config_value, percent)
{
	expect_rows(config_value_percent, (struct row[]){
		{ "0%", 0, 0 }, { "25%", 0, 25 }, { "100%", 0, 100 },
		{ "25", -EINVAL, 0 }, { "%", -EINVAL, 0 },
		{ "25%%", -EINVAL, 0 }, { "2 %", -EINVAL, 0 },
		{ "99999999999999999999%", -ERANGE, 0 }, { 0 } });
}

Test(config_value, mode)
{
	expect_rows(config_value_mode, (struct row[]){
		{ "0", 0, 0 }, { "660", 0, 0660 }, { "0777", 0, 0777 },
		{ "1000", -ERANGE, 0 }, { "8", -EINVAL, 0 },
		{ "0668", -EINVAL, 0 }, { "rw", -EINVAL, 0 },
		{ "7777777777777777777777777", -ERANGE, 0 }, { 0 } });
}

Test(config_value, number)
{
	expect_rows(config_value_number, (struct row[]){
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
	bool truth;
	for (int i = 0; i < 4; i++) {
		truth = false;
		cr_expect_eq(config_value_bool(yes[i], &truth), 0);
		cr_expect(truth, "%s", yes[i]);
		cr_expect_eq(config_value_bool(no[i], &truth), 0);
		cr_expect_not(truth, "%s", no[i]);
	}
	for (int i = 0; i < 5; i++)
		cr_expect_eq(config_value_bool(neither[i], &truth), -EINVAL);
}

Test(config_value, put_size_reads_back)
{
	static const uint64_t sizes[] = { 0, 1, 1023, 1024, 1536, 16 << 20,
		UINT64_C(3) << 30, UINT64_C(1) << 40, UINT64_C(1) << 63,
		UINT64_MAX };
	char text[CONFIG_SIZE_BYTES];
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t n = 1;
		config_value_put_size(text, sizes[i]);
		cr_expect_eq(config_value_size(text, &n), 0, "%s", text);
		cr_expect_eq(n, sizes[i], "%s", text);
	}
	cr_expect_str_eq(config_value_put_size(text, 16 << 20), "16M");
	cr_expect_str_eq(config_value_put_size(text, 1536), "1536");
}

Test(config_value, lists)
{
	uid_t users[4] = { 0 };
	gid_t groups[4] = { 0 };
	char why[CONFIG_WHY_BYTES] = "";
	unsigned n = 0;
	cr_expect_eq(config_value_users("root,,5 \t root", users, &n, 4, why),
	             0);
	cr_expect_eq(n, 2);
	cr_expect_eq(users[1], 5);
	cr_expect_eq(config_value_users("5 6 7", users, &n, 4, why), 0);
	cr_expect_eq(n, 4, "adds to what is there");
	cr_expect_eq(config_value_users("8", users, &n, 4, why), -E2BIG);
	cr_expect_str_eq(why, "more than 4 users");
	n = 0;
	cr_expect_eq(config_value_groups(" , ", groups, &n, 4, why), -EINVAL);
	cr_expect_str_eq(why, "no group in the list");
	cr_expect_eq(config_value_groups("4294967294", groups, &n, 4, why), 0);
	cr_expect_eq(groups[0], 4294967294u);
	cr_expect_eq(config_value_groups("4294967295", groups, &n, 4, why),
	             -ERANGE);
	cr_expect_eq(config_value_groups("not-there", groups, &n, 4, why),
	             -ENOENT);
	cr_expect_str_eq(why, "group \"not-there\" does not exist");
}

Test(config_value, list_of_one_long_name)
{
	uid_t users[1];
	char text[4096];
	char why[CONFIG_WHY_BYTES] = "";
	unsigned n = 0;
	memset(text, 'u', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(config_value_users(text, users, &n, 1, why), -ENOENT);
	cr_expect_eq(n, 0);
}
