/* SPDX-License-Identifier: MIT */
/*
 * How pressed each node of each pool is: by the kernel, which is short of memory
 * for everybody, and by the other pools of ours, which had no more of a node to
 * get. The worse of both holds, and the balance is told of it.
 */
#ifndef DAEMON_SERVE_LEVELS_H
#define DAEMON_SERVE_LEVELS_H

#include "daemon/balance/unmet.h"
#include "daemon/serve/server.h"

/* A node's own pages did not do for a pool's clients: other pools are to give
 * up what they can do without on the nodes where it had no more to get. */
void levels_note_denied(struct server *server, const struct pool *pool,
                        const struct unmet *unmet);

/* Tells the balance of each pool and node. True if anything got worse. *next_ns:
 * until some level ends by itself, -1: none does. */
bool levels_settle(struct server *server, int64_t *next_ns);

#endif
