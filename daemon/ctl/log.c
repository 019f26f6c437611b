/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/step.h"

#define CAUSE 9   /* column of the cause */
#define INDENT 19 /* column of the sentence */
#define SENTENCE (2 * CTL_STEP_TEXT)

/* What came of a step: "", or how much less than was planned, and why. */
static void put_outcome(struct ctl *c, const json_t *event, char *out,
                        size_t size)
{
	int64_t n = ctl_doc_int(c, event, "n");
	int64_t done = ctl_doc_int(c, event, "done");
	const char *error = ctl_doc_string(c, event, "error");
	const char *message = ctl_doc_string(c, event, "told");
	char why[256];
	ctl_text_escape(&c->style, why, sizeof(why), *message ? message : error);
	ctl_doc_int(c, event, "us");
	out[0] = '\0';
	if (strcmp(ctl_doc_string(c, event, "kind"), "trim") == 0)
		snprintf(out, size, "; %lld asked", (long long)done);
	else if (done == 0)
		snprintf(out, size, "; failed%s%s", *why ? ": " : "", why);
	else if (done < n)
		snprintf(out, size, "; %lld done%s%s", (long long)done,
		         *why ? ": " : "", why);
}

static void put_times(struct ctl *c, const json_t *event, char *out,
                      size_t size)
{
	double span = ((double)ctl_doc_int(c, event, "last_ms") -
	               (double)ctl_doc_int(c, event, "at_ms")) / 1000;
	int64_t times = ctl_doc_int(c, event, "times");
	char age[CTL_TEXT_SHORT];
	out[0] = '\0';
	if (times > 1)
		snprintf(out, size, " (%lld times in %s)", (long long)times,
		         ctl_text_age(age, span));
}

static void put_event(struct ctl *c, const json_t *event, int64_t now_ms)
{
	char what[CTL_STEP_TEXT], outcome[320], times[80], head[128];
	char text[SENTENCE], cause[32], age[CTL_TEXT_SHORT];
	int64_t last = ctl_doc_int(c, event, "last_ms");
	outcome[0] = '\0';
	if (ctl_doc_bool(c, event, "refused"))
		ctl_step_refused(c, event, "to", what);
	else
		ctl_step_say(c, event, what);
	if (!ctl_doc_bool(c, event, "refused"))
		put_outcome(c, event, outcome, sizeof(outcome));
	put_times(c, event, times, sizeof(times));
	ctl_doc_int(c, event, "seq");
	ctl_text_field(c, cause, sizeof(cause), event, "cause");
	ctl_text_age(age, ((double)now_ms - (double)last) / 1000);
	snprintf(head, sizeof(head), "%*s  %s", CAUSE - 2, age, cause);
	snprintf(text, sizeof(text), "%s%s%s", what, outcome, times);
	ctl_text_hang(c, head, INDENT, text);
}

/* jansson's iterators want it writable, and leave it as it is. */
static json_t *numbers_of(struct ctl *c, const json_t *counts, const char *key)
{
	return (json_t *)(uintptr_t)ctl_doc_object(c, counts, key);
}

static const struct ctl_col kind_cols[] = {
	{CTL_COL("steps", "kind", CTL_NAME)},
	{CTL_COL("taken", "taken", CTL_INT)},
	{CTL_COL("did", "did", CTL_INT)},
	{CTL_COL("failed", "failed", CTL_BAD)},
};

static const struct ctl_list kinds = {
	.key = "kinds", .none = "", CTL_COLS(kind_cols),
};

/* Kinds of steps that were taken at all: a row each, made of three objects. */
static void put_kinds(struct ctl *c, const json_t *counts)
{
	json_t *steps = numbers_of(c, counts, "steps");
	const json_t *done = ctl_doc_object(c, counts, "done");
	const json_t *failed = ctl_doc_object(c, counts, "failed");
	json_t *doc = json_pack("{s:[]}", "kinds");
	json_t *rows = json_object_get(doc, "kinds");
	void *it;
	for (it = json_object_iter(steps); it && !c->fault[0];
	     it = json_object_iter_next(steps, it)) {
		const char *kind = json_object_iter_key(it);
		json_int_t taken = ctl_doc_int(c, steps, kind);
		if (taken)
			json_array_append_new(
				rows,
				json_pack("{s:s, s:I, s:I, s:I}", "kind", kind,
			                  "taken", taken, "did",
			                  (json_int_t)ctl_doc_int(c, done, kind),
			                  "failed",
			                  (json_int_t)ctl_doc_int(c, failed,
			                                          kind)));
	}
	if (json_array_size(rows))
		fputc('\n', c->out);
	ctl_table_show(c, doc, &kinds);
	json_decref(doc);
}

static void put_refused(struct ctl *c, const json_t *counts)
{
	json_t *refused = numbers_of(c, counts, "refused");
	char text[1024] = "", name[64];
	size_t len = 0;
	int64_t n;
	void *it;
	for (it = json_object_iter(refused);
	     it && !c->fault[0] && len < sizeof(text) - 128;
	     it = json_object_iter_next(refused, it)) {
		n = ctl_doc_int(c, refused, json_object_iter_key(it));
		ctl_text_escape(&c->style, name, sizeof(name),
		                json_object_iter_key(it));
		if (n)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			                        "%s%s %lld", len ? ", " : "",
			                        name, (long long)n);
	}
	if (len)
		ctl_text_hang(c, "refused:", 9, text);
}

static void put_counts(struct ctl *c, const json_t *counts)
{
	char text[300] = "";
	size_t len;
	put_kinds(c, counts);
	put_refused(c, counts);
	ctl_text_add(c, text, sizeof(text), counts,
	             "{plans} plans, {moved_bytes b} moved; at most ");
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len,
	         "%.1f us to look, %.1f us to plan, %.2f ms to move a page",
	         (double)ctl_doc_int(c, counts, "snapshot_ns_max") / 1e3,
	         (double)ctl_doc_int(c, counts, "plan_ns_max") / 1e3,
	         (double)ctl_doc_int(c, counts, "move_ns_max") / 1e6);
	ctl_text_wrap(c, 0, text);
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	int64_t now = ctl_doc_int(c, pool, "now_ms");
	struct ctl_iter it;
	const json_t *event;
	ctl_render_pool(c, pool, first);
	fputc('\n', c->out);
	ctl_doc_begin(&it, c, pool, "events");
	if (!it.n)
		fputs("nothing has been done\n", c->out);
	while ((event = ctl_doc_next(&it)))
		put_event(c, event, now);
	put_counts(c, ctl_doc_object(c, pool, "counts"));
}

void ctl_log(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
