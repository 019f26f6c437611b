/* SPDX-License-Identifier: MIT */
/*
 * A pool as slabd keeps it: its files, and the books that say what of them is
 * whose. The books are private; everything in them can be made again from the
 * control file and the tags.
 *
 *   pool/create.c   the files, from configuration to a mapped, sealed pool
 *   pool/adopt.c    the same, from what a slabd before this one left
 *   pool/keep.c     what of it the service manager keeps
 *   pool/caches.c   caches made at run time, who has them open; ends.c: their end
 *   pool/clients.c  client ids; channels.c: channels
 *   pool/sweep.c    the sweep of what the dead leave, in slices
 *   pool/pages.c    which page is on which node, and what of it is slabs
 *   pool/work.c     what takes the kernel long, beside the loop; grow.c: growth
 *   pool/meta.c     what of control and shared file has memory; lists.c: of lists
 *   pool/holes.c    what the files hold, against all of these books
 *   pool/slabs.c    slabs carved, reclaimed, lent and returned, with the books
 *   pool/marks.c    what clients are told: low marks, denied, woken
 *   pool/waiting.c  settings that a pool with its files can't follow
 *   pool/usage.c    who holds how much, counted from the tags
 *   pool/looks.c    the same for all who ask, bit by bit; arenas.c, objpools.c: these
 *
 * One thread, the event loop's, calls all of this.
 */
#ifndef DAEMON_POOL_POOL_H
#define DAEMON_POOL_POOL_H

#include "daemon/conf/config.h"
#include "daemon/pool/due.h"
#include "daemon/pool/extent.h"
#include "daemon/pool/journal.h"
#include "daemon/pool/loans.h"
#include "daemon/pool/pages.h"
#include "numa/backing.h"
#include "shm/view.h"

/* What happened since the start. */
struct pool_counts {
	uint64_t deaths, goodbyes; /* clients that ended, that closed */
	uint64_t swept_objects, swept_leases; /* freed by sweeps */
	uint64_t repaired_bits; /* list bits that a sweep found missing */
	uint64_t swept_granules, sweep_slices; /* looked at, and in how many */
	uint64_t rings;         /* shortages that clients told of */
	uint64_t grown_slabs, taken_slabs; /* carved; emptied for another cache */
	uint64_t ended_caches;
	uint64_t denied;        /* shortages that could not be relieved */
	uint64_t trims;         /* times clients were asked to trim */
	uint64_t given_back_bytes; /* that clients had faulted in */
	uint64_t refilled_bytes;   /* that clients had taken away */
	uint64_t stray_pages; /* that the kernel moved of its own accord */
};

struct pool {
	char name[NAME_BYTES];
	const struct config_pool *config;
	const struct topo *topo, *own_topo; /* the machine's, or own_topo, changed */
	struct view view;
	struct layout_head *head; /* the writable mapping of control */
	void *shared;
	/* The first is ours alone, the second what clients get. */
	int control_fd, control_ro_fd, shared_fd, journal_fd;
	struct journal *journal;
	struct verify_look *look; /* it is looked at alone (verify.h); NULL */
	struct backing backing;
	uint64_t start_pages[TOPO_NODES_MAX]; /* faulted in by create_pool */
	struct pages pages;
	struct loans loans;
	struct due due;          /* what the sweep of the dead has to look at */
	struct channels *channels; /* as looks, of pool/channels.c, */
	struct arenas *arenas;     /* and of pool/arenas.c */
	struct audit *audit;     /* under way; NULL: none (pool/usage.c) */
	struct looks *looks;     /* pool/looks.c, as what ends it; NULL: none */
	void (*looks_done)(struct pool *pool), (*channels_done)(struct pool *pool),
		(*arenas_done)(struct pool *pool);
	struct balance *balance; /* made and ended by whoever opens the pool */
	struct work *work; /* as work.h has it; NULL: no crew. What ends it: */
	void (*work_done)(struct pool *pool);
	uint64_t run_pages[NODES_MAX]; /* to be faulted in at one time */
	uint32_t new_nodes; /* the machine had, as the log was told of new ones */
	/* Memory is gone, is short; another slabd was changing counts as it grew. */
	bool offline[NODES_MAX], pressed[NODES_MAX], busy[NODES_MAX];
	int64_t vain_ns[NODES_MAX]; /* when growth got nothing; 0: it did */
	struct extent lines;     /* tag lines of slabs */
	/* By cache and node, (cache - 1) * n_nodes + node: slabs at home there,
	 * and slabs that stand on the list there. */
	uint32_t *slabs, *standing;
	uint32_t *openers; /* by cache_ix: clients that have it open */
	uint64_t *list_pages, n_list_pages; /* of pool/lists.c */
	uint32_t n_caches;  /* rows of the table that were ever used */
	/* Made last, until the balance knows; live; handed out last; meta.c. */
	uint32_t new_cache, n_clients, last_id, ready_id;
	bool superseded, denied_any; /* caches of one name; some mark denied */
	/* Of pool/holes.c: from which page on lost memory is faulted in, and what
	 * is no page goes back, and how much did; what the kernel had promised. */
	uint64_t refill_page, purge_page, purged_bytes, purge_small;
	uint64_t promised[TOPO_NODES_MAX], promise_page;
	struct { uint64_t at, list; uint32_t part; bool runs; } mend; /* meta.c */
	int64_t holes_rest_ns; /* none begins until then, as holes_failed did */
	bool grow_again, holes_more, purge_said, mending; /* jobs: there is more */
	uint32_t holes_failed, suspects, suspect; /* clients since then; one */
	uint64_t told_drops, told_strays; /* clients and the log were told of */
	bool adopted, max_waits; /* it was taken over; its max can't be had yet */
	int64_t relist_ns; /* clients_relist may do something from then on */
	/* What the log was told last of a node that does not grow, and when. */
	enum backing_lack said[TOPO_NODES_MAX];
	int64_t said_ns[TOPO_NODES_MAX], meta_said_ns; /* the latter: of metadata */
	struct pool_counts counts;
	uint64_t moves; /* of pages to another node, by this slabd */
};

