/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/text.h"

#define LOOKS(verb, takes)                                                     \
	.name = verb, .options = takes, .timeout_s = 10, .watched = true
#define DOES(verb, takes)                                                      \
	.name = verb, .options = takes, .timeout_s = 30, .changes = true

const struct ctl_verb ctl_render_verbs[] = {
	{ LOOKS("status", "pool"), .render = ctl_status },
	{ LOOKS("nodes", "pool"), .render = ctl_nodes },
	{ LOOKS("caches", "pool"), .render = ctl_caches },
	{ LOOKS("clients", "pool"), .render = ctl_clients },
	{ LOOKS("slabs", "pool cache node limit"), .render = ctl_slabs },
	{ .name = "audit", .options = "pool", .timeout_s = 120,
	  .watched = true, .render = ctl_audit, .verdict = ctl_audit_verdict },
	{ LOOKS("plan", "pool"), .render = ctl_plan },
	{ LOOKS("log", "pool limit"), .render = ctl_log },
	{ DOES("lend", "pool"), .render = ctl_lend,
	  .word = { "cache", "from", "to", "n" }, .n_must = 3,
	  .usage = "CACHE FROM TO [N]" },
	{ DOES("migrate", "pool cache"), .render = ctl_migrate,
	  .word = { "from", "to", "n" }, .n_must = 2,
	  .usage = "FROM TO [N]" },
	{ DOES("drain", "pool undo"), .watched = true, .render = ctl_drain,
	  .word = { "node" }, .n_must = 1, .usage = "NODE [--undo]" },
	{ DOES("trim", "pool"), .render = ctl_trim, .word = { "node" },
	  .usage = "[NODE]" },
	{ DOES("set", "pool"), .looks_without = true, .render = ctl_set,
	  .word = { "key", "value" }, .usage = "[KEY VALUE]" },
	{ .name = NULL },
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

void ctl_render_say(struct ctl *c, const json_t *obj, const char *key,
                    const char *fmt, ...)
{
	char name[256], text[1024], line[1400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctl_text_escape(&c->style, name, sizeof(name),
	                ctl_doc_string(c, obj, key));
	snprintf(line, sizeof(line), "pool %s: %s", name, text);
	ctl_text_wrap(c, 0, line);
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
