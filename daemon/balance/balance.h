/* SPDX-License-Identifier: MIT */
/*
 * Memory evened out between a pool's nodes: the plan of plan/plan.h is made
 * from what the pool looks like, applied step by step, and each step and
 * refusal is noted with its reason and effect.
 *
 *   shortage, timer, pressure, slabctl
 *      --> snapshot.h --> plan/plan.h --> balance/move.h --> log, counts
 *
 * One thread, the event loop's, calls all of this. Nothing is allocated after
 * balance_make.
 */
#ifndef DAEMON_BALANCE_BALANCE_H
#define DAEMON_BALANCE_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/config.h"
#include "daemon/plan/plan.h"

struct balance;
struct pool;

enum balance_cause {
	BALANCE_SHORT,    /* clients were short of slabs */
	BALANCE_TIMER,    /* a look that was due */
	BALANCE_PRESSURE, /* the kernel is short of memory */
	BALANCE_HAND,     /* slabctl asked for it */
	BALANCE_CAUSES,
};

/* A step or a refusal of the past. The same again within the last few adds to
 * times. */
struct balance_event {
	uint64_t seq;   /* from 1 on */
	int64_t at_ms;  /* since 1970 */
	int64_t last_ms; /* when it last was so */
	enum balance_cause cause;
	bool refused;
	/* Of a refusal: kind, reason, cache, and `to` its node. */
	struct plan_step step;
	uint32_t times;
	uint64_t done; /* slabs or pages; trim: clients asked */
	int error;     /* 0, or the mechanism's -errno */
	uint64_t us;   /* that it took */
	char text[200]; /* the kernel's reason, or "" */
};

#define BALANCE_LOG 256u

/* Sums since the pool was made or taken over. */
struct balance_counts {
	uint64_t plans;
	uint64_t steps[PLAN_KINDS];     /* taken */
	uint64_t done[PLAN_KINDS];      /* slabs or pages of them */
	uint64_t failed[PLAN_KINDS];    /* steps that did nothing */
	uint64_t refused[PLAN_NO_REASON];
	uint64_t moved_bytes;
	uint64_t plan_ns_max, snapshot_ns_max;
	uint64_t move_ns_max; /* of one page, in the kernel */
};

/* For a pool whose books are there. 0 or -ENOMEM. NULL is fine for done. */
int balance_make(struct pool *pool);
void balance_done(struct balance *balance);

/* The pool's settings, which `slabctl set` may change. */
const struct config_balance *balance_config(const struct pool *pool);
void balance_configure(struct pool *pool, const struct config_balance *config);

/* Notes that clients rang for a list: it is in use. */
void balance_rung(struct pool *pool, uint32_t cache, uint32_t node);

/* Notes that clients lack n slabs; for the next balance_short. */
void balance_want(struct pool *pool, uint32_t cache, uint32_t node, uint32_t n);

/* Plans for the wants that were noted, and applies it. Whether they are met
 * the lists say. True if clients are to be asked to trim. */
bool balance_short(struct pool *pool);

/* The i-th want of the last balance_short; false: there are no more. */
bool balance_wanted(const struct pool *pool, uint32_t i, uint32_t *cache,
                    uint32_t *node);

/* Something happened: looks that had come ever later, or ended, begin anew. */
void balance_stir(struct pool *pool);

/* What is due without a shortage: returns, shrinking, draining. The
 * milliseconds until it should be called again, -1: only after something
 * happened. *trim as above. */
int balance_tick(struct pool *pool, enum balance_cause cause, bool *trim);

/* How short the kernel is of memory, on a node or on all (PLAN_NONE); the
 * next balance_tick sees it. */
void balance_press(struct pool *pool, uint32_t node,
                   enum plan_pressure pressure);
enum plan_pressure balance_pressure(const struct pool *pool, uint32_t node);

/* Whether the kernel has taken a node's memory away. */
void balance_set_offline(struct pool *pool, uint32_t node, bool offline);
bool balance_offline(const struct pool *pool, uint32_t node);

/* What balance_tick would do now, with every cache looked at; applies nothing.
 * Valid until the next call of anything here. */
const struct plan *balance_plan(struct pool *pool);

/*
 * By hand. 0, or -errno with the reason and the remedy in text; *done is how
 * much of n was done in any case. cache 1.., nodes by index.
 *
 *   lend     slabs at home on `from` stand on the list of `to`; to == from: those
 *            that stand elsewhere come back
 *   migrate  pages that lie on `from` are moved to `to`; cache 0: any page,
 *            else those with slabs of it
 *   shrink   empty pages of a node, or of all (PLAN_NONE), go back to the
 *            kernel, down to the floor
 */
#define BALANCE_TEXT 300u
int balance_lend(struct pool *pool, uint32_t cache, uint32_t from, uint32_t to,
                 uint32_t n, uint64_t *done, char text[BALANCE_TEXT]);
int balance_migrate(struct pool *pool, uint32_t cache, uint32_t from,
                    uint32_t to, uint64_t n, uint64_t *done,
                    char text[BALANCE_TEXT]);
int balance_shrink(struct pool *pool, uint32_t node, uint64_t *done,
                   char text[BALANCE_TEXT]);

/* Begins to empty a node, or ends that. 0; -EBUSY: it is the last node with
 * memory that is not drained, with text. balance_tick does the work. */
int balance_drain(struct pool *pool, uint32_t node, bool drain,
                  char text[BALANCE_TEXT]);

/* Who holds what on a node: by objects, most first. Returns how many. */
struct balance_holder {
	uint32_t client; /* id */
	uint32_t cache;
	uint64_t objects;
	uint64_t bytes;
};
uint32_t balance_holders(const struct pool *pool, uint32_t node,
                         struct balance_holder *out, uint32_t n);

/* The log, newest first: the i-th event, or NULL. */
const struct balance_event *balance_event(const struct pool *pool, uint32_t i);
const struct balance_counts *balance_counts(const struct pool *pool);
const char *balance_cause_name(enum balance_cause cause);

#endif
