/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/text.h"

#define INDENT 6

/* "pool default, node 1: " before what is said of it. */
static void put_finding(struct ctl *c, const json_t *finding)
{
	bool of_pool = !json_is_null(json_object_get(finding, "pool"));
	bool of_node = !json_is_null(json_object_get(finding, "node"));
	char name[32];
	char text[800] = "";
	if (of_pool)
		ctl_text_add(c, text, sizeof(text), finding, "pool {pool t64}");
	if (of_pool && of_node)
		ctl_text_add(c, text, sizeof(text), finding, ", node {node}");
	ctl_text_add(c, text, sizeof(text), finding,
	             of_pool ? ": {what t512}" : "{what t512}");
	ctl_text_escape(&c->style, name, sizeof(name),
	                ctl_doc_string(c, finding, "urgency"));
	ctl_text_hang(c, name, INDENT, text);
	ctl_text_said(c, INDENT, "do: ", finding, "todo");
}

void ctl_doctor(struct ctl *c, const json_t *doc)
{
	struct ctl_iter it;
	const json_t *finding;
	ctl_doc_begin(&it, c, doc, "findings");
	if (it.n == 0)
		fputs("nothing is wrong\n", c->out);
	while ((finding = ctl_doc_next(&it)))
		put_finding(c, finding);
}

int ctl_doctor_verdict(const json_t *doc)
{
	size_t i;
	json_t *finding;
	json_array_foreach(json_object_get(doc, "findings"), i, finding)
	{
		const char *urgency = json_string_value(
			json_object_get(finding, "urgency"));
		if (urgency != NULL && strcmp(urgency, "note") != 0)
			return 1;
	}
	return 0;
}
