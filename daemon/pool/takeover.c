/* SPDX-License-Identifier: MIT */
#include "daemon/pool/takeover.h"

#include <stdio.h>
#include <string.h>

#include "daemon/pool/rest.h"
#include "daemon/pool/verify.h"

static const struct {
	const char *name, *clients;
} results[] = {
	[TAKEOVER_TAKEN] = {"taken-over", ""},
	[TAKEOVER_LEAVING] = {"leaving", "they go on; nobody new is let in, "
	                                 "and the pool ends with the last"},
	[TAKEOVER_NEW] = {"new", ""},
	[TAKEOVER_ANEW] = {"made-anew", "they keep what they have until they "
	                                "close the pool, and can open the new "
	                                "one then"},
	[TAKEOVER_REFUSED] = {"refused", "they go on with what they have, and "
	                                 "get no more; nobody else can open "
	                                 "the pool"},
	[TAKEOVER_DROPPED] = {"dropped", "they keep what they have until they "
	                                 "close the pool"},
};

const char *takeover_name(enum takeover_result result)
{
	return results[result].name;
}

const char *takeover_clients(enum takeover_result result)
{
	return results[result].clients;
}

static enum takeover_result result_of(enum verify_result verdict)
{
	switch (verdict) {
	case VERIFY_SOUND:
		return TAKEOVER_TAKEN;
	case VERIFY_NOTHING:
		return TAKEOVER_NEW;
	case VERIFY_REFUSED:
		return TAKEOVER_REFUSED;
	default:
		return TAKEOVER_ANEW;
	}
}

/* In the order of adopt_all, less what is mended there. */
static enum verify_result verify(struct pool *pool)
{
	int r;
	enum verify_result verdict = verify_open(pool, &r);
	if (verdict != VERIFY_SOUND)
		return verdict;
	if (verify_map(pool) < 0)
		return VERIFY_REFUSED;
	if (verify_is_spent(pool))
		return VERIFY_SPENT;
	return verify_tables(pool) < 0 ? VERIFY_REFUSED : VERIFY_SOUND;
}

static void look(const struct config_pool *config, const struct topo *topo,
                 struct takeover *out)
{
	struct verify_look noted = {.note = ""};
	enum verify_result verdict;
	static struct pool pool;
	static struct config_pool then;
	pool_init(&pool, config, topo);
	pool.look = &noted;
	verdict = verify(&pool);
	memset(out, 0, sizeof(*out));
	memcpy(out->name, pool.name, sizeof(out->name));
	memcpy(out->note, noted.note, sizeof(out->note));
	out->kind = "";
	out->result = result_of(verdict);
	out->why = noted.why;
	if (out->result == TAKEOVER_ANEW)
		remedy_set(&out->why, 0, "", "%s", verify_why(verdict));
	if (verdict == VERIFY_SOUND) {
		/* A restart is all that a higher start waits for. */
		then = *config;
		then.start_bytes = 0;
		pool.config = &then;
		out->kind = backing_kind_name(
			(enum backing_kind)pool.journal->node[0].kind);
		out->n_waiting = waiting_list(&pool, out->waiting);
	}
	pool_close(&pool);
}

/* As pools_open_leaving has it. */
static void look_at_other(const char *name, const struct topo *topo,
                          struct takeover *out)
{
	struct config_pool config;
	bool may = rest_may(name);
	config_default_pool(&config, name);
	config.leaving = true;
	look(&config, topo, out);
	if (may && out->result == TAKEOVER_TAKEN) {
		out->result = TAKEOVER_LEAVING;
		remedy_set(&out->why, 0, "", "it is no longer in slabd.conf");
		return;
	}
	out->result = TAKEOVER_DROPPED;
	if (out->why.what[0] == '\0')
		remedy_set(&out->why, 0, "", "it is no longer in slabd.conf, "
		           "and can't be taken over");
}

unsigned takeover_look(const struct config *config, const struct topo *topo,
                       struct takeover out[CONFIG_POOLS_MAX])
{
	char name[NAME_BYTES];
	unsigned at = 0;
	unsigned n = 0;
	for (unsigned i = 0; i < config->n_pools; i++)
		look(&config->pools[i], topo, &out[n++]);
	while (n < CONFIG_POOLS_MAX && rest_next(&at, name))
		look_at_other(name, topo, &out[n++]);
	return n;
}
