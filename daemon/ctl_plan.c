/* SPDX-License-Identifier: MIT */
#include "daemon/ctl_render.h"
#include "daemon/ctl_step.h"
#include "daemon/ctl_text.h"

#define INDENT 4

static void put_more(struct ctl *c, const json_t *pool, const char *key)
{
	int64_t more = ctl_doc_int(c, pool, key);

	if (more)
		fprintf(c->out, "%*sand %lld more\n", INDENT, "",
		        (long long)more);
}

static void put_steps(struct ctl *c, const json_t *pool)
{
	char text[CTL_STEP_TEXT], head[32];
	struct ctl_iter it;
	const json_t *step;

	ctl_doc_begin(&it, c, pool, "steps");
	fputs(it.n ? "\nwould do:\n" : "\nnothing to do\n", c->out);
	while ((step = ctl_doc_next(&it))) {
		snprintf(head, sizeof(head), "%3zu", it.next);
		ctl_text_hang(c, head, INDENT, ctl_step_say(c, step, text));
	}
	put_more(c, pool, "more_steps");
}

static void put_refusals(struct ctl *c, const json_t *pool)
{
	char text[CTL_STEP_TEXT];
	struct ctl_iter it;
	const json_t *refusal;

	ctl_doc_begin(&it, c, pool, "refusals");
	if (it.n)
		fputs("would not:\n", c->out);
	while ((refusal = ctl_doc_next(&it)))
		ctl_text_hang(c, "  -", INDENT,
		              ctl_step_refused(c, refusal, "node", text));
	put_more(c, pool, "more_refusals");
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	ctl_render_pool(c, pool, first);
	if (!ctl_doc_bool(c, pool, "enabled"))
		fputs("\nbalance is off; slabctl set enabled yes", c->out);
	put_steps(c, pool);
	put_refusals(c, pool);
}

void ctl_plan(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
