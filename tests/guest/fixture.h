/* SPDX-License-Identifier: MIT */
/*
 * What the machine's test programs share: results, which node the kernel says
 * a page lies on, where a thread runs. Nothing of it asks slabd.
 */
#ifndef TESTS_GUEST_FIXTURE_H
#define TESTS_GUEST_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/slabclient.h"

#define FIXTURE_NODES 4 /* of the shape four, for what is made for it alone */
#define FIXTURE_NODES_MAX 16
#define FIXTURE_CPUS_MAX 16

/* Prints "ok NAME" or "not ok NAME"; test_*.sh gives the numbers. */
__attribute__((format(printf, 2, 3))) bool fixture_ok(bool ok, const char *name,
                                                  ...);

/* 1 if anything failed, for main to return. */
int fixture_status(void);

/* Pins the calling thread; ends the program where that fails. */
void fixture_pin(int cpu);

/* The kernel's node of the calling thread's CPU. */
int fixture_node_here(void);

/* Writes the object's first and last byte and asks the kernel for the node of
 * both pages: the node, or -1 if they differ or it does not say. */
int fixture_node_of(void *object, size_t bytes);

/* The kernel's nodes that have memory, and its CPUs that are online, by their
 * ids, in order: how many. */
unsigned fixture_nodes(int nodes[FIXTURE_NODES_MAX]);
unsigned fixture_cpus(int cpus[FIXTURE_CPUS_MAX]);

/* The nodes with memory by distance from one, itself first if it has some: how
 * many. */
unsigned fixture_nearest(int node, int nearest[FIXTURE_NODES_MAX]);

/* The node that the calling thread should get memory of: its own, or where
 * that has none, the nearest. */
int fixture_home(void);

/* The default pool, with growth waited for as long as emulation may take, and
 * a cache in it; ends the program where that fails. */
slabd_pool *fixture_open(void);
slabd_cache *fixture_cache(slabd_pool *pool, const char *name, size_t bytes,
                       unsigned flags);

#endif
