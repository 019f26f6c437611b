/* SPDX-License-Identifier: MIT */
/* What evens memory out between nodes: steps as sentences, those of a plan, and
 * those of the past. */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define STEP_TEXT 512
#define EVENT_TEXT 1024
#define PLAN_INDENT 4
#define LOG_CAUSE 9   /* column of the cause */
#define LOG_INDENT 19 /* column of the sentence */

static const struct words {
	const char *kind;
	const char *not_done;
	const char *done;
} words[] = {
	{"carve", "not carved", "carve {n slab} of {cache t128} on node {to}"},
	{"reassign", "nothing taken from other caches",
	 "take {n_given empty slab} of {donor t128} on node {to} for {n slab} of "
	 "{cache t128}"},
	{"lend", "not lent",
	 "lend {n slab} of {cache t128}: node {from} -> node {to} (distance "
	 "{distance})"},
	{"migrate", "not moved", NULL},
	{"return", "not returned",
	 "return {n slab} of {cache t128}: node {from} -> node {to}"},
	{"trim", "clients not asked", "ask clients for what they hoard"},
	{"shrink", "not given back", "give back {n empty page}"},
	{"drain", "not emptied", NULL},
	/* Of a kind, but said in another way. */
	{"free", NULL, "free {n_given empty slab} of {cache t128} on node {to}"},
	{"lend fresh", NULL,
	 "lend {n new slab} of {cache t128}: node {from} -> node {to} (distance "
	 "{distance})"},
	/* Whoever has them: that is not said where they are looked for. */
	{"have back", NULL, "have {n slab} of {cache t128} back on node {to}"},
};

static const struct words *words_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(kind, words[i].kind) == 0)
			return &words[i];
	return NULL;
}

/* The log sums up moves of several pages. */
static void put_page(struct ctl *c, const json_t *step,
                     char buf[STEP_TEXT])
{
	bool several = ctl_doc_int(c, step, "n") > 1;
	bool known = ctl_doc_int_or_null(c, step, "page") >= 0;
	bool cache = ctl_doc_string_or_null(c, step, "cache") != NULL;
	ctl_text_add(c, buf, STEP_TEXT, step,
	             several ? "move {n page}"
	             : known ? "move page {page}"
	                     : "move a page");
	ctl_text_add(c, buf, STEP_TEXT, step,
	             cache ? ", mostly {cache t128} ({bytes b}" : " ({bytes b}");
	ctl_text_add(c, buf, STEP_TEXT, step, several ? " each" : "");
	ctl_text_add(c, buf, STEP_TEXT, step,
	             "): node {from} -> node {to} (distance {distance})");
}

/* All fields are to be there, whichever the sentence takes. */
static void check(struct ctl *c, const json_t *step)
{
	static const char *const counts[] = {"n", "n_given", "distance",
	                                     "bytes"};
	static const char *const places[] = {"from", "to", "page"};
	for (size_t i = 0; i < 4; i++)
		ctl_doc_int(c, step, counts[i]);
	for (size_t i = 0; i < 3; i++)
		ctl_doc_int_or_null(c, step, places[i]);
	ctl_doc_string_or_null(c, step, "cache");
	ctl_doc_string_or_null(c, step, "donor");
	ctl_doc_string(c, step, "reason");
	ctl_doc_bool(c, step, "fresh");
}

/* Which of the words above. */
static const char *way_of(struct ctl *c, const json_t *step, const char *kind)
{
	const char *cache = ctl_doc_string_or_null(c, step, "cache");
	const char *donor = ctl_doc_string_or_null(c, step, "donor");
	if (strcmp(kind, "reassign") == 0 && cache && donor &&
	    strcmp(cache, donor) == 0)
		return "free";
	if (strcmp(kind, "lend") == 0 && ctl_doc_bool(c, step, "fresh"))
		return "lend fresh";
	if (strcmp(kind, "return") == 0 &&
	    ctl_doc_int_or_null(c, step, "from") < 0)
		return "have back";
	return kind;
}

