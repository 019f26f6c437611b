/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/show.h"

/* What is counted from the tags takes some seconds for each 100 GiB. */
#define COUNTS_S 120
#define AUDIT_S 600
#define LOOKS(verb, takes)                                                     \
	.name = verb, .options = takes, .timeout_s = 10, .watched = true
#define COUNTS(verb, takes)                                                    \
	.name = verb, .options = takes, .timeout_s = COUNTS_S, .watched = true
#define DOES(verb, takes)                                                      \
	.name = verb, .options = takes, .timeout_s = 30, .changes = true

const struct ctl_verb ctl_verbs[] = {
	{ COUNTS("status", "pool"), .show = ctl_status, .whole = true },
	{ COUNTS("nodes", "pool node sort reverse"), .show = ctl_nodes },
	{ COUNTS("caches", "pool cache node sort reverse"), .show = ctl_caches },
	{ COUNTS("clients", "pool cache node client sort reverse"),
	  .show = ctl_clients, .word = { "client" }, .usage = "[ID]" },
	{ COUNTS("roots", "pool cache node name sort reverse"), .show = ctl_roots },
	{ COUNTS("channels", "pool cache node client name sort reverse"),
	  .show = ctl_channels },
	{ COUNTS("arenas", "pool client limit"), .show = ctl_arenas },
	{ COUNTS("objpools", "pool client limit"), .show = ctl_objpools },
	{ COUNTS("leaks", "pool client limit"), .show = ctl_leaks },
	{ COUNTS("slabs", "pool cache node client limit sort reverse"),
	  .show = ctl_slabs },
	{ LOOKS("dump", "pool"), .show = ctl_dump, .whole = true,
	  .word = { "slab" }, .n_must = 1, .usage = "SLAB" },
	{ .name = "audit", .options = "pool", .timeout_s = AUDIT_S,
	  .watched = true, .whole = true, .show = ctl_audit,
	  .verdict = ctl_audit_verdict },
	{ COUNTS("doctor", "pool"), .whole = true, .show = ctl_doctor,
	  .verdict = ctl_doctor_verdict },
	{ .name = "advise", .options = "pool trace write caches",
	  .timeout_s = COUNTS_S, .whole = true, .show = ctl_advise },
	{ LOOKS("plan", "pool"), .show = ctl_plan },
	{ LOOKS("pool", "pool sort reverse"), .show = ctl_pool,
	  .word = { "pool" }, .usage = "[NAME]" },
	{ LOOKS("log", "pool cache node limit"), .show = ctl_log },
	{ .name = "top", .options = "pool", .watched = true },
	{ LOOKS("history", "pool span"), .show = ctl_history },
	{ DOES("lend", "pool"), .show = ctl_lend, .whole = true,
	  .word = { "cache", "from", "to", "n" }, .n_must = 3,
	  .usage = "CACHE FROM TO [N]" },
	{ DOES("migrate", "pool cache"), .show = ctl_migrate, .whole = true,
	  .word = { "from", "to", "n" }, .n_must = 2,
	  .usage = "FROM TO [N]" },
	{ DOES("drain", "pool undo"), .watched = true, .show = ctl_drain,
	  .word = { "node" }, .n_must = 1, .usage = "NODE [--undo]" },
	{ DOES("cache", "pool"), .show = ctl_cache, .whole = true,
	  .word = { "action", "pool", "cache" }, .n_must = 2, .skips = true,
	  .usage = "remove [POOL] NAME" },
	{ DOES("root", "pool"), .show = ctl_root, .whole = true,
	  .word = { "action", "pool", "root" }, .n_must = 2, .skips = true,
	  .usage = "remove [POOL] NAME" },
	{ DOES("channel", "pool"), .show = ctl_channel, .whole = true,
	  .word = { "action", "pool", "channel" }, .n_must = 2, .skips = true,
	  .usage = "remove [POOL] NAME" },
	{ DOES("evict", "pool kill"), .show = ctl_evict, .whole = true,
	  .word = { "client" }, .n_must = 1, .usage = "CLIENT [--kill]" },
	{ DOES("trim", "pool"), .show = ctl_trim, .word = { "node" },
	  .usage = "[NODE]" },
	{ DOES("set", "pool"), .looks_without = true, .show = ctl_set,
	  .word = { "key", "value" }, .usage = "[KEY VALUE]" },
	{ .name = "save", .options = "", .timeout_s = 10,
	  .show = ctl_show_save, .whole = true,
	  .verdict = ctl_save_verdict },
	{ .name = "upgrade", .options = "check slabd", .timeout_s = 10,
	  .show = ctl_show_upgrade, .whole = true,
	  .verdict = ctl_upgrade_verdict, .usage = "--check [--slabd PATH]" },
	{ .name = NULL },
};

const struct ctl_verb ctl_verbs_progress = {
	COUNTS("nodes", "pool"), .show = ctl_drain_progress,
};

const struct ctl_verb *ctl_verbs_find(const char *name)
{
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static void show_pools(struct ctl *c, const json_t *doc,
                       const struct ctl_verb *verb)
{
	struct ctl_iter it;
	const json_t *pool;
	ctl_doc_begin(&it, c, doc, "pools");
	if (!it.n)
		fputs("no pools\n", c->out);
	while ((pool = ctl_doc_next(&it)))
		verb->show(c, pool);
}

static int bad_sort(struct ctl *c)
{
	snprintf(c->fault, sizeof(c->fault), "--sort %.40s: no such column; columns: %.180s",
	         c->style.sort, c->columns);
	return -EINVAL;
}

/* Into c, as text that is to be freed; NULL: there is no memory. */
static char *render(const struct ctl_verb *verb, const json_t *doc, struct ctl *c,
                    size_t *size)
{
	char *text = NULL;
	c->out = open_memstream(&text, size);
	if (!c->out)
		return NULL;
	if (!json_is_object(doc))
		ctl_doc_fail(c, "the reply is no object");
	else if (verb->whole)
		verb->show(c, doc);
	else
		show_pools(c, doc, verb);
	if (fclose(c->out) == 0)
		return text;
	free(text);
	return NULL;
}

char *ctl_verbs_columns(const struct ctl_verb *verb, const json_t *doc,
                        bool rates)
{
	/* None has this title: all are noted. */
	struct ctl c = {.style = {.whole = true, .rates = rates, .sort = ""}};
	size_t size;
	free(render(verb, doc, &c, &size));
	return strdup(c.columns);
}

int ctl_verbs_show(const struct ctl_verb *verb, const json_t *doc,
                   const struct ctl_style *style, FILE *out, char *fault,
                   size_t fault_size)
{
	struct ctl c = {.style = *style};
	size_t size = 0;
	int r = 0;
	char *text = render(verb, doc, &c, &size);
	if (!text)
		return -ENOMEM;
	if (style->sort && !c.sorted && c.columns[0] && !c.fault[0])
		r = bad_sort(&c);
	if (r == 0 && c.fault[0])
		r = -EPROTO;
	else if (r == 0)
		fwrite(text, 1, size, out);
	snprintf(fault, fault_size, "%s", c.fault);
	free(text);
	return r;
}