/* Unmaps and closes; hugepages go back. Kept files are the next slabd's. */
void pool_destroy(struct pool *pool);

/* For pool/create.c and pool/adopt.c: an empty pool; unmapped and closed with
 * no hugepage given back; a read-only descriptor of the control file, and maps
 * and counts for a geometry. 0 or -errno. */
void pool_init(struct pool *pool, const struct config_pool *config,
               const struct topo *topo);
void pool_close(struct pool *pool);
int pool_open_read_only(int fd);
int pool_make_books(struct pool *pool, const struct layout_geometry *geo);

/* Whether any node got nothing as another slabd was changing the system's counts:
 * a moment later it is done. */
bool pool_is_busy(const struct pool *pool);

/* Logs why a node has not got the pages that it asked for, once in a while as
 * long as it is for the same reason. */
void pool_say_lack(struct pool *pool, uint32_t node);

/* A node is emptied, or no longer; slabs that are lent there stay. */
void pool_set_drain(struct pool *pool, uint32_t node, bool drain);

/* Threads on a CPU count for a node from now on. */
void pool_set_cpu_node(struct pool *pool, uint32_t cpu, uint32_t node);

static inline struct layout_node *pool_node(struct pool *pool, uint32_t node)
{
	return (struct layout_node *)(uintptr_t)&pool->view.nodes[node];
}

static inline struct layout_mark *pool_mark(struct pool *pool, uint32_t cache,
                                            uint32_t node)
{
	return (void *)(uintptr_t)view_mark(&pool->view, cache, node);
}

static inline struct layout_client *pool_client(struct pool *pool, uint32_t id)
{
	return (struct layout_client *)(uintptr_t)&pool->view.clients[id];
}

/* Whether a row of the table is a cache. */
static inline bool pool_has_cache(const struct pool *pool, uint32_t cache)
{
	return cache - 1 < pool->n_caches &&
	       pool->view.caches[cache - 1].state == CACHE_LIVE;
}

static inline struct layout_cache *pool_cache(struct pool *pool, uint32_t cache)
{
	return (struct layout_cache *)(uintptr_t)&pool->view.caches[cache - 1];
}

/* What a client has open, a bit a cache. */
static inline uint64_t *pool_opens(struct pool *pool, uint32_t id)
{
	return (uint64_t *)(uintptr_t)&pool->view
	        .opens[id * pool->view.geo.open_words];
}

/* Units of pages on a node. */
static inline uint64_t pool_ready_units(const struct pool *pool, uint32_t node)
{
	return pool->pages.node[node].pages * pool->pages.page_units;
}

/* One past the last unit of a node's own that may be ready. */
static inline uint64_t pool_end_unit(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].first_unit +
	       pool->view.nodes[node].high_page * pool->pages.page_units;
}

/* The slab count of (cache, home). */
static inline uint32_t *pool_slabs(const struct pool *pool, uint32_t cache,
                                   uint32_t home)
{
	uint64_t row = (uint64_t)(cache - 1) * pool->view.geo.n_nodes;
	return &pool->slabs[row + home];
}

/* The slabs of a cache that stand on a node's list, or are claimed from it. */
static inline uint32_t pool_standing(const struct pool *pool, uint32_t cache,
                                     uint32_t node)
{
	return pool->standing[pool_slabs(pool, cache, node) - pool->slabs];
}

#endif
