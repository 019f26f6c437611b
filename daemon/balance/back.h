/* SPDX-License-Identifier: MIT */
/* How far the return of some loans is; all 0 before. */
#ifndef DAEMON_BALANCE_BACK_H
#define DAEMON_BALANCE_BACK_H

#include <stdbool.h>
#include <stdint.h>

#define BACK_PASSES 4u

struct balance_back {
	bool began, busy, any; /* any: it did something */
	uint32_t pass; /* BACK_PASSES: it is through */
	uint32_t at;   /* past the loan that is next in it */
};

#endif
