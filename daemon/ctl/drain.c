/* SPDX-License-Identifier: MIT */
/* Nodes that are being emptied. */
#include "daemon/ctl/render.h"
#include "daemon/ctl/show.h"

#define INDENT 6
#define BAR 40

static void put_drained(struct ctl *c, const json_t *pool, bool first)
{
	int64_t bytes = ctl_doc_int(c, pool, "bytes");
	long long node = ctl_doc_int(c, pool, "node");
	char left[CTL_TEXT_SHORT], text[200];
	(void)first;
	if (!ctl_doc_bool(c, pool, "draining")) {
		ctl_render_say(c, pool, "name",
		               "node %lld is no longer drained", node);
		return;
	}
	if (bytes == 0) {
		ctl_render_say(c, pool, "name",
		               "node %lld is empty, and stays so", node);
		return;
	}
	ctl_render_say(c, pool, "name", "node %lld is being drained, %s to go",
	               node, ctl_text_bytes(left, bytes));
	snprintf(text, sizeof(text),
	         "slabctl drain %lld --watch shows how far it is and who holds "
	         "it up; slabctl drain %lld --undo ends it", node, node);
	ctl_text_wrap(c, INDENT, text);
}

void ctl_drain(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_drained);
}

/* ---- how far it is ------------------------------------------------------ */

static void put_refusals(struct ctl *c, const json_t *node)
{
	char text[200], remedy[200], line[440];
	struct ctl_iter it;
	const json_t *refusal;
	ctl_doc_begin(&it, c, node, "obstacles");
	while ((refusal = ctl_doc_next(&it))) {
		ctl_doc_string(c, refusal, "reason");
		ctl_text_field(c, text, sizeof(text), refusal, "text");
		ctl_text_field(c, remedy, sizeof(remedy), refusal, "remedy");
		snprintf(line, sizeof(line), "not emptied: %s%s%s", text,
		         *remedy ? "; what helps: " : "", remedy);
		ctl_text_wrap(c, INDENT, line);
	}
}

static void put_holder(struct ctl *c, const json_t *holder)
{
	const char *of = ctl_doc_string_or_null(c, holder, "cache");
	int64_t objects = ctl_doc_int(c, holder, "objects");
	char name[64], cache[128], line[400], bytes[CTL_TEXT_SHORT];
	ctl_text_field(c, name, sizeof(name), holder, "name");
	ctl_text_escape(&c->style, cache, sizeof(cache), of ? of : "?");
	snprintf(line, sizeof(line),
	         "held up by %s (pid %lld, client %lld): %lld object%s of %s, "
	         "%s", name, (long long)ctl_doc_int(c, holder, "pid"),
	         (long long)ctl_doc_int(c, holder, "client"),
	         (long long)objects, objects == 1 ? "" : "s", cache,
	         ctl_text_bytes(bytes, ctl_doc_int(c, holder, "bytes")));
	ctl_text_wrap(c, INDENT, line);
}

void ctl_drain_holders(struct ctl *c, const json_t *node)
{
	struct ctl_iter it;
	const json_t *holder;
	put_refusals(c, node);
	ctl_doc_begin(&it, c, node, "holdups");
	while ((holder = ctl_doc_next(&it)))
		put_holder(c, holder);
}

/* The bar is what lay there when the watch began; what is left is filled. */
static void put_left(struct ctl *c, const json_t *node)
{
	int64_t left = ctl_doc_int(c, node, "here_bytes");
	const json_t *from = json_object_get(node, "from_bytes");
	int64_t whole = from ? json_integer_value(from) : left;
	int64_t part[CTL_N_PARTS] = {0};
	char text[CTL_TEXT_SHORT], all[CTL_TEXT_SHORT];
	part[CTL_USED] = left;
	part[CTL_EMPTY] = whole > left ? whole - left : 0;
	fprintf(c->out, "%*s", INDENT, "");
	if (whole > 0)
		ctl_text_bar(c, part, whole, BAR);
	fprintf(c->out, "  %s of %s to go\n", ctl_text_bytes(text, left),
	        ctl_text_bytes(all, whole));
}

static void put_draining(struct ctl *c, const json_t *pool, bool first)
{
	struct ctl_iter it;
	const json_t *node;
	(void)first;
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it))) {
		if (!ctl_doc_bool(c, node, "draining"))
			continue;
		ctl_render_say(
			c, pool, "name", "node %lld%s",
			(long long)ctl_doc_int(c, node, "node"),
			ctl_doc_int(c, node, "here_bytes") ? "" : " is empty");
		if (ctl_doc_int(c, node, "here_bytes"))
			put_left(c, node);
		ctl_drain_holders(c, node);
	}
}

void ctl_drain_progress(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_draining);
}

int64_t ctl_drain_left(json_t *doc, int64_t id, json_t *began)
{
	json_t *pools = json_object_get(doc, "pools"), *nodes, *node, *left;
	int64_t sum = -1;
	size_t i, k;
	char key[64];
	for (i = 0; i < json_array_size(pools); i++) {
		nodes = json_object_get(json_array_get(pools, i), "nodes");
		for (k = 0; k < json_array_size(nodes); k++) {
			node = json_array_get(nodes, k);
			left = json_object_get(node, "here_bytes");
			if (!json_is_true(json_object_get(node, "draining")))
				continue;
			snprintf(key, sizeof(key), "%zu.%zu", i, k);
			if (!json_object_get(began, key))
				json_object_set(began, key, left);
			json_object_set(node, "from_bytes",
			                json_object_get(began, key));
			if (json_integer_value(json_object_get(node, "node")) ==
			    id)
				sum = ctl_doc_sum(sum < 0 ? 0 : sum,
				                  json_integer_value(left));
		}
	}
	return sum;
}
