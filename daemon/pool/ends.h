/* SPDX-License-Identifier: MIT */
/* The end of a cache: who holds it, and its slabs reclaimed. */
#ifndef DAEMON_POOL_ENDS_H
#define DAEMON_POOL_ENDS_H

#include "daemon/base/remedy.h"
#include "daemon/pool/pool.h"

#define ENDS_E_LATER 1

enum ends_stage {
	ENDS_BEGIN,
	ENDS_COUNT,   /* what is in use, slab by slab */
	ENDS_SWEEP,   /* some is: what the dead had of it comes back first */
	ENDS_RECOUNT, /* and then no more */
	ENDS_RECLAIM, /* nothing is */
};

/* What of a cache is in use. */
struct ends_used {
	uint64_t objects;
	uint32_t owner; /* one that owns some */
	uint32_t looks; /* at its slabs */
	bool more;      /* perhaps */
};

/* How far it is with an end; all 0 before. Whose it is may be forgotten at any
 * time: what was reclaimed by then is, and somebody else may do the same. */
struct ends {
	uint32_t cache;
	int64_t used_ns; /* the row's, as it began */
	enum ends_stage stage;
	struct ends_used used;
	uint64_t unit;    /* the next to be looked at */
	uint64_t through; /* when the sweep is, see due_through */
	bool held;        /* a client stands in one of its slabs */
};

/*
 * Ends a cache that is live: one slab at least, and as many as there is time for.
 * 0; ENDS_E_LATER: there is more to do, by another call for the same cache; -EBUSY
 * with why saying who has it open, or whose objects are in use, with nothing or
 * some empty slabs gone.
 */
int ends_some(struct pool *pool, struct ends *ends, uint32_t cache,
              int64_t until_ns, struct remedy *why);

/* All of it at one time, for who keeps nobody waiting. */
int ends_retire(struct pool *pool, uint32_t cache, struct remedy *why);

/* The search for a cache that may end; all 0 before. */
struct ends_search {
	bool began, found; /* all that are busy */
	uint64_t through, unit;
	uint64_t busy[CACHES_MAX / 64]; /* by cache_ix */
	struct ends ends; /* of the best */
};

/* Ends the cache, of those that no client has open and that have no object in
 * use, which was last used longest ago. *cache: its id, or 0: there is none. 0, or
 * ENDS_E_LATER, as above. */
int ends_search(struct pool *pool, struct ends_search *search, int64_t until_ns,
                uint32_t *cache);

/* The same at one time; gives its id, or 0. */
uint32_t ends_oldest(struct pool *pool);

#endif
