/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/render.h"
#include "daemon/ctl/table.h"

static const char *clause_of(const json_t *faults, size_t i)
{
	const json_t *fault = json_array_get(faults, i);
	const char *clause =
		json_string_value(json_object_get(fault, "clause"));

	return clause ? clause : "";
}

static size_t count_clause(const json_t *faults, const char *clause)
{
	size_t i, n = 0;

	for (i = 0; i < json_array_size(faults); i++)
		n += strcmp(clause_of(faults, i), clause) == 0;
	return n;
}

static bool seen_before(const json_t *faults, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (strcmp(clause_of(faults, i), clause_of(faults, at)) == 0)
			return true;
	return false;
}

static void put_fault(struct ctl *c, const json_t *fault)
{
	char detail[512], line[600];

	ctl_text_escape(&c->style, detail, sizeof(detail),
	                ctl_doc_string(c, fault, "detail"));
	snprintf(line, sizeof(line), "slab 0x%llx: %s",
	         (unsigned long long)ctl_doc_int(c, fault, "slab"), detail);
	ctl_text_wrap(c, 4, line);
}

/* Each clause once, where its first fault stands, with all its faults. */
static void put_clause(struct ctl *c, const json_t *faults, size_t at)
{
	const char *clause = clause_of(faults, at);
	const struct ctl_style *s = &c->style;
	size_t i, n;
	char name[128];

	if (seen_before(faults, at))
		return;
	n = count_clause(faults, clause);
	ctl_text_escape(s, name, sizeof(name), clause);
	fprintf(c->out, "  %s%s%s: %zu fault%s\n", ctl_text_on(s, CTL_RED),
	        name, ctl_text_off(s, CTL_RED), n, n == 1 ? "" : "s");
	for (i = at; i < json_array_size(faults); i++)
		if (strcmp(clause_of(faults, i), clause) == 0)
			put_fault(c, json_array_get(faults, i));
}

static void add_pool(struct ctl *c, struct ctl_table *t, const json_t *pool)
{
	static const char *const good[] = {"slabs", "objects", "owned", "free"};
	static const char *const bad[] = {"lost", "twice", "orphans",
	                                  "wrong_hints"};
	size_t i;

	ctl_table_name(t, ctl_doc_string(c, pool, "name"));
	for (i = 0; i < 4; i++)
		ctl_table_int(t, ctl_doc_int(c, pool, good[i]));
	for (i = 0; i < 4; i++)
		ctl_table_bad(t, ctl_doc_int(c, pool, bad[i]));
	ctl_table_real(t, ctl_doc_number(c, pool, "ms"), "");
}

static void under_pool(struct ctl *c, size_t row, void *arg)
{
	const json_t *pool = json_array_get(arg, row), *fault;
	struct ctl_iter it;

	ctl_doc_begin(&it, c, pool, "faults");
	while ((fault = ctl_doc_next(&it))) {
		ctl_doc_string(c, fault, "clause");
		put_clause(c, it.array, it.next - 1);
	}
}

void ctl_audit(struct ctl *c, const json_t *doc)
{
	static const struct ctl_col col[] = {
		{.title = "pool", .left = true, .flex = true},
		{.title = "slabs", .rank = 2},
		{.title = "objects"},
		{.title = "owned"},
		{.title = "free"},
		{.title = "lost"},
		{.title = "twice"},
		{.title = "orphans"},
		{.title = "hints"},
		{.title = "ms", .rank = 3},
	};
	bool agree = ctl_doc_bool(c, doc, "agree");
	enum ctl_color color = agree ? CTL_GREEN : CTL_RED;
	struct ctl_table *t = ctl_table_new(c, col, 10);
	struct ctl_iter it;
	const json_t *pool;

	ctl_doc_begin(&it, c, doc, "pools");
	while ((pool = ctl_doc_next(&it)))
		add_pool(c, t, pool);
	if (!it.n)
		fputs("no pools\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, under_pool, (void *)(uintptr_t)it.array);
	fprintf(c->out, "%s%s%s\n", ctl_text_on(&c->style, color),
	        agree ? "all agree" : "NOT all agree",
	        ctl_text_off(&c->style, color));
	ctl_table_free(t);
}

int ctl_audit_verdict(const json_t *doc)
{
	return json_is_true(json_object_get(doc, "agree")) ? 0 : 1;
}
