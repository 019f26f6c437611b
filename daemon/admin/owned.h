/* SPDX-License-Identifier: MIT */
/*
 * Who owns what of some slabs alone: of a cache, of a node, of one client by
 * both. Counted in slices like all else, by the tags alone.
 */
#ifndef DAEMON_ADMIN_OWNED_H
#define DAEMON_ADMIN_OWNED_H

#include "daemon/admin/report.h"

/* Of one cache on one home node. */
struct owned_cell {
	uint64_t objects;
	uint64_t given; /* of these, gifts not taken */
	uint64_t held;  /* in magazines and depots, as far as known */
};

/* What a request is about, and what was counted for it: its job's own. */
struct owned {
	const struct pool *pool; /* NULL: none is begun */
	bool counted;
	struct tags_tally tally;
	uint32_t n_nodes;
	struct owned_cell cell[]; /* (cache - 1) * n_nodes + node */
};

struct owned_filter {
	const char *cache; /* NULL: all */
	uint32_t node;     /* index, PLAN_NONE: all */
	uint32_t client;   /* 0: all, and no cells */
};

/* What is not one client's, but of the pool itself: by its name, too. */
struct owned_named {
	struct owned_filter filter;
	const char *name; /* a pattern, as of the shell; NULL: all */
};

/* What a list is to have: the report's arg. */
struct owned_wanted {
	struct owned_filter filter;
	uint64_t limit; /* items of each pool */
};

/* The parameters cache, node and client of a request, the first error as always. */
void owned_params(struct report *r, struct owned_filter *filter);

void owned_named_params(struct report *r, struct owned_named *named);
bool owned_is_named(const struct owned_named *named, const char *name);

/* Counts a pool where the filter asks for a cache or a node: true once that is done,
 * with *owned NULL where it was not asked for. False: as of owned_count. */
bool owned_match(struct report *r, struct pool *pool,
                 const struct owned_filter *filter, struct owned **owned);

/* What an id owns there: {"matched_objects", "matched_bytes"}. */
json_t *owned_matched(const struct owned *owned, uint32_t id);

/* Whether a slab is one of them. */
bool owned_wants(const struct pool *pool, const struct owned_filter *filter,
                 const struct usage_slab *slab);

/* Counts a pool. NULL: later, or out of memory, as the status says. */
struct owned *owned_count(struct report *r, struct pool *pool,
                          const struct owned_filter *filter);

/* How many objects of a slab a client owns. */
uint32_t owned_in_slab(const struct pool *pool, const struct usage_slab *slab,
                       uint32_t client);

/* Lists what lies in the slabs of a pool: {"total", key: items}, of what add() finds
 * in each slab. In slices: slabs that come or go between two of them are there or are
 * not. NULL: later, or out of memory. */
typedef void owned_add(struct report *r, const struct pool *pool,
                       const struct usage_slab *slab);
json_t *owned_list(struct report *r, struct pool *pool, const char *key,
                   owned_add *add);

/* By add(): counts an item that is a client's, 0 for anybody's, if it is wanted.
 * Whether it is to be in the list, too. */
bool owned_lists(struct report *r, uint32_t client);

/* The caches of a client on each node, an array, known: with what it holds; and
 * its process's threads by node, null where that can't be seen. */
json_t *owned_caches(const struct pool *pool, const struct owned *owned,
                     bool known);
json_t *owned_threads(const struct pool *pool, uint32_t client);

#endif
