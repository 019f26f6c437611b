/* SPDX-License-Identifier: MIT */
#include "client/credit.h"

#include "client/doorbell.h"
#include "client/process.h"
#include "shm/atom.h"

#define CREDIT_BYTES (UINT64_C(1) << 20)
#define CREDIT_SHARE 128u
/* What a process may keep that has not claimed it: by the time it goes home its
 * lines have left the core. */
#define KEEP_OTHERS (16 << 20)

/* Its budget, and a share of the pool: a quarter of what that has, so that who
 * only frees starves nobody, and half of what it may still grow by. Where
 * memory is short a sixteenth of what it has, and no more. */
uint64_t credit_limit(const struct slabd_pool *pool)
{
	const struct view *view = &pool->view;
	uint64_t ready = 0;
	uint64_t share;
	for (uint32_t node = 0; node < view->geo.n_nodes; node++)
		ready += atom_load(&view->nodes[node].resident_pages);
	ready <<= view->geo.page_shift;
	if (doorbell_is_short(&pool->link))
		share = ready / 16;
	else if (ready < pool->max_bytes)
		share = ready / 4 + (pool->max_bytes - ready) / 2;
	else
		share = ready / 4;
	return share < pool->process_bytes ? share : pool->process_bytes;
}

/* Whether the depots may hold so many bytes more. Who frees what others have
 * claimed keeps little of it, however large the pool. */
static bool may_keep(const struct slabd_pool *pool, uint64_t bytes)
{
	uint64_t depots = atom_load(&pool->depot_bytes) + bytes;
	int64_t net = atom_load(&pool->net_bytes);
	if (depots > KEEP_OTHERS && (int64_t)depots > net)
		return false;
	return depots + atom_load(&pool->cap_bytes) <= credit_limit(pool);
}

/* What is asked for at a time: little of what the process may hold, or grow
 * by. */
static uint64_t step_of(const struct slabd_pool *pool)
{
	uint64_t least = pool->process_bytes < pool->max_bytes
	                         ? pool->process_bytes
	                         : pool->max_bytes;
	least /= CREDIT_SHARE;
	return least < CREDIT_BYTES ? least : CREDIT_BYTES;
}

/* What the calling thread may have of its shard's. The owner's word costs no
 * locked instruction, each of which waits for all stores before it. */
static int64_t left_of(const struct shard *shard)
{
	return process_owns_shard() ? atom_load(&shard->own)
	                            : atom_load(&shard->credit);
}

/* Adds to it; returns what it was. */
static int64_t add(struct shard *shard, int64_t bytes)
{
	int64_t was;
	if (!process_owns_shard())
		return atom_add(&shard->credit, bytes);
	was = atom_load(&shard->own);
	atom_store(&shard->own, was + bytes);
	return was;
}

/* Gives back what of it is over so much. */
static void trim(struct slabd_pool *pool, struct shard *shard, uint64_t keep)
{
	int64_t over = left_of(shard) - (int64_t)keep;
	if (over <= 0)
		return;
	add(shard, -over);
	atom_add(&pool->depot_bytes, -(uint64_t)over);
}

void credit_trim(struct slabd_pool *pool)
{
	trim(pool, &pool->shards[process_shard], 0);
	for (uint32_t i = 0; i < PROCESS_SHARDS; i++) {
		struct shard *shard = &pool->shards[i];
		int64_t over = atom_load(&shard->credit);
		if (over <= 0)
			continue;
		atom_add(&shard->credit, -over);
		atom_add(&pool->depot_bytes, -(uint64_t)over);
	}
}

void credit_leave(struct slabd_pool *pool, uint32_t number)
{
	struct shard *shard = &pool->shards[number & ~PROCESS_SHARD_OWN];
	if ((number & PROCESS_SHARD_OWN) == 0)
		return;
	atom_add(&shard->credit, atom_load(&shard->own));
	atom_store(&shard->own, INT64_C(0));
}

void credit_back(struct slabd_pool *pool, uint64_t bytes)
{
	struct shard *shard = &pool->shards[process_shard];
	int64_t now = add(shard, (int64_t)bytes) + (int64_t)bytes;
	uint64_t step = step_of(pool);
	if (now > 2 * (int64_t)step)
		trim(pool, shard, step);
}

bool credit_take(struct slabd_pool *pool, uint64_t bytes)
{
	struct shard *shard = &pool->shards[process_shard];
	bool is_short = doorbell_is_short(&pool->link);
	uint64_t more = step_of(pool);
	if (is_short)
		trim(pool, shard, 0);
	if (add(shard, -(int64_t)bytes) >= (int64_t)bytes)
		return true;
	if (is_short || more < bytes || !may_keep(pool, more))
		more = bytes;
	if (more == bytes && !may_keep(pool, bytes)) {
		add(shard, (int64_t)bytes);
		return false;
	}
	atom_add(&pool->depot_bytes, more);
	add(shard, (int64_t)more);
	return true;
}

uint64_t credit_unused(const struct slabd_pool *pool)
{
	int64_t sum = 0;
	for (uint32_t i = 0; i < PROCESS_SHARDS; i++)
		sum += atom_load(&pool->shards[i].credit) +
		       atom_load(&pool->shards[i].own);
	return sum > 0 ? (uint64_t)sum : 0;
}
