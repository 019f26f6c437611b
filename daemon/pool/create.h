/* SPDX-License-Identifier: MIT */
/* A pool made from nothing: its files, faulted in, mapped, sealed and kept. */
#ifndef DAEMON_POOL_CREATE_H
#define DAEMON_POOL_CREATE_H

#include "daemon/pool/pool.h"

/* Makes a pool's files and faults its start pages in, with progress in the log
 * and the service status. ordinal says which pool of the configuration it is.
 * 0, or -errno with the reason logged and nothing left of it. */
int create_pool(struct pool *pool, const struct config_pool *config,
                const struct topo *topo, bool may_reserve, unsigned ordinal);

#endif
