/* SPDX-License-Identifier: MIT */
#include "client/held.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/checked.h"
#include "client/home.h"
#include "client/magazine.h"
#include "client/prefill.h"
#include "client/process.h"
#include "client/thread.h"
#include "shm/atom.h"

#define CELLS_FEW 1024u /* 4 KiB of the stack: as many caches of one node */

/* ---- summed up ----------------------------------------------------------- */

static void add(const struct slabd_pool *pool, uint32_t *objects,
                uint32_t cache, uint32_t home, uint64_t n)
{
	const struct layout_geometry *geo = &pool->view.geo;
	if (cache == 0 || cache > geo->n_caches || home >= geo->n_nodes)
		return;
	objects[(uint64_t)(cache - 1) * geo->n_nodes + home] += (uint32_t)n;
}

/* A magazine is read while its owner may be at work with it. Its capacity is
 * the owner's to change, and its slot's mark is cleared under the lock. */
static void add_magazines(struct thread *thread, const struct slabd_pool *pool,
                          uint32_t *objects)
{
	pthread_mutex_lock(&thread->lock);
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&thread->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			struct slabd_mag_ *mag = magazine_of(thread, cache);
			if (cache->pool == pool)
				add(pool, objects, cache->id,
				    WORD_HOME(atom_load(&mag->key)),
				    atom_load(&mag->n));
		}
	}
	pthread_mutex_unlock(&thread->lock);
}

/* What a thread has put by, one by one as their homes may differ. */
static void add_reserves(struct thread *thread, const struct slabd_pool *pool,
                         uint32_t *objects)
{
	if (!prefill_any(thread))
		return;
	pthread_mutex_lock(&thread->lock);
	for (uint32_t slot = 0; slot < SLABD_CACHES_MAX; slot++) {
		uint32_t n = prefill_count(thread, slot);
		struct cache *cache = n > 0 ? process_cache_of(slot) : NULL;
		for (uint32_t i = 0; i < n && cache->pool == pool; i++)
			add(pool, objects, cache->id,
			    home_of(cache, prefill_at(thread, slot, i)), 1);
	}
	pthread_mutex_unlock(&thread->lock);
}

/* What waits to go home to one other node, of any cache. */
static void add_remote(const struct slabd_pool *pool, struct remote *remote,
                       uint32_t *objects)
{
	uint32_t n = atom_load(&remote->n);
	for (uint32_t i = 0; i < n && i < REMOTE_MAX; i++) {
		uint64_t off = (uint64_t)((char *)atom_load(&remote->obj[i]) -
		                          pool->user.data);
		uint64_t unit = off >> UNIT_SHIFT;
		uint64_t word;
		if (unit >= pool->view.geo.n_units)
			continue;
		word = atom_load(&pool->view.words[unit]);
		add(pool, objects, WORD_CACHE(word), WORD_HOME(word), 1);
	}
}

/* Under the process's lock no attachment goes. */
static void add_thread(struct thread *thread, struct slabd_pool *pool,
                       uint32_t *objects)
{
	struct attachment *att = thread_attached(thread, pool);
	if (att == NULL)
		return;
	add_magazines(thread, pool, objects);
	add_reserves(thread, pool, objects);
	for (uint32_t node = 0;
	     pool->view.geo.n_nodes > 1 && node < pool->view.geo.n_nodes;
	     node++)
		add_remote(pool, &att->remote[node], objects);
}

static void add_depots(const struct slabd_pool *pool, struct cache *cache,
                       uint32_t *objects)
{
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		add(pool, objects, cache->id, node, home_count(cache, node));
}

void held_sum(struct slabd_pool *pool, uint32_t *objects)
{
	process_lock();
	for (struct thread *thread = thread_first(); thread != NULL;
	     thread = thread->next)
		add_thread(thread, pool, objects);
	for (uint32_t id = 0; id < pool->view.geo.n_caches; id++)
		if (pool->caches[id] != NULL)
			add_depots(pool, pool->caches[id], objects);
	process_unlock();
	checked_sum(pool, objects);
}

uint64_t held_remote(const struct slabd_pool *pool)
{
	uint64_t n = 0;
	if (pool->view.geo.n_nodes == 1)
		return 0;
	process_lock();
	for (struct thread *thread = thread_first(); thread != NULL;
	     thread = thread->next) {
		struct attachment *att = thread_attached(thread, pool);
		for (uint32_t node = 0;
		     att != NULL && node < pool->view.geo.n_nodes; node++)
			n += atom_load(&att->remote[node].n);
	}
	process_unlock();
	return n;
}

/* ---- told ---------------------------------------------------------------- */

/* False when it is not taken: slabd then knows of a part alone, and takes it
 * for nothing. */
static bool tell(const struct link *link, struct wire_held *msg, uint32_t last)
{
	bool sent;
	msg->last = last;
	sent = send(link->events, msg, sizeof(*msg),
	            MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	memset(msg->rows, 0, sizeof(msg->rows));
	msg->n = 0;
	return sent;
}

static void tell_all(const struct slabd_pool *pool, uint32_t seq,
                     uint32_t teller, const uint32_t *objects)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t n_cells = (uint64_t)geo->n_caches * geo->n_nodes;
	struct wire_held msg = {
		.head = {.type = WIRE_HELD, .bytes = sizeof(msg), .seq = seq}};
	for (uint64_t i = 0; i < n_cells; i++) {
		if (objects[i] == 0)
			continue;
		if (msg.n == WIRE_HELD_ROWS && !tell(&pool->link, &msg, 0))
			return;
		msg.rows[msg.n++] = (struct wire_held_row){
			.cache = (uint32_t)(i / geo->n_nodes) + 1,
			.node = (uint32_t)(i % geo->n_nodes),
			.objects = objects[i],
		};
	}
	tell(&pool->link, &msg, teller);
}

static void sum_and_tell(struct slabd_pool *pool, uint32_t seq,
                         uint32_t teller, uint32_t *objects)
{
	int held = link_hold();
	held_sum(pool, objects);
	tell_all(pool, seq, teller, objects);
	link_let_go(held);
}

/* Where a malloc would be the helper's first of all, which takes as long as all
 * else in the answer: the C library makes it an arena of its own. */
static __attribute__((noinline)) void
answer_few(struct slabd_pool *pool, uint32_t seq, uint32_t teller)
{
	uint32_t objects[CELLS_FEW] = {0};
	sum_and_tell(pool, seq, teller, objects);
}

static void answer(struct slabd_pool *pool, uint32_t seq, uint32_t teller)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint64_t n_cells = (uint64_t)geo->n_caches * geo->n_nodes;
	uint32_t *objects;
	if (n_cells <= CELLS_FEW) {
		answer_few(pool, seq, teller);
		return;
	}
	objects = calloc(n_cells, sizeof(*objects));
	if (objects == NULL)
		return;
	sum_and_tell(pool, seq, teller, objects);
	free(objects);
}

void held_answer(struct slabd_pool *pool, uint32_t teller)
{
	struct link *link = &pool->link;
	uint32_t told = atom_load(&link->count_told);
	uint32_t seq;
	do {
		seq = atom_load(&link->count_asked);
		if (seq == told || !link_is_up(link))
			return;
		/* pairs: held_answer, of the helper or slabd_poll: one of them
		 * answers. */
	} while (!atom_cas(&link->count_told, &told, seq));
	answer(pool, seq, teller);
}
