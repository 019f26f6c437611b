/* SPDX-License-Identifier: MIT */
/*
 * How many objects of a run of sizes are live at most at a time: for each run,
 * as that is what a cache for all of them has to hold. The sum of what each size
 * has at most says too much: they need not have it at the same time.
 */
#ifndef DAEMON_ADVICE_PEAKS_H
#define DAEMON_ADVICE_PEAKS_H

#include "daemon/advice/profile.h"

struct peaks {
	int32_t *most; /* a row for each first size */
	unsigned row;  /* members of one */
};

/* 0 or -ENOMEM; the caller ends it with peaks_drop. */
int peaks_make(struct peaks *peaks, const struct profile *profile,
               const struct trace *trace, const struct progress *progress);

/* Of the sizes from first to last, that one too. */
static inline uint32_t peaks_of(const struct peaks *peaks, unsigned first,
                                unsigned last)
{
	return (uint32_t)peaks->most[(size_t)first * peaks->row + last];
}

void peaks_drop(struct peaks *peaks);

#endif
