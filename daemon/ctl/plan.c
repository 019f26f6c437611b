/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/step.h"

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

/* A remedy for each reason. */
static void put_remedies(struct ctl *c, const json_t *pool)
{
	struct ctl_iter it;
	const json_t *refusal;
	bool any = false;
	ctl_doc_begin(&it, c, pool, "refusals");
	while ((refusal = ctl_doc_next(&it))) {
		char line[400] = "";
		if (!*ctl_doc_string(c, refusal, "remedy") ||
		    ctl_doc_seen(it.array, it.next - 1, "reason"))
			continue;
		fputs(any ? "" : "what helps:\n", c->out);
		ctl_text_hang(c, "  -", INDENT,
		              ctl_text_add(c, line, sizeof(line), refusal,
		                           "{text t128}: {remedy t256}"));
		any = true;
	}
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	ctl_render_pool(c, pool, first);
	if (!ctl_doc_bool(c, pool, "enabled"))
		fputs("\nbalance is off; slabctl set enabled yes", c->out);
	put_steps(c, pool);
	put_refusals(c, pool);
	if (!c->fault[0])
		put_remedies(c, pool);
}

void ctl_plan(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
