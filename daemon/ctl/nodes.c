/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define INDENT 6
/* "  lent 1023.9 GiB  borrowed 1023.9 GiB" */
#define SUFFIX 38
#define BAR_MAX 64
#define BAR_HEAD 8  /* of a node's bar alone, "node 123" */
#define BAR_TAIL 21 /* "1023.9 MiB/1023.9 MiB" */
#define BAR_REST (BAR_HEAD + BAR_TAIL + 2)
#define MATRIX_MAX 64 /* nodes whose distances can still be read */

struct bars {
	bool several;
	int64_t whole; /* what one of full length stands for */
};

static void put_cpus(struct ctl *c, struct ctl_cell *cell, const json_t *node)
{
	ctl_text_field(c, cell->text, sizeof(cell->text), node, "cpus");
	if (!ctl_doc_bool(c, node, "has_cpu"))
		strcpy(cell->text, "none");
}

/* Not the best that there is, if there is a reason. */
static void put_backing(struct ctl *c, struct ctl_cell *cell,
                        const json_t *node)
{
	ctl_text_field(c, cell->text, 64, node, "backing");
	if (*ctl_doc_string(c, node, "reason"))
		cell->color = CTL_YELLOW;
}

static const struct ctl_col cols[] = {
	{CTL_COL("node", "node", CTL_INT)},
	{CTL_COL("cpus", NULL, CTL_OWN), .put = put_cpus, .left = true,
	 .flex = true},
	{CTL_COL("backing", NULL, CTL_OWN), .put = put_backing, .left = true},
	{CTL_COL("max", "max_bytes", CTL_BYTES)},
	{CTL_COL("ready", "ready_bytes", CTL_BYTES)},
	{CTL_COL("carved", "carved_bytes", CTL_BYTES), .rank = 3},
	{CTL_COL("used", "used_bytes", CTL_BYTES)},
	{CTL_COL("used/s", "used_bytes", CTL_RATE), .arg = 1},
	{CTL_COL("held", "held_bytes", CTL_OWN), .put = ctl_table_maybe,
	 .arg = 1},
	{CTL_COL("free", "free_bytes", CTL_BYTES), .rank = 1},
	{CTL_COL("empty", "empty_bytes", CTL_OWN), .put = ctl_table_maybe,
	 .arg = 1, .rank = 2},
	{CTL_COL("waste", "waste_bytes", CTL_BYTES), .rank = 6},
	{CTL_COL("slabs", "slabs", CTL_INT), .rank = 4},
	{CTL_COL("partial", "partial", CTL_INT), .rank = 5},
};

static int64_t at_least_0(int64_t v)
{
	return v > 0 ? v : 0;
}

/* Lent slabs are shown whole, as lent; waste counts as free, and what clients
 * hold as used: it is nobody else's to have. */
static unsigned put_bar(struct ctl *c, const json_t *node, int64_t whole,
                        unsigned columns)
{
	int64_t carved = at_least_0(ctl_doc_int(c, node, "carved_bytes"));
	int64_t ready = at_least_0(ctl_doc_int(c, node, "ready_bytes"));
	int64_t lent = at_least_0(ctl_doc_int(c, node, "lent_bytes"));
	int64_t used = ctl_doc_int(c, node, "used_bytes") -
	               ctl_doc_int(c, node, "lent_used_bytes");
	used += at_least_0(json_integer_value(
		json_object_get(node, "held_bytes")));
	int64_t part[CTL_N_PARTS];
	part[CTL_USED] = at_least_0(used);
	part[CTL_LENT] = lent < carved ? lent : carved;
	part[CTL_FREE] = at_least_0(carved - part[CTL_LENT] - part[CTL_USED]);
	part[CTL_EMPTY] = at_least_0(ready - carved);
	part[CTL_BORROWED] = at_least_0(ctl_doc_int(c, node, "borrowed_bytes"));
	return ctl_text_bar(c, part, whole, columns);
}

/* For which caches clients are refused memory, and why. */
static void put_shorts(struct ctl *c, const json_t *node)
{
	struct ctl_iter it;
	const json_t *one;
	if (!json_object_get(node, "short"))
		return;
	ctl_doc_begin(&it, c, node, "short");
	while ((one = ctl_doc_next(&it))) {
		ctl_text_line(c, INDENT, one,
		              "clients are refused memory for {cache t64}: "
		              "{text t200}");
		ctl_text_said(c, INDENT, "remedy: ", one, "remedy");
	}
}

/* What is out of the ordinary about a node. */
static void put_state(struct ctl *c, const json_t *node)
{
	const char *pressure = ctl_doc_string(c, node, "pressure");
	if (json_is_true(json_object_get(node, "offline")))
		ctl_text_wrap(c, INDENT, "its memory is offline: nothing is "
		                         "made there until it is back");
	if (ctl_doc_bool(c, node, "draining"))
		ctl_text_line(c, INDENT, node,
		              "being drained: {here_bytes b} in {here_pages "
		              "page} to go");
	ctl_drain_holders(c, node);
	put_shorts(c, node);
	if (strcmp(pressure, "calm") == 0)
		return;
	ctl_text_wrap(c, INDENT, strcmp(pressure, "full") == 0
	                                 ? "the kernel is very short of memory: the "
	                                   "pool grows by free hugepages alone"
	                                 : "the kernel is short of memory");
}

