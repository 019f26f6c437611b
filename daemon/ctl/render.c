/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/render.h"

void ctl_render_pool(struct ctl *c, const json_t *pool, bool first)
{
	char name[256];
	ctl_text_field(c, name, sizeof(name), pool, "name");
	fprintf(c->out, "%s%spool %s%s", first ? "" : "\n",
	        ctl_text_on(&c->style, CTL_BOLD), name,
	        ctl_text_off(&c->style, CTL_BOLD));
}

void ctl_render_say(struct ctl *c, const json_t *obj, const char *key,
                    const char *sentence)
{
	char name[256], line[1400];
	ctl_text_field(c, name, sizeof(name), obj, key);
	snprintf(line, sizeof(line), "pool %s: ", name);
	ctl_text_wrap(c, 0,
	              ctl_text_add(c, line, sizeof(line), obj, sentence));
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

size_t ctl_render_list(struct ctl *c, const json_t *pool, bool first,
                       const struct ctl_list *list)
{
	ctl_render_pool(c, pool, first);
	fputc('\n', c->out);
	return ctl_table_show(c, pool, list);
}
