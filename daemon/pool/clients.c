/* SPDX-License-Identifier: MIT */
#include "daemon/pool/clients.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/proc.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/caches.h"
#include "shm/slab.h"

#define RELIST_NS (50 * CLOCK_MS) /* from one look to the next, at least */
#define RELIST_SHARE 20           /* and as many times as long as it took */

static void clients_set(struct pool *pool, uint32_t id, uint32_t epoch,
                        enum client_state state)
{
	/* pairs: view_client_live */
	atom_store_release(&pool_client(pool, id)->word,
	                   (uint64_t)epoch << 8 | (uint64_t)state);
}

void clients_ban(struct pool *pool, uint32_t id)
{
	struct layout_client *row = pool_client(pool, id);
	/* Its state and epoch stay as they were: no reader waits for this. */
	atom_store(&row->word, row->word | CLIENT_BANNED);
}

static void fill_in(struct pool *pool, uint32_t id, int32_t pid, uint32_t uid,
                    const char *comm)
{
	struct layout_client *row = pool_client(pool, id);
	row->pid = pid;
	row->uid = uid;
	row->since = clock_wall_ns() / CLOCK_S;
	if (proc_ticks(pid, &row->began) < 0)
		row->began = 0;
	memset(row->comm, 0, sizeof(row->comm));
	strncpy(row->comm, comm, sizeof(row->comm) - 1);
	for (uint32_t i = 0; i < STATS_WORDS; i++)
		atom_store(&pool->view.stats[id * STATS_WORDS + i],
		           UINT64_C(0));
}

static void sweep(struct pool *pool, uint32_t id, bool orphans)
{
	struct slab_swept swept = {0};
	int64_t began = clock_ns();
	if (orphans)
		slab_sweep_orphans_srv(&pool->view, id, &swept);
	else
		slab_sweep_srv(&pool->view, id, &swept);
	pool->counts.swept_objects += swept.objects;
	pool->counts.swept_leases += swept.leases;
	pool->counts.repaired_bits += swept.bits;
	pool->counts.last_sweep_ns = clock_ns() - began;
}

int clients_take(struct pool *pool, int32_t pid, uint32_t uid, const char *comm)
{
	uint32_t id = pool->last_id;
	if (pool->n_clients >= pool->config->max_clients)
		return -EAGAIN;
	for (uint32_t i = 1; i < CLIENT_IDS; i++) {
		id = id % (CLIENT_IDS - 1) + 1;
		if (clients_state(pool, id) != CLIENT_FREE)
			continue;
		if (clients_epoch(pool, id) > 0)
			sweep(pool, id, false);
		fill_in(pool, id, pid, uid, comm);
		clients_set(pool, id, clients_epoch(pool, id) + 1, CLIENT_LIVE);
		pool->last_id = id;
		pool->suspects++;
		pool->suspect = id;
		if (id > pool->head->top_id)
			pool->head->top_id = id;
		pool->journal->last_id = id;
		pool->n_clients++;
		return (int)id;
	}
	return -EAGAIN;
}

void clients_reap(struct pool *pool, uint32_t id)
{
	holes_guard(pool);
	pool->n_clients -= clients_state(pool, id) == CLIENT_LIVE;
	clients_set(pool, id, clients_epoch(pool, id), CLIENT_DEAD);
	sweep(pool, id, false);
	caches_leave(pool, id);
}

bool clients_relist(struct pool *pool)
{
	const struct view *view = &pool->view;
	int64_t began = clock_ns();
	int64_t ended;
	if (began < pool->relist_ns)
		return false;
	holes_guard(pool);
	for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
		uint64_t unit = view->nodes[node].first_unit;
		uint64_t end = pool_end_unit(pool, node);
		for (; unit < end; unit++)
			slab_relist_any(view, (uint32_t)unit);
	}
	ended = clock_ns();
	pool->relist_ns = ended + RELIST_NS + RELIST_SHARE * (ended - began);
	return true;
}

void clients_free(struct pool *pool, uint32_t id)
{
	int64_t first = pool->counts.last_sweep_ns;
	sweep(pool, id, true);
	pool->counts.last_sweep_ns = first;
	clients_set(pool, id, clients_epoch(pool, id), CLIENT_FREE);
}
