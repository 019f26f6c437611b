/* SPDX-License-Identifier: MIT */
/* Caches, roots, channels and slabs: a table for each pool. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define NODES_MAX 1024

/* ---- caches ------------------------------------------------------------- */

static int64_t bytes_of(int64_t objects, int64_t size)
{
	int64_t bytes;
	return __builtin_mul_overflow(objects, size, &bytes) ? INT64_MAX
	                                                     : bytes;
}

static int64_t bytes_in_use(struct ctl *c, const json_t *cache)
{
	return bytes_of(ctl_doc_int(c, cache, "used"),
	                ctl_doc_int(c, cache, "stride"));
}

static void put_in_use(struct ctl *c, struct ctl_cell *cell,
                       const json_t *cache)
{
	cell->is_number = true;
	cell->number = (double)bytes_in_use(c, cache);
	ctl_text_bytes(cell->text, bytes_in_use(c, cache));
}

/* A slabd of before does not say. */
static void put_open(struct ctl *c, struct ctl_cell *cell, const json_t *cache)
{
	const json_t *openers = json_object_get(cache, "openers");
	(void)c;
	if (openers == NULL)
		strcpy(cell->text, "-");
	else
		snprintf(cell->text, sizeof(cell->text), "%lld",
		         (long long)json_integer_value(openers));
}

/* What the cache has on the node of the column, in objects; lent: in slabs. */
static void put_on_node(struct ctl *c, struct ctl_cell *cell,
                        const json_t *cache)
{
	const char *key = cell->col->key;
	bool slabs = strcmp(key, "lent") == 0;
	int64_t size = ctl_doc_int(c, cache, slabs ? "slab_bytes" : "stride");
	struct ctl_iter it;
	const json_t *at;
	strcpy(cell->text, "-");
	ctl_doc_begin(&it, c, cache, "nodes");
	while ((at = ctl_doc_next(&it)))
		if (ctl_doc_int(c, at, "node") == cell->col->arg)
			ctl_text_bytes(cell->text,
			               bytes_of(ctl_doc_int(c, at, key), size));
}

/* Adds the nodes that a cache names, in order; lent: whether a slab is lent. */
static size_t add_nodes(struct ctl *c, const json_t *cache, int64_t *node,
                        size_t n, bool *lent)
{
	struct ctl_iter it;
	const json_t *at;
	size_t k;
	ctl_doc_begin(&it, c, cache, "nodes");
	while ((at = ctl_doc_next(&it))) {
		int64_t id = ctl_doc_int(c, at, "node");
		*lent |= ctl_doc_int(c, at, "lent") != 0;
		for (k = n; k > 0 && node[k - 1] > id; k--)
			continue;
		if ((k > 0 && node[k - 1] == id) || n == NODES_MAX)
			continue;
		memmove(node + k + 1, node + k, (n - k) * sizeof(*node));
		node[k] = id;
		n++;
	}
	return n;
}

static void put_by_node(struct ctl *c, const json_t *pool, const int64_t *node,
                        size_t n, bool lent)
{
	static const char *const key[] = {"used", "free", "lent"};
	size_t per = lent ? 3 : 2;
	struct ctl_col *col = calloc(1 + n * per, sizeof(*col));
	if (!col) {
		ctl_doc_fail(c, "out of memory");
		return;
	}
	col[0] = (struct ctl_col){CTL_COL("by node", "name", CTL_NAME)};
	for (size_t i = 0; i < n * per; i++) {
		struct ctl_col *k = &col[1 + i];
		*k = (struct ctl_col){.key = key[i % per], .form = CTL_OWN,
		                      .put = put_on_node, .arg = node[i / per]};
		if (i % per == 0)
			snprintf(k->title, CTL_TABLE_TITLE, "%lld used",
			         (long long)k->arg);
		else
			strcpy(k->title, k->key);
	}
	fputc('\n', c->out);
	ctl_table_show(c, pool, &(struct ctl_list){
			.key = "caches", .none = "", .col = col,
			.n_cols = 1 + n * per, .weight = bytes_in_use,
			.group = per});
	free(col);
}

static const struct ctl_col cache_cols[] = {
	{CTL_COL("cache", "name", CTL_NAME), .flex = true},
	{CTL_COL("size", "size", CTL_INT)},
	{CTL_COL("stride", "stride", CTL_INT), .rank = 4},
	{CTL_COL("align", "align", CTL_INT), .rank = 6},
	{CTL_COL("slab", "slab_bytes", CTL_BYTES), .rank = 2},
	{CTL_COL("open", NULL, CTL_OWN), .rank = 7, .put = put_open},
	{CTL_COL("slabs", "slabs", CTL_INT)},
	{CTL_COL("slabs/s", "slabs", CTL_RATE), .rank = 2},
	{CTL_COL("objects", "objects", CTL_INT), .rank = 1},
	{CTL_COL("used", "used", CTL_INT)},
	{CTL_COL("used/s", "used", CTL_RATE)},
	{CTL_COL("held", "held", CTL_OWN), .put = ctl_table_maybe},
	{CTL_COL("free", "free", CTL_INT)},
	{CTL_COL("empty", "empty_slabs", CTL_OWN), .put = ctl_table_maybe,
	 .rank = 2},
	{CTL_COL("in use", NULL, CTL_OWN), .put = put_in_use},
	{CTL_COL("waste", "waste_pct", CTL_PERCENT), .rank = 3},
	{CTL_COL("id", "id", CTL_INT), .rank = 5},
};

