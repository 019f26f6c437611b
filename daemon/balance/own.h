/* SPDX-License-Identifier: MIT */
/* What the balance keeps of a pool between two looks, and what the files of
 * this room alone call. */
#ifndef DAEMON_BALANCE_OWN_H
#define DAEMON_BALANCE_OWN_H

#include "daemon/balance/back.h"
#include "daemon/balance/parts.h"
#include "daemon/balance/round.h"
#include "daemon/balance/unmet.h"
#include "daemon/base/clock.h"
#include "daemon/conf/config.h"
#include "daemon/pool/work.h"
#include "shm/slab.h"
#include "shm/tags.h"

#define BALANCE_GROUPS 4096u /* of loans: one cache, home and list */
#define BALANCE_PAGES 256u   /* that are looked at for a move */
#define BALANCE_PAST 256u    /* moves of pages that are remembered */
#define AHEAD_LISTS 64u      /* that slabs are made ahead for */

struct balance {
	struct config_balance config;
	struct plan_config settings; /* of the next plan */
	bool may_migrate;            /* slabd has the right */

	int64_t now_ns; /* when the snapshot was begun */
	struct snapshot snap;
	struct snapshot_node nodes[NODES_MAX];
	uint32_t runs[NODES_MAX][SNAPSHOT_ORDERS];
	struct snapshot_cache caches[CACHES_MAX]; /* by cache_ix, cache - 1 */
	struct snapshot_cell *cells;
	struct snapshot_loan loans[BALANCE_GROUPS];
	uint16_t next[BALANCE_GROUPS]; /* by loan: 1 + index of another one */
	uint32_t loans_at; /* which of the pool's is looked at first */
	struct snapshot_page pages[BALANCE_PAGES];
	/* Where looks at pages that leave begin: the node, and by node the page. */
	uint32_t drain_node;
	uint64_t drain_at[NODES_MAX];
	uint8_t looked[CACHES_MAX]; /* by cache_ix: its lists are counted */
	struct plan plan;
	/* Steps of the last plan that was to be followed, and the next of them. */
	struct plan_step rest[PLAN_STEPS_MAX];
	uint32_t n_rest, rest_at;
	uint32_t n_kept; /* at its begin: those put off that are tried again */
	bool rest_short; /* it is for a shortage */
	int64_t kept_ns; /* since when there are some; 0: there are none */
	struct balance_back back; /* of the next step */
	void *work;

	struct wants_round round;

	struct balance_held *held; /* by cell */
	uint64_t *coming; /* by cell, a bit: its want waits for pages */
	bool any_coming, put_off; /* the last step was, and did nothing */
	struct balance_leaving leaving[NODES_MAX]; /* by the file's node */
	bool moved; /* one has ended since the last time */
	struct balance_follow follow;
	struct tidings tidings;
	struct ahead_list ahead[AHEAD_LISTS];
	/* Whose turn it was, how many in a row lack nothing; the next for stock. */
	uint32_t n_ahead, ahead_at, ahead_full, stock_at;
	uint32_t keep_at;  /* node that is the next to have a page kept free */
	enum plan_pressure pressure[NODES_MAX];
	bool trimmed;
	int64_t trimmed_ns, tokens_ns;
	uint64_t tokens; /* bytes that may be moved */
	struct balance_past past[BALANCE_PAST];
	uint64_t *empty;  /* by unit: a slab that was empty at the last look */
	int64_t empty_ns; /* when such a round of looks ended */
	uint64_t idle_left[NODES_MAX]; /* pages that are yet to be seen in it */
	uint64_t empties_at[NODES_MAX]; /* page where other looks go on */
	uint32_t empties_node;          /* that is looked at first */
	bool in_round;    /* the last look left some of a round to the next */
	bool idle_look;   /* the last look ended a round */
	bool newly_empty; /* the last look found a slab that was not before */
	uint32_t idle_rounds, n_past; /* rounds since something happened */
	/* Of pages' users: their nodes, what a look costs, the next loan. */
	uint8_t client_node[CLIENT_IDS];
	uint32_t users_work, lent_at;
	bool users_cut;
	struct balance_denied denied[NODES_MAX];
	struct unmet denied_wants;       /* of a plan that is only shown */
	uint32_t reuse_cache[NODES_MAX]; /* before the next that is asked */
	int64_t reuse_ns[NODES_MAX];     /* no look before that */

