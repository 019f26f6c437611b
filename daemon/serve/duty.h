/* SPDX-License-Identifier: MIT */
/*
 * What is due in the pools, and when.
 *
 *   wants     clients rang, or may have: served at once, but for no longer
 *             than a pool's share, and all pools' (serve/share.h); the rest
 *             by the next ones, pools in turn. What is denied is asked for anew a
 *             while later, and clients are asked to trim
 *   ahead     after wants were served: pages faulted in before they are needed
 *   balance   the nodes are looked at a while after something happened, and
 *             again as long as there is something to do; never in a pool where
 *             nothing happens
 *   tidy      versions of caches that nobody uses any more end, in slices
 *   levels    how pressed each node of each pool is, until that ends: by the
 *             kernel, which is short of memory for everybody, and by the other
 *             pools of ours, which had no more of a node to get; the worse of
 *             both holds
 */
#ifndef DAEMON_SERVE_DUTY_H
#define DAEMON_SERVE_DUTY_H

#include "daemon/balance/unmet.h"
#include "daemon/base/clock.h"
#include "daemon/serve/server.h"

/* After something happened. */
#define DUTY_SOON_NS CLOCK_S

/* Makes the timers. 0 or -ENOMEM. Close is fine after a failure, too. */
int duty_open(struct server *server);
void duty_close(struct server *server);

/* Something happened: has the nodes looked at in so long, or before. */
void duty_soon(struct server *server, int64_t ns);

/* Has a pool's nodes looked at now. */
void duty_look(struct server *server, struct pool *pool);

/* Serves the wants of a pool, and sets timers for what is left to do. While a
 * sweep is due there, its next slice comes first, and then this is done. */
void duty_serve_pool(struct server *server, struct pool *pool);

/* The same, while a sweep is due, too. */
void duty_serve_swept(struct server *server, struct pool *pool);

/* Ends versions of caches that are not the newest, once nobody uses them. */
void duty_tidy(struct server *server, struct pool *pool);

/* A node's own pages did not do for a pool's clients: other pools are to give
 * up what they can do without on the nodes where it had no more to get. */
void duty_note_denied(struct server *server, const struct pool *pool,
                      const struct unmet *unmet);

/* Tells the balance of each pool and node how pressed it is. True if anything
 * got worse. *next_ns: until some level ends by itself, -1: none does. */
bool duty_tell_levels(struct server *server, int64_t *next_ns);

/* The levels are others, or may be: the balance is told, and looks at once
 * where any got worse. */
void duty_settle_levels(struct server *server);

#endif
