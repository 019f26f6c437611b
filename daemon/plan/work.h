/* SPDX-License-Identifier: MIT */
/*
 * A plan while it is being made: running balances, so that each step counts on
 * what the steps before it have left.
 *
 *   plan/plan.c        the order of things
 *   plan/carve.c  units and pages of a node: what can be carved, and carving
 *   plan/reassign.c  reassign, and what is refused in the end
 *   plan/lend.c   lend
 *   plan/return.c   return, trim, reclaim, shrink
 *   plan/migrate.c   migrate, drain
 */
#ifndef DAEMON_PLAN_WORK_H
#define DAEMON_PLAN_WORK_H

#include "daemon/plan/plan.h"

#define PLAN_BUCKETS 8u /* of givers, by the logarithm of what they have */

/* Cells with empty slabs to give: heads of lists by order and bucket, and which
 * of them are not empty. */
struct plan_givers {
	uint16_t orders;
	uint8_t buckets[SNAPSHOT_ORDERS];
	uint32_t first[SNAPSHOT_ORDERS][PLAN_BUCKETS];
};

struct plan_node {
	uint64_t runs[SNAPSHOT_ORDERS]; /* as in the snapshot */
	uint64_t free_units;          /* their sum */
	uint64_t pages;
	uint64_t room;        /* pages that may still come, by all bounds */
	uint64_t promised;    /* units, to lists that give up loans */
	uint64_t want_units;  /* of cells whose turn to carve is to come */
	uint64_t unmet_units; /* wanted, and not to be had here or lent */
	uint32_t refused;     /* reasons, as bits: pages that stay here ... */
	uint32_t refused_in;  /* ... or do not come here; each said once */
	enum plan_reason
		push_reason; /* why no page makes way; PLAN_NO_REASON */
	uint64_t pages_leaving;       /* pages that do */
	bool leaving;            /* draining, or gone */
	bool gives;              /* slabs or pages are given up */
	bool kept;               /* there are empty slabs, but they are kept */
	struct plan_givers plenty;     /* with more than their low mark */
	struct plan_givers last;       /* for who has nothing at all */
	uint8_t order[SNAPSHOT_NODES_MAX]; /* whom to borrow from, best first */
};

struct plan_cell {
	uint32_t left; /* wanted, and not planned yet */
	uint32_t out;  /* slabs that the plan takes off this list */
	uint32_t next; /* giver, or PLAN_NONE */
	uint16_t cache;
	uint8_t node;
	bool capped;   /* lent as much as one plan may */
	bool back;     /* loans come home */
	bool held;     /* a loan would have, but is held */
	bool page_in;  /* a page comes */
	bool page_out; /* a page leaves */
	bool wanted_elsewhere; /* a page that is used from here lies elsewhere */
};

struct plan_work {
	struct plan *plan;
	const struct snapshot *snap;
	const struct plan_config *config;
	struct plan_node *nodes;
	struct plan_cell *cells;
	uint64_t *needy;  /* by cache: nodes, as bits */
	uint64_t *plenty; /* by cache: nodes with slabs to lend ... */
	uint64_t *held;   /* ... that took some too lately */
	uint32_t *
		order_of_cells; /* needy cells: who have nothing at all first */
	uint32_t n_order;
	uint32_t page_order;
	uint64_t short_nodes;   /* with needy cells, as bits */
	uint64_t fresh;         /* nodes that could carve for others, as bits */
	uint64_t migrate_bytes; /* that may still be moved */
};

static inline uint64_t plan_less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static inline uint64_t plan_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint32_t plan_order(uint64_t units)
{
	return units > 1 ? 64 - (uint32_t)__builtin_clzll(units - 1) : 0;
}

/* Of a cache's slabs. */
static inline uint32_t plan_cache_order(const struct plan_work *w,
                                          uint32_t cache)
{
	uint32_t order = plan_order(w->snap->caches[cache].slab_units);
	return order < w->page_order ? order : w->page_order;
}

static inline uint32_t plan_cell_at(const struct plan_work *w,
                                      uint32_t cache, uint32_t node)
{
	return cache * w->snap->n_nodes + node;
}

static inline bool plan_is_full(const struct plan_work *w)
{
	return w->plan->n_steps == PLAN_STEPS_MAX;
}

/* So many slabs that a cell wants are planned. */
static inline void plan_met(struct plan_work *w, uint32_t at, uint32_t n)
{
	w->cells[at].left -= n;
	if (w->cells[at].left == 0)
		w->needy[w->cells[at].cache] &=
			~(UINT64_C(1) << w->cells[at].node);
}

/* Adds a step; false, counting it, when the plan is full. */
bool plan_add(struct plan_work *w, const struct plan_step *step);

void plan_refuse(struct plan_work *w, enum plan_kind kind,
                   enum plan_reason reason, uint32_t cache, uint32_t node);

/*
 * plan/carve.c. Slabs of an order that a node could carve, for itself and for
 * others; take and give note what is no longer, or newly, free.
 */
void plan_units_begin(struct plan_work *w);
uint64_t plan_units_room(const struct plan_work *w, uint32_t node,
                           uint32_t order);
uint64_t plan_units_fresh(const struct plan_work *w, uint32_t node,
                            uint32_t order);
void plan_units_take(struct plan_work *w, uint32_t node, uint32_t order,
                       uint64_t n);
void plan_units_give(struct plan_work *w, uint32_t node, uint32_t order,
                       uint64_t n);
/* As many as the cell wants; or, where all share, as many as are fair. */
void plan_carve_cell(struct plan_work *w, uint32_t at, bool share);

/* plan/reassign.c. Slabs that a cell can give up: `keep` stay on the node, and
 * `leave` on the list. */
uint32_t plan_spare_empty(const struct plan_work *w, uint32_t at,
                            uint64_t keep, uint64_t leave);
void plan_note_helpers(struct plan_work *w);
void plan_reassign(struct plan_work *w);
void plan_count_unmet(struct plan_work *w);
void plan_refuse_unmet(struct plan_work *w);

/* plan/lend.c. For how long what was moved stays, after so many reversals;
 * whether a cell took too lately to give; what it could lend. */
uint64_t plan_hold_ms(const struct plan_work *w, uint32_t reversals);
bool plan_is_held(const struct plan_work *w, uint32_t at);
uint32_t plan_lendable(const struct plan_work *w, uint32_t at);
void plan_lend_order(struct plan_work *w);
void plan_lend(struct plan_work *w);

/* plan/return.c */
void plan_return_short(struct plan_work *w);
void plan_return_over(struct plan_work *w);
void plan_give_back(struct plan_work *w);

/* plan/migrate.c. mark notes what pages could move, for the others to see. */
void plan_page_mark(struct plan_work *w);
void plan_page_push(struct plan_work *w);
void plan_page_drain(struct plan_work *w);
void plan_page_follow(struct plan_work *w);

#endif