static const char *say_step(struct ctl *c, const json_t *step,
                         char buf[STEP_TEXT])
{
	const char *kind = way_of(c, step, ctl_doc_string(c, step, "kind"));
	const struct words *said = words_of(kind);
	bool pages = strcmp(kind, "trim") == 0 || strcmp(kind, "shrink") == 0;
	buf[0] = '\0';
	check(c, step);
	/* A kind that this slabctl does not know is shown by its name. */
	if (said && !said->done)
		put_page(c, step, buf);
	else
		ctl_text_add(c, buf, STEP_TEXT, step,
		             said ? said->done : "{kind t}");
	if (pages && ctl_doc_int_or_null(c, step, "to") >= 0)
		ctl_text_add(c, buf, STEP_TEXT, step, " of node {to}");
	if (strlen(buf) > 360)
		buf[360] = '\0';
	return ctl_text_add(c, buf, STEP_TEXT, step, ": {text t128}");
}

static const char *say_refused(struct ctl *c, const json_t *refusal,
                             const char *at, char buf[STEP_TEXT])
{
	const struct words *said =
		words_of(ctl_doc_string(c, refusal, "kind"));
	bool named = ctl_doc_string_or_null(c, refusal, "cache") != NULL;
	int64_t node = ctl_doc_int_or_null(c, refusal, at);
	char where[48] = "the pool";
	if (node >= 0)
		snprintf(where, sizeof(where), "node %lld", (long long)node);
	buf[0] = '\0';
	ctl_text_add(c, buf, STEP_TEXT, refusal,
	             named ? "{cache t128} on " : "");
	ctl_text_append(buf, STEP_TEXT, "%s: %s", where,
	                said && said->not_done ? said->not_done : "not done");
	ctl_doc_string(c, refusal, "reason");
	return ctl_text_add(c, buf, STEP_TEXT, refusal, ": {text t128}");
}

/* ---- what would be done ------------------------------------------------- */

static void put_more(struct ctl *c, const json_t *pool, const char *key)
{
	int64_t more = ctl_doc_int(c, pool, key);
	if (more)
		fprintf(c->out, "%*sand %lld more\n", PLAN_INDENT, "",
		        (long long)more);
}

static void put_steps(struct ctl *c, const json_t *pool)
{
	char text[STEP_TEXT], head[32];
	struct ctl_iter it;
	const json_t *step;
	bool refused = json_array_size(json_object_get(pool, "refusals")) > 0;
	ctl_doc_begin(&it, c, pool, "steps");
	fputs(it.n      ? "\nwould do:\n"
	      : refused ? "\nnothing can be done\n"
			: "\nnothing to do\n",
	      c->out);
	while ((step = ctl_doc_next(&it))) {
		snprintf(head, sizeof(head), "%3zu", it.next);
		ctl_text_hang(c, head, PLAN_INDENT, say_step(c, step, text));
	}
	put_more(c, pool, "more_steps");
}

static void put_refusals(struct ctl *c, const json_t *pool)
{
	char text[STEP_TEXT];
	struct ctl_iter it;
	const json_t *refusal;
	ctl_doc_begin(&it, c, pool, "refusals");
	if (it.n)
		fputs("would not:\n", c->out);
	while ((refusal = ctl_doc_next(&it)))
		ctl_text_hang(c, "  -", PLAN_INDENT,
		              say_refused(c, refusal, "node", text));
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
		ctl_text_hang(c, "  -", PLAN_INDENT,
		              ctl_text_add(c, line, sizeof(line), refusal,
		                           "{text t128}: {remedy t256}"));
		any = true;
	}
}

void ctl_plan(struct ctl *c, const json_t *pool)
{
	ctl_text_pool(c, pool);
	if (!ctl_doc_bool(c, pool, "enabled"))
		fputs("\nbalance is off; slabctl set enabled yes", c->out);
	put_steps(c, pool);
	put_refusals(c, pool);
	if (!c->fault[0])
		put_remedies(c, pool);
}

/* ---- what was done ------------------------------------------------------ */

/* What came of a step, if that is less than was planned, and why. */
static void add_outcome(struct ctl *c, const json_t *event,
                        char text[EVENT_TEXT])
{
	int64_t n = ctl_doc_int(c, event, "n");
	int64_t done = ctl_doc_int(c, event, "done");
	bool error = *ctl_doc_string(c, event, "error");
	bool message = *ctl_doc_string(c, event, "told");
	bool trim = strcmp(ctl_doc_string(c, event, "kind"), "trim") == 0;
	ctl_doc_int(c, event, "us");
	if (!trim && done >= n && done != 0)
		return;
	ctl_text_add(c, text, EVENT_TEXT, event,
	             trim        ? "; {done} asked"
	             : done == 0 ? "; failed"
	                         : "; {done} done");
	if (!trim && (message || error))
		ctl_text_add(c, text, EVENT_TEXT, event,
		             message ? ": {told t256}" : ": {error t256}");
}

