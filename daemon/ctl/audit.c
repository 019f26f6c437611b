/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

static void put_fault(struct ctl *c, const json_t *fault)
{
	char sentence[60];
	const char *clause = ctl_doc_string(c, fault, "clause");
	/* Of a file or an owner, not of a slab. */
	if (strcmp(clause, "file-held") == 0 || strcmp(clause, "root-id") == 0) {
		ctl_text_line(c, 4, fault, "{detail t512}");
		return;
	}
	snprintf(sentence, sizeof(sentence), "slab 0x%llx: {detail t512}",
	         (unsigned long long)ctl_doc_int(c, fault, "slab"));
	ctl_text_line(c, 4, fault, sentence);
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
	size_t n = 0;
	char name[128];
	for (size_t i = 0; i < json_array_size(faults); i++)
		n += of_clause(faults, i, clause);
	ctl_text_escape(&c->style, name, sizeof(name), clause);
	fputs("  ", c->out);
	ctl_text_paint(c, CTL_RED, name);
	fprintf(c->out, ": %zu fault%s\n", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < json_array_size(faults); i++)
		if (of_clause(faults, i, clause))
			put_fault(c, json_array_get(faults, i));
}

/* Each clause once, where its first fault stands. */
static void under_pool(struct ctl *c, const json_t *pool)
{
	const json_t *fault, *faults = ctl_doc_array(c, pool, "faults");
	struct ctl_iter it;
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
	ctl_table_show(c, doc, &pools);
	ctl_text_paint(c, agree ? CTL_GREEN : CTL_RED,
	               agree ? "all agree" : "NOT all agree");
	fputc('\n', c->out);
}

int ctl_audit_verdict(const json_t *doc)
{
	return json_is_true(json_object_get(doc, "agree")) ? 0 : 1;
}
