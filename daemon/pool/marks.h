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

/* Sets the low mark of a list by how many slabs stand there, or are to be made
 * ahead of its use: clients ring when half of those are left. */
void marks_set_low(struct pool *pool, uint32_t cache, uint32_t node,
                   uint32_t ahead);

/* Adds denied bits (MARK_*, MARK_WHY_BITS) to a list. */
void marks_deny(struct pool *pool, uint32_t cache, uint32_t node,
                uint32_t bits);

/* Takes every denied mark back. */
void marks_clear_denied(struct pool *pool);

/* Says that slabs are being made for a list, or no longer. */
void marks_set_growing(struct pool *pool, uint32_t cache, uint32_t node,
                       bool growing);

/* For how long clients wait for their own node before they go to another. */
void marks_set_remote_wait(struct pool *pool, uint32_t us);

/* Sets all marks of a pool that was taken over, and wakes those who wait: their
 * rings may have gone to the slabd before this one. */
void marks_adopt(struct pool *pool);

/* Counts grow_seq on and wakes the clients that sleep on it. */
void marks_announce(struct pool *pool);

#endif
