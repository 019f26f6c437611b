/* SPDX-License-Identifier: MIT */
#include "client/home.h"

#include "client/depot.h"
#include "client/process.h"
#include "client/reach.h"
#include "client/want.h"
#include "shm/atom.h"

#define KEEP_CELLS 64u
#define KEEP_BYTES (8u << 20)

void home_send(struct slabd_pool *pool, uint32_t n, void *const *objects)
{
	uint32_t id = pool->user.id;
	while (n > 0) {
		uint32_t run = n < SLAB_RUN_MAX ? n : SLAB_RUN_MAX;
		uint32_t refused = slab_release_any(&pool->user, run, objects);
		view_count(&pool->view, id, STAT_FLUSHES, 1);
		view_count(&pool->view, id, STAT_FLUSHED, run - refused);
		view_count(&pool->view, id, STAT_REFUSED, refused);
		objects += run;
		n -= run;
	}
}

/* What the depots of a process may hold: its budget, and never more than a
 * quarter of what the pool has, so that a client which only frees starves
 * nobody. */
static uint64_t depot_limit(const struct slabd_pool *pool)
{
	const struct view *view = &pool->view;
	uint64_t ready = 0;
	for (uint32_t node = 0; node < view->geo.n_nodes; node++)
		ready += atom_load(&view->nodes[node].resident_pages);
	ready = (ready << view->geo.page_shift) / 4;
	return ready < pool->process_bytes ? ready : pool->process_bytes;
}

/* Cells that are kept back from other threads: 64, and no more than 8 MiB. The
 * lines of 16,384 objects are as many as a core's second-level cache has. */
static uint32_t cells_kept(uint32_t stride)
{
	uint32_t cells = KEEP_BYTES / DEPOT_HALF / stride;
	return cells < KEEP_CELLS ? cells : KEEP_CELLS;
}

/* The depot of a cache on a node, made at the first put. */
static struct depot *depot_of(struct cache *cache, uint32_t node)
{
	struct depot *none = NULL;
	struct depot *made;
	/* pairs: depot_of, of whoever made it; the depot is whole. */
	struct depot *depot = atom_load_acquire(&cache->depots[node]);
	if (depot != NULL)
		return depot;
	made = depot_make(cells_kept(cache->row->stride));
	if (made == NULL)
		return NULL;
	/* pairs: home_get_back; the depot is whole, another's that came first
	 * too. */
	if (atom_publish(&cache->depots[node], &none, made))
		return made;
	depot_drop(made);
	return none;
}

/* Puts objects into the depot if they fit. */
static bool put_in(struct cache *cache, struct depot *depot, uint32_t n,
                   void *const *objects)
{
	struct slabd_pool *pool = cache->pool;
	uint64_t bytes = (uint64_t)n * cache->row->stride;
	if (atom_load(&pool->depot_bytes) + bytes > depot_limit(pool) ||
	    !depot_put(depot, n, objects))
		return false;
	atom_add(&pool->depot_bytes, bytes);
	view_count(&pool->view, pool->user.id, STAT_DEPOT_PUTS, 1);
	return true;
}

/* Sends the depot's oldest home: they have left this core's cache, so whoever
 * claims them does not fetch them from there. */
static bool send_oldest(struct cache *cache, struct depot *depot)
{
	void *oldest[DEPOT_HALF];
	uint32_t n = depot_get_oldest(depot, oldest);
	atom_add(&cache->pool->depot_bytes, -(uint64_t)n * cache->row->stride);
	home_send(cache->pool, n, oldest);
	return n > 0;
}

/* Puts objects that live on node into the depot. Where it is full, or hoards,
 * its oldest go home in their stead. */
void home_put_away(struct cache *cache, uint32_t node, uint32_t n,
                   void *const *objects)
{
	struct depot *depot = depot_of(cache, node);
	if (depot == NULL) {
		home_send(cache->pool, n, objects);
		return;
	}
	if (depot_hoards(depot)) {
		send_oldest(cache, depot);
		if (depot_hoards(depot))
			send_oldest(cache, depot);
	}
	if (put_in(cache, depot, n, objects))
		return;
	if (!send_oldest(cache, depot) || !put_in(cache, depot, n, objects))
		home_send(cache->pool, n, objects);
}

/* Objects from the depot: what it would hand out, or of all the oldest. */
uint32_t home_get_back(struct cache *cache, uint32_t node, bool oldest,
                       void **objects)
{
	struct slabd_pool *pool = cache->pool;
	/* pairs: depot_of */
	struct depot *depot = atom_load_acquire(&cache->depots[node]);
	uint32_t n;
	if (depot == NULL)
		return 0;
	n = oldest ? depot_get_oldest(depot, objects)
	           : depot_get(depot, objects);
	if (n == 0)
		return 0;
	atom_add(&pool->depot_bytes, -(uint64_t)n * cache->row->stride);
	view_count(&pool->view, pool->user.id, STAT_DEPOT_GETS, 1);
	return n;
}

bool home_send_oldest(struct cache *cache, uint32_t node)
{
	/* pairs: depot_of */
	struct depot *depot = atom_load_acquire(&cache->depots[node]);
	return depot != NULL && send_oldest(cache, depot);
}

void home_drain(struct cache *cache)
{
	void *objects[DEPOT_HALF];
	uint32_t n_nodes = cache->pool->view.geo.n_nodes;
	for (uint32_t node = 0; node < n_nodes; node++) {
		uint32_t n;
		while ((n = home_get_back(cache, node, true, objects)) > 0)
			home_send(cache->pool, n, objects);
	}
}

void home_drain_pool(struct slabd_pool *pool)
{
	process_lock();
	for (uint32_t id = 0; id < pool->view.geo.n_caches; id++)
		if (pool->caches[id] != NULL)
			home_drain(pool->caches[id]);
	process_unlock();
}

void *home_take_one(struct cache *cache, uint32_t node, bool home_only,
                    bool tell)
{
	struct slabd_pool *pool = cache->pool;
	struct slab_user user = pool->user;
	void *object = NULL;
	bool ring = false;
	user.home_only |= home_only;
	if (slab_claim_any(&user, cache->id, node, 1, &object, &ring) > 0) {
		reach_objects(pool, 1, &object);
		view_count(&pool->view, pool->user.id, STAT_REFILLS, 1);
		view_count(&pool->view, pool->user.id, STAT_REFILLED, 1);
	}
	if (ring && tell)
		want_tell(pool, cache->id, node);
	return object;
}
