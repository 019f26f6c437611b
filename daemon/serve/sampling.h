/* SPDX-License-Identifier: MIT */
/*
 * When the pools' past is sampled (pool/past.h).
 *
 *   something happened --> a second later, and each second while anything changes
 *   the files are looked at, as clients are there --> then, too
 *   slabctl asks --> then, too
 *
 * So a slabd at rest is woken by none of it. What takes a look at all tags, what is
 * owned, free and lent, is counted anew while it changes, as seldom as makes a
 * hundredth of one CPU of it; what clients hold is as they say whenever slabctl asks
 * them. Nobody is asked for the sake of a sample.
 */
#ifndef DAEMON_SERVE_SAMPLING_H
#define DAEMON_SERVE_SAMPLING_H

#include "daemon/pool/usage.h"
#include "daemon/serve/server.h"

/* Takes up the past of each pool, or begins one. A pool whose past can't be had,
 * which the log says, goes on without. 0 or -ENOMEM. */
int sampling_open(struct server *server);
void sampling_close(struct server *server);

/* Has them kept, behind all that matters more; again: by another manager. */
void sampling_keep(struct server *server, bool again);

/* Something happened. */
void sampling_soon(struct server *server);

/* What the pools are like now. */
void sampling_take(struct server *server);

/* What was counted of a pool, with what clients hold. */
void sampling_note(struct server *server, const struct pool *pool,
                   const struct usage *usage);

/* NULL: it has none. */
struct past *sampling_past(const struct server *server,
                           const struct pool *pool);
#endif
