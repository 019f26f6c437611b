/* SPDX-License-Identifier: MIT */
/* Who has memory that nobody may need: each with what helps. */
#include "daemon/ctl/show.h"
#include "daemon/ctl/text.h"

#define INDENT 10

/* What stands in the words already: a reply without it is none of ours. */
static void look_at_rest(struct ctl *c, const json_t *leak)
{
	ctl_doc_int(c, leak, "id");
	ctl_doc_int_or_null(c, leak, "pid");
	ctl_doc_int_or_null(c, leak, "objects");
	ctl_doc_string(c, leak, "kind");
	ctl_doc_string(c, leak, "name");
}

static void put_leak(struct ctl *c, const json_t *leak)
{
	char head[32];
	char age[CTL_TEXT_SHORT];
	char text[800] = "";
	look_at_rest(c, leak);
	ctl_text_add(c, text, sizeof(text), leak, "{bytes b}");
	ctl_text_append(text, sizeof(text), " in %s: ",
	                ctl_text_age(age, ctl_doc_number(c, leak, "age_s")));
	ctl_text_add(c, text, sizeof(text), leak, "{what t512}");
	ctl_text_escape(&c->style, head, sizeof(head),
	                ctl_doc_string(c, leak, "suspicion"));
	ctl_text_hang(c, head, INDENT, text);
	ctl_text_said(c, INDENT, "do: ", leak, "todo");
}

void ctl_leaks(struct ctl *c, const json_t *pool)
{
	struct ctl_iter it;
	const json_t *leak;
	ctl_text_pool(c, pool);
	fputc('\n', c->out);
	ctl_doc_begin(&it, c, pool, "leaks");
	if (it.n == 0)
		fputs("nobody has anything\n", c->out);
	while ((leak = ctl_doc_next(&it)))
		put_leak(c, leak);
	if (ctl_doc_int(c, pool, "total") > (int64_t)it.n)
		ctl_text_line(c, 0, pool,
		              "{total} in all; --limit shows more");
}
