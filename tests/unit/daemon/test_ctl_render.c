/* SPDX-License-Identifier: MIT */
/*
 * Whole pages: tests/ctl/<document>/<verb>.json against the text that
 * people are to see. With CTL_RENDER_WRITE set the pages are written anew,
 * to be looked at before they are committed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/text.h"
#include "daemon/ctl/verbs.h"

static const char *const docs[] = {"one", "four", "zero", "huge"};

static void use_utf8(void)
{
	cr_assert(setlocale(LC_ALL, "C.UTF-8"));
}

TestSuite(ctl_render, .init = use_utf8);

static void path_of(char *path, size_t size, const char *doc, const char *verb,
                    const char *kind)
{
	const char *src = getenv("srcdir");

	snprintf(path, size, "%s/tests/golden/%s/%s%s", src ? src : ".", doc, verb,
	         kind);
}

static json_t *load(const char *doc, const char *verb)
{
	json_error_t error;
	char path[512];
	json_t *json;

	path_of(path, sizeof(path), doc, verb, ".json");
	json = json_load_file(path, 0, &error);
	cr_assert(json, "%s: %s", path, error.text);
	return json;
}

/* The text, to be freed, or NULL with fault. */
static char *text_of(const struct ctl_verb *verb, const json_t *json,
                     const struct ctl_style *style, char fault[256])
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r = ctl_verbs_show(verb, json, style, f, fault, 256);

	fclose(f);
	if (r == 0) {
		cr_assert_str_eq(fault, "");
		return text;
	}
	cr_assert_eq(r, -EPROTO);
	cr_assert_eq(size, 0, "half a page with fault %s", fault);
	cr_assert_str_neq(fault, "");
	free(text);
	return NULL;
}

static char *read_all(const char *path)
{
	char *text = NULL, buf[4096];
	size_t size, n;
	FILE *in = fopen(path, "r"), *out = open_memstream(&text, &size);

	cr_assert(in, "%s: %s", path, strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	fclose(in);
	fclose(out);
	return text;
}

static void check_file(const char *doc, const char *verb, const char *file,
                       const char *kind, struct ctl_style style)
{
	char path[512], fault[256], *text, *expected;
	json_t *json = load(doc, file);
	FILE *f;

	text = text_of(ctl_verbs_find(verb), json, &style, fault);
	cr_assert(text, "%s/%s: %s", doc, verb, fault);
	path_of(path, sizeof(path), doc, file, kind);
	if (getenv("CTL_RENDER_WRITE")) {
		f = fopen(path, "w");
		fputs(text, f);
		fclose(f);
	}
	expected = read_all(path);
	cr_assert(strcmp(text, expected) == 0, "%s:\n%s\nexpected:\n%s", path,
	          text, expected);
	free(text);
	free(expected);
	json_decref(json);
}

static void check_page(const char *doc, const char *verb, const char *kind,
                       struct ctl_style style)
{
	check_file(doc, verb, verb, kind, style);
}

static void check_other(const char *doc, const char *verb, const char *file,
                        struct ctl_style style)
{
	check_file(doc, verb, file, ".80.txt", style);
}

static void check_pages(const char *doc)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};
	const struct ctl_verb *v;

	for (v = ctl_verbs; v->name; v++)
		if (v->show)
			check_page(doc, v->name, ".80.txt", plain);
}

Test(ctl_render, one_node)
{
	check_pages("one");
}

Test(ctl_render, four_nodes_with_sparse_ids)
{
	check_pages("four");
}

Test(ctl_render, nothing_but_zeros)
{
	check_pages("zero");
}

Test(ctl_render, the_largest_numbers)
{
	check_pages("huge");
}

Test(ctl_render, advice_by_a_trace)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};

	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		check_other(docs[i], "advise", "advise-trace", plain);
}

Test(ctl_render, wide)
{
	const struct ctl_style wide = {.utf8 = true, .width = 120};

	check_page("four", "nodes", ".120.txt", wide);
	check_page("four", "caches", ".120.txt", wide);
	check_page("one", "clients", ".120.txt", wide);
}

Test(ctl_render, ascii)
{
	const struct ctl_style ascii = {.width = 80};

	check_page("four", "nodes", ".ascii.txt", ascii);
	check_page("four", "plan", ".ascii.txt", ascii);
	check_page("one", "clients", ".ascii.txt", ascii);
}

Test(ctl_render, color)
{
	const struct ctl_style color = {.color = true, .utf8 = true, .width = 80};

	check_page("four", "nodes", ".color.txt", color);
	check_page("four", "audit", ".color.txt", color);
	check_page("four", "log", ".color.txt", color);
	check_page("one", "clients", ".color.txt", color);
}

