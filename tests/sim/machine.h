/* SPDX-License-Identifier: MIT */
/*
 * A machine that is not there: nodes, pages of up to 2 MiB, slabs of 64 KiB
 * units, and how many objects of each slab clients own. A slab is known by its
 * first unit, and unit / PAGE_UNITS is its page. What slabd keeps beside
 * that is counted along: struct cell, struct loan.
 *
 * A list is a heap of slabs, lowest address first. Its entries may be stale; a
 * slab stands on it if it says so itself and has something free.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"
#include "tests/sim/heap.h"

#define PAGE_UNITS 32u /* at most; a smaller page has the first ones */
#define PAGE_SHIFT 21u
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)
#define ORDERS 6u
#define SIM_NODES_MAX 16u
#define SIM_CACHES_MAX 16u
#define NS_MS UINT64_C(1000000)
#define NEVER UINT64_MAX

struct slab {
	uint16_t live; /* objects that clients own */
	uint8_t cache; /* index + 1; 0: no slab begins here */
	uint8_t list;  /* node on whose list it stands */
	uint8_t was;   /* the list before */
	/* Node + 1 whose lends, and whose empties, know of it. */
	uint8_t in_lends, in_bare;
	bool reversed;     /* its last move was a way back within hold */
	uint32_t moved_ms; /* when the list changed, + 1; 0: never */
	uint32_t taken_ms; /* when somebody last took of it, or it was lent */
};

struct page {
	uint32_t free;     /* a bit a unit */
	uint32_t since_ms; /* empty since */
	uint32_t moved_ms; /* when it was migrated, + 1; 0: never */
	uint32_t picture;  /* the last in which it is */
	uint8_t lies;
	uint8_t was;
	uint8_t lent; /* slabs of it that stand elsewhere */
	bool ready : 1;
	bool idle : 1; /* counted in idle_pages */
	bool in_lents : 1;
	bool stuck : 1; /* cannot be moved */
};

struct node {
	uint32_t os_id;
	bool has_cpu, draining;
	uint8_t pressure; /* enum plan_pressure */
	uint32_t n_cpus;
	uint16_t distance[SIM_NODES_MAX];
	uint8_t nearest[SIM_NODES_MAX];
	uint64_t total_pages; /* of the machine, here */
	uint64_t room_pages;  /* that nobody has */
	uint64_t taken_pages; /* by other programs */
	uint64_t max_pages;   /* that the pool may have */
	uint64_t floor_pages;
	uint64_t pages, free_units, empty_pages, idle_pages;
	/* Free runs by order, each part of no larger one. */
	uint32_t n_runs[ORDERS];
	uint64_t fresh;           /* next page of the node's file never used */
	struct heap slots;        /* pages of its file that are not ready */
	struct heap runs[ORDERS]; /* pages with such runs */
	/* Pages and the time, in the order they fell empty: from head on, those
	 * before seen are counted as idle. */
	struct heap empties;
	uint32_t empties_head, empties_seen;
};

/* One cache on one node. */
struct cell {
	uint32_t slabs, listed, empty, lent, borrowed;
	uint32_t low;
	uint32_t reversals;
	bool gained;                 /* the last that moved came; or left */
	bool want, asked, denied;    /* asked: the plan knows of the want */
	uint32_t fewest, fewest_was; /* empty slabs, in this spell and before */
	uint64_t moved_ns;           /* NEVER: not yet */
	uint64_t rung_ns; /* when clients last rang; NEVER: not yet */
	uint64_t bare_ns; /* since clients get nothing here; NEVER: they do */
	struct heap list;
	struct heap bare;  /* slabs that were seen wholly free */
	struct heap lends; /* slabs from elsewhere that stand here */
};

struct loan {
	uint32_t slabs, bare, empty;
	uint64_t newest_ns;
};

struct machine {
	uint32_t n_nodes, n_caches;
	uint32_t page_order; /* of the units of a page, 0 to 5 */
	uint32_t page_units;
	uint32_t whole; /* a page without slabs: a bit a unit */
	uint64_t n_pages, file_pages;
	uint32_t n_pictures;
	struct node node[SIM_NODES_MAX];
	struct layout_cache cache[SIM_CACHES_MAX];
	struct cell cell[SIM_CACHES_MAX][SIM_NODES_MAX];
	struct loan loan[SIM_CACHES_MAX][SIM_NODES_MAX][SIM_NODES_MAX];
	struct slab *slabs; /* by unit */
	struct page *pages;
	uint32_t *use;     /* bytes, page * n_nodes + node of the owner */
	struct heap lents; /* pages with slabs that are lent */
	uint64_t now_ns;
	uint32_t hold_ms; /* within which a way back is a reversal */
	/* SLUB's ways: a full slab comes to the list of who frees, as long as a
	 * CPU takes more; of empty ones few are kept. 0: ours. */
	uint32_t freer_max[SIM_CACHES_MAX];
	uint32_t min_partial[SIM_CACHES_MAX];
	struct totals {
		uint64_t grown, shrunk, carved, reclaimed;
		uint64_t claimed, released;
		/* What moved back within hold; and slabs that did so again
		 * within another. */
		uint64_t slab_reversals, page_reversals, again;
		uint64_t live_bytes, far_bytes; /* far from their owner */
	} total;
};

/* page_order, node[].total_pages, has_cpu and n_cpus are set, and the
 * caches. */
void machine_make(struct machine *m);
void machine_drop(struct machine *m);

/* A page for the node, not ready before. False when there is none. */
bool machine_grow(struct machine *m, uint32_t node);
/* The page is ready and without a slab. */
void machine_shrink(struct machine *m, uint32_t page);
/* Only the page: slabs_move does it all. False when `to` has no room or may
 * not have more. */
bool machine_move(struct machine *m, uint32_t page, uint32_t to);
/* Counts pages as idle that have been empty since before ns. */
void machine_age(struct machine *m, uint32_t node, uint32_t idle_ms);
/* The page without a slab for longest, or HEAP_NONE. */
uint32_t machine_empty_page(struct machine *m, uint32_t node);

/* Takes 2^order units on ready pages that lie on the node: of the shortest run
 * that will do, on the lowest page. Returns the first unit, or HEAP_NONE. */
uint32_t machine_take_units(struct machine *m, uint32_t node, uint32_t order);
void machine_give_units(struct machine *m, uint32_t unit, uint32_t order);

static inline uint32_t page_of(uint32_t unit)
{
	return unit / PAGE_UNITS;
}

static inline uint64_t machine_page_bytes(const struct machine *m)
{
	return UNIT_BYTES << m->page_order;
}

static inline uint32_t now_ms(const struct machine *m)
{
	return (uint32_t)(m->now_ns / NS_MS);
}

/* Whether what moved then and moves back now is a reversal. */
static inline bool is_reversal(const struct machine *m, uint32_t moved_ms)
{
	return moved_ms != 0 && now_ms(m) + 1 - moved_ms < m->hold_ms;
}

#endif
