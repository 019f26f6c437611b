/* SPDX-License-Identifier: MIT */
#include "client/home.h"

#include <stdlib.h>

#include "client/credit.h"
#include "client/depot.h"
#include "client/process.h"
#include "client/reach.h"
#include "client/tools.h"
#include "client/want.h"
#include "shm/atom.h"
#include "shm/probe.h"

#define DRAIN_STEP 4u /* halves, while others wait for the process's lock */
#define KEEP_CELLS 64u
#define KEEP_BYTES (8u << 20)

static uint64_t bytes_of(const struct cache *cache, uint32_t n)
{
	return (uint64_t)n * cache->row->stride;
}

__attribute__((cold, noinline)) static void
order_home(const struct slabd_pool *pool, uint32_t n, void *const *objects)
{
	struct slab_place place;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t off = (uint64_t)((char *)objects[i] - pool->user.data);
		if (slab_locate(&pool->view, off, &place) == 0)
			tools_home(objects[i], place.cache->stride);
	}
}

void home_send_mixed(struct slabd_pool *pool, uint64_t bytes, uint32_t n,
                     void *const *objects)
{
	uint32_t id = pool->user.id;
	atom_add(&pool->net_bytes, -(int64_t)bytes);
	while (n > 0) {
		uint32_t run = n < SLAB_RUN_MAX ? n : SLAB_RUN_MAX;
		uint32_t refused;
		if (tools_miss_slabd())
			order_home(pool, run, objects);
		refused = slab_release_any(&pool->user, run, objects);
		view_count(&pool->view, id, STAT_FLUSHES, 1);
		view_count(&pool->view, id, STAT_FLUSHED, run - refused);
		view_count(&pool->view, id, STAT_REFUSED, refused);
		probe_flush(id, run, refused, bytes);
		objects += run;
		n -= run;
	}
}

void home_send(struct cache *cache, uint32_t n, void *const *objects)
{
	home_send_mixed(cache->pool, bytes_of(cache, n), n, objects);
}

void home_note_claim(const struct cache *cache, uint32_t n,
                     void *const *objects)
{
	struct slabd_pool *pool = cache->pool;
	for (uint32_t i = 0; tools_miss_slabd() && i < n; i++)
		tools_claim(objects[i], cache->row->stride);
	view_count(&pool->view, pool->user.id, STAT_REFILLS, 1);
	view_count(&pool->view, pool->user.id, STAT_REFILLED, n);
	probe_refill(pool->user.id, cache->row->name, n, cache->row->stride);
	atom_add(&pool->net_bytes, (int64_t)bytes_of(cache, n));
}

/* One more; as told to slabd, by the batch. */
static void count_part(struct slabd_pool *pool, uint64_t *count,
                       enum stats_word word)
{
	if (atom_add(count, UINT64_C(1)) % SHARD_BATCH == SHARD_BATCH - 1)
		view_count(&pool->view, pool->user.id, word, SHARD_BATCH);
}

void home_uncounted(const struct slabd_pool *pool, uint64_t *gets,
                    uint64_t *puts)
{
	for (uint32_t i = 0; i < PROCESS_SHARDS; i++) {
		*gets += atom_load(&pool->shards[i].gets) % SHARD_BATCH;
		*puts += atom_load(&pool->shards[i].puts) % SHARD_BATCH;
	}
}

/* ---- depots --------------------------------------------------------------- */

/* A cache's depots on a node. Each is made at the first put of its shard, and
 * stays until the cache is closed. */
struct depots {
	struct depot *of[PROCESS_SHARDS]; /* (A) NULL -> depot (depot_of) */
	/* (A) A bit for each of them, once it is there: 0 -> 1 (depot_of). */
	uint32_t made;
};

static struct depots *depots_of(const struct cache *cache, uint32_t node)
{
	/* pairs: make_depots, of whoever made them. */
	return atom_load_acquire(&cache->depots[node]);
}

static struct depot *depot_at(const struct depots *depots, uint32_t shard)
{
	/* pairs: depot_of, of whoever made it; the depot is whole. */
	return atom_load_acquire(&depots->of[shard]);
}

static uint32_t lowest(uint32_t bits)
{
	return (uint32_t)__builtin_ctz(bits);
}

