/* SPDX-License-Identifier: MIT */
/* Who may have changed what a pool's files hold (holes.h), told to the log. */
#ifndef DAEMON_POOL_BLAME_H
#define DAEMON_POOL_BLAME_H

#include "daemon/pool/pool.h"

/* The data file of each node by its index, then the shared file. */
static inline bool blame_is_shared(const struct pool *pool, unsigned file)
{
	return file == pool->view.geo.n_nodes;
}

/* Whoever is there now, and no other, is there until the next look. */
void blame_note(struct pool *pool);

void blame_say(const struct pool *pool, unsigned file, uint64_t bytes,
               const char *happened);

#endif
