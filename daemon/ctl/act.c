/* SPDX-License-Identifier: MIT */
/* What slabd says of what it was asked to do. */
#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"

#define INDENT 6

/* Why less was done than asked for, if slabd says so. */
static void put_why(struct ctl *c, const json_t *doc)
{
	ctl_text_said(c, INDENT, "", doc, "text");
}

/* What was done of what was asked for: "4 of 6 slabs"; " of orders" where the
 * cache is said. Then the rest of the sentence. */
static void put_done(struct ctl *c, const json_t *doc, bool pages,
                     const char *rest)
{
	bool less = ctl_doc_int(c, doc, "done") < ctl_doc_int(c, doc, "n");
	char line[300];
	snprintf(line, sizeof(line), "%s{n %s}%s%s", less ? "{done} of " : "",
	         pages ? "page" : "slab",
	         ctl_doc_string_or_null(c, doc, "cache") ? " of {cache t128}" : "",
	         rest);
	ctl_render_say(c, doc, "pool", line);
	put_why(c, doc);
}

void ctl_lend(struct ctl *c, const json_t *doc)
{
	bool back = ctl_doc_int(c, doc, "from") == ctl_doc_int(c, doc, "to");
	put_done(c, doc, false,
	         back ? " came back to node {to}"
	              : " lent: node {from} -> node {to}");
}

void ctl_migrate(struct ctl *c, const json_t *doc)
{
	put_done(c, doc, true,
	         " moved ({bytes b}): node {from} -> node {to}");
}

static void put_trimmed(struct ctl *c, const json_t *pool, bool first)
{
	(void)first;
	ctl_render_say(c, pool, "name",
	               ctl_doc_int_or_null(c, pool, "node") < 0
	                       ? "{asked client} asked to trim; {pages empty "
	                         "page} given back ({bytes b})"
	                       : "{asked client} asked to trim; {pages empty "
	                         "page} of node {node} given back ({bytes b})");
	put_why(c, pool);
}

void ctl_trim(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_trimmed);
}

static void add_number(json_t *to, const json_t *from, const char *key)
{
	int64_t sum = ctl_doc_sum(
		json_integer_value(json_object_get(to, key)),
		json_integer_value(json_object_get(from, key)));
	if (json_is_integer(json_object_get(to, key)))
		json_object_set_new(to, key, json_integer(sum));
}

bool ctl_trim_asked(const json_t *doc)
{
	const json_t *pools = json_object_get(doc, "pools");
	size_t i;
	for (i = 0; i < json_array_size(pools); i++)
		if (json_integer_value(json_object_get(json_array_get(pools, i),
		                                       "asked")) > 0)
			return true;
	return false;
}

void ctl_trim_add(json_t *doc, const json_t *more)
{
	json_t *to = json_object_get(doc, "pools"), *pool;
	const json_t *from = json_object_get(more, "pools"), *other;
	size_t i;
	for (i = 0; i < json_array_size(to); i++) {
		pool = json_array_get(to, i);
		other = json_array_get(from, i);
		add_number(pool, other, "pages");
		add_number(pool, other, "bytes");
		if (json_integer_value(json_object_get(pool, "pages")) > 0)
			json_object_set_new(pool, "text", json_string(""));
	}
}

static const struct ctl_col key_cols[] = {
	{CTL_COL("key", "key", CTL_NAME)},
	{CTL_COL("value", "value", CTL_NAME)},
	{CTL_COL("slabd.conf", "configured", CTL_NAME)},
};

static const struct ctl_list keys = {
	.key = "keys", .none = "no settings\n", CTL_COLS(key_cols),
};

/* One key that was set, or all that there are. */
static void put_settings(struct ctl *c, const json_t *pool, bool first)
{
	if (json_object_get(pool, "old"))
		ctl_render_say(c, pool, "name",
		               "{key t64} {old t64} -> {value t64}");
	else
		ctl_render_list(c, pool, first, &keys);
}

void ctl_set(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_settings);
}
