/* SPDX-License-Identifier: MIT */
/*
 * What a contestant is to the workloads; BENCH_WHO names the header with its
 * inline half:
 *
 *   who_alloc, who_free            one object
 *   WHO_BULK: who_alloc_bulk, who_free_bulk   a constant n at a time
 *   WHO_SHARED: who_give, who_take            from process to process
 *   WHO_CHANNEL: who_send, who_recv           the same, many at a time
 *   WHO_SIZED: who_alloc_sized     any size, freed by who_free of any cache
 *   WHO_RING_ALONE: who_next       passes ready objects on, allocates none
 */
#ifndef BENCH_WHO_H
#define BENCH_WHO_H

#include "tests/bench/work.h"

#ifdef __cplusplus
extern "C" {
#endif

struct who_cache;

#define WHO_BULK_N 32u

/* Before the second process is forked, and before anything else. */
int who_early(const struct work_job *job);

/* Makes the process ready; side 1 is the second process of a workload that
 * has two, and comes when the first is ready. 0, or 1 with a message. */
int who_open(const struct work_job *job, unsigned side);

/* A cache of objects of a size, of which at most this many are live or on
 * their way. Before any thread begins. NULL after a message. */
struct who_cache *who_make(size_t bytes, uint64_t most);

/* Each thread before its first object; ix 0 is the main one. */
int who_thread(unsigned ix);

/* Gives back what outlives the process. */
void who_close(void);

#ifdef __cplusplus
}
#endif

#include BENCH_WHO

#endif
