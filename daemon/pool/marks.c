/* SPDX-License-Identifier: MIT */
#include "daemon/pool/marks.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW_SLABS_MAX 16u
#define LOW_AHEAD_MAX 256u /* clients count up to here */

void marks_set_low(struct pool *pool, uint32_t cache, uint32_t node,
                   uint32_t ahead)
{
	uint32_t low = pool_standing(pool, cache, node) / 8;
	low = low < LOW_SLABS_MAX ? low : LOW_SLABS_MAX;
	ahead = ahead / 2 < LOW_AHEAD_MAX ? ahead / 2 : LOW_AHEAD_MAX;
	low = low > ahead ? low : ahead;
	atom_store(&pool_mark(pool, cache, node)->low_slabs, low > 1 ? low : 1);
}

void marks_deny(struct pool *pool, uint32_t cache, uint32_t node, uint32_t bits)
{
	uint32_t *denied = &pool_mark(pool, cache, node)->denied;
	uint32_t was = atom_load(denied);
	/* One reason, the last. */
	if (MARK_WHY(bits) != 0)
		was &= ~MARK_WHY_BITS(0xff);
	atom_store(denied, was | bits);
	pool->denied_any = true;
}

void marks_clear_denied(struct pool *pool)
{
	if (!pool->denied_any)
		return;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
			uint32_t *denied =
				&pool_mark(pool, cache, node)->denied;
			uint32_t bits = atom_load(denied);
			/* What was never written has no memory. */
			if ((bits & ~MARK_GROWING) != 0)
				atom_store(denied, bits & MARK_GROWING);
		}
	pool->denied_any = false;
}

void marks_set_growing(struct pool *pool, uint32_t cache, uint32_t node,
                       bool growing)
{
	uint32_t *denied = &pool_mark(pool, cache, node)->denied;
	uint32_t bits = atom_load(denied) & ~MARK_GROWING;
	atom_store(denied, growing ? bits | MARK_GROWING : bits);
}

void marks_set_remote_wait(struct pool *pool, uint32_t us)
{
	atom_store(&pool->head->remote_wait_us, us);
}

void marks_announce(struct pool *pool)
{
	uint32_t *seq = &pool->head->grow_seq;
	/* pairs: alloc_from; a client that sees the count sees the slabs. */
	atom_store_release(seq, atom_load(seq) + 1);
	syscall(SYS_futex, seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void marks_adopt(struct pool *pool)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
			marks_set_low(pool, cache, node, 0);
			marks_set_growing(pool, cache, node, false);
		}
	pool->denied_any = true;
	marks_clear_denied(pool);
	marks_announce(pool);
}
