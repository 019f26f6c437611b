/* SPDX-License-Identifier: MIT */
/* What slabd says of what it was asked to do. */
#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/step.h"

#define INDENT 6

/* Why less was done than asked for, if slabd says so. */
static void put_why(struct ctl *c, const json_t *doc)
{
	ctl_text_said(c, INDENT, "", doc, "text");
}

/* "4 of 6 slabs"; " of orders" where the cache is said. */
static void put_amount(struct ctl *c, const json_t *doc, const char *unit,
                       char out[CTL_STEP_TEXT])
{
	const char *cache = ctl_doc_string_or_null(c, doc, "cache");
	int64_t n = ctl_doc_int(c, doc, "n");
	int64_t done = ctl_doc_int(c, doc, "done");
	char name[128] = "", of[40] = "";
	if (cache)
		ctl_text_escape(&c->style, name, sizeof(name), cache);
	if (done < n)
		snprintf(of, sizeof(of), " of %lld", (long long)n);
	snprintf(out, CTL_STEP_TEXT, "%lld%s %s%s%s%s", (long long)done, of,
	         unit, done < n || n != 1 ? "s" : "", cache ? " of " : "",
	         name);
}

void ctl_lend(struct ctl *c, const json_t *doc)
{
	long long from = ctl_doc_int(c, doc, "from");
	long long to = ctl_doc_int(c, doc, "to");
	char amount[CTL_STEP_TEXT];
	put_amount(c, doc, "slab", amount);
	if (from == to)
		ctl_render_say(c, doc, "pool", "%s came back to node %lld",
		               amount, to);
	else
		ctl_render_say(c, doc, "pool",
		               "%s lent: node %lld -> node %lld", amount, from,
		               to);
	put_why(c, doc);
}

void ctl_migrate(struct ctl *c, const json_t *doc)
{
	char amount[CTL_STEP_TEXT], bytes[CTL_TEXT_SHORT];
	put_amount(c, doc, "page", amount);
	ctl_render_say(c, doc, "pool",
	               "%s moved (%s): node %lld -> node %lld", amount,
	               ctl_text_bytes(bytes, ctl_doc_int(c, doc, "bytes")),
	               (long long)ctl_doc_int(c, doc, "from"),
	               (long long)ctl_doc_int(c, doc, "to"));
	put_why(c, doc);
}

static void put_trimmed(struct ctl *c, const json_t *pool, bool first)
{
	int64_t pages = ctl_doc_int(c, pool, "pages");
	int64_t asked = ctl_doc_int(c, pool, "asked");
	char bytes[CTL_TEXT_SHORT], of[48] = "";
	int64_t node = ctl_doc_int_or_null(c, pool, "node");
	(void)first;
	if (node >= 0)
		snprintf(of, sizeof(of), " of node %lld", (long long)node);
	ctl_render_say(c, pool, "name",
	               "%lld client%s asked to trim; %lld empty page%s%s given "
	               "back (%s)", (long long)asked, asked == 1 ? "" : "s",
	               (long long)pages, pages == 1 ? "" : "s", of,
	               ctl_text_bytes(bytes, ctl_doc_int(c, pool, "bytes")));
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
	char key[64], old[64], value[64];
	if (!json_object_get(pool, "old")) {
		ctl_render_list(c, pool, first, &keys);
		return;
	}
	ctl_text_field(c, key, sizeof(key), pool, "key");
	ctl_text_field(c, old, sizeof(old), pool, "old");
	ctl_text_field(c, value, sizeof(value), pool, "value");
	ctl_render_say(c, pool, "name", "%s %s -> %s", key, old, value);
}

void ctl_set(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_settings);
}
