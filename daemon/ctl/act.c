/* SPDX-License-Identifier: MIT */
/* What slabd says of what it was asked to do. */
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define INDENT 6

/* What was done of what was asked for: "4 of 6 slabs"; " of orders" where the
 * cache is said. Then the rest of the sentence, and why it was less than asked
 * for, if slabd says so. */
static void put_done(struct ctl *c, const json_t *doc, bool pages,
                     const char *rest)
{
	bool less = ctl_doc_int(c, doc, "done") < ctl_doc_int(c, doc, "n");
	char line[300];
	snprintf(line, sizeof(line), "%s{n %s}%s%s", less ? "{done} of " : "",
	         pages ? "page" : "slab",
	         ctl_doc_string_or_null(c, doc, "cache") ? " of {cache t128}" : "",
	         rest);
	ctl_text_say(c, doc, "pool", line);
	ctl_text_said(c, INDENT, "", doc, "text");
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

void ctl_cache(struct ctl *c, const json_t *doc)
{
	ctl_text_say(c, doc, "pool",
	             ctl_doc_int(c, doc, "removed") > 1
	                     ? "{cache t128}: {removed} versions removed, "
	                       "{slabs slab} free for others"
	                     : "{cache t128} removed, {slabs slab} free "
	                       "for others");
}

void ctl_root(struct ctl *c, const json_t *doc)
{
	ctl_text_say(c, doc, "pool",
	             "root {root t128} removed: what it had comes back");
}

void ctl_channel(struct ctl *c, const json_t *doc)
{
	ctl_text_say(c, doc, "pool",
	             "channel {channel t128} removed: what was under way comes "
	             "back");
}

void ctl_evict(struct ctl *c, const json_t *doc)
{
	const char *rest = "keeps what it has until it ends: kill {pid}";
	char line[200];
	if (ctl_doc_bool(c, doc, "killed"))
		rest = "was killed: what it had comes back";
	else if (ctl_doc_bool(c, doc, "ended"))
		rest = "had nothing any more";
	snprintf(line, sizeof(line),
	         "client {client} ({name t16}, pid {pid}) is shut out, and %s",
	         rest);
	ctl_text_say(c, doc, "pool", line);
}

void ctl_trim(struct ctl *c, const json_t *pool)
{
	ctl_text_say(c, pool, "name",
	             ctl_doc_int_or_null(c, pool, "node") < 0
	                     ? "{asked client} asked to trim; {pages empty "
	                       "page} given back ({bytes b})"
	                     : "{asked client} asked to trim; {pages empty "
	                       "page} of node {node} given back ({bytes b})");
	ctl_text_said(c, INDENT, "", pool, "text");
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
void ctl_set(struct ctl *c, const json_t *pool)
{
	if (json_object_get(pool, "old"))
		ctl_text_say(c, pool, "name",
		             "{key t64} {old t64} -> {value t64}");
	else
		ctl_table_pool(c, pool, &keys);
}
