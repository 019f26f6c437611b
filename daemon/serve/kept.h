/* SPDX-License-Identifier: MIT */
/*
 * Connections of clients that outlive slabd: both sockets, kept by the service
 * manager beside the pidfd, so that a client is not even hung up on by a slabd
 * that is started anew. One that gave up its rights, changed its root, or lives
 * where it can't see the socket's path could not come back by itself.
 *
 * What is kept is one client's, by the name that has its id and epoch, and is
 * let go of before the client is: the sockets are shut down then, as a close
 * leaves the manager's copies.
 */
#ifndef DAEMON_SERVE_KEPT_H
#define DAEMON_SERVE_KEPT_H

#include "daemon/pool/pool.h"

struct kept_pair {
	int sock;
	int events;
};

/* Has the manager keep both, or none. True: it does, as far as is known. */
bool kept_put(const struct pool *pool, uint32_t id,
              const struct kept_pair *pair);

/* Closes them (-1: none), and has the manager close its copies once nothing is
 * queued any more. */
void kept_drop(const struct pool *pool, uint32_t id,
               const struct kept_pair *pair);

/* Takes what was kept for a client whose process the pidfd is. 0 with both, the
 * caller's from then on; -ENOENT: not both are there, or they are no connection
 * of that process, and what there was is dropped. */
int kept_take(const struct pool *pool, uint32_t id, int pidfd,
              struct kept_pair *pair);

#endif
