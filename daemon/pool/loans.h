/* SPDX-License-Identifier: MIT */
/*
 * The slabs of a pool that stand on another node's list than their home's.
 * Private to slabd; made again from the slab table by adoption.
 */
#ifndef DAEMON_POOL_LOANS_H
#define DAEMON_POOL_LOANS_H

#include <stdbool.h>
#include <stdint.h>

struct loan {
	int64_t since_ns;
	int64_t taken_ns; /* a client last took of it, as far as was seen */
	uint32_t head;
	uint32_t free; /* objects, when it was last looked at */
	bool by_hand;  /* an operator had it lent */
};

struct loans {
	struct loan *loan;
	uint32_t *place; /* by unit: 1 + its index in loan; 0: not lent */
	uint32_t n;
	uint32_t max;
};

/* For slabs of so many units. 0 or -ENOMEM. */
int loans_make(struct loans *loans, uint64_t n_units, uint32_t max);
void loans_done(struct loans *loans);

/* Notes that a slab is lent since now, if it was not noted before. False: the
 * book is full, and nothing more may be lent. */
bool loans_add(struct loans *loans, uint32_t head, int64_t now_ns);

void loans_drop(struct loans *loans, uint32_t head);

/* Those from index first on were lent by hand. */
void loans_by_hand(struct loans *loans, uint32_t first);

/* How long ago it was lent; for what was lent by hand, 0 for a while. */
int64_t loans_age_ns(const struct loan *loan, int64_t now_ns);

/* Notes that a lent slab has so many objects free: fewer than at the last look
 * means that a client took some. */
void loans_look(struct loan *loan, uint32_t free, int64_t now_ns);

/* Whether no client was seen to take of it for ten seconds. */
bool loans_is_unused(const struct loan *loan, int64_t now_ns);

#endif
