/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define INDENT 6

static void put_head(struct ctl *c, const json_t *doc)
{
	const struct ctl_style *s = &c->style;
	char version[80] = "", pid[40] = "", layout[40] = "";
	char up[CTL_TEXT_SHORT];
	ctl_text_age(up, ctl_doc_number(c, doc, "uptime_s"));
	fprintf(c->out, "%s%s%s  %s, up %s, %s\n", ctl_text_on(s, CTL_BOLD),
	        ctl_text_add(c, version, sizeof(version), doc,
	                     "slabd {version t64}"),
	        ctl_text_off(s, CTL_BOLD),
	        ctl_text_add(c, pid, sizeof(pid), doc, "pid {pid}"), up,
	        ctl_text_add(c, layout, sizeof(layout), doc,
	                     "layout {layout_version}"));
}

static void under_pool(struct ctl *c, const json_t *pool, void *arg)
{
	char is[200] = "", was[400] = "";
	(void)arg;
	ctl_text_add(c, is, sizeof(is), pool,
	             "nodes {nodes}, pages of {page_bytes b}, caches {caches}, "
	             "clients {clients}");
	ctl_text_add(c, was, sizeof(was), pool,
	             "clients died {deaths}, objects swept {swept_objects}, "
	             "rings {rings}, slabs grown {grown_slabs}, taken "
	             "{taken_slabs}, growth denied {denied}");
	ctl_text_wrap(c, INDENT, is);
	ctl_text_wrap(c, INDENT, was);
}

static const struct ctl_col pool_cols[] = {
	{CTL_COL("pool", "name", CTL_NAME), .flex = true},
	{CTL_COL("max", "max_bytes", CTL_BYTES)},
	{CTL_COL("ready", "ready_bytes", CTL_BYTES)},
	{CTL_COL("carved", "carved_bytes", CTL_BYTES)},
	{CTL_COL("used", "used_bytes", CTL_BYTES)},
	{CTL_COL("free", "free_bytes", CTL_BYTES)},
	{CTL_COL("metadata", "metadata_bytes", CTL_BYTES), .rank = 1},
};

static const struct ctl_list pools = {
	.key = "pools", .none = "no pools\n", CTL_COLS(pool_cols),
	.under = under_pool,
};

static void under_startup(struct ctl *c, const json_t *line, void *arg)
{
	(void)arg;
	ctl_text_said(c, INDENT, "stepped down: ", line, "reason");
	ctl_text_said(c, INDENT, "remedy: ", line, "remedy");
}

static const struct ctl_col startup_cols[] = {
	{CTL_COL("startup", "pool", CTL_NAME), .flex = true},
	{CTL_COL("node", "node", CTL_INT)},
	{CTL_COL("backing", "backing", CTL_NAME)},
	{CTL_COL("pages", "pages", CTL_INT)},
	{CTL_COL("ms", "ms", CTL_REAL)},
};

static const struct ctl_list startup = {
	.key = "startup", .none = "nothing was carved at startup\n",
	CTL_COLS(startup_cols), .under = under_startup,
};

static void put_dropped(struct ctl *c, const json_t *doc)
{
	/* jansson's iterators want it writable, and leave it as it is. */
	json_t *dropped =
		(json_t *)(uintptr_t)ctl_doc_object(c, doc, "dropped");
	char text[1024] = "", name[64];
	size_t len = 0;
	json_int_t n;
	void *it;
	for (it = json_object_iter(dropped); it;
	     it = json_object_iter_next(dropped, it)) {
		if (!json_is_integer(json_object_iter_value(it)))
			ctl_doc_fail(c, "\"dropped\" holds no integers");
		n = json_integer_value(json_object_iter_value(it));
		if (!n || len > sizeof(text) - 128)
			continue;
		ctl_text_escape(&c->style, name, sizeof(name),
		                json_object_iter_key(it));
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		                        "%s%s %lld", len ? ", " : "", name,
		                        (long long)n);
	}
	fputs(len ? "\nconnections dropped:\n"
	          : "\nno connection was dropped\n",
	      c->out);
	ctl_text_wrap(c, INDENT, text);
}

void ctl_status(struct ctl *c, const json_t *doc)
{
	put_head(c, doc);
	fputc('\n', c->out);
	ctl_table_show(c, doc, &pools);
	fputc('\n', c->out);
	ctl_table_show(c, doc, &startup);
	put_dropped(c, doc);
}
