/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/drain.h"
#include "daemon/ctl/table.h"

#define INDENT 6
/* "  lent 1023.9 GiB  borrowed 1023.9 GiB" */
#define SUFFIX 38
#define BAR_MAX 64
#define MATRIX_MAX 64 /* nodes whose distances can still be read */

struct nodes {
	const json_t *array;
	int64_t whole; /* what a bar of full length stands for */
};

static void add_node(struct ctl *c, struct ctl_table *t, const json_t *node)
{
	const char *cpus = ctl_doc_string(c, node, "cpus");
	const char *reason = ctl_doc_string(c, node, "reason");
	char backing[64];

	ctl_table_int(t, ctl_doc_int(c, node, "node"));
	ctl_table_name(t, ctl_doc_bool(c, node, "has_cpu") ? cpus : "none");
	ctl_text_escape(&c->style, backing, sizeof(backing),
	                ctl_doc_string(c, node, "backing"));
	ctl_table_add(t, *reason ? CTL_YELLOW : CTL_PLAIN, "%s", backing);
	ctl_table_bytes(t, ctl_doc_int(c, node, "max_bytes"));
	ctl_table_bytes(t, ctl_doc_int(c, node, "ready_bytes"));
	ctl_table_bytes(t, ctl_doc_int(c, node, "carved_bytes"));
	ctl_table_bytes(t, ctl_doc_int(c, node, "used_bytes"));
	ctl_table_bytes(t, ctl_doc_int(c, node, "free_bytes"));
	ctl_table_bytes(t, ctl_doc_int(c, node, "waste_bytes"));
	ctl_table_int(t, ctl_doc_int(c, node, "slabs"));
	ctl_table_int(t, ctl_doc_int(c, node, "partial"));
}

static int64_t at_least_0(int64_t v)
{
	return v > 0 ? v : 0;
}

/* Lent slabs are shown whole, as lent; waste counts as free. */
static unsigned put_bar(struct ctl *c, const json_t *node, int64_t whole,
                        unsigned columns)
{
	int64_t carved = at_least_0(ctl_doc_int(c, node, "carved_bytes"));
	int64_t ready = at_least_0(ctl_doc_int(c, node, "ready_bytes"));
	int64_t lent = at_least_0(ctl_doc_int(c, node, "lent_bytes"));
	int64_t used = ctl_doc_int(c, node, "used_bytes") -
	               ctl_doc_int(c, node, "lent_used_bytes");
	int64_t part[CTL_N_PARTS];

	part[CTL_USED] = at_least_0(used);
	part[CTL_LENT] = lent < carved ? lent : carved;
	part[CTL_FREE] = at_least_0(carved - part[CTL_LENT] - part[CTL_USED]);
	part[CTL_EMPTY] = at_least_0(ready - carved);
	part[CTL_BORROWED] = at_least_0(ctl_doc_int(c, node, "borrowed_bytes"));
	return ctl_text_bar(c, part, whole, columns);
}

static void put_told(struct ctl *c, const json_t *obj, const char *key,
                     const char *intro)
{
	const char *said = ctl_doc_string(c, obj, key);
	char text[512], full[600];

	if (!*said)
		return;
	ctl_text_escape(&c->style, text, sizeof(text), said);
	snprintf(full, sizeof(full), "%s%s", intro, text);
	ctl_text_wrap(c, INDENT, full);
}

/* What is out of the ordinary about a node. */
static void put_state(struct ctl *c, const json_t *node)
{
	const char *pressure = ctl_doc_string(c, node, "pressure");
	char line[200], bytes[CTL_TEXT_SHORT];

	if (ctl_doc_bool(c, node, "draining")) {
		int64_t pages = ctl_doc_int(c, node, "here_pages");

		snprintf(line, sizeof(line),
		         "being drained: %s in %lld page%s to go",
		         ctl_text_bytes(bytes,
		                        ctl_doc_int(c, node, "here_bytes")),
		         (long long)pages, pages == 1 ? "" : "s");
		ctl_text_wrap(c, INDENT, line);
	}
	ctl_drain_holders(c, node);
	if (strcmp(pressure, "calm") == 0)
		return;
	ctl_text_wrap(c, INDENT, strcmp(pressure, "full") == 0
	                                 ? "the kernel is very short of memory"
	                                 : "the kernel is short of memory");
}

