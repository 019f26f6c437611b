/* SPDX-License-Identifier: MIT */
/*
 * A pool's pages: which are faulted in, on which node each is, and how much
 * of it is slabs. What must outlive slabd is a byte a page in the control file
 * (shm/layout.h); the rest is private and made again from it.
 *
 *   hole -> ready on a node (add) -> ready on another (move) -> hole (drop)
 *
 * A page is on the node whose file it is in, until it is moved. So a node's
 * units are those of the pages that are on it, wherever their numbers are.
 *
 * One thread, the event loop's, calls all of this.
 */
#ifndef DAEMON_POOL_PAGES_H
#define DAEMON_POOL_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/pool/places.h"
#include "shm/view.h"

#define PAGES_ORDERS 16u /* of runs of units: 1, 2, 4 ... */

/* Of the pages that are on one node. */
struct pages_node {
	uint64_t pages;
	uint64_t used_units; /* in slabs */
	uint64_t empty;      /* pages without a slab */
	uint64_t max;        /* pages that may be; 0: as many as its file has */
	uint64_t in_file;    /* pages of its own file, wherever they lie */
	uint64_t known; /* of its own file: pages beyond never were ready */
	/* Of the free units, by order: aligned runs that are part of no larger
	 * one. */
	uint64_t runs[PAGES_ORDERS];
	/* By the order of their largest run: pages with free units; then those
	 * with slabs. */
	struct places sets;
};

struct pages {
	const struct view *view; /* the pool's: its tables of nodes and pages */
	uint64_t n_pages;
	uint32_t page_units;
	uint32_t page_order; /* of runs: a page as a whole */
	uint64_t *free;      /* by unit, a bit: ready, and no slab's */
	uint16_t *used;      /* units in slabs, by page */
	int64_t *since_ns;   /* when it became empty, by page */
	/* Two sets: holes among the pages that files are known to have; and all
	 * that are ready. */
	struct places files;
	struct pages_node node[NODES_MAX];
};

#define PAGES_NONE PLACES_NONE

/* For a pool whose table of nodes is filled in; keeps the view, and frees
 * nothing of it. 0 or -ENOMEM, and pages_done has to follow in any case. */
int pages_make(struct pages *book, const struct view *view);
void pages_done(struct pages *book);

/* The node that a page is on, NODE_NONE for a hole. */
uint32_t pages_node_of(const struct pages *book, uint64_t page);

/* The node in whose file a page is. */
uint32_t pages_file(const struct pages *book, uint64_t page);

/* The first page of a node's file, and how many the file has. */
uint64_t pages_first(const struct pages *book, uint32_t file);
uint64_t pages_size(const struct pages *book, uint32_t file);

/* How many pages may lie on a node: as many as its file has, or fewer where that
 * is limited to n. */
uint64_t pages_max(const struct pages *book, uint32_t node);
void pages_limit(struct pages *book, uint32_t node, uint64_t n);

/* n pages from page on, of one file, are ready, on a node. */
void pages_add(struct pages *book, uint64_t page, uint64_t n, uint32_t node);

/* A page without a slab is a hole from now on. */
void pages_drop(struct pages *book, uint64_t page);

/* A page is on another node from now on. */
void pages_move(struct pages *book, uint64_t page, uint32_t to);

/* Takes the lowest aligned run of units on a node. 0 or -ENOSPC. */
int pages_take(struct pages *book, uint32_t node, uint32_t n_units,
               uint64_t *unit);

/* Takes just these, for the books of a pool that was taken over. 0, or
 * -EINVAL: not all of them are free. */
int pages_claim(struct pages *book, uint64_t unit, uint32_t n_units);

void pages_give(struct pages *book, uint64_t unit, uint32_t n_units);

/* A page without a slab counts as without one for so much longer. */
void pages_age(struct pages *book, uint64_t page, int64_t ns);

/* Units that no slab has, of the pages on a node. */
uint64_t pages_free_units(const struct pages *book, uint32_t node);

/* Up to n holes in a row that pages on a node may go to: of its own file if
 * that has any, else of another. The first one and *n, or PAGES_NONE: the
 * pool has as much of the node as it may. */
uint64_t pages_hole(struct pages *book, uint32_t node, uint64_t *n);

/* The lowest at or above a page that is ready, on any node, or that is a hole of
 * the file in which the page is; or PAGES_NONE. */
uint64_t pages_next_ready(const struct pages *book, uint64_t from);
uint64_t pages_next_hole(const struct pages *book, uint32_t file, uint64_t from);

/* The highest page on a node that has been without a slab for so long, below a
 * page; or PAGES_NONE. */
uint64_t pages_idle(const struct pages *book, uint32_t node, uint64_t below,
                    int64_t idle_ns);

/* How many these are, among the highest so many without a slab. */
#define PAGES_IDLE_LOOKS 4096u
uint64_t pages_count_idle(const struct pages *book, uint32_t node,
                          int64_t idle_ns);

/* Pages on a node that have slabs: the lowest at or above from, the highest
 * below; or PAGES_NONE. */
uint64_t pages_next_used(const struct pages *book, uint32_t node,
                         uint64_t from);
uint64_t pages_prev_used(const struct pages *book, uint32_t node,
                         uint64_t below);

/* The lowest with slabs on any node. */
uint64_t pages_next_used_any(const struct pages *book, uint64_t from);

/* The lowest page on a node at or above one, with slabs or without. */
uint64_t pages_next(const struct pages *book, uint32_t node, uint64_t from);

/* Units in slabs, of all nodes. */
uint64_t pages_used_units(const struct pages *book);

#endif
