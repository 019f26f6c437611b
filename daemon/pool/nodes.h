/* SPDX-License-Identifier: MIT */
/*
 * A pool's own table of nodes, which it keeps for as long as it lives, against
 * the machine's of today: nodes may have come, gone or changed places between
 * one slabd and the next, and while one runs. They are matched by the kernel's
 * number. One that is not there now has no memory and no CPUs; one that the
 * pool does not know is left alone, and threads that run there take the nearest
 * node of the pool as theirs.
 */
#ifndef DAEMON_POOL_NODES_H
#define DAEMON_POOL_NODES_H

#include "daemon/pool/journal.h"
#include "numa/topo.h"

/* Whether a pool was made for just these nodes, in this order; one that was
 * never whole names none. */
bool nodes_are_those(const struct journal *journal, const struct topo *now);

/* The machine by the journal's table, to be freed; NULL: no memory. */
struct topo *nodes_view(const struct journal *journal, const struct topo *now);

/* The index in a pool's table of the node that a CPU counts for, NODE_NONE: it
 * is not there, or none of the pool's nodes is. */
uint32_t nodes_of_cpu(const struct topo *table, const struct topo *now,
                      uint32_t cpu);

#endif
