/* SPDX-License-Identifier: MIT */
#include "daemon/pool/marks.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW_SLABS_MAX 16u

void marks_set_low(struct pool *pool, uint32_t cache, uint32_t node)
{
	uint32_t low = pool_standing(pool, cache, node) / 8;
	low = low < 1 ? 1 : low < LOW_SLABS_MAX ? low : LOW_SLABS_MAX;
	atom_store(&pool_mark(pool, cache, node)->low_slabs, low);
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
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
			atom_store(&pool_mark(pool, cache, node)->denied, 0u);
	pool->denied_any = false;
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
		for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
			marks_set_low(pool, cache, node);
	pool->denied_any = true;
	marks_clear_denied(pool);
	marks_announce(pool);
}