static const struct ctl_list caches = {
	.key = "caches", .none = "no caches\n", CTL_COLS(cache_cols),
	.weight = bytes_in_use,
};

void ctl_caches_rows(struct ctl *c, const json_t *pool)
{
	ctl_table_show(c, pool, &caches);
}

void ctl_caches(struct ctl *c, const json_t *pool)
{
	int64_t node[NODES_MAX + 1];
	size_t n = 0;
	bool lent = false;
	struct ctl_iter it;
	const json_t *cache;
	ctl_table_pool(c, pool, &caches);
	ctl_table_unknown(c, 0, pool);
	ctl_doc_begin(&it, c, pool, "caches");
	while ((cache = ctl_doc_next(&it)))
		n = add_nodes(c, cache, node, n, &lent);
	if (n > 1 && !c->fault[0])
		put_by_node(c, pool, node, n, lent);
}

static int64_t bytes_held(struct ctl *c, const json_t *root)
{
	return ctl_doc_int(c, root, "bytes");
}

/* ---- roots --------------------------------------------------------------- */

/* What it names is of this cache; it may have objects and name none. */
static void put_named(struct ctl *c, struct ctl_cell *cell, const json_t *root)
{
	if (ctl_doc_string_or_null(c, root, cell->col->key) == NULL) {
		cell->color = CTL_YELLOW;
		strcpy(cell->text, "nothing");
		return;
	}
	ctl_text_field(c, cell->text, 64, root, cell->col->key);
}

static const struct ctl_col root_cols[] = {
	{CTL_COL("root", "name", CTL_NAME), .flex = true},
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("names one of", "cache", CTL_OWN), .put = put_named,
	 .left = true, .rank = 1},
	{CTL_COL("objects", "objects", CTL_INT)},
	{CTL_COL("objects/s", "objects", CTL_RATE)},
	{CTL_COL("bytes", "bytes", CTL_BYTES)},
	{CTL_COL("age", "age_s", CTL_AGE), .rank = 2},
	{CTL_COL("made by", "process", CTL_NAME), .rank = 3},
	{CTL_COL("uid", "uid", CTL_INT), .rank = 4},
};

static const struct ctl_list roots = {
	.key = "roots", .none = "no roots\n", CTL_COLS(root_cols),
	.weight = bytes_held,
};

/* With --cache or --node. */
static const struct ctl_col matched_root_cols[] = {
	{CTL_COL("root", "name", CTL_NAME), .flex = true},
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("names one of", "cache", CTL_OWN), .put = put_named,
	 .left = true, .rank = 1},
	{CTL_COL("objects there", "matched_objects", CTL_INT)},
	{CTL_COL("bytes there", "matched_bytes", CTL_BYTES)},
	{CTL_COL("bytes in all", "bytes", CTL_BYTES)},
};

static const struct ctl_list matched_roots = {
	.key = "roots", .none = "no roots\n", CTL_COLS(matched_root_cols),
	.weight = ctl_table_matched,
};

void ctl_roots(struct ctl *c, const json_t *pool)
{
	ctl_table_pool(c, pool, ctl_table_is_matched(pool, "roots")
	                                ? &matched_roots
	                                : &roots);
}

/* ---- channels ------------------------------------------------------------ */

#define SLEEPERS_SHOWN 3u

/* The clients of those that do, ": 3 4", receivers and senders alike; a slabd that
 * does not tell them has none. */
static void put_sleepers(struct ctl *c, struct ctl_cell *cell,
                         const json_t *channel)
{
	size_t used = strlen(cell->text);
	struct ctl_iter it;
	const json_t *who;
	unsigned n = 0;
	if (json_object_get(channel, "sleepers") == NULL)
		return;
	ctl_doc_begin(&it, c, channel, "sleepers");
	while ((who = ctl_doc_next(&it)) != NULL) {
		int64_t id = ctl_doc_int(c, who, "client");
		if (n++ == SLEEPERS_SHOWN)
			snprintf(cell->text + used, sizeof(cell->text) - used, " ...");
		else if (n <= SLEEPERS_SHOWN)
			used += (size_t)snprintf(cell->text + used,
			                         sizeof(cell->text) - used,
			                         "%s%" PRId64, n == 1 ? ": " : " ",
			                         id);
	}
}

