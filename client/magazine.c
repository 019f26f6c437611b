/* SPDX-License-Identifier: MIT */
#include "client/magazine.h"

#include <string.h>

#include "client/home.h"
#include "shm/atom.h"

#define FLOOR_BYTES (UINT64_C(64) << 10)
#define POOL_SHARE 4u /* of a pool, for all floors */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What each of so many threads may hold. */
static uint64_t floor_of(const struct slabd_pool *pool, uint32_t n_holders)
{
	uint64_t all = least(pool->process_bytes, pool->max_bytes / POOL_SHARE);
	uint64_t bytes =
		least(all / (n_holders > 0 ? n_holders : 1), FLOOR_BYTES);
	if (pool->view.geo.n_nodes > 1)
		bytes -= least(bytes, REMOTE_BYTES);
	return least(bytes, pool->thread_bytes);
}

void magazine_count_holder(struct slabd_pool *pool, uint32_t more)
{
	uint32_t n = atom_add(&pool->n_holders, more) + more;
	atom_store(&pool->floor_bytes, floor_of(pool, n));
}

bool magazine_drop(struct thread *thread, struct attachment *att,
                   struct cache *cache, bool to_depot)
{
	struct slabd_mag_ *mag = magazine_of(thread, cache);
	uint64_t used = UINT64_C(1) << (cache->slot % 64);
	uint32_t node = WORD_HOME(mag->key);
	bool any = mag->n > 0;
	if ((atom_load(&thread->used[cache->slot / 64]) & used) == 0)
		return false;
	magazine_gave(att, cache, (uint32_t)mag->n);
	if (!to_depot) {
		uint32_t n = (uint32_t)mag->n;
		magazine_set_n(mag, 0);
		home_send(cache, n, mag->obj);
	}
	while (mag->n > 0) {
		uint32_t n =
			mag->n < DEPOT_HALF ? (uint32_t)mag->n : DEPOT_HALF;
		magazine_set_n(mag, mag->n - n);
		home_put_away(cache, node, n, mag->obj + mag->n);
	}
	magazine_set_cap(att, cache, mag, 0);
	atom_store(&mag->key, 0u);
	/* pairs: cap_grow, which sets other bits at the same time. */
	atom_clear(&thread->used[cache->slot / 64], used);
	return any;
}

/* The newest stay at hand. */
void magazine_halve(struct attachment *att, struct cache *cache,
                    struct slabd_mag_ *mag)
{
	size_t n = mag->n;
	uint32_t half = magazine_part(n);
	magazine_set_n(mag, 0);
	home_put_away(cache, WORD_HOME(mag->key), half, mag->obj);
	magazine_gave(att, cache, half);
	memmove(mag->obj, mag->obj + half, (n - half) * sizeof(mag->obj[0]));
	magazine_set_n(mag, n - half);
}

void magazine_send_remote(struct attachment *att, struct remote *remote)
{
	struct slabd_pool *pool = att->pool;
	uint64_t bytes = remote->bytes;
	uint32_t n = remote->n;
	if (n == 0)
		return;
	view_count(&pool->view, pool->user.id, STAT_REMOTE_FREES, n);
	atom_store(&remote->n, 0u);
	remote->bytes = 0;
	home_send_mixed(pool, bytes, n, remote->obj);
	magazine_gave_bytes(att, (int64_t)bytes);
	att->remote_bytes -= bytes;
}

bool magazine_drop_remote(struct attachment *att)
{
	bool any = false;
	for (uint32_t node = 0; node < att->pool->view.geo.n_nodes; node++) {
		any |= att->remote[node].n > 0;
		magazine_send_remote(att, &att->remote[node]);
	}
	return any;
}
