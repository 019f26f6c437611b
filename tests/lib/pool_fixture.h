/* SPDX-License-Identifier: MIT */
/* A real pool of 4 KiB pages on simulated nodes, without a server. Its unit of
 * growth is 2 MiB, 32 units. */
#ifndef TESTS_LIB_POOL_FIXTURE_H
#define TESTS_LIB_POOL_FIXTURE_H

#include "daemon/balance/wants.h"
#include "daemon/pool/pool.h"
#include "shm/slab.h"

#define FIXTURE_MIB (UINT64_C(1) << 20)

struct pool_fixture {
	struct topo topo;
	struct config_pool config;
	struct pool pool;
	char *data; /* where clients would map it; unmapped */
};

/* A pool with 8 caches and 4 clients. */
void pool_fixture_start(struct pool_fixture *fixture, const char *synthetic,
                        uint64_t start_mib, uint64_t max_mib);
void pool_fixture_stop(struct pool_fixture *fixture);

/* Makes a cache; its id or -errno. */
int pool_fixture_cache(struct pool_fixture *fixture, const char *name,
                       uint64_t size, uint64_t align, uint32_t flags);

/* Raises a want as a client does. */
void pool_fixture_want(struct pool_fixture *fixture, uint32_t cache,
                       uint32_t node);

/* Serves all wants, as a ring has slabd do; what became of them. */
enum wants_outcome pool_fixture_serve(struct pool_fixture *fixture);

/* Claims all that is free of a cache on a node's list for an id. */
uint64_t pool_fixture_claim_all(struct pool_fixture *fixture, uint32_t id,
                                uint32_t cache, uint32_t node);

/* Claims for client 1 all that is to be had of a node, growth included; how
 * many. Frees all that it has. */
uint64_t pool_fixture_use_up(struct pool_fixture *fixture, uint32_t cache,
                             uint32_t node);
void pool_fixture_free_all(struct pool_fixture *fixture);

/* Slabs of a cache at home on one node that stand on the list of another. */
uint32_t pool_fixture_standing(const struct pool_fixture *fixture,
                               uint32_t cache, uint32_t home, uint32_t list);

/* Free objects of a cache on all slabs that are at home on a node. */
uint64_t pool_fixture_free(const struct pool_fixture *fixture, uint32_t cache,
                           uint32_t node);

/* What audit and books say: they agree. */
void pool_fixture_agrees(struct pool_fixture *fixture);

#endif
