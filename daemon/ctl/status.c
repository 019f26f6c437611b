/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/render.h"
#include "daemon/ctl/table.h"

#define INDENT 6

static void put_head(struct ctl *c, const json_t *doc)
{
	const struct ctl_style *s = &c->style;
	char version[64], up[CTL_TEXT_SHORT];

	ctl_text_escape(s, version, sizeof(version),
	                ctl_doc_string(c, doc, "version"));
	ctl_text_age(up, ctl_doc_number(c, doc, "uptime_s"));
	fprintf(c->out, "%sslabd %s%s  pid %lld, up %s, layout %lld\n",
	        ctl_text_on(s, CTL_BOLD), version, ctl_text_off(s, CTL_BOLD),
	        (long long)ctl_doc_int(c, doc, "pid"), up,
	        (long long)ctl_doc_int(c, doc, "layout_version"));
}

static void put_facts(struct ctl *c, const json_t *pool)
{
	char text[400], page[CTL_TEXT_SHORT];

	snprintf(text, sizeof(text),
	         "nodes %lld, pages of %s, caches %lld, clients %lld",
	         (long long)ctl_doc_int(c, pool, "nodes"),
	         ctl_text_bytes(page, ctl_doc_int(c, pool, "page_bytes")),
	         (long long)ctl_doc_int(c, pool, "caches"),
	         (long long)ctl_doc_int(c, pool, "clients"));
	ctl_text_wrap(c, INDENT, text);
	snprintf(text, sizeof(text),
	         "clients died %lld, objects swept %lld, rings %lld, "
	         "slabs grown %lld, taken %lld, growth denied %lld",
	         (long long)ctl_doc_int(c, pool, "deaths"),
	         (long long)ctl_doc_int(c, pool, "swept_objects"),
	         (long long)ctl_doc_int(c, pool, "rings"),
	         (long long)ctl_doc_int(c, pool, "grown_slabs"),
	         (long long)ctl_doc_int(c, pool, "taken_slabs"),
	         (long long)ctl_doc_int(c, pool, "denied"));
	ctl_text_wrap(c, INDENT, text);
}

static void under_pool(struct ctl *c, size_t row, void *arg)
{
	put_facts(c, json_array_get(arg, row));
}

static void put_pools(struct ctl *c, const json_t *doc)
{
	static const struct ctl_col col[] = {
		{.title = "pool", .left = true, .flex = true},
		{.title = "max"},
		{.title = "ready"},
		{.title = "carved"},
		{.title = "used"},
		{.title = "free"},
		{.title = "metadata", .rank = 1},
	};
	static const char *const key[] = {
		"max_bytes",  "ready_bytes", "carved_bytes",
		"used_bytes", "free_bytes",  "metadata_bytes",
	};
	struct ctl_table *t = ctl_table_new(c, col, 7);
	struct ctl_iter it;
	const json_t *pool;
	size_t i;

	ctl_doc_begin(&it, c, doc, "pools");
	while ((pool = ctl_doc_next(&it))) {
		ctl_table_name(t, ctl_doc_string(c, pool, "name"));
		for (i = 0; i < sizeof(key) / sizeof(key[0]); i++)
			ctl_table_bytes(t, ctl_doc_int(c, pool, key[i]));
	}
	fputc('\n', c->out);
	if (!it.n)
		fputs("no pools\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, under_pool, (void *)(uintptr_t)it.array);
	ctl_table_free(t);
}

static void put_told(struct ctl *c, const json_t *line, const char *key,
                     const char *intro)
{
	const char *said = ctl_doc_string(c, line, key);
	char text[512], full[600];

	if (!*said)
		return;
	ctl_text_escape(&c->style, text, sizeof(text), said);
	snprintf(full, sizeof(full), "%s: %s", intro, text);
	ctl_text_wrap(c, INDENT, full);
}

static void under_startup(struct ctl *c, size_t row, void *arg)
{
	const json_t *line = json_array_get(arg, row);

	put_told(c, line, "reason", "stepped down");
	put_told(c, line, "remedy", "remedy");
}

static void put_startup(struct ctl *c, const json_t *doc)
{
	static const struct ctl_col col[] = {
		{.title = "startup", .left = true, .flex = true},
		{.title = "node"},
		{.title = "backing", .left = true},
		{.title = "pages"},
		{.title = "ms"},
	};
	struct ctl_table *t = ctl_table_new(c, col, 5);
	struct ctl_iter it;
	const json_t *line;

	ctl_doc_begin(&it, c, doc, "startup");
	while ((line = ctl_doc_next(&it))) {
		ctl_table_name(t, ctl_doc_string(c, line, "pool"));
		ctl_table_int(t, ctl_doc_int(c, line, "node"));
		ctl_table_name(t, ctl_doc_string(c, line, "backing"));
		ctl_table_int(t, ctl_doc_int(c, line, "pages"));
		ctl_table_real(t, ctl_doc_number(c, line, "ms"), "");
	}
	fputc('\n', c->out);
	if (!it.n)
		fputs("nothing was carved at startup\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, under_startup, (void *)(uintptr_t)it.array);
	ctl_table_free(t);
}

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
	put_pools(c, doc);
	put_startup(c, doc);
	put_dropped(c, doc);
}