static struct depots *make_depots(struct cache *cache, uint32_t node)
{
	struct depots *none = NULL;
	struct depots *made = calloc(1, sizeof(*made));
	/* pairs: depots_of; they are whole, another's that came first too. */
	if (made == NULL || atom_publish(&cache->depots[node], &none, made))
		return made;
	free(made);
	return none;
}

/* Cells that are kept back from other threads, in all depots: 64, and no more than
 * 8 MiB. The lines of 16,384 objects are as many as a core's second-level cache
 * has. */
static uint32_t cells_kept(uint32_t stride)
{
	uint32_t cells = KEEP_BYTES / DEPOT_HALF / stride;
	return cells < KEEP_CELLS ? cells : KEEP_CELLS;
}

/* The calling thread's depot of a cache on a node, made at the first put. */
static struct depot *depot_of(struct cache *cache, uint32_t node)
{
	struct depots *depots = depots_of(cache, node);
	struct depot *none = NULL;
	struct depot *made;
	if (depots == NULL)
		depots = make_depots(cache, node);
	if (depots == NULL)
		return NULL;
	made = depot_at(depots, process_shard);
	if (made != NULL)
		return made;
	made = tools_mistake_depots()
	               ? NULL
	               : depot_make(cells_kept(cache->row->stride));
	if (made == NULL)
		return NULL;
	/* pairs: depot_at; the depot is whole, another's that came first too. */
	if (!atom_publish(&depots->of[process_shard], &none, made)) {
		depot_drop(made);
		return none;
	}
	/* pairs: get_of_any, which finds it. */
	atom_set(&depots->made, UINT32_C(1) << process_shard);
	return made;
}

void home_drop_depots(struct cache *cache)
{
	for (uint32_t node = 0; node < NODES_MAX; node++) {
		struct depots *depots = cache->depots[node];
		for (uint32_t i = 0; depots != NULL && i < PROCESS_SHARDS; i++)
			if (depots->of[i] != NULL)
				depot_drop(depots->of[i]);
		free(depots);
	}
}

uint64_t home_count(const struct cache *cache, uint32_t node)
{
	const struct depots *depots = depots_of(cache, node);
	uint64_t n = 0;
	for (uint32_t i = 0; depots != NULL && i < PROCESS_SHARDS; i++) {
		struct depot *depot = depot_at(depots, i);
		if (depot != NULL)
			n += depot_count(depot);
	}
	return n;
}

uint32_t home_copy(const struct cache *cache, struct home_at *at,
                   void **objects)
{
	for (; at->node < NODES_MAX; at->node++, at->shard = 0) {
		const struct depots *depots = depots_of(cache, at->node);
		if (depots == NULL)
			continue;
		for (; at->shard < PROCESS_SHARDS; at->shard++, at->cell = 0) {
			struct depot *depot = depot_at(depots, at->shard);
			uint32_t n = depot != NULL ? depot_copy(depot, &at->cell,
			                                        objects)
			                           : 0;
			if (n > 0)
				return n;
		}
	}
	return 0;
}

/* Puts objects into the depot if they fit. */
static bool put_in(struct cache *cache, struct depot *depot, uint32_t n,
                   void *const *objects)
{
	struct slabd_pool *pool = cache->pool;
	struct shard *shard = &pool->shards[process_shard];
	uint64_t bytes = bytes_of(cache, n);
	if (!credit_take(pool, bytes))
		return false;
	if (!depot_put(depot, n, objects)) {
		credit_back(pool, bytes);
		return false;
	}
	count_part(pool, &shard->puts, STAT_DEPOT_PUTS);
	return true;
}

/* Sends a depot's oldest home: they have left this core's cache, so whoever
 * claims them does not fetch them from there. */
static bool send_oldest(struct cache *cache, struct depot *depot)
{
	void *oldest[DEPOT_HALF];
	uint32_t n = depot_get_oldest(depot, DEPOT_HALF, oldest);
	if (n == 0)
		return false;
	credit_back(cache->pool, bytes_of(cache, n));
	home_send(cache, n, oldest);
	return true;
}

static bool hoards(const struct cache *cache, uint32_t node,
                   const struct depot *depot)
{
	uint32_t made = atom_load(&depots_of(cache, node)->made);
	return depot_hoards(depot, (uint32_t)__builtin_popcount(made));
}

