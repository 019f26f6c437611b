/* SPDX-License-Identifier: MIT */
/*
 * What a trace asks for, by size: how often, how many at a time, for how long,
 * and who ends it.
 *
 * Sizes whose slots are alike, in steps of PROFILE_STEP bytes, are one; where more occur than
 * PROFILE_SIZES_MAX, those within a sixteenth of a power of two are, too. What is
 * over PROFILE_LARGEST bytes, of which the smallest slab holds one alone, is left
 * to malloc.
 */
#ifndef DAEMON_ADVICE_PROFILE_H
#define DAEMON_ADVICE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/advice/trace.h"

#define PROFILE_SIZES_MAX 128u
#define PROFILE_STEP 16u
#define PROFILE_LARGEST (UINT32_C(32) << 10)
#define PROFILE_STEPS (PROFILE_LARGEST / PROFILE_STEP)
#define PROFILE_NONE UINT8_MAX
#define PROFILE_LIVES 32u

struct profile_size {
	uint32_t bytes; /* the most that was asked for; never 0 */
	uint64_t n_allocs;
	uint64_t asked_bytes; /* by all of them */
	uint64_t n_elsewhere; /* freed by another thread */
	uint64_t n_kept;      /* never freed */
	uint64_t n_live, n_peak;
	/* How many lived for up to 2^i events. */
	uint64_t lives[PROFILE_LIVES];
};

struct profile {
	struct profile_size sizes[PROFILE_SIZES_MAX]; /* the smallest first */
	unsigned n_sizes;
	bool merged;                    /* to so many */
	uint8_t size_of[PROFILE_STEPS]; /* by (bytes - 1) / PROFILE_STEP */
	uint32_t smallest, largest;     /* asked for at all */
	uint64_t n_allocs, n_elsewhere, n_kept;
	uint64_t peak_objs;    /* at a time */
	uint64_t peak_bytes;   /* asked for, at a time */
	uint64_t large_allocs; /* left to malloc */
	uint64_t large_bytes;  /* of these, at a time */
};

/* 0 or -ENOMEM. */
int profile_trace(struct profile *profile, const struct trace *trace,
                  const struct progress *progress);

/* For how many events, a power of two, half of those lived at most that ended; 0
 * where none did. */
uint64_t profile_life(const uint64_t lives[PROFILE_LIVES]);

/* The index of a size, or PROFILE_NONE where it is left to malloc. */
static inline unsigned profile_size_of(const struct profile *profile,
                                       uint32_t bytes)
{
	uint32_t step = (bytes > 0 ? bytes - 1 : 0) / PROFILE_STEP;

	return step < PROFILE_STEPS ? profile->size_of[step] : PROFILE_NONE;
}

#endif
