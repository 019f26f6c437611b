/* SPDX-License-Identifier: MIT */
/*
 * What slabd tells clients by words of the control file: how few slabs a list
 * may have before they ring, where they need not wait, and that something has
 * changed since they went to sleep.
 *
 * A denied mark is taken back by marks_clear_denied, so that clients ask anew:
 * freed memory is not announced by anybody.
 */
#ifndef DAEMON_POOL_MARKS_H
#define DAEMON_POOL_MARKS_H

#include "daemon/pool/pool.h"

/* Sets the low mark of a list by how many slabs stand there. */
void marks_set_low(struct pool *pool, uint32_t cache, uint32_t node);

/* Adds denied bits (MARK_*, MARK_WHY_BITS) to a list. */
void marks_deny(struct pool *pool, uint32_t cache, uint32_t node,
                uint32_t bits);

/* Takes every denied mark back. */
void marks_clear_denied(struct pool *pool);

/* Sets all marks of a pool that was taken over, and wakes those who wait: their
 * rings may have gone to the slabd before this one. */
void marks_adopt(struct pool *pool);

/* Counts grow_seq on and wakes the clients that sleep on it. */
void marks_announce(struct pool *pool);

#endif
