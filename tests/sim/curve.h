/* SPDX-License-Identifier: MIT */
/* Recorded demand: how many objects of each size class a trace has live as it
 * goes on. */
#ifndef SIM_CURVE_H
#define SIM_CURVE_H

#include <stdint.h>

#define CURVE_POINTS 512u
#define CURVE_TRACES_MAX 8u
#define CURVE_CACHES_MAX 16u

struct curve {
	char name[64];
	/* Live objects, in parts of the most that there were. */
	float part[CURVE_CACHES_MAX][CURVE_POINTS];
	uint64_t peak_bytes[CURVE_CACHES_MAX];
	uint32_t best[CURVE_CACHES_MAX]; /* caches, most bytes first */
	uint32_t n_best;
};

struct curves {
	uint32_t n;
	uint32_t n_caches;
	uint32_t bytes[CURVE_CACHES_MAX]; /* object size */
	struct curve curve[CURVE_TRACES_MAX];
};

/* All *.trace.zst of a folder, by name. NULL, with a line in why: there are
 * none, one is damaged, or this build reads no traces. */
struct curves *curves_load(const char *folder, char why[256]);
void curves_drop(struct curves *curves);

#endif
