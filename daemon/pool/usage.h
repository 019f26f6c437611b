/* SPDX-License-Identifier: MIT */
/* Who holds how much of a pool, counted from the tags. */
#ifndef DAEMON_POOL_USAGE_H
#define DAEMON_POOL_USAGE_H

#include "daemon/pool/holders.h"
#include "daemon/pool/pool.h"
#include "shm/audit.h"
#include "shm/tags.h"

/* Of one cache on one home node. */
struct usage_cell {
	uint64_t slabs;
	uint64_t objects;
	uint64_t free;
	uint64_t partial;   /* slabs with something free */
	uint64_t empty;     /* slabs with nothing else */
	uint64_t held;      /* owned, in clients' magazines and depots */
	uint64_t lent;      /* slabs that stand on another node's list */
	uint64_t lent_used; /* objects in use in those */
	uint64_t lent_to;   /* slabs of other homes that stand on this list */
};

/* What of a client's objects lies in its magazines and depots. */
struct usage_client {
	uint64_t held;
	uint64_t held_bytes;
	bool known; /* it said so */
};

struct usage {
	uint32_t n_nodes;
	struct usage_cell *cells; /* (cache - 1) * n_nodes + node */
	struct tags_tally *owners;
	struct usage_client *client; /* by id */
	struct holders *holders; /* on nodes that are emptied; NULL: none is */
	uint32_t unknown; /* clients with objects that did not say */
	uint32_t held_for; /* the question whose answers are in it; 0: none */
	uint32_t unit; /* the next to be counted */
};

/* Begins to count the pool. 0 or -ENOMEM. Give it to usage_done. */
int usage_begin(struct usage *usage, const struct pool *pool);

/* Counts a granule of units. False once all are. */
bool usage_piece(struct usage *usage, const struct pool *pool);

/* All of it. */
int usage_take(struct usage *usage, const struct pool *pool);
void usage_done(struct usage *usage);

/* A client of the pool says that it holds so many objects of (cache, home),
 * which are within bounds: counted as far as that is in use there, and owned by
 * it. Nothing: before clients are asked anew. */
void usage_hold_nothing(struct usage *usage, const struct pool *pool);
void usage_hold(struct usage *usage, const struct pool *pool, uint32_t id,
                uint32_t cache, uint32_t node, uint64_t objects);

static inline struct usage_cell *usage_cell(const struct usage *usage,
                                            uint32_t cache, uint32_t node)
{
	return &usage->cells[(uint64_t)(cache - 1) * usage->n_nodes + node];
}

/* Objects that are in use, as far as is known. */
static inline uint64_t usage_used(const struct usage_cell *cell)
{
	return cell->objects - cell->free - cell->held;
}

/* One slab, for the list of them. */
struct usage_slab {
	uint32_t head;
	uint32_t cache;
	uint32_t home;
	uint32_t list;
	uint32_t free;  /* by usage_look */
	uint32_t lease; /* the holder's id, 0: nobody */
	bool listed;
};

/* The first slab whose head is at or above unit, or false; and what of it its
 * tags tell. */
bool usage_next(const struct pool *pool, uint32_t unit,
                struct usage_slab *slab);
void usage_look(const struct pool *pool, struct usage_slab *slab);

/* An audit of the pool, by shm/audit and slabd's own books: begun, which gives 0 or
 * -ENOMEM; a piece of it, false at the end, or when memory lacks, with failed;
 * and its end, with what is compared at one instant, or without (drop). Between
 * the first two, pool->audit is it, and slabs.c tells it of changes. */
int usage_audit_begin(struct pool *pool, struct audit *audit);
bool usage_audit_piece(struct pool *pool, struct audit *audit, bool *failed);
void usage_audit_end(struct pool *pool, struct audit *audit);
void usage_audit_drop(struct pool *pool, struct audit *audit);

/* A slab came (by is 1), or went (-1), at a unit that was audited. */
void usage_audit_count(struct audit *audit, uint32_t cell, uint32_t head,
                       int by);

/* All of it, with all that is due swept. 0 or -ENOMEM. */
int usage_audit(struct pool *pool, struct audit *audit);

#endif
