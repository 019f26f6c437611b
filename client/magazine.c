/* SPDX-License-Identifier: MIT */
#include "client/magazine.h"

#include <errno.h>
#include <string.h>

#include "client/cap.h"
#include "client/depot.h"
#include "client/error.h"
#include "client/shortage.h"
#include "shm/atom.h"

#define KEEP_CELLS 64u
#define KEEP_BYTES (8u << 20)

/* ---- home and depot ----------------------------------------------------- */

void magazine_send_home(struct slabd_pool *pool, uint32_t n,
                        void *const *objects)
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
 * quarter of what the pool has, so that who only frees starves nobody. */
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
	/* pairs: get_back; the depot is whole, another's that came first too. */
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
	magazine_send_home(cache->pool, n, oldest);
	return n > 0;
}

/* Puts objects that live on node into the depot. Where it is full, or hoards,
 * its oldest go home in their stead. */
static void put_away(struct cache *cache, uint32_t node, uint32_t n,
                     void *const *objects)
{
	struct depot *depot = depot_of(cache, node);
	if (depot == NULL) {
		magazine_send_home(cache->pool, n, objects);
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
		magazine_send_home(cache->pool, n, objects);
}

/* Objects from the depot: what it would hand out, or of all the oldest. */
static uint32_t get_back(struct cache *cache, uint32_t node, bool oldest,
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

bool magazine_send_oldest(struct cache *cache, uint32_t node)
{
	/* pairs: depot_of */
	struct depot *depot = atom_load_acquire(&cache->depots[node]);
	return depot != NULL && send_oldest(cache, depot);
}

void magazine_drain_depots(struct cache *cache)
{
	void *objects[DEPOT_HALF];
	uint32_t n_nodes = cache->pool->view.geo.n_nodes;
	for (uint32_t node = 0; node < n_nodes; node++) {
		uint32_t n;
		while ((n = get_back(cache, node, true, objects)) > 0)
			magazine_send_home(cache->pool, n, objects);
	}
}

/* ---- one magazine ------------------------------------------------------- */

void magazine_drop(struct thread *thread, struct cache *cache, bool to_depot)
{
	struct slabd_mag_ *mag = magazine_of(thread, cache);
	uint64_t used = UINT64_C(1) << (cache->slot % 64);
	uint32_t node = WORD_HOME(mag->key);
	if ((atom_load(&thread->used[cache->slot / 64]) & used) == 0)
		return;
	for (uint32_t n; mag->n > 0; mag->n -= n) {
		n = mag->n < DEPOT_HALF ? (uint32_t)mag->n : DEPOT_HALF;
		if (to_depot)
			put_away(cache, node, n, mag->obj + mag->n - n);
		else
			magazine_send_home(cache->pool, n,
			                   mag->obj + mag->n - n);
	}
	cap_set(thread, cache, mag, 0);
	mag->key = 0;
	/* pairs: cap_grow, which sets other bits at the same time. */
	atom_clear(&thread->used[cache->slot / 64], used);
}

/* The newest stay at hand. */
void magazine_halve(struct cache *cache, struct slabd_mag_ *mag)
{
	uint32_t half = (uint32_t)(mag->n + 1) / 2;
	put_away(cache, WORD_HOME(mag->key), half, mag->obj);
	mag->n -= half;
	memmove(mag->obj, mag->obj + half, mag->n * sizeof(mag->obj[0]));
}

/* ---- alloc -------------------------------------------------------------- */

/* The lowest on top, so that they go out, are written and come home in
 * ascending order: hardware prefetches that, and home takes four at a time. */
static void turn_over(struct slabd_mag_ *mag)
{
	for (size_t i = 0, k = mag->n; i + 1 < k; i++) {
		void *swap = mag->obj[i];
		mag->obj[i] = mag->obj[--k];
		mag->obj[k] = swap;
	}
}

/* Fills from the depot. The objects' first lines are fetched all at once: one
 * by one they would be waited for, as each is written when it is allocated. */
static bool refill_back(struct seat *seat, struct cache *cache, bool oldest,
                        struct slabd_mag_ *mag)
{
	mag->n = get_back(cache, seat->node, oldest, mag->obj);
	for (size_t i = mag->n; i-- > 0;)
		atom_fetch_line(mag->obj[i]);
	return mag->n > 0;
}

/* Fills half a magazine from the node's list. */
static bool refill_claim(struct seat *seat, struct cache *cache,
                         struct slabd_mag_ *mag)
{
	struct slabd_pool *pool = cache->pool;
	bool ring = false;
	mag->n = slab_claim_any(&pool->user, cache->id, seat->node,
	                        (uint32_t)(mag->cap + 1) / 2, mag->obj, &ring);
	if (ring)
		shortage_tell(pool, cache->id, seat->node);
	if (mag->n == 0)
		return false;
	turn_over(mag);
	view_count(&pool->view, pool->user.id, STAT_REFILLS, 1);
	view_count(&pool->view, pool->user.id, STAT_REFILLED, mag->n);
	return true;
}

void *magazine_take_one(struct cache *cache, uint32_t node, bool home_only,
                        bool tell)
{
	struct slabd_pool *pool = cache->pool;
	struct slab_user user = pool->user;
	void *object = NULL;
	bool ring = false;
	user.home_only |= home_only;
	if (slab_claim_any(&user, cache->id, node, 1, &object, &ring) > 0) {
		view_count(&pool->view, pool->user.id, STAT_REFILLS, 1);
		view_count(&pool->view, pool->user.id, STAT_REFILLED, 1);
	}
	if (ring && tell)
		shortage_tell(pool, cache->id, node);
	return object;
}

/* An object too large for magazines: the depot's last, or one of the list. */
static void *take_large(struct cache *cache, struct seat *seat)
{
	void *objects[DEPOT_HALF];
	void *object;
	if (get_back(cache, seat->node, true, objects) == 1)
		return objects[0];
	object = magazine_take_one(cache, seat->node, false, true);
	return object != NULL ? object : shortage_alloc(cache, seat);
}

void *slabd_alloc_slow_(slabd_cache *head)
{
	struct cache *cache = (struct cache *)head;
	struct slabd_pool *pool = cache->pool;
	struct slabd_mag_ *mag;
	struct thread *self;
	struct seat *seat;
	if (!pool_alive(pool))
		return NULL;
	self = process_self();
	seat = self != NULL ? thread_seat(self, pool) : NULL;
	if (seat == NULL)
		return error_set(ENOMEM, "no memory for a thread's magazines"),
		       NULL;
	thread_settle(self, seat);
	if (cache->cap_max == 0)
		return take_large(cache, seat);
	mag = magazine_of(self, cache);
	if (mag->n == 0) {
		cap_grow(self, seat, cache, mag);
		if (!refill_back(seat, cache, false, mag) &&
		    !refill_claim(seat, cache, mag) &&
		    !refill_back(seat, cache, true, mag))
			return shortage_alloc(cache, seat);
	}
	return mag->obj[--mag->n];
}

/* ---- free --------------------------------------------------------------- */

bool magazine_drop_remote(struct seat *seat)
{
	bool any = false;
	for (uint32_t node = 0; node < seat->pool->view.geo.n_nodes; node++) {
		struct remote *remote = &seat->remote[node];
		any |= remote->n > 0;
		magazine_send_home(seat->pool, remote->n, remote->obj);
		remote->n = 0;
	}
	return any;
}

/* Batches of no more than a magazine may hold: the larger, the fewer. */
static void free_remote(struct seat *seat, const struct cache *cache,
                        uint32_t node, void *object)
{
	struct remote *remote = &seat->remote[node];
	struct slabd_pool *pool = seat->pool;
	remote->obj[remote->n++] = object;
	view_count(&pool->view, pool->user.id, STAT_REMOTE_FREES, 1);
	if (remote->n == REMOTE_MAX || remote->n >= cache->cap_max) {
		magazine_send_home(pool, remote->n, remote->obj);
		remote->n = 0;
	}
}

static void free_local(struct thread *self, struct seat *seat,
                       struct cache *cache, void *object)
{
	struct slabd_mag_ *mag = magazine_of(self, cache);
	if (cache->cap_max == 0) {
		put_away(cache, seat->node, 1, &object);
		return;
	}
	if (mag->n >= mag->cap)
		cap_grow(self, seat, cache, mag);
	if (mag->n >= mag->cap)
		magazine_halve(cache, mag);
	mag->obj[mag->n++] = object;
}

/* The unit word of an object of this cache, or 0. */
static uint64_t word_of(const struct cache *cache, const void *object)
{
	const struct view *view = &cache->pool->view;
	uint64_t unit = (uint64_t)((const char *)object -
	                           cache->pool->user.data) >> UNIT_SHIFT;
	uint64_t word = unit < view->geo.n_units ? atom_load(&view->words[unit])
	                                         : 0;
	return WORD_CACHE(word) == cache->id ? word : 0;
}

/* Where there is no memory for a magazine the object goes home at once. */
static void free_here(struct cache *cache, uint64_t word, void *object)
{
	struct slabd_pool *pool = cache->pool;
	struct thread *self = process_self();
	struct seat *seat = self != NULL ? thread_seat(self, pool) : NULL;
	if (seat == NULL) {
		magazine_send_home(pool, 1, &object);
		return;
	}
	thread_settle(self, seat);
	if (WORD_HOME(word) == seat->node)
		free_local(self, seat, cache, object);
	else
		free_remote(seat, cache, WORD_HOME(word), object);
}

void slabd_free_slow_(slabd_cache *head, void *object)
{
	struct cache *cache = (struct cache *)head;
	struct slabd_pool *pool = cache->pool;
	int saved = errno;
	uint64_t word = object == NULL ? 0 : word_of(cache, object);
	if (object == NULL)
		return;
	if (word != 0 && pool_alive(pool))
		free_here(cache, word, object);
	else
		view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	errno = saved;
}
