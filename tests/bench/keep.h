/* SPDX-License-Identifier: MIT */
/*
 * W8, DPDK's own way of measuring rte_mempool: a side gets KEEP objects in
 * bulks of a constant, then puts them back likewise. Nothing is written to
 * them.
 */
#ifndef BENCH_KEEP_H
#define BENCH_KEEP_H

#include "tests/bench/who.h"

#ifdef WHO_BULK

#include <stdlib.h>

#define KEEP_USUAL 512u
#define KEEP_MOST 32768u

static inline uint64_t keep_of(const struct work_job *job)
{
	uint64_t keep = job->live > 0 ? job->live : KEEP_USUAL;
	return keep < KEEP_MOST ? keep : KEEP_MOST;
}

/* At least n objects, in whole turns; inline for the sake of the constant. */
__attribute__((always_inline)) static inline void
keep_turns(struct who_cache *cache, uint64_t n, uint64_t keep,
           const size_t bulk, void **objects)
{
	for (uint64_t i = 0; i < n; i += keep) {
		for (uint64_t k = 0; k < keep; k += bulk)
			if (who_alloc_bulk(cache, bulk, objects + k) != bulk)
				abort();
		for (uint64_t k = 0; k < keep; k += bulk)
			who_free_bulk(cache, bulk, objects + k);
	}
}

#endif
#endif
