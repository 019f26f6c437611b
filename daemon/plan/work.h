/* SPDX-License-Identifier: MIT */
/*
 * A plan while it is being made: running balances, so that each step counts on
 * what the steps before it have left; and the parts of the room, each of which
 * calls only those above it. plan.c puts them in order.
 */
#ifndef DAEMON_PLAN_WORK_H
#define DAEMON_PLAN_WORK_H

#include "daemon/plan/snapshot.h"
#include "daemon/plan/step.h"

#define PLAN_BUCKETS 8u /* of givers, by the logarithm of what they have */

/* Cells with empty slabs to give: heads of lists, by the order of the slabs and
 * by bucket, and bits that tell which lists have somebody. */
struct plan_givers {
	uint16_t orders;
	uint8_t buckets[SNAPSHOT_ORDERS];
	uint32_t first[SNAPSHOT_ORDERS][PLAN_BUCKETS];
};

struct plan_node {
	uint64_t runs[SNAPSHOT_ORDERS]; /* as in the snapshot */
	uint64_t free_units;            /* their sum */
	uint64_t pages;
	uint64_t room;        /* pages that may still come, by all bounds */
	uint64_t promised;    /* units, to lists that give up loans */
	uint64_t want_units;  /* of cells that have yet to carve */
	uint64_t unmet_units; /* wanted, and neither carved nor lent */
	/* Reasons that were given already, as bits: why pages stay here, and
	 * why they do not come here. */
	uint32_t refused;
	uint32_t refused_in;
	enum plan_reason push_reason; /* why no page makes way for others */
	uint64_t pages_leaving;       /* that make way */
	bool leaving;                 /* draining, or gone */
	bool gives;                   /* slabs or pages are given up */
	bool kept; /* there are empty slabs, but they are kept */
	struct plan_givers plenty; /* with more than their low mark */
	struct plan_givers last; /* with less, for cells with nothing at all */
	uint8_t lenders[SNAPSHOT_NODES_MAX]; /* to borrow from, best first */
};

struct plan_cell {
	uint32_t left; /* wanted, and not planned yet */
	uint32_t out;  /* slabs that the plan takes off this list */
	uint32_t next; /* giver in the same list, or PLAN_NONE */
	uint16_t cache_ix;
	uint8_t node;
	bool capped;           /* got as much as one plan may lend it */
	bool back;             /* loans come home */
	bool held;             /* a loan would come home, but is held */
	bool page_in;          /* a page comes */
	bool page_out;         /* a page leaves */
	bool wanted_elsewhere; /* its users here have a page elsewhere */
};

struct plan_work {
	struct plan *plan;
	const struct snapshot *snap;
	const struct plan_config *config;
	struct plan_node *nodes;
	struct plan_cell *cells;
	uint64_t *needy;  /* by cache: nodes, as bits */
	uint64_t *plenty; /* by cache: nodes with slabs to lend ... */
	uint64_t *held;   /* ... but that took some too recently */
	uint32_t *order;  /* needy cells, those with nothing at all first */
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

/* The order of a cache's slabs. */
static inline uint32_t plan_cache_order(const struct plan_work *w,
                                        uint32_t cache_ix)
{
	uint32_t order = plan_order(w->snap->caches[cache_ix].slab_units);
	return order < w->page_order ? order : w->page_order;
}

static inline uint32_t plan_cell_at(const struct plan_work *w,
                                    uint32_t cache_ix, uint32_t node)
{
	return cache_ix * w->snap->n_nodes + node;
}

static inline bool plan_is_full(const struct plan_work *w)
{
	return w->plan->n_steps == PLAN_STEPS_MAX;
}

/* n of the slabs that a cell wants are planned. */
static inline void plan_met(struct plan_work *w, uint32_t at, uint32_t n)
{
	w->cells[at].left -= n;
	if (w->cells[at].left == 0)
		w->needy[w->cells[at].cache_ix] &=
			~(UINT64_C(1) << w->cells[at].node);
}

/* ---- emit.c: what a plan says ------------------------------------------- */

/* Adds a step, with the distance over which it moves slabs or a page. Where the
 * plan is full, returns false and counts the step. */
bool plan_add(struct plan_work *w, struct plan_step step);
void plan_refuse(struct plan_work *w, enum plan_kind kind,
                 enum plan_reason reason, uint32_t cache_ix, uint32_t node);

/* ---- carve.c: units and pages of a node, as runs of 1, 2, 4 ... units --- */

void plan_units_begin(struct plan_work *w);
/* How many slabs of an order a node could carve for itself, and for others. */
uint64_t plan_units_room(const struct plan_work *w, uint32_t node,
                         uint32_t order);
uint64_t plan_units_fresh(const struct plan_work *w, uint32_t node,
                          uint32_t order);
/* Take n runs of an order, n <= plan_units_room, from the smallest runs that
 * will do, so that whole pages go last; then from new pages. */
void plan_units_take(struct plan_work *w, uint32_t node, uint32_t order,
                     uint64_t n);
/* Free n runs of an order. Whether they lie side by side is not known. */
void plan_units_give(struct plan_work *w, uint32_t node, uint32_t order,
                     uint64_t n);
/* Carves for each cell that lacks something: as much as it wants, or, with
 * share, its fair part of what the node has. */
void plan_carve(struct plan_work *w, bool share);

/* ---- lend.c: slabs that stand on another node's list for a while -------- */

/* For how long what was moved stays, after so many reversals. */
uint64_t plan_hold_ms(const struct plan_work *w, uint32_t reversals);
/* Slabs that a cell could lend, beyond those that it keeps. What it borrowed it
 * does not lend on. */
uint32_t plan_lendable(const struct plan_work *w, uint32_t at);
/* Notes from whom each node borrows, best first. */
void plan_lend_order(struct plan_work *w);
void plan_lend(struct plan_work *w);

/* ---- reassign.c: cells that could help, and empty slabs of other caches - */

/* Empty slabs that a cell can give up, when keep_slabs stay on the node and
 * `leave` stay on the list. */
uint32_t plan_spare_empty(const struct plan_work *w, uint32_t at,
                          uint64_t leave);
void plan_note_helpers(struct plan_work *w);
void plan_reassign(struct plan_work *w);

/* ---- return.c: slabs that were lent go home ----------------------------- */

void plan_return_short(struct plan_work *w); /* the home is short itself */
void plan_return_over(struct plan_work *w);  /* the borrower can do without */

/* ---- shrink.c: what a node gives up when it is pressed, idle or left ---- */

void plan_give_back(struct plan_work *w);

/* ---- migrate.c: pages that move, live, from node to node ---------------- */

/* Notes what pages could move, for the decisions about loans and refusals. */
void plan_page_mark(struct plan_work *w);
/* Where a node is short, a page whose users are elsewhere makes way. */
void plan_page_push(struct plan_work *w);
/* Pages leave a node that is being emptied. */
void plan_page_drain(struct plan_work *w);
/* Pages go to where their users are, as far as the rate allows. */
void plan_page_follow(struct plan_work *w);

/* ---- refuse.c: what stays short, and why no step helped ----------------- */

void plan_count_unmet(struct plan_work *w);
void plan_refuse_unmet(struct plan_work *w);

#endif
