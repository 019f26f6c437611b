/* SPDX-License-Identifier: MIT */
/*
 * A pool taken over from a slabd that was killed, or made way for this one.
 *
 *   fdstore --> journal, control, shared, data
 *     all checked before anything is written: sizes, seals, versions, tables
 *     --> books from the slab table, half-done carves repaired, leases of the
 *         dead slabd broken, every list bit set that is due
 *
 * Whoever runs the loop then reaps the clients that ended meanwhile, and
 * watches the others (serve/death.c).
 *
 * All of it may be cut short and done again. What it finds half done is what
 * carve, reclaim, cache create, clients_take and a sweep leave when they are
 * killed between two stores.
 */
#ifndef DAEMON_POOL_ADOPT_H
#define DAEMON_POOL_ADOPT_H

#include "daemon/pool/pool.h"

/* Nothing was kept of this pool: make it. */
#define ADOPT_E_NONE 1

/* 0, ADOPT_E_NONE, or -errno with the reason and the remedy logged and nothing
 * touched: -EPROTO made by another version, -EINVAL damaged, -ENOMEM. */
int adopt_pool(struct pool *pool, const struct config_pool *config,
               const struct topo *topo, bool may_reserve);

#endif