static void under_node(struct ctl *c, size_t row, void *arg)
{
	const struct nodes *nodes = arg;
	const json_t *node = json_array_get(nodes->array, row);
	bool several = json_array_size(nodes->array) > 1;
	unsigned columns = c->style.width, used = INDENT;
	char lent[CTL_TEXT_SHORT], borrowed[CTL_TEXT_SHORT];

	if (several)
		used += SUFFIX;
	columns = columns > used + 10 ? columns - used : 10;
	if (columns > BAR_MAX)
		columns = BAR_MAX;
	fprintf(c->out, "%*s", INDENT, "");
	columns -= put_bar(c, node, nodes->whole, columns);
	if (several)
		fprintf(c->out, "%*s  lent %s  borrowed %s", (int)columns, "",
		        ctl_text_bytes(lent,
		                       ctl_doc_int(c, node, "lent_bytes")),
		        ctl_text_bytes(borrowed,
		                       ctl_doc_int(c, node, "borrowed_bytes")));
	fputc('\n', c->out);
	put_told(c, node, "reason", "stepped down: ");
	put_told(c, node, "remedy", "remedy: ");
	put_state(c, node);
}

static void add_distances(struct ctl *c, struct ctl_table *t,
                          const json_t *node, size_t n)
{
	const json_t *array = ctl_doc_array(c, node, "distance"), *v;
	size_t i;

	ctl_table_int(t, ctl_doc_int(c, node, "node"));
	if (json_array_size(array) != n)
		ctl_doc_fail(c, "\"distance\" has %zu entries, not %zu",
		             json_array_size(array), n);
	for (i = 0; i < n; i++) {
		v = json_array_get(array, i);
		if (!json_is_integer(v))
			ctl_doc_fail(c, "\"distance\" holds no integers");
		ctl_table_int(t, json_integer_value(v));
	}
}

static void put_distances(struct ctl *c, const json_t *pool, size_t n)
{
	struct ctl_col col[1 + MATRIX_MAX] = {{.title = "distance"}};
	struct ctl_table *t;
	struct ctl_iter it;
	const json_t *node;
	size_t i = 0;

	if (n > MATRIX_MAX) {
		fprintf(c->out, "distances of %zu nodes: see --json\n", n);
		return;
	}
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it)))
		snprintf(col[++i].title, CTL_TABLE_TITLE, "%lld",
		         (long long)ctl_doc_int(c, node, "node"));
	t = ctl_table_new(c, col, n + 1);
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it)))
		add_distances(c, t, node, n);
	fputc('\n', c->out);
	if (!c->fault[0])
		ctl_table_print_wrapped(t, 1);
	ctl_table_free(t);
}

static void put_head(struct ctl *c, const json_t *pool, bool first,
                     bool simulated)
{
	char buf[CTL_TEXT_SHORT];

	ctl_render_pool(c, pool, first);
	fprintf(c->out, "  pages of %s%s\n",
	        ctl_text_bytes(buf, ctl_doc_int(c, pool, "page_bytes")),
	        simulated ? ", simulated nodes" : "");
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	static const struct ctl_col col[] = {
		{.title = "node"},
		{.title = "cpus", .left = true, .flex = true},
		{.title = "backing", .left = true},
		{.title = "max"},
		{.title = "ready"},
		{.title = "carved"},
		{.title = "used"},
		{.title = "free", .rank = 1},
		{.title = "waste", .rank = 4},
		{.title = "slabs", .rank = 2},
		{.title = "partial", .rank = 3},
	};
	struct ctl_table *t = ctl_table_new(c, col, 11);
	struct nodes nodes = {ctl_doc_array(c, pool, "nodes"), 0};
	size_t n = json_array_size(nodes.array);
	bool simulated = false;
	struct ctl_iter it;
	const json_t *node;
	int64_t bar;

	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it))) {
		add_node(c, t, node);
		simulated |= ctl_doc_bool(c, node, "simulated");
		bar = ctl_doc_sum(ctl_doc_int(c, node, "ready_bytes"),
		                  ctl_doc_int(c, node, "borrowed_bytes"));
		if (bar > nodes.whole)
			nodes.whole = bar;
	}
	put_head(c, pool, first, simulated);
	if (!n)
		fputs("no nodes\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, under_node, &nodes);
	if (n)
		ctl_text_legend(c, nodes.whole);
	if (n > 1 && !c->fault[0])
		put_distances(c, pool, n);
	ctl_table_free(t);
}

void ctl_nodes(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