/* Puts objects that live on node into the depot. Where it is full, or hoards,
 * its oldest go home in their stead, or another's. */
void home_put_away(struct cache *cache, uint32_t node, uint32_t n,
                   void *const *objects)
{
	struct depot *depot = depot_of(cache, node);
	if (depot == NULL) {
		home_send(cache, n, objects);
		return;
	}
	if (hoards(cache, node, depot)) {
		send_oldest(cache, depot);
		if (hoards(cache, node, depot))
			send_oldest(cache, depot);
	}
	if (put_in(cache, depot, n, objects))
		return;
	if ((!send_oldest(cache, depot) && !home_send_oldest(cache, node)) ||
	    !put_in(cache, depot, n, objects))
		home_send(cache, n, objects);
}

/* Of whichever depot has some; beyond what is kept in all of them, or oldest. */
static uint32_t get_of_any(const struct depots *depots, bool oldest,
                           uint32_t most, void **objects)
{
	/* pairs: depot_of; each of them is there. */
	uint32_t made = atom_load_acquire(&depots->made);
	uint64_t cells = 0;
	uint32_t n = 0;
	if (made == UINT32_C(1) << process_shard && !oldest)
		return 0;
	for (uint32_t left = made; left != 0; left &= left - 1)
		cells += depot_cells(depot_at(depots, lowest(left)));
	if (cells == 0)
		return 0;
	for (uint32_t left = made; left != 0 && n == 0; left &= left - 1) {
		struct depot *depot = depot_at(depots, lowest(left));
		uint64_t mine = depot_cells(depot);
		if (mine == 0)
			continue;
		n = oldest ? depot_get_oldest(depot, most, objects)
		           : depot_get(depot, cells > mine ? cells - mine : 0,
		                       most, objects);
	}
	return n;
}

/* Objects from the depots, the calling thread's first: what it would hand out,
 * or of all the oldest. */
uint32_t home_get_back(struct cache *cache, uint32_t node, bool oldest,
                       uint32_t most, void **objects)
{
	struct slabd_pool *pool = cache->pool;
	struct shard *shard = &pool->shards[process_shard];
	const struct depots *depots = depots_of(cache, node);
	struct depot *own;
	uint32_t n = 0;
	if (depots == NULL)
		return 0;
	own = depot_at(depots, process_shard);
	if (own != NULL && !oldest)
		n = depot_get(own, 0, most, objects);
	if (n == 0)
		n = get_of_any(depots, oldest, most, objects);
	if (n == 0)
		return 0;
	credit_back(pool, bytes_of(cache, n));
	count_part(pool, &shard->gets, STAT_DEPOT_GETS);
	return n;
}

bool home_send_oldest(struct cache *cache, uint32_t node)
{
	const struct depots *depots = depots_of(cache, node);
	bool any = false;
	uint32_t left;
	if (depots == NULL)
		return false;
	/* pairs: depot_of; each of them is there. */
	left = atom_load_acquire(&depots->made);
	for (; left != 0 && !any; left &= left - 1)
		any = send_oldest(cache, depot_at(depots, lowest(left)));
	return any;
}

bool home_drain(struct cache *cache)
{
	bool any = false;
	for (uint32_t node = 0; node < cache->pool->view.geo.n_nodes; node++)
		while (home_send_oldest(cache, node))
			any = true;
	credit_trim(cache->pool);
	return any;
}

/* Under the process's lock, which others have in between: then the cache may be
 * closed. at: where the pool has it. Returns how many halves had been sent before
 * that and now. */
__attribute__((noinline)) static uint32_t drain_one(struct cache **at,
                                                    uint32_t sent)
{
	for (uint32_t node = 0; node < NODES_MAX; node++)
		while (*at != NULL && depots_of(*at, node) != NULL &&
		       home_send_oldest(*at, node))
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
	credit_trim(pool);
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
		home_note_claim(cache, 1, &object);
		view_count(&pool->view, user.id, STAT_REMOTE_ALLOCS,
		           home_of(cache, object) != own);
	}
	if (ring && tell)
		want_tell(pool, cache->id, node);
	return object;
}