/* Pages of verbs that show something else with a word or an option. */
Test(ctl_render, of_one_client_and_of_a_cache)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};

	check_other("four", "clients", "client", plain);
	check_other("huge", "clients", "client", plain);
	check_other("four", "clients", "matched", plain);
	check_other("four", "roots", "matched_roots", plain);
	check_other("four", "channels", "matched_channels", plain);
}

static const char *const empty[][3] = {
	{"nodes", "{\"pools\":[]}", "no pools\n"},
	{"caches", "{\"pools\":[{\"name\":\"p\",\"caches\":[]}]}",
         "pool p\nno caches\n"},
	{"clients", "{\"pools\":[{\"name\":\"p\",\"clients\":[]}]}",
         "pool p\nno clients\n"},
	{"slabs", "{\"pools\":[{\"name\":\"p\",\"total\":0,\"slabs\":[]}]}",
         "pool p\nno slabs\n"},
	{"audit", "{\"agree\":true,\"pools\":[]}", "no pools\nall agree\n"},
	{"nodes",
         "{\"pools\":[{\"name\":\"p\",\"page_bytes\":4096,"
         "\"remote_with_room\":0,\"nodes\":[]}]}",
         "pool p  in steps of 4.0 KiB\nno nodes\n"},
};

/* The first lines of a page, up to and with the n-th row of its first table. */
static void check_sorted(const char *verb, const char *column, bool reverse,
                         const char *above, const char *below)
{
	const struct ctl_style style = {.utf8 = true, .width = 200,
	                                .sort = column, .reverse = reverse};
	char fault[256], *text;
	json_t *json = load("four", verb);

	text = text_of(ctl_verbs_find(verb), json, &style, fault);
	cr_assert(text, "%s", fault);
	cr_expect_lt(strstr(text, above), strstr(text, below), "%s by %s:\n%s",
	             verb, column, text);
	free(text);
	json_decref(json);
}

Test(ctl_render, sorted)
{
	check_sorted("caches", "cache", false, "\norders ", "\nsessions ");
	check_sorted("caches", "cache", true, "\nsessions ", "\norders ");
	check_sorted("caches", "in-use", false, "\norders ", "\nsessions ");
	check_sorted("caches", "in use", true, "\nsessions ", "\norders ");
}

Test(ctl_render, a_column_that_is_not_there)
{
	const struct ctl_style style = {.utf8 = true, .width = 80, .sort = "x"};
	char fault[256];
	json_t *json = load("four", "channels");
	FILE *out = fopen("/dev/null", "w");

	cr_expect_eq(ctl_verbs_show(ctl_verbs_find("channels"), json, &style,
	                            out, fault, sizeof(fault)), -EINVAL);
	cr_expect_str_eq(fault, "--sort x: no such column; columns: channel, "
	                        "id, peers, capacity, entries, objects, sent, "
	                        "received, sent/s, received/s, waits");
	fclose(out);
	json_decref(json);
}

Test(ctl_render, empty_lists_say_so)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};
	char fault[256], *text;
	json_t *json;
	size_t i;

	for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		json = json_loads(empty[i][1], 0, NULL);
		cr_assert(json);
		text = text_of(ctl_verbs_find(empty[i][0]), json, &plain,
		               fault);
		cr_assert(text, "%s: %s", empty[i][0], fault);
		cr_assert_str_eq(text, empty[i][2]);
		free(text);
		json_decref(json);
	}
}

static const char *const bad[][3] = {
	{"nodes", "[]", "the reply is no object"},
	{"nodes", "{}", "no \"pools\" (array)"},
	{"nodes", "{\"pools\":7}", "\"pools\" is no array"},
	{"clients", "{\"pools\":[7]}", "pools[0]: no object"},
	{"clients", "{\"pools\":[{\"name\":1,\"clients\":[]}]}",
         "pools[0]: \"name\" is no string"},
	{"clients", "{\"pools\":[{\"name\":\"p\",\"clients\":[{}]}]}",
         "pools[0].clients[0]: no \"bytes\" (integer)"},
	{"audit",
         "{\"agree\":true,\"pools\":[{\"name\":\"p\",\"slabs\":1}]}",
         "pools[0]: no \"objects\" (integer)"},
	{"slabs", "{\"pools\":[{\"name\":\"p\",\"total\":1.5,\"slabs\":[]}]}",
         "pools[0]: \"total\" is no integer"},
	{"audit", "{\"agree\":1,\"pools\":[]}", "\"agree\" is no boolean"},
};

Test(ctl_render, a_fault_names_its_place)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};
	char fault[256], *text;
	json_t *json;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json = json_loads(bad[i][1], 0, NULL);
		cr_assert(json);
		text = text_of(ctl_verbs_find(bad[i][0]), json, &plain, fault);
		cr_assert_null(text);
		cr_assert_str_eq(fault, bad[i][2]);
		json_decref(json);
	}
}

struct spoil {
	const struct ctl_verb *verb;
	const json_t *root;
	unsigned n_faults, n_fine;
};

