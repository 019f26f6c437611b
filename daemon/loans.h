/* SPDX-License-Identifier: MIT */
/*
 * The slabs of a pool that stand on another node's list than their home's.
 * Private to slabd; made again from the slab table by adoption.
 */
#ifndef DAEMON_LOANS_H
#define DAEMON_LOANS_H

#include <stdbool.h>
#include <stdint.h>

struct loan {
	uint32_t head;
	uint32_t since_ms; /* CLOCK_MONOTONIC, wraps */
};

struct loans {
	struct loan *loan;
	uint32_t n;
	uint32_t max;
};

/* 0 or -ENOMEM. */
int loans_make(struct loans *loans, uint32_t max);
void loans_done(struct loans *loans);

/* Notes that a slab is lent since now, if it was not noted before. False: the
 * book is full, and nothing more is to be lent. */
bool loans_add(struct loans *loans, uint32_t head, uint32_t now_ms);

void loans_drop(struct loans *loans, uint32_t head);

#endif
