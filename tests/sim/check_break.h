/* SPDX-License-Identifier: MIT */
/* Policies and mechanisms that are broken, each in one way, and which check is
 * to find it. */
#ifndef SIM_CHECK_BREAK_H
#define SIM_CHECK_BREAK_H

#include "tests/sim/world.h"

enum check {
	CHECK_ADDS_UP,
	CHECK_HOLDS,
	CHECK_SETTLES,
	CHECK_LOCAL,
	CHECK_NEVER_FAILS,
};

struct check_break {
	const char *name;
	const char *title;
	const char *scenario; /* that shows it */
	enum check check;
	/* Each may be NULL; as in struct maker and struct run_options. */
	void (*make)(struct world *world, struct plan *plan,
	             const struct snapshot *snap,
	             const struct plan_config *config, void *work);
	void (*fault)(struct world *world);
	void (*meddle)(struct world *world, uint32_t ms);
};

extern const struct check_break check_breaks[];
extern const uint32_t check_breaks_n;

#endif