	struct history history;
};

/* The index of a cell. */
static inline uint32_t balance_cell(const struct pool *pool, uint32_t cache,
                                    uint32_t node)
{
	return (cache - 1) * pool->view.geo.n_nodes + node;
}

static inline const struct layout_cache *balance_row(const struct pool *pool,
                                                     uint32_t cache)
{
	return &pool->view.caches[cache - 1];
}

/* Whether a slab begins at a unit with this word. */
static inline bool balance_is_head(uint64_t word)
{
	return WORD_CACHE(word) != 0 && WORD_BACK(word) == 0;
}

/* Free objects of the slab that begins at a unit. */
static inline uint32_t balance_count_free(const struct pool *pool,
                                          uint32_t head)
{
	uint32_t cache = WORD_CACHE(pool->view.words[head]);
	return tags_count_free(slab_tags(&pool->view, head),
	                       balance_row(pool, cache)->n_objs);
}

/* Whether a slab seems to have nothing in use, from its lease and a few of its
 * n tags: most that have are told so by three loads. */
static inline bool balance_seems_empty(const struct pool *pool, uint32_t head,
                                       uint32_t n)
{
	const uint16_t *tags = slab_tags(&pool->view, head);
	return atom_load(&pool->view.leases[head]) == 0 &&
	       atom_load(&tags[0]) == TAG_FREE &&
	       atom_load(&tags[n / 2]) == TAG_FREE &&
	       atom_load(&tags[n - 1]) == TAG_FREE;
}

/* ---- step.c -------------------------------------------------------------- */

/* Takes some of a step of a plan, times and notes it. What it did: slabs or pages; 0
 * of a page that is on its way (balance_is_leaving), which is noted when it ends.
 * step->n is what is left; back is zeroed before the first. And all of it. */
uint64_t balance_step_some(struct pool *pool, enum balance_cause cause,
                           struct plan_step *step, struct balance_back *back,
                           int64_t until_ns);
uint64_t balance_step(struct pool *pool, enum balance_cause cause,
                      const struct plan_step *step);

/* Whether a page is being moved. */
bool balance_is_leaving(const struct pool *pool, uint64_t page);

/* ---- snapshot.c: the picture of a pool that a plan is made from ---------- */

enum snapshot_scope {
	SNAPSHOT_SHORT, /* what a shortage needs, within milliseconds */
	SNAPSHOT_LOOK,  /* what is due without one */
	SNAPSHOT_ALL,   /* every list counted */
};

/* Fills in balance->snap and balance->settings. unmet is what clients lack,
 * NULL for nothing. */
void snapshot_take(struct pool *pool, enum snapshot_scope scope,
                   const struct unmet *unmet);

/* Pages of a node that do not go back, unless it is drained. */
uint64_t balance_floor_pages(const struct pool *pool, uint32_t node);

/* ---- snapshot_slabs.c: what of it needs a look into slabs ---------------- */

#define SNAPSHOT_LISTED_MAX 1024u /* more of a list are not counted */

/* Which slabs of a node are empty; idle: and since the last such round. What one
 * picture may still look at is counted down. */
void snapshot_empties(struct pool *pool, uint32_t node, bool idle,
                      uint32_t *budget);
/* Which pages might be moved, and whose objects they hold. brief: those with
 * lent slabs alone, and few, as clients wait. */
void snapshot_pages(struct pool *pool, bool brief);

#endif
