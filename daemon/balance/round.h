/* SPDX-License-Identifier: MIT */
/* A round over all wants of a pool, between two slices: see wants.h. */
#ifndef DAEMON_BALANCE_ROUND_H
#define DAEMON_BALANCE_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/balance/unmet.h"

enum wants_outcome {
	WANTS_NOTHING, /* no want was set, or it is too early to tell */
	WANTS_DONE,    /* every want was relieved */
	WANTS_EVENED,  /* the same, some of it from elsewhere in the pool */
	WANTS_DENIED,  /* some were not: ask for trims, retry later */
};

enum wants_stage { WANTS_REST, WANTS_CARVE, WANTS_PLAN, WANTS_DENY };

struct wants_round {
	enum wants_stage stage;
	bool due;    /* somebody rang since it began */
	bool told;   /* this slice did something that who waits is to see */
	uint64_t at; /* the want that is looked at next; 0: none is under way */
	enum wants_outcome outcome; /* so far */
	struct unmet unmet;         /* so far, until the next ones are carved */
	uint32_t deny_at;           /* the next of those that may be denied */
};

#endif
