/* SPDX-License-Identifier: MIT */
/* The policies that are compared, ours first. */
#ifndef TESTS_SIM_OTHER_POLICIES_H
#define TESTS_SIM_OTHER_POLICIES_H

#include "tests/sim/world.h"

#define MAKERS 4u

extern const struct maker makers[MAKERS];

/* NULL: there is none of that name. */
const struct maker *other_policies_find(const char *name);
/* SLUB's own numbers, if it is SLUB. */
void other_policies_prepare(struct world *world, const struct maker *maker);

#endif
