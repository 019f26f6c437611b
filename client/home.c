/* SPDX-License-Identifier: MIT */
#include "client/home.h"

#include "client/depot.h"
#include "client/doorbell.h"
#include "client/process.h"
#include "client/reach.h"
#include "client/tools.h"
#include "client/want.h"
#include "shm/atom.h"

#define DRAIN_STEP 4u /* halves, while others wait for the process's lock */
#define KEEP_CELLS 64u
#define KEEP_BYTES (8u << 20)
/* What a process may keep that has not claimed it: by the time it goes home its
 * lines have left the core. */
#define KEEP_OTHERS (16 << 20)

static uint64_t bytes_of(const struct cache *cache, uint32_t n)
{
	return (uint64_t)n * cache->row->stride;
}

void home_send_mixed(struct slabd_pool *pool, uint64_t bytes, uint32_t n,
                     void *const *objects)
{
	uint32_t id = pool->user.id;
	atom_add(&pool->net_bytes, -(int64_t)bytes);
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

void home_send(struct cache *cache, uint32_t n, void *const *objects)
{
	home_send_mixed(cache->pool, bytes_of(cache, n), n, objects);
}

void home_note_claim(const struct cache *cache, uint32_t n)
{
	struct slabd_pool *pool = cache->pool;
	view_count(&pool->view, pool->user.id, STAT_REFILLS, 1);
	view_count(&pool->view, pool->user.id, STAT_REFILLED, n);
	atom_add(&pool->net_bytes, (int64_t)bytes_of(cache, n));
}

/* Its budget, and a share of the pool: a quarter of what that has, so that who
 * only frees starves nobody, and half of what it may still grow by. Where
 * memory is short a sixteenth of what it has, and no more. */
uint64_t home_limit(const struct slabd_pool *pool)
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
	return depots + atom_load(&pool->cap_bytes) <= home_limit(pool);
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
	made = tools_mistake_depots()
	               ? NULL
	               : depot_make(cells_kept(cache->row->stride));
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
	uint64_t bytes = bytes_of(cache, n);
	if (!may_keep(pool, bytes) || !depot_put(depot, n, objects))
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
	uint32_t n = depot_get_oldest(depot, DEPOT_HALF, oldest);
	atom_add(&cache->pool->depot_bytes, -bytes_of(cache, n));
	home_send(cache, n, oldest);
	return n > 0;
}

/* Puts objects that live on node into the depot. Where it is full, or hoards,
 * its oldest go home in their stead. */
void home_put_away(struct cache *cache, uint32_t node, uint32_t n,
                   void *const *objects)
{
	struct depot *depot = depot_of(cache, node);
	if (depot == NULL) {
		home_send(cache, n, objects);
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
		home_send(cache, n, objects);
}

/* Objects from the depot: what it would hand out, or of all the oldest. */
uint32_t home_get_back(struct cache *cache, uint32_t node, bool oldest,
                       uint32_t most, void **objects)
{
	struct slabd_pool *pool = cache->pool;
	/* pairs: depot_of */
	struct depot *depot = atom_load_acquire(&cache->depots[node]);
	uint32_t n;
	if (depot == NULL)
		return 0;
	n = oldest ? depot_get_oldest(depot, most, objects)
	           : depot_get(depot, most, objects);
	if (n == 0)
		return 0;
	atom_add(&pool->depot_bytes, -bytes_of(cache, n));
	view_count(&pool->view, pool->user.id, STAT_DEPOT_GETS, 1);
	return n;
}

bool home_send_oldest(struct cache *cache, uint32_t node)
{
	/* pairs: depot_of */
	struct depot *depot = atom_load_acquire(&cache->depots[node]);
	return depot != NULL && send_oldest(cache, depot);
}

bool home_drain(struct cache *cache)
{
	uint32_t n_nodes = cache->pool->view.geo.n_nodes;
	bool any = false;
	for (uint32_t node = 0; node < n_nodes; node++)
		while (home_send_oldest(cache, node))
			any = true;
	return any;
}

/* Under the process's lock, which others have in between: then the cache may be
 * closed. at: where the pool has it. Returns how many halves had been sent before
 * that and now. */
__attribute__((noinline)) static uint32_t drain_one(struct cache **at,
                                                    uint32_t sent)
{
	for (uint32_t node = 0; node < NODES_MAX; node++)
		while (*at != NULL && home_send_oldest(*at, node))
			if (++sent % DRAIN_STEP == 0)
				process_give_way();
	return sent;
}

bool home_drain_pool(struct slabd_pool *pool)
{
	struct cache **at = pool->caches;
	struct cache **end = at + pool->view.geo.n_caches;
	uint32_t sent = 0;
	if (atom_load(&pool->depot_bytes) == 0)
		return false;
	process_lock();
	for (; at < end; at++)
		if (*at != NULL)
			sent = drain_one(at, sent);
	process_unlock();
	return sent > 0;
}

uint32_t home_of(const struct cache *cache, const void *object)
{
	uintptr_t unit = (uintptr_t)object >> UNIT_SHIFT;
	return (uint32_t)WORD_HOME(atom_load(&cache->head.map_[unit]));
}

void *home_take_one(struct cache *cache, uint32_t node, uint32_t own,
                    bool home_only, bool tell)
{
	struct slabd_pool *pool = cache->pool;
	struct slab_user user = pool->user;
	void *object = NULL;
	bool ring = false;
	user.home_only |= home_only;
	user.counts = true;
	if (slab_claim_any(&user, cache->id, node, 1, &object, &ring) > 0) {
		if (!reach_objects(pool, 1, &object)) {
			slab_release_any(&user, 1, &object);
			return NULL;
		}
		home_note_claim(cache, 1);
		view_count(&pool->view, user.id, STAT_REMOTE_ALLOCS,
		           home_of(cache, object) != own);
	}
	if (ring && tell)
		want_tell(pool, cache->id, node);
	return object;
}
