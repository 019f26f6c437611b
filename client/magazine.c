/* SPDX-License-Identifier: MIT */
#include "client/magazine.h"

#include <string.h>

#include "client/depot.h"
#include "client/home.h"
#include "shm/atom.h"

void magazine_drop(struct thread *thread, struct cache *cache, bool to_depot)
{
	struct slabd_mag_ *mag = magazine_of(thread, cache);
	uint64_t used = UINT64_C(1) << (cache->slot % 64);
	uint32_t node = WORD_HOME(mag->key);
	if ((atom_load(&thread->used[cache->slot / 64]) & used) == 0)
		return;
	if (!to_depot) {
		home_send(cache->pool, (uint32_t)mag->n, mag->obj);
		mag->n = 0;
	}
	for (uint32_t n; mag->n > 0; mag->n -= n) {
		n = mag->n < DEPOT_HALF ? (uint32_t)mag->n : DEPOT_HALF;
		home_put_away(cache, node, n, mag->obj + mag->n - n);
	}
	magazine_set_cap(thread, cache, mag, 0);
	mag->key = 0;
	/* pairs: cap_grow, which sets other bits at the same time. */
	atom_clear(&thread->used[cache->slot / 64], used);
}

/* The newest stay at hand. */
void magazine_halve(struct cache *cache, struct slabd_mag_ *mag)
{
	uint32_t half = (uint32_t)(mag->n + 1) / 2;
	home_put_away(cache, WORD_HOME(mag->key), half, mag->obj);
	mag->n -= half;
	memmove(mag->obj, mag->obj + half, mag->n * sizeof(mag->obj[0]));
}

bool magazine_drop_remote(struct attachment *att)
{
	bool any = false;
	for (uint32_t node = 0; node < att->pool->view.geo.n_nodes; node++) {
		struct remote *remote = &att->remote[node];
		any |= remote->n > 0;
		home_send(att->pool, remote->n, remote->obj);
		remote->n = 0;
	}
	return any;
}
