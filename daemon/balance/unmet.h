/* SPDX-License-Identifier: MIT */
/* What clients want and carving did not give them: handed on from the want bits
 * to the plan, and to whoever asks other pools for the rest. */
#ifndef DAEMON_BALANCE_UNMET_H
#define DAEMON_BALANCE_UNMET_H

#include <stdint.h>

#define UNMET_MAX 4096u

struct unmet_want {
	uint32_t cache;
	uint32_t node;
	uint32_t n; /* slabs that clients lack */
};

struct unmet {
	uint32_t n;
	struct unmet_want want[UNMET_MAX];
};

/* Clients ring again for those that do not fit: a want that is not served comes
 * back. */
static inline void unmet_add(struct unmet *unmet, uint32_t cache, uint32_t node,
                             uint32_t n)
{
	if (unmet->n < UNMET_MAX)
		unmet->want[unmet->n++] = (struct unmet_want){cache, node, n};
}

#endif
