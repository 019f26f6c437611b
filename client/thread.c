/* SPDX-License-Identifier: MIT */
/* A thread's seat in each pool: its node, what it holds for other nodes. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "client/error.h"
#include "client/magazine.h"
#include "client/pool.h"
#include "shm/atom.h"

static uint32_t node_now(const struct slabd_pool *pool, const struct seat *seat)
{
	int cpu;
	if (seat->forced != SEAT_FOLLOW)
		return seat->forced;
	cpu = sched_getcpu();
	return view_cpu_node(&pool->view, cpu < 0 ? 0 : (uint32_t)cpu);
}

struct seat *thread_seat(struct thread *self, struct slabd_pool *pool)
{
	struct seat *seat = self->seats;
	while (seat != NULL && seat->pool != pool)
		seat = seat->next;
	if (seat != NULL)
		return seat;
	seat = calloc(1, sizeof(*seat));
	if (seat == NULL)
		return NULL;
	seat->remote = calloc(pool->view.geo.n_nodes, sizeof(*seat->remote));
	if (seat->remote == NULL) {
		free(seat);
		return NULL;
	}
	seat->pool = pool;
	seat->forced = pool->forced;
	seat->trims = atom_peek(&pool->link.trims);
	seat->node = node_now(pool, seat);
	seat->next = self->seats;
	self->seats = seat;
	return seat;
}

/* Empties the thread's magazines of one pool. */
static void drop_all(struct thread *thread, const struct slabd_pool *pool,
                     bool to_depot)
{
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = thread->used[word];
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot = word * 64 +
			                (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			if (cache->pool == pool)
				magazine_drop(thread, cache, to_depot);
		}
	}
}

void thread_settle(struct thread *self, struct seat *seat)
{
	struct slabd_pool *pool = seat->pool;
	uint32_t node = node_now(pool, seat);
	uint32_t trims = atom_peek(&pool->link.trims);
	if (node == seat->node && trims == seat->trims)
		return;
	drop_all(self, pool, trims == seat->trims);
	if (trims != seat->trims)
		magazine_drop_remote(seat);
	seat->node = node;
	seat->trims = trims;
}

void thread_leave(struct thread *thread, struct slabd_pool *pool)
{
	struct seat **at = &thread->seats;
	struct seat *seat;
	while (*at != NULL && (*at)->pool != pool)
		at = &(*at)->next;
	seat = *at;
	if (seat == NULL)
		return;
	*at = seat->next;
	drop_all(thread, pool, true);
	magazine_drop_remote(seat);
	free(seat->remote);
	free(seat);
}

int slabd_thread_node(slabd_pool *pool, int node)
{
	int ix = node < 0 ? (int)SEAT_FOLLOW
	                  : view_node_index(&pool->view, node);
	struct thread *self;
	struct seat *seat;
	if (!pool_alive(pool))
		return -1;
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node);
	self = process_self();
	seat = self != NULL ? thread_seat(self, pool) : NULL;
	if (seat == NULL)
		return error_set(ENOMEM, "no memory for a thread's magazines");
	seat->forced = (uint32_t)ix;
	thread_settle(self, seat);
	return 0;
}

int slabd_flush(slabd_pool *pool)
{
	struct thread *self;
	struct seat *seat;
	if (!pool_alive(pool))
		return -1;
	self = process_self();
	seat = self != NULL ? thread_seat(self, pool) : NULL;
	if (seat == NULL)
		return error_set(ENOMEM, "no memory for a thread's magazines");
	drop_all(self, pool, false);
	magazine_drop_remote(seat);
	pool_drain(pool);
	return 0;
}
