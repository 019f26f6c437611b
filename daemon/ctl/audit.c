/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"

static void put_fault(struct ctl *c, const json_t *fault)
{
	char detail[512], line[600];
	ctl_text_field(c, detail, sizeof(detail), fault, "detail");
	snprintf(line, sizeof(line), "slab 0x%llx: %s",
	         (unsigned long long)ctl_doc_int(c, fault, "slab"), detail);
	ctl_text_wrap(c, 4, line);
}

static bool of_clause(const json_t *faults, size_t i, const char *clause)
{
	return strcmp(json_string_value(json_object_get(
			      json_array_get(faults, i), "clause")),
	              clause) == 0;
}

/* A clause with all its faults. */
static void put_clause(struct ctl *c, const json_t *faults, const char *clause)
{
	const struct ctl_style *s = &c->style;
	size_t n = 0;
	char name[128];
	for (size_t i = 0; i < json_array_size(faults); i++)
		n += of_clause(faults, i, clause);
	ctl_text_escape(s, name, sizeof(name), clause);
	fprintf(c->out, "  %s%s%s: %zu fault%s\n", ctl_text_on(s, CTL_RED),
	        name, ctl_text_off(s, CTL_RED), n, n == 1 ? "" : "s");
	for (size_t i = 0; i < json_array_size(faults); i++)
		if (of_clause(faults, i, clause))
			put_fault(c, json_array_get(faults, i));
}

/* Each clause once, where its first fault stands. */
static void under_pool(struct ctl *c, const json_t *pool, void *arg)
{
	const json_t *fault, *faults = ctl_doc_array(c, pool, "faults");
	struct ctl_iter it;
	(void)arg;
	ctl_doc_begin(&it, c, pool, "faults");
	while ((fault = ctl_doc_next(&it)))
		ctl_doc_string(c, fault, "clause");
	for (size_t i = 0; i < json_array_size(faults) && !c->fault[0]; i++)
		if (!ctl_doc_seen(faults, i, "clause"))
			put_clause(c, faults,
			           ctl_doc_string(c, json_array_get(faults, i),
			                          "clause"));
}

static const struct ctl_col cols[] = {
	{CTL_COL("pool", "name", CTL_NAME), .flex = true},
	{CTL_COL("slabs", "slabs", CTL_INT), .rank = 2},
	{CTL_COL("objects", "objects", CTL_INT)},
	{CTL_COL("owned", "owned", CTL_INT)},
	{CTL_COL("free", "free", CTL_INT)},
	{CTL_COL("lost", "lost", CTL_BAD)},
	{CTL_COL("twice", "twice", CTL_BAD)},
	{CTL_COL("orphans", "orphans", CTL_BAD)},
	{CTL_COL("hints", "wrong_hints", CTL_BAD)},
	{CTL_COL("ms", "ms", CTL_REAL), .rank = 3},
};

static const struct ctl_list pools = {
	.key = "pools", .none = "no pools\n", CTL_COLS(cols),
	.under = under_pool,
};

void ctl_audit(struct ctl *c, const json_t *doc)
{
	bool agree = ctl_doc_bool(c, doc, "agree");
	enum ctl_color color = agree ? CTL_GREEN : CTL_RED;
	ctl_table_show(c, doc, &pools);
	fprintf(c->out, "%s%s%s\n", ctl_text_on(&c->style, color),
	        agree ? "all agree" : "NOT all agree",
	        ctl_text_off(&c->style, color));
}

int ctl_audit_verdict(const json_t *doc)
{
	return json_is_true(json_object_get(doc, "agree")) ? 0 : 1;
}
