/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

#include "daemon/ctl/text.h"

static void use_utf8(void)
{
	cr_assert(setlocale(LC_ALL, "C.UTF-8"));
}

TestSuite(ctl_text, .init = use_utf8);

static const struct {
	int64_t bytes;
	const char *text;
} sizes[] = {
	{0, "0"},
	{1, "1 B"},
	{-1, "-1 B"},
	{1023, "1023 B"},
	{1024, "1.0 KiB"},
	{1536, "1.5 KiB"},
	{1048524, "1023.9 KiB"},
	{1048525, "1.0 MiB"},
	{INT64_C(5) << 30, "5.0 GiB"},
	{-(INT64_C(5) << 30), "-5.0 GiB"},
	{INT64_MAX, "8.0 EiB"},
	{INT64_MIN, "-8.0 EiB"},
};

Test(ctl_text, bytes)
{
	char buf[CTL_TEXT_SHORT];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		cr_expect_str_eq(ctl_text_bytes(buf, sizes[i].bytes),
		                 sizes[i].text);
}

Test(ctl_text, age)
{
	char buf[CTL_TEXT_SHORT];

	cr_expect_str_eq(ctl_text_age(buf, 0), "0.0s");
	cr_expect_str_eq(ctl_text_age(buf, 59.94), "59.9s");
	cr_expect_str_eq(ctl_text_age(buf, 60), "1m 00s");
	cr_expect_str_eq(ctl_text_age(buf, 3599), "59m 59s");
	cr_expect_str_eq(ctl_text_age(buf, 3600), "1h 00m");
	cr_expect_str_eq(ctl_text_age(buf, 86399), "23h 59m");
	cr_expect_str_eq(ctl_text_age(buf, 86400 * 12 + 3600 * 4), "12d 04h");
	cr_expect_str_eq(ctl_text_age(buf, 1e300), "ages");
}

Test(ctl_text, share)
{
	char buf[CTL_TEXT_SHORT];

	cr_expect_str_eq(ctl_text_share(buf, 0, 0), "-");
	cr_expect_str_eq(ctl_text_share(buf, 1, 3), "33.3%");
	cr_expect_str_eq(ctl_text_share(buf, 7, 3), "100.0%");
}

static const char *const escapes[][3] = {
	/* text, in UTF-8, in ASCII */
	{"worker-1", "worker-1", "worker-1"},
	{"a\\b", "a\\\\b", "a\\\\b"},
	{"\033[2Jx\n\x7f", "\\x1b[2Jx\\x0a\\x7f", "\\x1b[2Jx\\x0a\\x7f"},
	{"k\u00e4se", "k\u00e4se", "k\\u{e4}se"},
	{"\xc2\x85\xc2\x9b", "\\u{85}\\u{9b}", "\\u{85}\\u{9b}"},
	{"\u202ex\u2066", "\\u{202e}x\\u{2066}", "\\u{202e}x\\u{2066}"},
	{"e\u0301\u200b", "e\\u{301}\\u{200b}", "e\\u{301}\\u{200b}"},
	{"\u6f22", "\u6f22", "\\u{6f22}"},
};

Test(ctl_text, escape)
{
	const struct ctl_style utf8 = {.utf8 = true}, ascii = {.utf8 = false};
	char buf[256];
	size_t i;

	for (i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		cr_expect_str_eq(
			ctl_text_escape(&utf8, buf, sizeof(buf), escapes[i][0]),
			escapes[i][1]);
		cr_expect_str_eq(ctl_text_escape(&ascii, buf, sizeof(buf),
		                                 escapes[i][0]),
		                 escapes[i][2]);
	}
	/* An escape that no longer fits is left out whole. */
	cr_expect_str_eq(ctl_text_escape(&utf8, buf, 5, "ab\033"), "ab");
	cr_expect_str_eq(ctl_text_escape(&utf8, buf, 7, "ab\033"), "ab\\x1b");
}

Test(ctl_text, columns_and_cut)
{
	unsigned taken;

	cr_expect_eq(ctl_text_columns("a\u6f22b"), 4);
	cr_expect_eq(ctl_text_cut("a\u6f22b", 2, &taken), 1);
	cr_expect_eq(taken, 1);
	cr_expect_eq(ctl_text_cut("a\u6f22b", 3, &taken), 4);
	cr_expect_eq(taken, 3);
}

Test(ctl_text, split_fills_and_shows_the_least)
{
	unsigned cells[3];
	const int64_t even[] = {50, 25, 25}, tiny[] = {1, 1, 1000000};
	const int64_t over[] = {INT64_MAX, INT64_MAX, INT64_MAX};

	ctl_text_split(even, 3, 100, 40, cells);
	cr_expect(cells[0] == 20 && cells[1] == 10 && cells[2] == 10);
	ctl_text_split(tiny, 3, 1000002, 10, cells);
	cr_expect(cells[0] == 1 && cells[1] == 1 && cells[2] == 8);
	ctl_text_split(over, 3, INT64_MAX, 9, cells);
	cr_expect_eq(cells[0] + cells[1] + cells[2], 9);
	ctl_text_split(even, 3, 0, 40, cells);
	cr_expect_eq(cells[0] + cells[1] + cells[2], 0);
}

Test(ctl_text, fields_in_a_sentence)
{
	struct ctl c = {.style = {.utf8 = true}};
	json_t *doc = json_pack("{s:i, s:i, s:I, s:s}", "one", 1, "few", 3,
	                        "size", (json_int_t)2048, "name",
	                        "a\033bcdefgh");
	char buf[80] = "so: ", small[12] = "";
	cr_expect_str_eq(ctl_text_add(&c, buf, sizeof(buf), doc,
	                              "{one new slab}, {few page}, {few}, "
	                              "{size b}, {name t}, {name t8}."),
	                 "so: 1 new slab, 3 pages, 3, 2.0 KiB, "
	                 "a\\x1bbcdefgh, a\\x1bbc.");
	cr_expect_str_eq(c.fault, "");
	cr_expect_str_eq(ctl_text_add(&c, small, sizeof(small), doc,
	                              "cut: {few page} and more"),
	                 "cut: 3 page");
	ctl_text_add(&c, small, sizeof(small), doc, "");
	buf[0] = '\0';
	ctl_text_add(&c, buf, sizeof(buf), doc, "{name} {none t}");
	cr_expect_str_eq(c.fault, "\"name\" is no integer");
	json_decref(doc);
}
