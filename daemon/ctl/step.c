/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/step.h"

#include <string.h>

#include "daemon/ctl/text.h"

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
                     char buf[CTL_STEP_TEXT])
{
	bool several = ctl_doc_int(c, step, "n") > 1;
	bool known = ctl_doc_int_or_null(c, step, "page") >= 0;
	bool cache = ctl_doc_string_or_null(c, step, "cache") != NULL;
	ctl_text_add(c, buf, CTL_STEP_TEXT, step,
	             several ? "move {n page}"
	             : known ? "move page {page}"
	                     : "move a page");
	ctl_text_add(c, buf, CTL_STEP_TEXT, step,
	             cache ? ", mostly {cache t128} ({bytes b}" : " ({bytes b}");
	ctl_text_add(c, buf, CTL_STEP_TEXT, step, several ? " each" : "");
	ctl_text_add(c, buf, CTL_STEP_TEXT, step,
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

const char *ctl_step_say(struct ctl *c, const json_t *step,
                         char buf[CTL_STEP_TEXT])
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
		ctl_text_add(c, buf, CTL_STEP_TEXT, step,
		             said ? said->done : "{kind t}");
	if (pages && ctl_doc_int_or_null(c, step, "to") >= 0)
		ctl_text_add(c, buf, CTL_STEP_TEXT, step, " of node {to}");
	if (strlen(buf) > 360)
		buf[360] = '\0';
	return ctl_text_add(c, buf, CTL_STEP_TEXT, step, ": {text t128}");
}

const char *ctl_step_refused(struct ctl *c, const json_t *refusal,
                             const char *at, char buf[CTL_STEP_TEXT])
{
	const struct words *said =
		words_of(ctl_doc_string(c, refusal, "kind"));
	bool named = ctl_doc_string_or_null(c, refusal, "cache") != NULL;
	int64_t node = ctl_doc_int_or_null(c, refusal, at);
	char where[48] = "the pool";
	size_t len;
	if (node >= 0)
		snprintf(where, sizeof(where), "node %lld", (long long)node);
	buf[0] = '\0';
	ctl_text_add(c, buf, CTL_STEP_TEXT, refusal,
	             named ? "{cache t128} on " : "");
	len = strlen(buf);
	snprintf(buf + len, CTL_STEP_TEXT - len, "%s: %s", where,
	         said ? said->not_done : "not done");
	ctl_doc_string(c, refusal, "reason");
	return ctl_text_add(c, buf, CTL_STEP_TEXT, refusal, ": {text t128}");
}