/* Who sleeps until something comes, or until there is room. */
static void put_waits(struct ctl *c, struct ctl_cell *cell,
                      const json_t *channel)
{
	bool receivers = ctl_doc_bool(c, channel, "receivers_wait");
	bool senders = ctl_doc_bool(c, channel, "senders_wait");
	cell->color = senders ? CTL_YELLOW : CTL_PLAIN;
	strcpy(cell->text, receivers && senders ? "both"
	                   : receivers          ? "receivers"
	                   : senders            ? "senders"
	                                        : "-");
	put_sleepers(c, cell, channel);
}

static const struct ctl_col channel_cols[] = {
	{CTL_COL("channel", "name", CTL_NAME), .flex = true},
	{CTL_COL("id", "id", CTL_INT), .rank = 3},
	{CTL_COL("peers", "peers", CTL_INT)},
	{CTL_COL("capacity", "capacity", CTL_INT), .rank = 2},
	{CTL_COL("entries", "entries", CTL_INT)},
	{CTL_COL("entries/s", "entries", CTL_RATE)},
	{CTL_COL("objects", "objects", CTL_INT)},
	{CTL_COL("sent", "sent", CTL_INT), .rank = 1},
	{CTL_COL("received", "received", CTL_INT), .rank = 1},
	{CTL_COL("sent/s", "sent_per_s", CTL_INT)},
	{CTL_COL("received/s", "received_per_s", CTL_INT)},
	{CTL_COL("waits", NULL, CTL_OWN), .put = put_waits},
};

static const struct ctl_list channels = {
	.key = "channels", .none = "no channels\n", CTL_COLS(channel_cols),
};

/* With --cache or --node. */
static const struct ctl_col matched_channel_cols[] = {
	{CTL_COL("channel", "name", CTL_NAME), .flex = true},
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("peers", "peers", CTL_INT)},
	{CTL_COL("entries", "entries", CTL_INT)},
	{CTL_COL("objects there", "matched_objects", CTL_INT)},
	{CTL_COL("bytes there", "matched_bytes", CTL_BYTES)},
	{CTL_COL("objects in all", "objects", CTL_INT)},
};

static const struct ctl_list matched_channels = {
	.key = "channels", .none = "no channels\n",
	CTL_COLS(matched_channel_cols), .weight = ctl_table_matched,
};

void ctl_channels(struct ctl *c, const json_t *pool)
{
	ctl_table_pool(c, pool, ctl_table_is_matched(pool, "channels")
	                                ? &matched_channels
	                                : &channels);
}

/* ---- slabs -------------------------------------------------------------- */

/* Lent: on another node's list. */
static void put_on_list(struct ctl *c, struct ctl_cell *cell,
                        const json_t *slab)
{
	int64_t list = ctl_doc_int(c, slab, cell->col->key);
	if (list != ctl_doc_int(c, slab, "node"))
		cell->color = CTL_MAGENTA;
	snprintf(cell->text, CTL_TEXT_SHORT, "%lld", (long long)list);
}

static void put_full(struct ctl *c, struct ctl_cell *cell, const json_t *slab)
{
	ctl_text_share(cell->text, ctl_doc_int(c, slab, "used"),
	               ctl_doc_int(c, slab, "objects"));
}

static void put_lease(struct ctl *c, struct ctl_cell *cell, const json_t *slab)
{
	int64_t holder = ctl_doc_int(c, slab, cell->col->key);
	strcpy(cell->text, "-");
	if (holder)
		ctl_text_count(cell->text, holder);
}

static const struct ctl_col slab_cols[] = {
	{CTL_COL("offset", "offset", CTL_HEX)},
	{CTL_COL("cache", "cache", CTL_NAME), .flex = true},
	{CTL_COL("node", "node", CTL_INT)},
	{CTL_COL("list", "list", CTL_OWN), .put = put_on_list},
	{CTL_COL("size", "bytes", CTL_BYTES), .rank = 3},
	{CTL_COL("objects", "objects", CTL_INT), .rank = 1},
	{CTL_COL("used", "used", CTL_INT)},
	{CTL_COL("free", "free", CTL_INT)},
	{CTL_COL("full", NULL, CTL_OWN), .put = put_full},
	{CTL_COL("listed", "listed", CTL_YES)},
	{CTL_COL("lease", "lease", CTL_OWN), .put = put_lease, .rank = 2},
};

static const struct ctl_list slabs = {
	.key = "slabs", .none = "no slabs\n", CTL_COLS(slab_cols),
};

void ctl_slabs(struct ctl *c, const json_t *pool)
{
	int64_t total = ctl_doc_int(c, pool, "total");
	size_t n = ctl_table_pool(c, pool, &slabs);
	if (total > (int64_t)n)
		fprintf(c->out, "%zu of %lld slabs; --limit shows more\n", n,
		        (long long)total);
}
