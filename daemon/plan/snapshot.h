/* SPDX-License-Identifier: MIT */
/*
 * What a plan is made from (plan/plan.h): the configuration, and a snapshot of
 * one pool at one time. Nodes and caches go by their indexes from 0 on. The
 * arrays belong to whoever made the snapshot. Times are spans that somebody
 * configured or that passed, in milliseconds; a plan knows no clock.
 */
#ifndef DAEMON_PLAN_SNAPSHOT_H
#define DAEMON_PLAN_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_NODES_MAX 64u
#define SNAPSHOT_ORDERS 16u /* of runs of units: 1, 2, 4 ... */

struct plan_config {
	/* A lender keeps so many partial slabs, or twice its low mark if that
	 * is more. */
	uint32_t lend_keep_slabs;
	uint32_t lend_slabs_max; /* for one list in one plan */
	/* For so long a list that took slabs gives none, and what it took
	 * stays. Doubled with each reversal, up to hold_max_ms. */
	uint32_t hold_ms;
	uint32_t hold_max_ms;
	/* Moving pages: the bytes that this plan may still move (the caller's
	 * bucket). And the price of a move: it must gain more than so many
	 * hundredths of the page's bytes, where a byte used over a distance of
	 * d gains (d - 10) / 10. */
	uint64_t migrate_bytes;
	uint32_t migrate_cost;
	bool may_migrate; /* the process has CAP_SYS_NICE */
	/* Nodes without CPUs are like others, not the last resort. */
	bool far_is_tier;
	/* A cache is not made to give its last so many slabs on a node. */
	uint32_t keep_slabs;
	/* Pages that were empty for so long go back to the kernel. 0: they do
	 * under pressure alone. */
	uint32_t idle_ms;
};

enum plan_pressure { PLAN_CALM, PLAN_SOME, PLAN_FULL };

struct snapshot_node {
	uint32_t os_id;
	bool has_cpu;
	bool draining;
	bool offline;             /* the kernel has taken it away */
	const uint16_t *distance; /* to each node, by index; 10: itself */
	const uint8_t *nearest;   /* indexes of all nodes, itself first */
	uint64_t pages;           /* that lie here, ready */
	uint64_t pages_max;       /* that the pool may have here */
	uint64_t room_pages;      /* that the kernel has to give here, now */
	uint64_t spare_pages;     /* hugepages set aside, which cost it nothing */
	uint64_t floor_pages;     /* that are not given back */
	uint64_t free_units;      /* of ready pages, no slab's */
	uint64_t empty_pages;     /* ready, without a slab */
	uint64_t idle_pages;      /* of these, empty for idle_ms and longer */
	/* Of the free units, by order: aligned runs that are part of no larger
	 * one, SNAPSHOT_ORDERS numbers; NULL: as large as the above allows. */
	const uint32_t *runs;
	enum plan_pressure pressure;
	bool trimmed; /* clients were asked to trim a short while ago */
};

struct snapshot_cache {
	uint32_t slab_units;
	uint32_t n_objs; /* of a slab */
	bool strict;     /* the local node or none: nothing is lent */
};

/* One cache on one node. */
struct snapshot_cell {
	uint32_t slabs;    /* at home here */
	uint32_t listed;   /* stand on this list with something free */
	uint32_t empty;    /* at home and listed here, free as a whole */
	uint32_t idle;     /* of these, for idle_ms and longer */
	uint32_t lent;     /* at home here, on another node's list */
	uint32_t borrowed; /* at home elsewhere, on this list */
	uint32_t low;      /* clients ring below so many listed */
	uint32_t want;     /* slabs that clients lack now; 0: none */
	/* Since slabs last came to or left this list by lend or return, and
	 * whether they came. Reversals: how often one followed the other within
	 * hold_max_ms. */
	uint32_t held_ms;
	bool gained;
	uint32_t reversals;
};

/* Slabs of one cache from one home that stand on one list. */
struct snapshot_loan {
	uint32_t cache_ix;
	uint32_t home;
	uint32_t list;
	uint32_t slabs;
	uint32_t bare;   /* of these, with nothing free */
	uint32_t empty;  /* of these, free as a whole */
	uint32_t unused; /* of these, with something free for long */
	uint32_t age_ms; /* of the newest */
};

/* A page that might be moved: some of its slabs are lent, or its node is being
 * emptied. */
struct snapshot_page {
	uint64_t page;         /* number in the pool */
	uint32_t lies;         /* node */
	uint32_t target;       /* node whose clients use most of it, or lies */
	uint64_t live_bytes;   /* owned objects */
	uint64_t target_bytes; /* of these, owned by clients at target */
	uint64_t here_bytes;   /* and by clients where it lies */
	uint32_t cache_ix;     /* the cache with most in it */
	bool stuck;            /* the kernel refused it lately */
	bool moved;            /* within hold_ms */
};

struct snapshot {
	uint32_t n_nodes;
	uint32_t n_caches;
	uint64_t page_units;
	uint64_t page_bytes; /* that are copied when a page moves */
	const struct snapshot_node *nodes;
	const struct snapshot_cache *caches;
	const struct snapshot_cell *cells; /* cache_ix * n_nodes + node */
	uint32_t n_loans;
	const struct snapshot_loan *loans;
	uint32_t n_pages;
	const struct snapshot_page *pages;
};

#endif
