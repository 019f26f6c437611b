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

static struct seat *find_seat(struct thread *thread,
                              const struct slabd_pool *pool)
{
	/* pairs: new_seat */
	struct seat *seat = atom_load_acquire(&thread->seats);
	/* pairs: sit_down, thread_leave */
	while (seat != NULL && atom_load_acquire(&seat->pool) != pool)
		seat = seat->next;
	return seat;
}

/* A vacant seat: others may be looking through the list. */
static struct seat *new_seat(struct thread *self)
{
	struct seat *seat = calloc(1, sizeof(*seat));
	if (seat == NULL)
		return NULL;
	seat->next = self->seats;
	/* pairs: find_seat */
	atom_store_release(&self->seats, seat);
	return seat;
}

__attribute__((cold, noinline)) static struct seat *
sit_down(struct thread *self, struct slabd_pool *pool)
{
	struct seat *seat = find_seat(self, NULL);
	if (seat == NULL)
		seat = new_seat(self);
	if (seat == NULL)
		return NULL;
	seat->remote = calloc(pool->view.geo.n_nodes, sizeof(*seat->remote));
	if (seat->remote == NULL)
		return NULL;
	seat->forced = pool->forced;
	seat->trims = atom_load(&pool->link.trims);
	seat->node = node_now(pool, seat);
	/* pairs: find_seat */
	atom_store_release(&seat->pool, pool);
	return seat;
}

struct seat *thread_seat(struct thread *self, struct slabd_pool *pool)
{
	struct seat *seat = find_seat(self, pool);
	return seat != NULL ? seat : sit_down(self, pool);
}

/* Empties the thread's magazines of one pool. */
static void drop_all(struct thread *thread, const struct slabd_pool *pool,
                     bool to_depot)
{
	pthread_mutex_lock(&thread->lock);
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&thread->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot = word * 64 +
			                (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			if (cache->pool == pool)
				magazine_drop(thread, cache, to_depot);
		}
	}
	pthread_mutex_unlock(&thread->lock);
}

void thread_settle(struct thread *self, struct seat *seat)
{
	struct slabd_pool *pool = seat->pool;
	uint32_t node = node_now(pool, seat);
	uint32_t trims = atom_load(&pool->link.trims);
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
	struct seat *seat = find_seat(thread, pool);
	struct remote *remote;
	if (seat == NULL)
		return;
	drop_all(thread, pool, true);
	magazine_drop_remote(seat);
	/* In this order: a child forked in between frees what the seat has. */
	remote = seat->remote;
	/* pairs: retire */
	atom_store_release(&seat->remote, (struct remote *)NULL);
	free(remote);
	/* pairs: find_seat, when the owner looks for a vacant one. */
	atom_store_release(&seat->pool, (struct slabd_pool *)NULL);
}

int slabd_thread_node(slabd_pool *pool, int node)
{
	int ix = node == -1 ? (int)SEAT_FOLLOW
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