static void see(struct spoil *s, const char *key)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};
	char fault[256];
	char *text = text_of(s->verb, s->root, &plain, fault);

	if (text)
		s->n_fine++;
	else
		s->n_faults += strstr(fault, key) != NULL;
	free(text);
}

/* Every value in turn: wrong of type, then missing. */
static void spoil(struct spoil *s, json_t *at)
{
	json_t *wrong = json_pack("{s:n}", "x");
	json_t *whole = json_is_object(at) ? json_copy(at) : NULL, *item;
	const char *key;
	void *it;
	size_t i;

	for (i = 0; i < json_array_size(at); i++)
		spoil(s, json_array_get(at, i));
	for (it = json_object_iter(whole); it;
	     it = json_object_iter_next(whole, it)) {
		key = json_object_iter_key(it);
		item = json_object_iter_value(it);
		spoil(s, item);
		json_object_set(at, key, wrong);
		see(s, key);
		json_object_del(at, key);
		see(s, key);
		json_object_set(at, key, item);
	}
	json_decref(whole);
	json_decref(wrong);
}

Test(ctl_render, every_field_missing_or_wrong_is_survived)
{
	const struct ctl_verb *v;
	unsigned i;

	for (i = 0; i < 2; i++) {
		for (v = ctl_verbs; v->name; v++) {
			json_t *json;

			if (!v->show)
				continue;
			json = load(docs[i], v->name);
			struct spoil s = {v, NULL, 0, 0};

			s.root = json;
			spoil(&s, json);
			cr_expect_gt(s.n_faults, 2 * s.n_fine,
			             "%s: %u faults, %u fine", v->name,
			             s.n_faults, s.n_fine);
			json_decref(json);
		}
	}
}

static void check_width(const char *page, unsigned width, const char *what)
{
	const char *end;
	char line[4096];

	for (; *page; page = end + 1) {
		end = strchr(page, '\n');
		cr_assert(end);
		snprintf(line, sizeof(line), "%.*s", (int)(end - page), page);
		cr_expect_leq(ctl_text_columns(line), width, "%s at %u: %s",
		              what, width, line);
	}
}

Test(ctl_render, no_line_is_wider_than_the_terminal)
{
	const struct ctl_verb *v;
	char fault[256], *text;
	unsigned i, width;

	for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		for (v = ctl_verbs; v->name; v++) {
			json_t *json;

			if (!v->show)
				continue;
			json = load(docs[i], v->name);

			for (width = 80; width <= 240; width += 7) {
				struct ctl_style s = {.utf8 = width % 2, .width = width};

				text = text_of(v, json, &s, fault);
				cr_assert(text);
				check_width(text, width, v->name);
				free(text);
			}
			json_decref(json);
		}
	}
}

/* A node of two that drain is empty; the watch began at 4 GiB. */
/* top cuts its lines: no table has half a number there. */
Test(ctl_render, tables_are_whole_where_lines_are_cut)
{
	const struct ctl_style style = {.utf8 = true, .width = 40, .cut = true};
	const char *const verbs[] = {"caches", "clients"};
	for (unsigned i = 0; i < 2; i++) {
		json_t *json = load("huge", verbs[i]);
		char fault[256];
		char *text = text_of(ctl_verbs_find(verbs[i]), json, &style,
		                     fault);
		cr_assert(text, "%s: %s", verbs[i], fault);
		check_width(text, 40, verbs[i]);
		free(text);
		json_decref(json);
	}
}

Test(ctl_render, draining)
{
	const struct ctl_style plain = {.utf8 = true, .width = 80};
	char path[512], fault[256], *text, *expected;
	json_t *json = load("four", "draining"), *began = json_object();

	text = text_of(&ctl_verbs_progress, json, &plain, fault);
	cr_assert(text, "%s", fault);
	path_of(path, sizeof(path), "four", "draining", ".80.txt");
	if (getenv("CTL_RENDER_WRITE")) {
		FILE *f = fopen(path, "w");

		fputs(text, f);
		fclose(f);
	}
	expected = read_all(path);
	cr_assert_str_eq(text, expected);
	cr_expect_eq(ctl_drain_left(json, 4, began), INT64_C(1) << 30);
	cr_expect_eq(ctl_drain_left(json, 0, began), -1);
	cr_expect_eq(json_object_size(began), 2);
	free(text);
	free(expected);
	json_decref(began);
	json_decref(json);
}

Test(ctl_render, audit_verdict)
{
	json_t *json = load("one", "audit");

	cr_expect_eq(ctl_audit_verdict(json), 0);
	json_object_set_new(json, "agree", json_false());
	cr_expect_eq(ctl_audit_verdict(json), 1);
	json_object_del(json, "agree");
	cr_expect_eq(ctl_audit_verdict(json), 1);
	json_decref(json);
}
