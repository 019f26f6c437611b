/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/rates.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KEY_BYTES 512
#define NS_PER_S 1e9

/* Of each list the keys, with a blank between. */
static const struct rated {
	const char *verb;
	const char *list;   /* of a pool; NULL: the pool itself */
	const char *ids;    /* what names a row */
	const char *counts; /* that only grow */
	const char *others; /* that go up and down */
} rated[] = {
	{"status", NULL, "name",
	 "deaths swept_objects rings grown_slabs taken_slabs denied",
	 "ready_bytes carved_bytes used_bytes held_bytes free_bytes"},
	{"nodes", "nodes", "node", "",
	 "ready_bytes carved_bytes used_bytes held_bytes free_bytes "
	 "lent_bytes borrowed_bytes"},
	{"caches", "caches", "id name", "", "slabs objects used held free"},
	{"clients", "clients", "id epoch pid",
	 "refills refilled flushes flushed depot_gets depot_puts "
	 "remote_allocs remote_frees rings waits failures refused resumes "
	 "remote_with_room",
	 "objects bytes used_bytes held_bytes"},
	{"roots", "roots", "name id", "", "objects bytes"},
	{"channels", "channels", "name id", "sent received",
	 "entries objects"},
	{"arenas", "arenas", "id client name", "resets", "bytes grown_bytes"},
	{"objpools", "objpools", "id client name",
	 "hits misses made aged ended refused", "idle idle_bytes"},
};

/* The next word of a list, "" at its end. */
static const char *next_word(const char *list, char word[40])
{
	size_t n = strcspn(list, " ");
	snprintf(word, 40, "%.*s", (int)n, list);
	list += n;
	return list + strspn(list, " ");
}

/* What names a row, as a text. */
static void name_row(char key[KEY_BYTES], const json_t *row, const char *ids)
{
	size_t len = 0;
	char word[40];
	while (*ids && len < KEY_BYTES) {
		const json_t *id;
		ids = next_word(ids, word);
		id = json_object_get(row, word);
		len += (size_t)(json_is_string(id)
		        ? snprintf(key + len, KEY_BYTES - len, "%s\n",
		                   json_string_value(id))
		        : snprintf(key + len, KEY_BYTES - len, "%lld\n",
		                   (long long)json_integer_value(id)));
	}
}

static void add_rate(json_t *rates, const char *key, const json_t *row,
                     const json_t *before, bool grows, double seconds)
{
	const json_t *now = json_object_get(row, key);
	const json_t *then = json_object_get(before, key);
	double change = (double)json_integer_value(now) -
	                (double)json_integer_value(then);
	/* One that is less than it was was begun anew. */
	if (!json_is_integer(now) || !json_is_integer(then) ||
	    (grows && change < 0))
		return;
	json_object_set_new(rates, key, json_real(change / seconds));
}

static void add_rates(const struct rated *of, json_t *row, const json_t *before,
                      double seconds)
{
	const char *const lists[] = {of->counts, of->others};
	json_t *rates = json_object();
	char word[40];
	for (int grows = 1; grows >= 0; grows--)
		for (const char *at = lists[1 - grows]; *at;) {
			at = next_word(at, word);
			add_rate(rates, word, row, before, grows, seconds);
		}
	json_object_set_new(row, "per_s", rates);
}

/* The rows of a list by what names them, a new reference. */
static json_t *by_name(const struct rated *of, const json_t *list)
{
	json_t *rows = json_object();
	char key[KEY_BYTES];
	size_t i;
	json_t *row;
	json_array_foreach(list, i, row) {
		name_row(key, row, of->ids);
		json_object_set(rows, key, row);
	}
	return rows;
}

static void add_list(const struct rated *of, json_t *list, const json_t *before,
                     double seconds)
{
	json_t *rows = by_name(of, before);
	char key[KEY_BYTES];
	size_t i;
	json_t *row;
	json_array_foreach(list, i, row) {
		json_t *then;
		name_row(key, row, of->ids);
		then = json_object_get(rows, key);
		if (then != NULL)
			add_rates(of, row, then, seconds);
	}
	json_decref(rows);
}

static const json_t *pool_of(const json_t *doc, const json_t *name)
{
	size_t i;
	json_t *pool;
	json_array_foreach(json_object_get(doc, "pools"), i, pool)
		if (json_equal(json_object_get(pool, "name"), name))
			return pool;
	return NULL;
}

static void add_pools(const struct rated *of, json_t *doc, const json_t *before,
                      double seconds)
{
	json_t *pools = json_object_get(doc, "pools");
	size_t i;
	json_t *pool;
	if (of->list == NULL) {
		add_list(of, pools, json_object_get(before, "pools"), seconds);
		return;
	}
	json_array_foreach(pools, i, pool) {
		const json_t *then =
			pool_of(before, json_object_get(pool, "name"));
		add_list(of, json_object_get(pool, of->list),
		         json_object_get(then, of->list), seconds);
	}
}

void ctl_rates_end(struct ctl_rates *rates)
{
	json_decref(rates->before);
	rates->before = NULL;
}

void ctl_rates_add(struct ctl_rates *rates, const char *verb, json_t *doc,
                   int64_t at_ns)
{
	double seconds = (double)(at_ns - rates->at_ns) / NS_PER_S;
	const struct rated *of = NULL;
	for (size_t i = 0; i < sizeof(rated) / sizeof(rated[0]); i++)
		if (strcmp(rated[i].verb, verb) == 0)
			of = &rated[i];
	if (of != NULL && doc != NULL && rates->before != NULL && seconds > 0) {
		json_object_set_new(doc, "since_s", json_real(seconds));
		add_pools(of, doc, rates->before, seconds);
	}
	ctl_rates_end(rates);
	rates->before = json_incref(doc);
	rates->at_ns = at_ns;
}
