/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/render.h"
#include "daemon/ctl/table.h"

static void add_slab(struct ctl *c, struct ctl_table *t, const json_t *slab)
{
	int64_t node = ctl_doc_int(c, slab, "node");
	int64_t list = ctl_doc_int(c, slab, "list");
	int64_t used = ctl_doc_int(c, slab, "used");
	int64_t objects = ctl_doc_int(c, slab, "objects");
	int64_t lease = ctl_doc_int(c, slab, "lease");
	char buf[CTL_TEXT_SHORT];

	ctl_table_add(t, CTL_PLAIN, "0x%llx",
	              (unsigned long long)ctl_doc_int(c, slab, "offset"));
	ctl_table_name(t, ctl_doc_string(c, slab, "cache"));
	ctl_table_int(t, node);
	ctl_table_add(t, list == node ? CTL_PLAIN : CTL_MAGENTA, "%lld",
	              (long long)list);
	ctl_table_bytes(t, ctl_doc_int(c, slab, "bytes"));
	ctl_table_int(t, objects);
	ctl_table_int(t, used);
	ctl_table_int(t, ctl_doc_int(c, slab, "free"));
	ctl_table_add(t, CTL_PLAIN, "%s", ctl_text_share(buf, used, objects));
	ctl_table_add(t, CTL_PLAIN, "%s",
	              ctl_doc_bool(c, slab, "listed") ? "yes" : "no");
	if (lease)
		ctl_table_int(t, lease);
	else
		ctl_table_add(t, CTL_PLAIN, "-");
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	static const struct ctl_col col[] = {
		{.title = "offset"},
		{.title = "cache", .left = true, .flex = true},
		{.title = "node"},
		{.title = "list"},
		{.title = "size", .rank = 3},
		{.title = "objects", .rank = 1},
		{.title = "used"},
		{.title = "free"},
		{.title = "full"},
		{.title = "listed"},
		{.title = "lease", .rank = 2},
	};
	struct ctl_table *t = ctl_table_new(c, col, 11);
	int64_t total = ctl_doc_int(c, pool, "total");
	struct ctl_iter it;
	const json_t *slab;

	ctl_render_pool(c, pool, first);
	fputc('\n', c->out);
	ctl_doc_begin(&it, c, pool, "slabs");
	while ((slab = ctl_doc_next(&it)))
		add_slab(c, t, slab);
	if (!it.n)
		fputs("no slabs\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, NULL, NULL);
	if (total > (int64_t)it.n)
		fprintf(c->out, "%zu of %lld slabs; --limit shows more\n", it.n,
		        (long long)total);
	ctl_table_free(t);
}

void ctl_slabs(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
