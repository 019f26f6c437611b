/* SPDX-License-Identifier: MIT */
/* What slabctl upgrade --check makes of the slabd that runs and of another
 * program, which here is a shell's: right, wrong, of another version, or none. */
#include "daemon/ctl/upgrade.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SURELY_MS 60000
#define AT_ONCE_MS 50
#define NAME "slabd.pool.default.ledger"

static char dir[64], program[96], passed[96];
static int passed_fd;
static struct ctl_http_fault fault;

static void make_dir(void)
{
	strcpy(dir, "/tmp/test_ctl_upgrade.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(program, sizeof(program), "%s/slabd", dir);
	snprintf(passed, sizeof(passed), "%s/ledger", dir);
	passed_fd = open(passed, O_RDWR | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(passed_fd, 0);
}

static void remove_dir(void)
{
	close(passed_fd);
	unlink(passed);
	unlink(program);
	cr_expect_eq(rmdir(dir), 0, "something is left in %s", dir);
}

TestSuite(ctl_upgrade, .init = make_dir, .fini = remove_dir);

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");
	cr_assert(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

static void write_program(const char *script)
{
	char text[600];
	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	write_text(program, text);
	cr_assert_eq(chmod(program, 0755), 0);
}

/* A reply of this process, which has one file of one pool. */
static json_t *reply(bool kept)
{
	struct stat st;
	cr_assert_eq(fstat(passed_fd, &st), 0);
	return json_pack(
		"{s:i, s:i, s:s, s:i, s:i, s:i, s:s, s:n, s:[], "
		"s:[{s:s, s:i, s:b}], s:[{s:s, s:i, s:I, s:I}]}",
		"schema", 1, "pid", getpid(), "version", "1", "layout_version",
		6, "ledger_version", 1, "wire_abi", 4, "program", program,
		"config", "left", "pools", "name", "default", "clients", 2,
		"kept", kept, "files", "name", NAME, "fd", passed_fd, "device",
		(json_int_t)st.st_dev, "inode", (json_int_t)st.st_ino);
}

/* An answer about that pool, and another one. */
static json_t *answer(const char *result, int abi)
{
	return json_pack(
		"{s:i, s:s, s:i, s:i, s:i, s:b, s:s, s:s, s:n, s:[], s:[{s:s, "
		"s:s, s:s, s:s, s:s, s:s, s:s, s:[]}, {s:s, s:s, s:s, s:s, "
		"s:s, s:s, s:s, s:[]}]}",
		"schema", 1, "version", "2", "layout_version", 7,
		"ledger_version", 1, "wire_abi", abi, "starts", 1, "what", "",
		"todo", "", "config", "errors", "pools", "name", "default",
		"result", result, "what", "why", "todo", "", "effect", "so",
		"backing", "4k", "note", "", "waiting", "name", "other",
		"result", "new", "what", "", "todo", "", "effect", "",
		"backing", "", "note", "", "waiting");
}

/* The program says what is in the file that was passed to it. */
static void program_says(json_t *said)
{
	cr_assert(said);
	cr_assert_eq(json_dump_file(said, passed, 0), 0);
	json_decref(said);
	write_program("[ \"$1 $LISTEN_FDNAMES $LISTEN_FDS $LISTEN_PID\" = "
	              "\"--takes-over " NAME " 1 $$\" ] || exit 9\n"
	              "[ -z \"$NOTIFY_SOCKET\" ] || exit 8\n"
	              "echo x >&3 && exit 7\n"
	              "exec cat <&3");
}

static int upgrade(json_t *doc, unsigned limit_ms)
{
	memset(&fault, 0, sizeof(fault));
	return ctl_upgrade(doc, geteuid(), NULL, limit_ms, &fault);
}

static const char *said(const json_t *doc, size_t pool, const char *key)
{
	const json_t *row =
		json_array_get(json_object_get(doc, "pools"), pool);
	const char *text = json_string_value(json_object_get(row, key));
	return text ? text : "nothing";
}

static size_t remarks(const json_t *doc)
{
	return json_array_size(json_object_get(doc, "remarks"));
}

static bool takes_over(const json_t *doc)
{
	return json_is_true(json_object_get(doc, "takes_over"));
}

Test(ctl_upgrade, all_is_taken_over)
{
	json_t *doc = reply(true);
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	program_says(answer("taken-over", 4));
	cr_assert_eq(upgrade(doc, SURELY_MS), 0, "%s", fault.what);
	cr_expect(takes_over(doc));
	cr_expect_str_eq(said(doc, 0, "result"), "taken-over");
	cr_expect_str_eq(said(doc, 1, "result"), "new");
	cr_expect_eq(json_array_size(json_object_get(doc, "pools")), 2);
	cr_expect_eq(remarks(doc), 0);
	json_decref(doc);
}

Test(ctl_upgrade, a_pool_is_refused)
{
	json_t *doc = reply(true);
	program_says(answer("refused", 4));
	cr_assert_eq(upgrade(doc, SURELY_MS), 0, "%s", fault.what);
	cr_expect_not(takes_over(doc));
	cr_expect_str_eq(said(doc, 0, "what"), "why");
	cr_expect_str_eq(said(doc, 0, "effect"), "so");
	json_decref(doc);
}

Test(ctl_upgrade, a_pool_that_nobody_keeps)
{
	json_t *doc = reply(false);
	program_says(answer("new", 4));
	cr_assert_eq(upgrade(doc, SURELY_MS), 0, "%s", fault.what);
	cr_expect_not(takes_over(doc));
	cr_expect_str_eq(said(doc, 0, "result"), "lost");
	json_decref(doc);
}

Test(ctl_upgrade, clients_that_it_does_not_understand)
{
	json_t *doc = reply(true);
	program_says(answer("taken-over", 5));
	cr_assert_eq(upgrade(doc, SURELY_MS), 0, "%s", fault.what);
	cr_expect_not(takes_over(doc), "they get no more memory");
	cr_expect_eq(remarks(doc), 1);
	json_decref(doc);
}

Test(ctl_upgrade, it_would_not_start)
{
	json_t *doc = reply(true);
	json_t *not = answer("taken-over", 4);
	json_object_set_new(not, "starts", json_false());
	json_object_set_new(not, "pools", json_array());
	program_says(not);
	cr_assert_eq(upgrade(doc, SURELY_MS), 0, "%s", fault.what);
	cr_expect_not(takes_over(doc));
	cr_expect_str_eq(said(doc, 0, "result"), "lost");
	cr_expect_eq(remarks(doc), 1);
	json_decref(doc);
}

Test(ctl_upgrade, errors_and_what_was_left)
{
	json_t *doc = reply(true);
	json_t *of = answer("taken-over", 4);
	json_object_set_new(of, "errors", json_pack("[s, s]", "one", "two"));
	json_object_set_new(doc, "left", json_pack("[s]", "old"));
	program_says(of);
	cr_assert_eq(upgrade(doc, SURELY_MS), 0, "%s", fault.what);
	cr_expect(takes_over(doc), "slabd goes on with what it had");
	cr_expect_eq(remarks(doc), 4);
	json_decref(doc);
}

/* ---- programs that say nothing of use ------------------------------------ */

static void fails(const char *script, unsigned limit_ms, const char *says)
{
	json_t *doc = reply(true);
	write_program(script);
	cr_expect_eq(upgrade(doc, limit_ms), -1);
	cr_expect(strstr(fault.what, says), "%s: %s", script, fault.what);
	cr_expect_str_neq(fault.remedy, "", "%s", script);
	json_decref(doc);
}

Test(ctl_upgrade, bad_programs)
{
	fails("echo \"slabd: unrecognized option '--takes-over'\" >&2; exit 2",
	      SURELY_MS, "does not know --takes-over: it is no slabd, or an "
	      "older one");
	fails("echo usage >&2; exit 2", SURELY_MS, "ended with status 2: usage");
	fails("echo ouch >&2; kill -SEGV $$", SURELY_MS, "by signal 11");
	fails("sleep 1000", AT_ONCE_MS, "no answer in 0.05 s");
	fails("exec >&- 2>&-; sleep 1000", AT_ONCE_MS, "no answer in 0.05 s");
	fails("sleep 1000 & echo '{}'", SURELY_MS, "schema 0");
	fails("echo '{\"schema\": 2}'", SURELY_MS, "schema 2");
	fails("true", SURELY_MS, "no answer of slabd's");
	fails("echo '{'", SURELY_MS, "no answer of slabd's");
	fails("exec cat /dev/zero", SURELY_MS, "does not end its answer");
	fails("cat /dev/zero | head -c 100000 >&2; exit 3", SURELY_MS,
	      "ended with status 3");
}

Test(ctl_upgrade, no_program)
{
	json_t *doc = reply(true);
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	cr_expect(strstr(fault.what, "can't be found"), "%s", fault.what);
	cr_expect_eq(ctl_upgrade(doc, geteuid(), dir, SURELY_MS, &fault), -1);
	cr_expect(strstr(fault.what, "is no program"), "%s", fault.what);
	write_text(program, "nothing");
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	cr_expect(strstr(fault.what, "is no program"), "%s", fault.what);
	chmod(program, 0755);
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	cr_expect(strstr(fault.what, "can't be run"), "%s", fault.what);
	json_object_set_new(doc, "program", json_null());
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	cr_expect_str_eq(fault.remedy, "give it with --slabd PATH");
	json_decref(doc);
}

/* ---- whose slabd it is ---------------------------------------------------- */

static void set_file(json_t *doc, const char *key, json_int_t value)
{
	json_t *file = json_array_get(json_object_get(doc, "files"), 0);
	json_object_set_new(file, key, json_integer(value));
}

Test(ctl_upgrade, another_process_or_user)
{
	json_t *doc = reply(true);
	write_program("exit 0");
	set_file(doc, "inode", 1);
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	cr_expect(strstr(fault.what, "another one here"), "%s", fault.what);
	set_file(doc, "fd", 999);
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	cr_expect(strstr(fault.what, "another one here"), "%s", fault.what);
	cr_expect_eq(ctl_upgrade(doc, geteuid() + 1, NULL, SURELY_MS, &fault),
	             -1);
	cr_expect(strstr(fault.what, "socket is of user"), "%s", fault.what);
	json_object_set_new(doc, "schema", json_integer(2));
	cr_expect_eq(upgrade(doc, SURELY_MS), -1);
	json_decref(doc);
}
