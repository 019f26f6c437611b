/* SPDX-License-Identifier: MIT */
/* A document written out in pieces is what it is in one. */
#include "daemon/admin/dump.h"

#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rng.h"

/* Writes one piece after the other. How many, and the text, of malloc. */
static unsigned pieces_of(json_t *doc, char **text)
{
	struct dump dump;
	unsigned n = 1;
	size_t len;
	dump_begin(&dump, doc, NULL);
	while (dump_some(&dump, 0))
		n++;
	cr_expect_not(dump.failed);
	len = evbuffer_get_length(dump.text);
	*text = calloc(len + 1, 1);
	evbuffer_remove(dump.text, *text, len);
	dump_done(&dump);
	return n;
}

/* Gives how many pieces it was. */
static unsigned check(json_t *doc)
{
	char *want = json_dumps(doc, JSON_COMPACT);
	char *got;
	unsigned n = pieces_of(doc, &got);
	cr_expect_str_eq(got, want);
	free(want);
	free(got);
	return n;
}

static json_t *read_json(const char *text)
{
	json_t *doc = json_loads(text, 0, NULL);
	cr_assert_not_null(doc);
	return doc;
}

Test(dump, small_ones)
{
	check(json_object());
	check(json_array());
	check(read_json("{\"a\": 1, \"b\": [], \"c\": {}, \"d\": null}"));
	check(read_json("[1.5, \"x\\\"y\\u0001\", true, [[[[[1, 2], 3]]]]]"));
	check(read_json("{\"k\\\"\\n\": {\"a\": {\"b\": {\"c\": {\"d\": 1}}}}}"));
}

/* An item is a piece, whatever is in it; so a slice is short. */
Test(dump, a_long_list_is_many_pieces)
{
	json_t *items = json_array();
	json_t *doc;
	for (int i = 0; i < 1000; i++)
		json_array_append_new(items,
		                      json_pack("{s:i, s:[i, i]}", "id", i,
		                                "of", i, -i));
	doc = json_pack("{s:[{s:s, s:o}]}", "pools", "name", "p", "clients",
	                items);
	cr_expect_gt(check(doc), 1000);
}

static json_t *random_doc(struct rng *rng, unsigned depth)
{
	uint64_t kind = rng_below(rng, depth > 6 ? 2 : 4);
	uint64_t n = rng_below(rng, 5);
	json_t *doc;
	char key[8];
	if (kind == 0)
		return json_integer((json_int_t)rng_below(rng, 1000));
	if (kind == 1)
		return json_string("text");
	doc = kind == 2 ? json_array() : json_object();
	for (uint64_t i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "k%u", (unsigned)i);
		if (kind == 2)
			json_array_append_new(doc, random_doc(rng, depth + 1));
		else
			json_object_set_new(doc, key,
			                    random_doc(rng, depth + 1));
	}
	return doc;
}

Test(dump, random)
{
	struct rng rng = rng_start("dump");
	for (int i = 0; i < 500; i++) {
		json_t *doc = json_pack("[o]", random_doc(&rng, 0));
		check(doc);
	}
}

static void cuts(const char *keys, const char *whole, const char *want)
{
	const struct dump_form form = {.keys = keys};
	struct dump dump;
	char got[256];
	int n;
	dump_begin(&dump, read_json(whole), &form);
	while (dump_some(&dump, 0))
		continue;
	cr_expect_not(dump.failed);
	n = evbuffer_remove(dump.text, got, sizeof(got) - 1);
	got[n > 0 ? n : 0] = '\0';
	cr_expect_str_eq(got, want, "%s: %s", keys, got);
	dump_done(&dump);
}

/* Near the root, where it goes piece by piece, and below. */
Test(dump, keys_that_are_shown)
{
	cuts("a", "{\"b\": 1, \"a\": 2, \"c\": 3}", "{\"a\":2}");
	cuts(" a  c", "{\"b\": 1, \"a\": [], \"c\": 3}", "{\"a\":[],\"c\":3}");
	cuts("", "{\"b\": 1, \"c\": {}}", "{}");
	cuts("a", "{\"aa\": 1, \"\": 2, \"a a\": 3}", "{}");
	cuts("a", "{\"a\": [{\"a\": [{\"b\": 1, \"a\": [{\"a\": 1, \"b\": 2}, "
	          "[{\"b\": {\"a\": 1}}], {\"b\": [1]}]}]}]}",
	     "{\"a\":[{\"a\":[{\"a\":[{\"a\":1},[{}],{}]}]}]}");
}

Test(dump, without_memory_it_has_failed)
{
	struct dump dump;
	dump_begin(&dump, NULL, NULL);
	cr_expect_not(dump_some(&dump, 0));
	cr_expect(dump.failed);
	dump_done(&dump);
}
