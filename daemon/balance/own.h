/* SPDX-License-Identifier: MIT */
/* What the parts of the balance share; for balance*.c and snapshot*.c alone. */
#ifndef DAEMON_BALANCE_OWN_H
#define DAEMON_BALANCE_OWN_H

#include "daemon/balance/balance.h"
#include "daemon/pool/pool.h"

#define BALANCE_WANTS 4096u
#define BALANCE_GROUPS 4096u /* of loans: one cache, home and list */
#define BALANCE_PAGES 256u   /* that are looked at for a move */
#define BALANCE_LISTED_MAX 1024u /* more of a list are not counted */
#define BALANCE_PAST 256u    /* moves of pages that are remembered */
#define BALANCE_HOLDS 4096u  /* who holds what, while it is counted */

/* When a list last gave or took slabs, and how often that changed. */
struct balance_held {
	uint32_t at_ms;
	uint32_t wanted_ms; /* clients last rang for it */
	bool wanted;        /* they ever did */
	bool any;           /* it ever gave or took */
	bool gained;
	uint8_t reversals;
};

/* A list that nobody rang for in so long has no need of a low mark. */
#define BALANCE_RECENT_MS 10000u

struct balance_want {
	uint32_t cache;
	uint32_t node;
	uint32_t n;
};

struct balance_past {
	uint64_t page;
	uint32_t at_ms;
	bool stuck; /* it could not be moved */
};

struct balance {
	struct config_balance config;
	struct plan_config policy;
	bool may_migrate; /* we have the right */

	struct snapshot snap;
	struct snapshot_node nodes[NODES_MAX];
	uint32_t runs[NODES_MAX][SNAPSHOT_ORDERS];
	struct snapshot_cache *caches;
	struct snapshot_cell *cells;
	struct snapshot_loan *loans;
	uint16_t *first; /* by cell: 1 + index of a loan to its list; 0: none */
	uint16_t next[BALANCE_GROUPS]; /* by loan: the same of another one */
	uint32_t loans_at; /* which of the pool's is looked at first */
	struct snapshot_page *pages;
	uint64_t
		drain_at; /* page from which on those that leave are looked at */
	uint8_t *looked; /* by cache: its lists are counted */
	struct plan plan;
	void *work;

	struct balance_held *held; /* by cell */
	struct balance_want wants[BALANCE_WANTS];
	uint32_t n_wants;
	bool served; /* of the wants above, so that new ones begin anew */
	enum plan_pressure pressure[NODES_MAX];
	bool offline[NODES_MAX];
	bool trimmed;
	uint32_t trimmed_ms;
	uint64_t tokens; /* bytes that may be moved */
	uint32_t tokens_ms;
	struct balance_past past[BALANCE_PAST];
	uint32_t n_past;
	uint64_t *empty; /* by unit: a slab that was empty at the last look */
	uint32_t empty_ms; /* when such a round of looks ended */
	uint64_t idle_left[NODES_MAX]; /* pages that are yet to be seen in it */
	uint64_t empties_at[NODES_MAX]; /* page where other looks go on */
	bool in_round;    /* the last look was of one, and there is more */
	bool idle_look;   /* the last look ended one */
	bool newly_empty; /* the last look found one that was not */
	uint32_t idle_rounds; /* rounds since something happened */
	uint8_t client_node[CLIENT_IDS];
	struct balance_holder holds[BALANCE_HOLDS];

	struct balance_event log[BALANCE_LOG];
	uint64_t n_events;
	const struct balance_event *noted; /* last, which may be an old one */
	struct balance_counts counts;
};

enum snapshot_scope {
	SNAPSHOT_SHORT, /* what a shortage needs, within milliseconds */
	SNAPSHOT_LOOK,  /* what is due without one */
	SNAPSHOT_ALL,   /* every list counted */
};

/* Fills in balance->snap and balance->policy. */
void snapshot_take(struct pool *pool, enum snapshot_scope scope);

/* The parts of it that look into slabs and pages. */
void snapshot_empties(struct pool *pool, uint32_t node, bool idle);
void snapshot_pages(struct pool *pool, enum snapshot_scope scope);

static inline uint32_t balance_cell(const struct pool *pool, uint32_t cache,
                                    uint32_t node)
{
	return (cache - 1) * pool->view.geo.n_nodes + node;
}

/* Notes that slabs came to a list or left it. */
void balance_note_flow(struct pool *pool, uint32_t cache, uint32_t node,
                       bool gained);

/* Applies the plan; whether clients are to be asked to trim. */
bool balance_apply(struct pool *pool, enum balance_cause cause);

/* Takes one step and notes it. What it did. */
uint64_t balance_step(struct pool *pool, enum balance_cause cause,
                      const struct plan_step *step);

int64_t balance_now_ns(void);

/* Adds to the log. */
void balance_note(struct balance *b, const struct balance_event *event);
void balance_note_refusals(struct pool *pool, enum balance_cause cause);

#endif
