/* SPDX-License-Identifier: MIT */
/* Caches, clients and slabs: a table for each pool. */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"

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

static void put_in_use(struct ctl *c, struct ctl_table *t,
                       const struct ctl_col *col, const json_t *cache)
{
	(void)col;
	ctl_table_bytes(t, bytes_in_use(c, cache));
}

static const json_t *on_node(const json_t *cache, int64_t node)
{
	const json_t *array = json_object_get(cache, "nodes"), *item;
	for (size_t i = 0; i < json_array_size(array); i++) {
		item = json_array_get(array, i);
		if (json_integer_value(json_object_get(item, "node")) == node)
			return item;
	}
	return NULL;
}

/* What the cache has on the node of the column, in objects; lent: in slabs. */
static void put_on_node(struct ctl *c, struct ctl_table *t,
                        const struct ctl_col *col, const json_t *cache)
{
	bool slabs = strcmp(col->key, "lent") == 0;
	int64_t size = ctl_doc_int(c, cache, slabs ? "slab_bytes" : "stride");
	const json_t *at = on_node(cache, col->arg);
	if (at)
		ctl_table_bytes(t, bytes_of(ctl_doc_int(c, at, col->key),
		                            size));
	else
		ctl_table_add(t, CTL_PLAIN, "-");
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
	{CTL_COL("slabs", "slabs", CTL_INT)},
	{CTL_COL("objects", "objects", CTL_INT), .rank = 1},
	{CTL_COL("used", "used", CTL_INT)},
	{CTL_COL("free", "free", CTL_INT)},
	{CTL_COL("in use", NULL, CTL_OWN), .put = put_in_use},
	{CTL_COL("waste", "waste_pct", CTL_PERCENT), .rank = 3},
	{CTL_COL("id", "id", CTL_INT), .rank = 5},
};

static const struct ctl_list caches = {
	.key = "caches", .none = "no caches\n", CTL_COLS(cache_cols),
	.weight = bytes_in_use,
};

static void put_caches(struct ctl *c, const json_t *pool, bool first)
{
	int64_t node[NODES_MAX + 1];
	size_t n = 0;
	bool lent = false;
	struct ctl_iter it;
	const json_t *cache;
	ctl_render_list(c, pool, first, &caches);
	ctl_doc_begin(&it, c, pool, "caches");
	while ((cache = ctl_doc_next(&it)))
		n = add_nodes(c, cache, node, n, &lent);
	if (n > 1 && !c->fault[0])
		put_by_node(c, pool, node, n, lent);
}

void ctl_caches(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_caches);
}

/* ---- clients ------------------------------------------------------------ */

static int64_t bytes_held(struct ctl *c, const json_t *client)
{
	return ctl_doc_int(c, client, "bytes");
}

/* A live client without a connection can't ask slabd for anything. */
static void put_state(struct ctl *c, struct ctl_table *t,
                      const struct ctl_col *col, const json_t *client)
{
	bool connected = ctl_doc_bool(c, client, "connected");
	char state[64];
	ctl_text_field(c, state, sizeof(state), client, col->key);
	if (strcmp(state, "live") != 0)
		ctl_table_add(t, CTL_PLAIN, "%s", state);
	else
		ctl_table_add(t, connected ? CTL_GREEN : CTL_YELLOW, "%s",
		              connected ? "live" : "unlinked");
}

/* The share that came from or went to another node. */
static void put_remote(struct ctl *c, struct ctl_table *t,
                       const struct ctl_col *col, const json_t *client)
{
	char buf[CTL_TEXT_SHORT];
	int64_t remote = ctl_doc_sum(ctl_doc_int(c, client, "remote_allocs"),
	                             ctl_doc_int(c, client, "remote_frees"));
	int64_t moved = ctl_doc_sum(ctl_doc_int(c, client, "refilled"),
	                            ctl_doc_int(c, client, "flushed"));
	(void)col;
	ctl_table_add(t, CTL_PLAIN, "%s", ctl_text_share(buf, remote, moved));
}

static const struct ctl_col client_cols[] = {
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("pid", "pid", CTL_INT)},
	{CTL_COL("name", "name", CTL_NAME), .flex = true},
	{CTL_COL("uid", "uid", CTL_INT), .rank = 2},
	{CTL_COL("state", "state", CTL_OWN), .put = put_state, .left = true},
	{CTL_COL("age", "age_s", CTL_AGE), .rank = 1},
	{CTL_COL("objects", "objects", CTL_INT)},
	{CTL_COL("bytes", "bytes", CTL_BYTES)},
	{CTL_COL("remote", NULL, CTL_OWN), .put = put_remote},
	{CTL_COL("failed", "failures", CTL_BAD), .zeros = 4},
	{CTL_COL("refused", "refused", CTL_BAD), .zeros = 5},
	{CTL_COL("rings", "rings", CTL_INT), .rank = 3},
};

static const struct ctl_list clients = {
	.key = "clients", .none = "no clients\n", CTL_COLS(client_cols),
	.weight = bytes_held,
};

static void put_clients(struct ctl *c, const json_t *pool, bool first)
{
	ctl_render_list(c, pool, first, &clients);
}

void ctl_clients(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_clients);
}

/* ---- slabs -------------------------------------------------------------- */

/* Lent: on another node's list. */
static void put_on_list(struct ctl *c, struct ctl_table *t,
                        const struct ctl_col *col, const json_t *slab)
{
	int64_t list = ctl_doc_int(c, slab, col->key);
	bool home = list == ctl_doc_int(c, slab, "node");
	ctl_table_add(t, home ? CTL_PLAIN : CTL_MAGENTA, "%lld",
	              (long long)list);
}

static void put_full(struct ctl *c, struct ctl_table *t,
                     const struct ctl_col *col, const json_t *slab)
{
	char buf[CTL_TEXT_SHORT];
	(void)col;
	ctl_table_add(t, CTL_PLAIN, "%s",
	              ctl_text_share(buf, ctl_doc_int(c, slab, "used"),
	                             ctl_doc_int(c, slab, "objects")));
}

static void put_lease(struct ctl *c, struct ctl_table *t,
                      const struct ctl_col *col, const json_t *slab)
{
	int64_t holder = ctl_doc_int(c, slab, col->key);
	if (holder)
		ctl_table_int(t, holder);
	else
		ctl_table_add(t, CTL_PLAIN, "-");
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

static void put_slabs(struct ctl *c, const json_t *pool, bool first)
{
	int64_t total = ctl_doc_int(c, pool, "total");
	size_t n = ctl_render_list(c, pool, first, &slabs);
	if (total > (int64_t)n)
		fprintf(c->out, "%zu of %lld slabs; --limit shows more\n", n,
		        (long long)total);
}

void ctl_slabs(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_slabs);
}
