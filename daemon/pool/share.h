/* SPDX-License-Identifier: MIT */
/* How much of a machine's memory a pool may take. */
#ifndef DAEMON_POOL_SHARE_H
#define DAEMON_POOL_SHARE_H

#include "daemon/conf/config.h"
#include "numa/topo.h"

/* A pool's tables hold that much data, of all nodes together. */
#define SHARE_BYTES_MAX (UINT64_C(2) << 40)

/* A share of the nodes' memory is more than the tables hold. */
#define SHARE_E_CUT 1

/*
 * The most that a pool takes of each node: whole pages, at least one. Returns 0,
 * SHARE_E_CUT (each node's part was made smaller alike), or -E2BIG: max is a size,
 * and as much of each node is more than the tables hold; bytes has it all the
 * same.
 */
int share_of_nodes(const struct config_pool *config, const struct topo *topo,
                   uint64_t bytes[TOPO_NODES_MAX]);

/* The largest size that max may be on that many nodes. */
uint64_t share_largest(const struct config_pool *config, unsigned n_nodes);

/* What max is of a control group's limit, in percent; 0: it is in bytes. */
unsigned share_percent(const struct config_pool *config);

#endif
