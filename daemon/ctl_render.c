/* SPDX-License-Identifier: MIT */
#include "daemon/ctl_render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl_text.h"

const struct ctl_verb ctl_render_verbs[] = {
	{"status", 10, false, ctl_status, NULL},
	{"nodes", 10, false, ctl_nodes, NULL},
	{"caches", 10, false, ctl_caches, NULL},
	{"clients", 10, false, ctl_clients, NULL},
	{"slabs", 10, true, ctl_slabs, NULL},
	{"audit", 120, false, ctl_audit, ctl_audit_verdict},
	{NULL, 0, false, NULL, NULL},
};

const struct ctl_verb *ctl_render_verb(const char *name)
{
	const struct ctl_verb *v;

	for (v = ctl_render_verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

int ctl_render(const struct ctl_verb *verb, const json_t *doc,
               const struct ctl_style *style, FILE *out, char *fault,
               size_t fault_size)
{
	struct ctl c = {.style = *style};
	char *text = NULL;
	size_t size = 0;
	int r = 0;

	c.out = open_memstream(&text, &size);
	if (!c.out)
		return -ENOMEM;
	if (json_is_object(doc))
		verb->render(&c, doc);
	else
		ctl_doc_fail(&c, "the reply is no object");
	if (fclose(c.out) != 0)
		r = -ENOMEM;
	else if (c.fault[0])
		r = -EPROTO;
	else
		fwrite(text, 1, size, out);
	snprintf(fault, fault_size, "%s", c.fault);
	free(text);
	return r;
}

void ctl_render_pool(struct ctl *c, const json_t *pool, bool first)
{
	char name[256];

	ctl_text_escape(&c->style, name, sizeof(name),
	                ctl_doc_string(c, pool, "name"));
	fprintf(c->out, "%s%spool %s%s", first ? "" : "\n",
	        ctl_text_on(&c->style, CTL_BOLD), name,
	        ctl_text_off(&c->style, CTL_BOLD));
}

void ctl_render_pools(struct ctl *c, const json_t *doc,
                      void (*put)(struct ctl *c, const json_t *pool,
                                  bool first))
{
	struct ctl_iter it;
	const json_t *pool;

	ctl_doc_begin(&it, c, doc, "pools");
	if (!it.n)
		fputs("no pools\n", c->out);
	while ((pool = ctl_doc_next(&it)))
		put(c, pool, it.next == 1);
}