static void put_event(struct ctl *c, const json_t *event, int64_t now_ms)
{
	double first = (double)ctl_doc_int(c, event, "at_ms") / 1000;
	double last = (double)ctl_doc_int(c, event, "last_ms") / 1000;
	char text[EVENT_TEXT], head[128], cause[32], age[CTL_TEXT_SHORT];
	if (ctl_doc_bool(c, event, "refused")) {
		say_refused(c, event, "to", text);
	} else {
		say_step(c, event, text);
		add_outcome(c, event, text);
	}
	if (ctl_doc_int(c, event, "times") > 1) {
		ctl_text_add(c, text, EVENT_TEXT, event, " ({times} times in ");
		ctl_text_append(text, EVENT_TEXT, "%s)",
		                ctl_text_age(age, last - first));
	}
	ctl_doc_int(c, event, "seq");
	ctl_text_field(c, cause, sizeof(cause), event, "cause");
	snprintf(head, sizeof(head), "%*s  %s", LOG_CAUSE - 2,
	         ctl_text_age(age, (double)now_ms / 1000 - last), cause);
	ctl_text_hang(c, head, LOG_INDENT, text);
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
	/* jansson's iterators want it writable, and leave it as it is. */
	json_t *steps = (json_t *)(uintptr_t)ctl_doc_object(c, counts, "steps"),
	       *v;
	const json_t *done = ctl_doc_object(c, counts, "done");
	const json_t *failed = ctl_doc_object(c, counts, "failed");
	json_t *doc = json_pack("{s:[]}", "kinds");
	json_t *rows = json_object_get(doc, "kinds");
	const char *kind;
	json_object_foreach(steps, kind, v) {
		json_int_t taken = ctl_doc_int(c, steps, kind);
		json_int_t did = taken ? ctl_doc_int(c, done, kind) : 0;
		json_int_t lost = taken ? ctl_doc_int(c, failed, kind) : 0;
		if (taken)
			json_array_append_new(
				rows, json_pack("{s:s, s:I, s:I, s:I}", "kind",
			                        kind, "taken", taken, "did",
			                        did, "failed", lost));
	}
	if (json_array_size(rows))
		fputc('\n', c->out);
	ctl_table_show(c, doc, &kinds);
	json_decref(doc);
}

static void put_counts(struct ctl *c, const json_t *counts)
{
	char text[1024] = "";
	put_kinds(c, counts);
	ctl_text_counts(c, text, sizeof(text), counts, "refused");
	if (*text)
		ctl_text_hang(c, "refused:", 9, text);
	*text = '\0';
	ctl_text_add(c, text, sizeof(text), counts,
	             "{plans} plans, {moved_bytes b} moved; at most ");
	ctl_text_append(
		text, sizeof(text),
		"%.1f us to look, %.1f us to plan, %.2f ms to move a page",
		(double)ctl_doc_int(c, counts, "snapshot_ns_max") / 1e3,
		(double)ctl_doc_int(c, counts, "plan_ns_max") / 1e3,
		(double)ctl_doc_int(c, counts, "move_ns_max") / 1e6);
	ctl_text_wrap(c, 0, text);
}

static bool any_steps(const json_t *counts)
{
	json_t *steps = json_object_get(counts, "steps");
	const char *kind;
	json_t *n;
	json_object_foreach(steps, kind, n)
		if (json_integer_value(n) > 0)
			return true;
	return false;
}

void ctl_log(struct ctl *c, const json_t *pool)
{
	int64_t now = ctl_doc_int(c, pool, "now_ms");
	struct ctl_iter it;
	const json_t *event;
	ctl_text_pool(c, pool);
	fputc('\n', c->out);
	ctl_doc_begin(&it, c, pool, "events");
	if (!it.n)
		fputs(any_steps(ctl_doc_object(c, pool, "counts"))
		              ? "no event is shown: see --limit\n"
		              : "nothing has been done\n",
		      c->out);
	while ((event = ctl_doc_next(&it)))
		put_event(c, event, now);
	put_counts(c, ctl_doc_object(c, pool, "counts"));
}
