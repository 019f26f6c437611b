/* SPDX-License-Identifier: MIT */
/*
 * Which caches hold a trace's objects in the least memory.
 *
 * A cache is for a run of sizes, and its objects are as large as the largest of
 * them. It takes as many slabs as the objects of these sizes need that are live
 * at a time at most; how many fit into one, layout_fit_cache says, as it does for
 * slabd. The caches chosen are those whose slabs have the fewest bytes together;
 * of such choices, whose slots in use have the fewest; of these, the fewest
 * caches. So no other choice of as many caches takes less.
 */
#ifndef DAEMON_ADVICE_CHOOSE_H
#define DAEMON_ADVICE_CHOOSE_H

#include "daemon/advice/peaks.h"

#define CHOOSE_MAX 64u
#define CHOOSE_PAGE_SHIFT 21u

struct choose_cache {
	unsigned first, last; /* sizes of the profile */
	uint32_t bytes;       /* of an object */
	uint32_t slot_bytes, objs_slab;
	uint64_t slab_bytes, n_slabs;
	uint32_t n_peak;
	/* Of all sizes together, as in the profile. */
	uint64_t n_allocs, asked_bytes, n_elsewhere, n_kept;
	uint64_t life; /* half of those that are freed lived for no more events */
};

struct choose {
	struct choose_cache caches[CHOOSE_MAX]; /* the smallest first */
	unsigned n_caches;
	uint64_t slab_bytes; /* at peak, of all */
	uint64_t start_bytes, floor_bytes;
};

/* At most max caches, 1 to CHOOSE_MAX. 0 or -ENOMEM. */
int choose_caches(struct choose *choose, const struct profile *profile,
                  const struct peaks *peaks, unsigned max);

/*
 * What a pool is to begin with: whole pages for all slabs at peak; and what it is
 * to keep: for the objects that are live half of the time, as the slabs at peak
 * are filled. 0 or -ENOMEM.
 */
int choose_pool(struct choose *choose, const struct profile *profile,
                const struct trace *trace);

/* The index of a size's cache, by the size's index. */
unsigned choose_of(const struct choose *choose, unsigned size);

#endif
