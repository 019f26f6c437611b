/* SPDX-License-Identifier: MIT */
/* A real pool of 4 KiB pages on simulated nodes, without a server. Its unit of
 * growth is 2 MiB, 32 units. */
#ifndef TESTS_LIB_POOL_FIXTURE_H
#define TESTS_LIB_POOL_FIXTURE_H

#include "daemon/pool/pool.h"
#include "shm/slab.h"

#define BED_MIB (UINT64_C(1) << 20)

struct pool_bed {
	struct topo topo;
	struct config_pool config;
	struct pool pool;
	char *data;                   /* where clients would map it; unmapped */
};

/* A pool with 8 caches and 4 clients. */
void pool_bed_start(struct pool_bed *bed, const char *synthetic,
                    uint64_t start_mib, uint64_t max_mib);
void pool_bed_stop(struct pool_bed *bed);

/* Makes a cache; its id or -errno. */
int pool_bed_cache(struct pool_bed *bed, const char *name, uint64_t size,
                   uint64_t align, uint32_t flags);

/* Raises a want as a client does. */
void pool_bed_want(struct pool_bed *bed, uint32_t cache, uint32_t node);

/* Claims all that is free of a cache on a node's list for an id. */
uint64_t pool_bed_claim_all(struct pool_bed *bed, uint32_t id, uint32_t cache,
                            uint32_t node);

/* Claims for client 1 all that is to be had of a node, growth included; how
 * many. Frees all that it has. */
uint64_t pool_bed_use_up(struct pool_bed *bed, uint32_t cache, uint32_t node);
void pool_bed_free_all(struct pool_bed *bed);

/* Slabs of a cache at home on one node that stand on the list of another. */
uint32_t pool_bed_standing(const struct pool_bed *bed, uint32_t cache,
                           uint32_t home, uint32_t list);

/* Free objects of a cache on all slabs that are at home on a node. */
uint64_t pool_bed_free(const struct pool_bed *bed, uint32_t cache,
                       uint32_t node);

/* What audit and books say: they agree. */
void pool_bed_agrees(struct pool_bed *bed);

#endif
