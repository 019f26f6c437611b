/* SPDX-License-Identifier: MIT */
/* What slabctl save makes of a reply, and of what was saved before. */
#include "daemon/ctl/file.h"
#include "daemon/ctl/save.h"
#include "daemon/ctl/show.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], folder[96], path[160];
static struct ctl_http_fault fault;

static void make_dir(void)
{
	strcpy(dir, "/tmp/test_ctl_save.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(folder, sizeof(folder), "%s/slabd.conf.d", dir);
	snprintf(path, sizeof(path), "%s/" CTL_SAVE_NAME, folder);
}

static void remove_dir(void)
{
	unlink(path);
	rmdir(folder);
	cr_expect_eq(rmdir(dir), 0, "something is left in %s", dir);
}

TestSuite(ctl_save, .init = make_dir, .fini = remove_dir);

static json_t *key(const char *name, const char *value, const char *file)
{
	return json_pack("{s:s, s:s, s:s}", "key", name, "value", value,
	                 "configured", file);
}

/* A reply of two pools that have hold and idle. */
static json_t *reply(const char *hold_a, const char *hold_b, const char *idle)
{
	char file[96];
	snprintf(file, sizeof(file), "%s/slabd.conf", dir);
	return json_pack("{s:s, s:[{s:s, s:[o, o]}, {s:s, s:[o, o]}]}", "file",
	                 file, "pools", "name", "a", "keys",
	                 key("hold", hold_a, "1s"), key("idle", idle, "1m"),
	                 "name", "b", "keys", key("hold", hold_b, "1s"),
	                 key("idle", idle, "1m"));
}

static int save(json_t *doc)
{
	memset(&fault, 0, sizeof(fault));
	return ctl_save(doc, geteuid(), &fault);
}

static size_t n_of(const json_t *doc, const char *list)
{
	return json_array_size(json_object_get(doc, list));
}

/* What is in the file behind its first line; "": there is none. */
static const char *lines(void)
{
	static char text[1000];
	FILE *in = fopen(path, "r");
	size_t n;
	if (!in)
		return "";
	cr_assert(fgets(text, sizeof(text), in));
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

Test(ctl_save, nothing_was_set)
{
	json_t *doc = reply("1s", "1s", "1m");
	cr_assert_eq(save(doc), 0, "%s", fault.what);
	cr_expect(json_is_false(json_object_get(doc, "written")));
	cr_expect(access(folder, F_OK) < 0);
	cr_expect_eq(ctl_save_verdict(doc), 0);
	json_decref(doc);
}

Test(ctl_save, what_was_set_and_what_was_before)
{
	struct stat st;
	json_t *doc = reply("2s", "2s", "1m");
	cr_assert_eq(save(doc), 0, "%s", fault.what);
	cr_expect_eq(n_of(doc, "saved"), 1);
	cr_expect_str_eq(lines(), "[balance]\nhold = 2s\n");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0644);
	json_decref(doc);
	/* The file has it by now; something else was set. */
	doc = reply("1s", "1s", "never");
	cr_assert_eq(save(doc), 0);
	cr_expect_str_eq(lines(), "[balance]\nhold = 1s\nidle = never\n");
	json_decref(doc);
}

Test(ctl_save, pools_that_differ)
{
	json_t *doc = reply("2s", "2s", "1m");
	cr_assert_eq(save(doc), 0);
	json_decref(doc);
	doc = reply("3s", "4s", "5m");
	cr_assert_eq(save(doc), 0);
	cr_expect_eq(n_of(doc, "saved"), 1);
	cr_expect_eq(n_of(doc, "unsaved"), 1);
	cr_expect_eq(ctl_save_verdict(doc), 1);
	cr_expect_str_eq(json_string_value(json_object_get(
	                         json_array_get(json_object_get(doc, "unsaved"),
	                                        0),
	                         "what")),
	                 "3s in pool a, 4s in pool b");
	cr_expect_str_eq(lines(), "[balance]\nhold = 2s\nidle = 5m\n",
	                 "it stays as it was saved");
	json_decref(doc);
}

/* Nothing that is no value becomes part of a file. */
Test(ctl_save, a_reply_that_is_none_of_slabds)
{
	static const char *const odd[] = {"2s\n[pool x]", "2s ; x", "", "2/s"};
	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		json_t *doc = reply(odd[i], odd[i], "1m");
		cr_assert_eq(save(doc), 0);
		cr_expect_eq(n_of(doc, "saved"), 0, "%s", odd[i]);
		cr_expect_str_eq(lines(), "");
		json_decref(doc);
	}
}

Test(ctl_save, whose_slabd)
{
	json_t *doc = reply("2s", "2s", "1m");
	cr_expect_eq(ctl_save(doc, geteuid() + 1, &fault), -1);
	cr_expect(strstr(fault.what, "files for root's slabd"));
	cr_expect_str_eq(lines(), "");
	json_object_set_new(doc, "file", json_string("slabd.conf"));
	cr_expect_eq(save(doc), -1, "no absolute path");
	json_decref(doc);
}

/* What is in the way is named, and what helps against just that. */
Test(ctl_save, what_can_not_be_written)
{
	json_t *doc = reply("2s", "2s", "1m");
	FILE *file = fopen(folder, "we");
	cr_assert(file != NULL && fclose(file) == 0);
	cr_assert_eq(save(doc), -1);
	cr_expect(strstr(fault.what, "90-slabctl-save.conf: Not a directory"),
	          "%s", fault.what);
	cr_expect(strstr(fault.remedy, geteuid() == 0 ? "what keeps root from"
	                                              : "a user who may write"),
	          "%s", fault.remedy);
	cr_expect_str_eq(ctl_file_remedy(EACCES, "otherwise"), "otherwise");
	cr_expect_str_eq(ctl_file_remedy(ENOSPC, ""), "make room there");
	cr_expect(strstr(ctl_file_remedy(EROFS, ""), "mount it"));
	cr_expect_eq(unlink(folder), 0);
	json_decref(doc);
}
