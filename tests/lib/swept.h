/* SPDX-License-Identifier: MIT */
/* A sweep of all units, for tests without a pool of slabd's. */
#ifndef TESTS_LIB_SWEPT_H
#define TESTS_LIB_SWEPT_H

#include <string.h>

#include "shm/slab.h"

/* All but one id live, and a tag that is out of use. */
static inline void swept_living_but(struct tags_living *living, uint32_t id)
{
	memset(living, 0, sizeof(*living));
	memset(living->bits, 0xff, CLIENT_IDS / 8);
	living->bits[id / 64] &= ~(UINT64_C(1) << (id % 64));
	living->bits[TAG_SRV / 64] &= ~(UINT64_C(1) << TAG_SRV % 64);
	memcpy(living->bits + CLIENT_IDS / 64, living->bits, CLIENT_IDS / 8);
	living->bits[CLIENT_IDS / 64] &= ~UINT64_C(1);
	living->bits[TAG_NONE / 64] |= UINT64_C(1) << TAG_NONE % 64;
}

/* Sweeps for the only one that is dead. */
static inline void swept_of(const struct view *view, uint32_t id,
                            struct slab_swept *swept)
{
	struct tags_living living;
	memset(swept, 0, sizeof(*swept));
	swept_living_but(&living, id);
	for (uint32_t unit = 0; unit < view->geo.n_units;
	     unit += 1u << GRANULE_SHIFT) {
		uint32_t end = unit + (1u << GRANULE_SHIFT);
		slab_sweep_srv(view, unit,
		               end < view->geo.n_units
		                       ? end
		                       : (uint32_t)view->geo.n_units,
		               &living, swept);
	}
}

#endif
