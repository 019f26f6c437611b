/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/step.h"

#include <string.h>

#include "daemon/ctl/text.h"

#define NAME 128

/* A step's fields, read once. */
struct step {
	const char *kind;
	bool has_cache, fresh;
	char cache[NAME], donor[NAME], slabs[CTL_STEP_TEXT];
	int64_t from, to, n, n_given, page, distance, bytes;
};

const char *ctl_step_count(char buf[CTL_STEP_TEXT], int64_t n, const char *what)
{
	snprintf(buf, CTL_STEP_TEXT, "%lld %s%s", (long long)n, what,
	         n == 1 ? "" : "s");
	return buf;
}

/* A name that may be null, escaped; whether there is one. */
static bool read_name(struct ctl *c, const json_t *obj, const char *key,
                      char buf[NAME])
{
	const char *name = ctl_doc_string_or_null(c, obj, key);
	ctl_text_escape(&c->style, buf, NAME, name ? name : "");
	return name != NULL;
}

static void read_step(struct ctl *c, const json_t *obj, struct step *step)
{
	step->kind = ctl_doc_string(c, obj, "kind");
	step->has_cache = read_name(c, obj, "cache", step->cache);
	read_name(c, obj, "donor", step->donor);
	step->fresh = ctl_doc_bool(c, obj, "fresh");
	step->from = ctl_doc_int_or_null(c, obj, "from");
	step->to = ctl_doc_int_or_null(c, obj, "to");
	step->n = ctl_doc_int(c, obj, "n");
	step->n_given = ctl_doc_int(c, obj, "n_given");
	step->page = ctl_doc_int_or_null(c, obj, "page");
	step->distance = ctl_doc_int(c, obj, "distance");
	step->bytes = ctl_doc_int(c, obj, "bytes");
	ctl_step_count(step->slabs, step->n, step->fresh ? "new slab" : "slab");
}

static int put_reassign(char *out, size_t size, const struct step *s)
{
	if (strcmp(s->donor, s->cache) == 0)
		return snprintf(out, size, "free %lld empty slab%s of %s on "
		                "node %lld", (long long)s->n_given,
		                s->n_given == 1 ? "" : "s", s->cache,
		                (long long)s->to);
	return snprintf(out, size,
	                "take %lld empty slab%s of %s on node %lld for %s of "
	                "%s", (long long)s->n_given,
	                s->n_given == 1 ? "" : "s", s->donor, (long long)s->to,
	                s->slabs, s->cache);
}

/* The log sums up moves of several pages. */
static int put_page(char *out, size_t size, const struct step *s)
{
	char bytes[CTL_TEXT_SHORT], page[32] = "a page";
	if (s->n > 1)
		snprintf(page, sizeof(page), "%lld pages", (long long)s->n);
	else if (s->page >= 0)
		snprintf(page, sizeof(page), "page %lld", (long long)s->page);
	return snprintf(out, size,
	                "move %s%s%s (%s%s): node %lld -> node %lld (distance "
	                "%lld)", page, s->has_cache ? ", mostly " : "", s->cache,
	                ctl_text_bytes(bytes, s->bytes), s->n > 1 ? " each" : "",
	                (long long)s->from, (long long)s->to,
	                (long long)s->distance);
}

/* Whoever has them: that is not said where they are looked for. */
static int put_return(char *out, size_t size, const struct step *s)
{
	if (s->from < 0)
		return snprintf(out, size, "have %s of %s back on node %lld",
		                s->slabs, s->cache, (long long)s->to);
	return snprintf(out, size, "return %s of %s: node %lld -> node %lld",
	                s->slabs, s->cache, (long long)s->from,
	                (long long)s->to);
}

static int put_step(char *out, size_t size, const struct step *s)
{
	char of[48] = "";
	if (s->to >= 0)
		snprintf(of, sizeof(of), " of node %lld", (long long)s->to);
	if (strcmp(s->kind, "carve") == 0)
		return snprintf(out, size, "carve %s of %s on node %lld",
		                s->slabs, s->cache, (long long)s->to);
	if (strcmp(s->kind, "reassign") == 0)
		return put_reassign(out, size, s);
	if (strcmp(s->kind, "lend") == 0)
		return snprintf(out, size, "lend %s of %s: node %lld -> node "
		                "%lld (distance %lld)", s->slabs, s->cache,
		                (long long)s->from, (long long)s->to,
		                (long long)s->distance);
	if (strcmp(s->kind, "migrate") == 0 || strcmp(s->kind, "drain") == 0)
		return put_page(out, size, s);
	if (strcmp(s->kind, "return") == 0)
		return put_return(out, size, s);
	if (strcmp(s->kind, "trim") == 0)
		return snprintf(out, size, "ask clients for what they hoard%s",
		                of);
	if (strcmp(s->kind, "shrink") == 0)
		return snprintf(out, size, "give back %lld empty page%s%s",
		                (long long)s->n, s->n == 1 ? "" : "s", of);
	return -1;
}

const char *ctl_step_say(struct ctl *c, const json_t *step,
                         char buf[CTL_STEP_TEXT])
{
	char what[CTL_STEP_TEXT] = "", text[128];
	struct step s;
	read_step(c, step, &s);
	ctl_text_field(c, text, sizeof(text), step, "text");
	/* A kind that this slabctl does not know is shown by its name. */
	if (put_step(what, sizeof(what), &s) < 0)
		ctl_text_escape(&c->style, what, sizeof(what), s.kind);
	ctl_doc_string(c, step, "reason");
	snprintf(buf, CTL_STEP_TEXT, "%.360s: %s", what, text);
	return buf;
}

static const char *not_done(const char *kind)
{
	static const char *const words[][2] = {
		{"carve", "not carved"},
		{"reassign", "nothing taken from other caches"},
		{"lend", "not lent"},
		{"migrate", "not moved"},
		{"return", "not returned"},
		{"trim", "clients not asked"},
		{"shrink", "not given back"},
		{"drain", "not emptied"},
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(kind, words[i][0]) == 0)
			return words[i][1];
	return "not done";
}

const char *ctl_step_refused(struct ctl *c, const json_t *refusal,
                             const char *at, char buf[CTL_STEP_TEXT])
{
	int64_t node = ctl_doc_int_or_null(c, refusal, at);
	const char *kind = ctl_doc_string(c, refusal, "kind");
	char cache[NAME], text[128], where[48] = "the pool";
	bool named = read_name(c, refusal, "cache", cache);
	if (node >= 0)
		snprintf(where, sizeof(where), "node %lld", (long long)node);
	ctl_text_field(c, text, sizeof(text), refusal, "text");
	ctl_doc_string(c, refusal, "reason");
	snprintf(buf, CTL_STEP_TEXT, "%s%s%s: %s: %s", cache,
	         named ? " on " : "", where, not_done(kind), text);
	return buf;
}
