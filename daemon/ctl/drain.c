/* SPDX-License-Identifier: MIT */
/* Nodes that are being emptied. */
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define INDENT 6
#define BAR 40

void ctl_drain(struct ctl *c, const json_t *pool)
{
	bool going = ctl_doc_bool(c, pool, "draining");
	bool empty = ctl_doc_int(c, pool, "bytes") == 0;
	/* A slabd of before does not say. */
	bool ends = !json_is_false(json_object_get(pool, "was_draining"));
	ctl_text_say(c, pool, "name",
	             !going  ? ends ? "node {node} is no longer drained"
	                            : "node {node} was not drained, and is not"
	             : empty ? "node {node} is empty, and stays so"
	                     : "node {node} is being drained, {bytes b} to go");
	if (going && !empty)
		ctl_text_line(c, INDENT, pool,
		              "slabctl drain {node} --watch shows how far it "
		              "is and who holds it up; slabctl drain {node} "
		              "--undo ends it");
}

/* ---- how far it is ------------------------------------------------------ */

void ctl_drain_holders(struct ctl *c, const json_t *node)
{
	struct ctl_iter it;
	const json_t *item;
	ctl_doc_begin(&it, c, node, "obstacles");
	while ((item = ctl_doc_next(&it))) {
		ctl_doc_string(c, item, "reason");
		ctl_text_line(c, INDENT, item,
		              *ctl_doc_string(c, item, "remedy")
		                      ? "not emptied: {text t200}; what helps: "
		                        "{remedy t200}"
		                      : "not emptied: {text t200}");
	}
	ctl_doc_begin(&it, c, node, "holdups");
	while ((item = ctl_doc_next(&it)))
		ctl_text_line(c, INDENT, item,
		              ctl_doc_string_or_null(c, item, "cache")
		                      ? "held up by {name t64} (pid {pid}, "
		                        "client {client}): {objects object} of "
		                        "{cache t128}, {bytes b}"
		                      : "held up by {name t64} (pid {pid}, "
		                        "client {client}): {objects object} of "
		                        "?, {bytes b}");
}

/* The bar is what lay there when the watch began; what is left is filled. */
static void put_left(struct ctl *c, const json_t *pool, const json_t *node)
{
	int64_t left = ctl_doc_int(c, node, "here_bytes");
	const json_t *from = json_object_get(node, "from_bytes");
	int64_t whole = from ? json_integer_value(from) : left;
	int64_t part[CTL_N_PARTS] = {
		[CTL_USED] = left,
		[CTL_EMPTY] = whole > left ? whole - left : 0,
	};
	char line[400] = "", text[CTL_TEXT_SHORT], all[CTL_TEXT_SHORT];
	ctl_text_add(c, line, sizeof(line), pool, "pool {name t}: node ");
	ctl_text_add(c, line, sizeof(line), node,
	             left ? "{node}" : "{node} is empty");
	ctl_text_wrap(c, 0, line);
	if (left == 0)
		return;
	fprintf(c->out, "%*s", INDENT, "");
	if (whole > 0)
		ctl_text_bar(c, part, whole, BAR);
	fprintf(c->out, "  %s of %s to go\n", ctl_text_bytes(text, left),
	        ctl_text_bytes(all, whole));
}

void ctl_drain_progress(struct ctl *c, const json_t *pool)
{
	struct ctl_iter it;
	const json_t *node;
	ctl_doc_begin(&it, c, pool, "nodes");
	while ((node = ctl_doc_next(&it))) {
		if (!ctl_doc_bool(c, node, "draining"))
			continue;
		put_left(c, pool, node);
		ctl_drain_holders(c, node);
	}
}

int64_t ctl_drain_left(json_t *doc, int64_t id, json_t *began)
{
	json_t *pool, *node, *left;
	int64_t sum = -1;
	size_t i, k;
	char key[64];
	json_array_foreach(json_object_get(doc, "pools"), i, pool) {
		json_array_foreach(json_object_get(pool, "nodes"), k, node) {
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
