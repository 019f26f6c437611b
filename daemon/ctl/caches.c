/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/render.h"
#include "daemon/ctl/table.h"

#define NODES_MAX 1024

static const struct ctl_col columns[] = {
	{.title = "cache", .left = true, .flex = true},
	{.title = "size"},
	{.title = "stride", .rank = 4},
	{.title = "align", .rank = 6},
	{.title = "slab", .rank = 2},
	{.title = "slabs"},
	{.title = "objects", .rank = 1},
	{.title = "used"},
	{.title = "free"},
	{.title = "in use"},
	{.title = "waste", .rank = 3},
	{.title = "id", .rank = 5},
};

struct line {
	const json_t *cache;
	int64_t used_bytes, id;
};

static int64_t bytes_of(int64_t objects, int64_t stride)
{
	int64_t bytes;

	return __builtin_mul_overflow(objects, stride, &bytes) ? INT64_MAX
	                                                       : bytes;
}

static int by_used(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->used_bytes != y->used_bytes)
		return x->used_bytes < y->used_bytes ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

/* The pool's caches, most bytes in use first. To be freed. */
static struct line *sorted(struct ctl *c, const json_t *pool, size_t *n)
{
	struct ctl_iter it;
	struct line *line;
	const json_t *cache;

	ctl_doc_begin(&it, c, pool, "caches");
	*n = 0;
	line = calloc(it.n + 1, sizeof(*line));
	if (!line)
		ctl_doc_fail(c, "out of memory");
	while ((cache = ctl_doc_next(&it))) {
		line[(*n)++] = (struct line){
			cache,
			bytes_of(ctl_doc_int(c, cache, "used"),
		                 ctl_doc_int(c, cache, "stride")),
			ctl_doc_int(c, cache, "id"),
		};
	}
	if (line)
		qsort(line, *n, sizeof(*line), by_used);
	return line;
}

static void add_cache(struct ctl *c, struct ctl_table *t,
                      const struct line *line)
{
	const json_t *cache = line->cache;

	ctl_table_name(t, ctl_doc_string(c, cache, "name"));
	ctl_table_int(t, ctl_doc_int(c, cache, "size"));
	ctl_table_int(t, ctl_doc_int(c, cache, "stride"));
	ctl_table_int(t, ctl_doc_int(c, cache, "align"));
	ctl_table_bytes(t, ctl_doc_int(c, cache, "slab_bytes"));
	ctl_table_int(t, ctl_doc_int(c, cache, "slabs"));
	ctl_table_int(t, ctl_doc_int(c, cache, "objects"));
	ctl_table_int(t, ctl_doc_int(c, cache, "used"));
	ctl_table_int(t, ctl_doc_int(c, cache, "free"));
	ctl_table_bytes(t, line->used_bytes);
	ctl_table_real(t, ctl_doc_number(c, cache, "waste_pct"), "%");
	ctl_table_int(t, line->id);
}

static const json_t *on_node(const json_t *cache, int64_t node)
{
	const json_t *array = json_object_get(cache, "nodes"), *item;
	size_t i;

	for (i = 0; i < json_array_size(array); i++) {
		item = json_array_get(array, i);
		if (json_integer_value(json_object_get(item, "node")) == node)
			return item;
	}
	return NULL;
}

static void add_by_node(struct ctl *c, struct ctl_table *t,
                        const struct line *line, const int64_t *node, size_t n,
                        bool lent)
{
	int64_t stride = ctl_doc_int(c, line->cache, "stride");
	int64_t slab = ctl_doc_int(c, line->cache, "slab_bytes");
	const json_t *at;
	size_t i;

	ctl_table_name(t, ctl_doc_string(c, line->cache, "name"));
	for (i = 0; i < n; i++) {
		at = on_node(line->cache, node[i]);
		if (!at) {
			ctl_table_add(t, CTL_PLAIN, "-");
			ctl_table_add(t, CTL_PLAIN, "-");
			if (lent)
				ctl_table_add(t, CTL_PLAIN, "-");
			continue;
		}
		ctl_table_bytes(t,
		                bytes_of(ctl_doc_int(c, at, "used"), stride));
		ctl_table_bytes(t,
		                bytes_of(ctl_doc_int(c, at, "free"), stride));
		if (lent)
			ctl_table_bytes(
				t, bytes_of(ctl_doc_int(c, at, "lent"), slab));
	}
}

/* All nodes that any cache names, in order; lent: whether a slab is lent. */
static size_t node_ids(struct ctl *c, const struct line *line, size_t n_lines,
                       int64_t *node, bool *lent)
{
	struct ctl_iter it;
	const json_t *at;
	size_t i, k, n = 0;
	int64_t id;

	for (i = 0; i < n_lines; i++) {
		ctl_doc_begin(&it, c, line[i].cache, "nodes");
		while ((at = ctl_doc_next(&it))) {
			id = ctl_doc_int(c, at, "node");
			*lent |= ctl_doc_int(c, at, "lent") != 0;
			for (k = n; k > 0 && node[k - 1] > id; k--)
				continue;
			if ((k > 0 && node[k - 1] == id) || n == NODES_MAX)
				continue;
			memmove(node + k + 1, node + k,
			        (n - k) * sizeof(*node));
			node[k] = id;
			n++;
		}
	}
	return n;
}

static void put_by_node(struct ctl *c, const struct line *line, size_t n_lines,
                        const int64_t *node, size_t n, bool lent)
{
	size_t per = lent ? 3 : 2, i;
	struct ctl_col *col = calloc(1 + n * per, sizeof(*col));
	struct ctl_table *t;

	if (!col) {
		ctl_doc_fail(c, "out of memory");
		return;
	}
	col[0] = (struct ctl_col){.title = "by node", .left = true};
	for (i = 0; i < n; i++) {
		struct ctl_col *k = &col[1 + i * per];

		snprintf(k[0].title, CTL_TABLE_TITLE, "%lld used",
		         (long long)node[i]);
		strcpy(k[1].title, "free");
		if (lent)
			strcpy(k[2].title, "lent");
	}
	t = ctl_table_new(c, col, 1 + n * per);
	for (i = 0; i < n_lines; i++)
		add_by_node(c, t, &line[i], node, n, lent);
	fputc('\n', c->out);
	if (!c->fault[0])
		ctl_table_print_wrapped(t, per);
	ctl_table_free(t);
	free(col);
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	struct ctl_table *t = ctl_table_new(c, columns, 12);
	int64_t node[NODES_MAX + 1];
	size_t n, i, n_nodes;
	bool lent = false;
	struct line *line = sorted(c, pool, &n);

	ctl_render_pool(c, pool, first);
	fputc('\n', c->out);
	for (i = 0; i < n; i++)
		add_cache(c, t, &line[i]);
	n_nodes = node_ids(c, line, n, node, &lent);
	if (!n)
		fputs("no caches\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, NULL, NULL);
	if (n_nodes > 1 && !c->fault[0])
		put_by_node(c, line, n, node, n_nodes, lent);
	ctl_table_free(t);
	free(line);
}

void ctl_caches(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
