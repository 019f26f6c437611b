/* SPDX-License-Identifier: MIT */
/* What slabctl advise makes of a trace, and what it writes. */
#include "daemon/ctl/advise.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96];
static struct ctl_http_fault fault;

static void make_dir(void)
{
	strcpy(dir, "/tmp/test_ctl_advise.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/advice.conf", dir);
	/* No slabd: what is played there is left out. */
	setenv("SLABD_SOCKET", "/nowhere/sock", 1);
}

static void remove_dir(void)
{
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "something is left in %s", dir);
}

TestSuite(ctl_advise, .init = make_dir, .fini = remove_dir);

static json_t *of_trace(const char *file, unsigned max_caches)
{
	const struct ctl_advise by = {.trace = file, .max_caches = max_caches};

	memset(&fault, 0, sizeof(fault));
	return ctl_advise_trace(&by, &fault);
}

static json_t *of_cut(const char *name, unsigned max_caches)
{
	const char *folder = getenv("srcdir");
	char file[512];
	json_t *doc;

	snprintf(file, sizeof(file), "%s/tests/data/%s-cut.trace.zst",
	         folder ? folder : ".", name);
	doc = of_trace(file, max_caches);
	cr_assert(doc, "%s", fault.what);
	return doc;
}

static void put_file(const char *text, size_t bytes)
{
	FILE *f = fopen(path, "w");

	fwrite(text, 1, bytes, f);
	fclose(f);
}

static char *read_file(void)
{
	static char text[4096];
	FILE *f = fopen(path, "r");

	cr_assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static json_int_t held(const json_t *doc, size_t way)
{
	return json_integer_value(json_object_get(
		json_array_get(json_object_get(doc, "ways"), way),
		"held_bytes"));
}

static size_t n_caches(const json_t *doc)
{
	return json_array_size(json_object_get(doc, "caches"));
}

/* malloc can't hold less than what it was asked for, and with more caches no more
 * memory is needed. */
Test(ctl_advise, a_trace_is_played_and_its_caches_chosen)
{
	json_t *one = of_cut("mariadb", 1), *many = of_cut("mariadb", 16);

	cr_assert_gt(held(many, 0), 0);
	/* A sanitizer's malloc does not say. */
	if (!getenv("SLABD_SANITIZER") || !*getenv("SLABD_SANITIZER"))
		cr_assert_geq(held(many, 1), held(many, 0));
	cr_assert_lt(held(many, 2), held(one, 2));
	cr_assert_eq(n_caches(one), 1u);
	cr_assert_leq(n_caches(many), 16u);
	cr_assert_eq(json_array_size(json_object_get(many, "unplayed")), 1u,
	             "no slabd is at /nowhere/sock");
	json_decref(one);
	json_decref(many);
}

Test(ctl_advise, no_trace)
{
	cr_assert_null(of_trace("/nowhere/x", 16));
	cr_assert_str_eq(fault.what, "/nowhere/x: No such file or directory");
	cr_assert_str_neq(fault.remedy, "");
	put_file("SLABTRC1", 8);
	cr_assert_null(of_trace(path, 16));
	cr_assert_not_null(strstr(fault.what, "nothing is allocated"));
	cr_assert_str_neq(fault.remedy, "");
	cr_assert_null(of_trace(dir, 16));
	cr_assert_not_null(strstr(fault.what, "directory"));
}

Test(ctl_advise, writes_what_it_wrote_and_nothing_else)
{
	json_t *doc = of_cut("gateway", 16);
	char *text;

	cr_assert_eq(ctl_advise_write(doc, path, &fault), 0, "%s", fault.what);
	text = read_file();
	cr_assert_not_null(strstr(text, "[pool default]\n"));
	cr_assert_not_null(strstr(text, "\nstart = "));
	cr_assert_not_null(strstr(text, "\nfloor = "));
	cr_assert_eq(ctl_advise_write(doc, path, &fault), 0, "once more");
	put_file("[slabd]\n", 8);
	cr_assert_eq(ctl_advise_write(doc, path, &fault), -1);
	cr_assert_not_null(strstr(fault.what, "did not write it"));
	cr_assert_str_eq(read_file(), "[slabd]\n");
	unlink(path);
	cr_assert_eq(ctl_advise_write(doc, "/nowhere/x.conf", &fault), -1);
	cr_assert_not_null(strstr(fault.what, "No such file"));
	json_decref(doc);
}

/* What a name can't be in a file is not written into one. */
Test(ctl_advise, a_name_is_no_line)
{
	json_t *doc = json_pack("{s:[{s:s, s:[{s:s, s:s, s:s}]}]}", "config",
	                        "pool", "a]\n[slabd", "keys", "key", "start",
	                        "value", "2M", "why", "");

	cr_assert_eq(ctl_advise_write(doc, path, &fault), 0);
	cr_assert_null(strstr(read_file(), "slabd]"));
	json_decref(doc);
}

Test(ctl_advise, nothing_to_change_writes_nothing)
{
	json_t *doc = json_pack("{s:[]}", "config");

	cr_assert_eq(ctl_advise_write(doc, path, &fault), 0);
	cr_assert(json_is_false(json_object_get(doc, "written")));
	cr_assert_neq(access(path, F_OK), 0);
	json_decref(doc);
}
