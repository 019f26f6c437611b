/* SPDX-License-Identifier: MIT */
/*
 * What slabctl asks for. Caches from 1 on, nodes by index. 0, or -errno with
 * the reason and the remedy in why; *done is how much of n was done in any
 * case.
 */
#ifndef DAEMON_BALANCE_HAND_H
#define DAEMON_BALANCE_HAND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/balance/back.h"
#include "daemon/base/remedy.h"
#include "daemon/plan/plan.h"

struct pool;

/* Slabs at home on `from` go on the list of `to`; to == from: those that stand
 * elsewhere come back. */
struct balance_lending {
	uint32_t cache, from, to, n;
	uint64_t done;
	/* how far it is; zeroed by the caller */
	bool began;
	struct plan_step step;
	struct balance_back back;
};

/* For a while. 1: there is more of it; else as the others. And all of it. */
int balance_lend_some(struct pool *pool, struct balance_lending *lending,
                      struct remedy *why);
int balance_lend(struct pool *pool, uint32_t cache, uint32_t from, uint32_t to,
                 uint32_t n, uint64_t *done, struct remedy *why);

/* Pages that lie on `from` are moved to `to`; cache 0: any page, else those
 * with slabs of it. */
struct balance_moving {
	uint32_t cache, from, to;
	uint64_t n;
	uint64_t done;
	/* how far it is; zeroed by the caller */
	bool began;
	uint64_t page; /* the next, or that which is on its way */
	bool leaves;   /* the latter */
	bool waits;    /* for that, or to begin with it */
	uint32_t n_waits;
	char cause[200]; /* why the last of those that stay does, or "" */
};

/* For a while. 1: there is more to be moved, a while later where it waits; else as
 * the others. */
int balance_migrate(struct pool *pool, struct balance_moving *moving,
                    struct remedy *why);

/* Begins to empty a node, or ends that; balance_tick does the work. -EBUSY: it
 * is the last node with memory that is not drained. */
int balance_drain(struct pool *pool, uint32_t node, bool drain,
                  struct remedy *why);

#endif