static void under_node(struct ctl *c, const json_t *node)
{
	const struct bars *bars = c->arg;
	unsigned columns = c->style.width;
	unsigned used = bars->several ? INDENT + SUFFIX : INDENT;
	char line[100] = "";
	columns = columns > used + 10 ? columns - used : 10;
	if (columns > BAR_MAX)
		columns = BAR_MAX;
	fprintf(c->out, "%*s", INDENT, "");
	columns -= put_bar(c, node, bars->whole, columns);
	if (bars->several)
		fprintf(c->out, "%*s%s", (int)columns, "",
		        ctl_text_add(c, line, sizeof(line), node,
		                     "  lent {lent_bytes b}  borrowed "
		                     "{borrowed_bytes b}"));
	fputc('\n', c->out);
	/* Or the last time that it was to grow it got less than that. */
	ctl_text_said(c, INDENT,
	              json_is_false(json_object_get(node, "grows"))
	                      ? "does not grow: "
	                      : "stepped down: ",
	              node, "reason");
	ctl_text_said(c, INDENT, "remedy: ", node, "remedy");
	put_state(c, node);
}

/* To the node of the column, by its place among the nodes. */
static void put_distance(struct ctl *c, struct ctl_cell *cell,
                         const json_t *node)
{
	const json_t *array = ctl_doc_array(c, node, "distance");
	const json_t *v = json_array_get(array, (size_t)cell->col->arg);
	if (!json_is_integer(v))
		ctl_doc_fail(c, "\"distance\" has no integer for node %s",
		             cell->col->title);
	ctl_text_count(cell->text, json_integer_value(v));
}

static void put_distances(struct ctl *c, const json_t *pool, size_t n)
{
	struct ctl_col col[1 + MATRIX_MAX] = {
		{CTL_COL("distance", "node", CTL_INT)},
	};
	struct ctl_list list = {.key = "nodes", .none = "", .col = col,
	                        .n_cols = n + 1, .group = 1};
	struct ctl_iter it;
	const json_t *node;
	if (n > MATRIX_MAX) {
		fprintf(c->out, "distances of %zu nodes: see --json\n", n);
		return;
	}
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it))) {
		struct ctl_col *k = &col[it.next];
		*k = (struct ctl_col){.form = CTL_OWN, .put = put_distance,
		                      .arg = (int64_t)it.next - 1};
		snprintf(k->title, CTL_TABLE_TITLE, "%lld",
		         (long long)ctl_doc_int(c, node, "node"));
	}
	fputc('\n', c->out);
	ctl_table_show(c, pool, &list);
}

static int64_t whole_of(struct ctl *c, const json_t *pool)
{
	int64_t whole = 0;
	struct ctl_iter it;
	const json_t *node;
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it))) {
		int64_t bar = ctl_doc_sum(ctl_doc_int(c, node, "ready_bytes"),
		                          ctl_doc_int(c, node, "borrowed_bytes"));
		whole = bar > whole ? bar : whole;
	}
	return whole;
}

/* "node 3 ####----....  12.0 MiB of 64.0 MiB" */
void ctl_nodes_bars(struct ctl *c, const json_t *pool)
{
	int64_t whole = whole_of(c, pool);
	unsigned columns = c->style.width - BAR_REST;
	struct ctl_iter it;
	const json_t *node;
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it))) {
		char head[40] = "", tail[60] = "";
		unsigned n;
		ctl_text_add(c, head, sizeof(head), node, "node {node}");
		ctl_text_add(c, tail, sizeof(tail), node,
		             "{used_bytes b}/{ready_bytes b}");
		fprintf(c->out, "%-*s ", BAR_HEAD, head);
		n = put_bar(c, node, whole, columns);
		fprintf(c->out, "%*s %*s\n", (int)(columns - n), "",
		        BAR_TAIL, tail);
	}
}

void ctl_nodes(struct ctl *c, const json_t *pool)
{
	static const struct ctl_list list = {
		.key = "nodes", .none = "no nodes\n", CTL_COLS(cols),
		.under = under_node,
	};
	struct bars bars = {false, 0};
	bool simulated = false;
	struct ctl_iter it;
	const json_t *node;
	char buf[CTL_TEXT_SHORT];
	ctl_doc_begin(&it, c, pool, "nodes");
	c->arg = &bars;
	bars.several = it.n > 1;
	while ((node = ctl_doc_next(&it))) {
		int64_t bar = ctl_doc_sum(ctl_doc_int(c, node, "ready_bytes"),
		                          ctl_doc_int(c, node, "borrowed_bytes"));
		simulated |= ctl_doc_bool(c, node, "simulated");
		if (bar > bars.whole)
			bars.whole = bar;
	}
	ctl_text_pool(c, pool);
	fprintf(c->out, "  in steps of %s%s\n",
	        ctl_text_bytes(buf, ctl_doc_int(c, pool, "page_bytes")),
	        simulated ? ", simulated nodes" : "");
	if (ctl_table_show(c, pool, &list))
		ctl_text_legend(c, bars.whole);
	if (ctl_doc_int(c, pool, "remote_with_room") != 0)
		ctl_text_line(c, 0, pool,
		              "{remote_with_room object} taken from another "
		              "node while the own one might have grown; "
		              "slabctl clients says by whom");
	ctl_table_unknown(c, 0, pool);
	if (bars.several && !c->fault[0])
		put_distances(c, pool, it.n);
}
