/* SPDX-License-Identifier: MIT */
#include "client/cap.h"

#include "client/credit.h"
#include "client/magazine.h"
#include "client/process.h"
#include "client/thread.h"
#include "shm/atom.h"

#define BUSY_BYTES (UINT64_C(1) << 20) /* of a thread that misses a lot */
#define BUSY_MISSES 256u
#define BUSY_ALL_BYTES (UINT64_C(2) << 20) /* of a process */
#define CAP_SHARE 4u    /* of a thread's budget, for one magazine */
#define OBJECT_SHARE 8u /* and for an object that has one */
#define BUSY_MANY 8u /* whose floors are over that part of it are many */
#define FIRST_MOST 16u
#define FIRST_BYTES ((size_t)16 << 10)
#define GROW_SHARE 8u  /* of what is in use, up to which magazines grow */
#define KEEP_SHARE 4u  /* and beyond which they shrink */
#define BUSY_SHARE 16u /* of a small pool, for all that */
#define SURE_PART 4u   /* of the floor */
#define CAP_IDLE 4u
#define AGE_STEP 32u /* misses from one look for idleness to the next */
#define LOOKS_MAX 8  /* at other magazines for room */
#define HALVINGS 11u /* from SLABD_MAGAZINE_MAX to none */

uint32_t cap_most(const struct slabd_pool *pool, uint32_t stride)
{
	size_t most = pool->thread_bytes / CAP_SHARE / stride;
	if (stride > pool->thread_bytes / OBJECT_SHARE)
		return 0;
	return most > SLABD_MAGAZINE_MAX ? SLABD_MAGAZINE_MAX : (uint32_t)most;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- what a thread may hold --------------------------------------------- */

static uint64_t above(int64_t all, uint64_t held)
{
	return all > (int64_t)held ? (uint64_t)all - held : 0;
}

/* What the process has in use, at least; near is below it, and looks at nothing
 * that other threads write all the time. */
static uint64_t in_use(const struct slabd_pool *pool, bool near)
{
	uint64_t depots = atom_load(&pool->depot_bytes);
	uint64_t credit = near ? 0 : credit_unused(pool);
	depots = depots > credit ? depots - credit : 0;
	return above(atom_load(&pool->net_bytes),
	             atom_load(&pool->cap_bytes) + depots);
}

/* What the floors of all threads come to. */
static uint64_t floors_of(const struct slabd_pool *pool)
{
	return atom_load(&pool->floor_bytes) * atom_load(&pool->n_holders);
}

/* Of many threads each may hold half of what one of a few may. */
static bool is_many(const struct slabd_pool *pool)
{
	return floors_of(pool) > BUSY_ALL_BYTES / BUSY_MANY;
}

/* What all threads may hold that have nothing in use, but for what each may
 * hold in any case. */
static uint64_t most_idle(const struct slabd_pool *pool)
{
	uint64_t all = is_many(pool) ? BUSY_ALL_BYTES / 2 : BUSY_ALL_BYTES;
	uint64_t floors = floors_of(pool);
	return most(least(all, pool->max_bytes / BUSY_SHARE), floors) -
	       floors / SURE_PART;
}

/* Whether a thread may hold so much as it misses a lot. */
static bool is_busy(const struct attachment *att, uint64_t bytes)
{
	const struct slabd_pool *pool = att->pool;
	uint64_t own = is_many(pool) ? BUSY_BYTES / 2 : BUSY_BYTES;
	return att->misses >= BUSY_MISSES &&
	       bytes <= least(own, pool->max_bytes / BUSY_SHARE) &&
	       atom_load(&pool->cap_bytes) <= most_idle(pool);
}

/* A thread that passes objects on seems to have them in use still: it counts no
 * more than the process has. That is looked at last: it may wait for others. */
static bool is_below(const struct attachment *att, uint64_t bytes,
                     uint32_t share)
{
	const struct slabd_pool *pool = att->pool;
	uint64_t own;
	if (bytes <= atom_load(&pool->floor_bytes))
		return true;
	if (bytes > pool->thread_bytes)
		return false;
	if (is_busy(att, bytes))
		return true;
	bytes *= share;
	own = above(atom_load(&att->taken_bytes), atom_load(&att->cap_bytes));
	return bytes <= own &&
	       (bytes <= in_use(pool, true) || bytes <= in_use(pool, false));
}

static bool is_within(const struct attachment *att, uint32_t share)
{
	return is_below(att, atom_load(&att->cap_bytes), share);
}

/* Whether all threads of the process together may hold so many more: what they may
 * have as if they had nothing in use, or a part of what they have if that is more.
 * What each may hold in any case comes on top of either. */
static bool process_has_room(const struct slabd_pool *pool, uint64_t more)
{
	uint64_t caps = atom_load(&pool->cap_bytes) + more;
	uint64_t used = (caps + floors_of(pool) / SURE_PART) * GROW_SHARE;
	if (caps > most_idle(pool) && used > in_use(pool, true) &&
	    used > in_use(pool, false))
		return false;
	return caps + atom_load(&pool->depot_bytes) <= credit_limit(pool);
}

static bool has_room(const struct attachment *att, uint64_t more)
{
	uint64_t bytes = atom_load(&att->cap_bytes) + more;
	if (bytes <= atom_load(&att->pool->floor_bytes) / SURE_PART)
		return true;
	return is_below(att, bytes, GROW_SHARE) &&
	       process_has_room(att->pool, more);
}

/* ---- from one magazine to another --------------------------------------- */

/* The cache of the next slot after that one that the thread uses, round and
 * round; NULL if it uses none. */
static struct cache *next_used(const struct thread *self, uint32_t *slot)
{
	uint32_t from = (*slot + 1) % SLABD_CACHES_MAX;
	uint64_t used =
		atom_load(&self->used[from / 64]) & UINT64_MAX << (from % 64);
	/* The word that it begins in comes once more, for what lies before. */
	for (uint32_t i = 0; used == 0 && i < SLABD_CACHES_MAX / 64; i++) {
		from = (from / 64 + 1) * 64 % SLABD_CACHES_MAX;
		used = atom_load(&self->used[from / 64]);
	}
	if (used == 0)
		return NULL;
	*slot = from / 64 * 64 + (uint32_t)__builtin_ctzll(used);
	return process_cache_of(*slot);
}

/* To nothing, where it held one. */
static void halve(struct thread *self, struct attachment *att,
                  struct cache *cache, struct slabd_mag_ *mag)
{
	if (mag->cap <= 1) {
		magazine_drop(self, att, cache, true);
		return;
	}
	magazine_set_cap(att, cache, mag, (uint32_t)mag->cap / 2);
	while (mag->n > mag->cap)
		magazine_halve(att, cache, mag);
}

/* Halves the next magazine of the same pool if it holds more than share. False
 * if there is no magazine at all. */
static bool halve_next(struct thread *self, struct attachment *att,
                       uint64_t share)
{
	struct cache *cache = next_used(self, &self->richest);
	struct slabd_mag_ *mag;
	if (cache == NULL)
		return false;
	mag = magazine_of(self, cache);
	if (cache->pool == att->pool && mag->cap * cache->row->stride > share)
		halve(self, att, cache, mag);
	return true;
}

/* Whether the thread has room for so many bytes more, for a magazine that would
 * then hold share bytes; takes them from those that hold more. */
static bool make_room(struct thread *self, struct attachment *att,
                      uint64_t more, uint64_t share)
{
	bool made = has_room(att, more);
	if (made)
		return true;
	pthread_mutex_lock(&self->lock);
	for (int i = 0; i < LOOKS_MAX && !made; i++) {
		if (!halve_next(self, att, share))
			break;
		made = has_room(att, more);
	}
	pthread_mutex_unlock(&self->lock);
	return made;
}

__attribute__((cold, noinline)) static void shrink(struct thread *self,
                                                   struct attachment *att)
{
	uint32_t looks = SLABD_CACHES_MAX * HALVINGS;
	pthread_mutex_lock(&self->lock);
	while (looks-- > 0 && !is_within(att, KEEP_SHARE))
		if (!halve_next(self, att, 0))
			break;
	pthread_mutex_unlock(&self->lock);
}

void cap_settle(struct thread *self, struct attachment *att)
{
	if (!is_within(att, KEEP_SHARE))
		shrink(self, att);
}

/* Now and then looks whether another magazine has not missed since the last
 * look, and then halves it: what idles gives its room to what works. */
static void age(struct thread *self)
{
	struct slabd_mag_ *mag;
	struct cache *cache;
	if (++self->clock % AGE_STEP != 0)
		return;
	pthread_mutex_lock(&self->lock);
	cache = next_used(self, &self->oldest);
	if (cache != NULL) {
		mag = magazine_of(self, cache);
		if (mag->seen == 0 && mag->cap > CAP_IDLE)
			halve(self, thread_attached(self, cache->pool), cache,
			      mag);
		mag->seen = 0;
	}
	pthread_mutex_unlock(&self->lock);
}

/* ---- a miss ------------------------------------------------------------- */

/* What a first miss gives: little of what is large, as it may be the last. */
static uint32_t first_cap(size_t stride)
{
	size_t cap = FIRST_BYTES / stride;
	if (cap < 1)
		return 1;
	return cap < FIRST_MOST ? (uint32_t)cap : FIRST_MOST;
}

/* Gives an unused magazine its key and room for one. False if it has none. */
static bool begin(struct thread *self, struct attachment *att,
                  const struct cache *cache, struct slabd_mag_ *mag)
{
	size_t stride = cache->row->stride;
	if (!make_room(self, att, stride, stride) ||
	    !thread_open_slot(self, cache->slot))
		return false;
	atom_store(&mag->key, cache->id | att->node << 16);
	/* pairs: magazine_drop; a thread that closes another cache clears its
	 * bit of this word at the same time. */
	atom_set(&self->used[cache->slot / 64], UINT64_C(1)
	                                                << (cache->slot % 64));
	magazine_set_cap(att, cache, mag, 1);
	return true;
}

/* The most that a magazine may hold by now. */
static uint32_t cap_now(const struct cache *cache)
{
	const struct slabd_pool *pool = cache->pool;
	size_t part = pool->thread_bytes / OBJECT_SHARE / cache->row->stride;
	return is_many(pool) && part < cache->cap_max ? (uint32_t)part
	                                              : cache->cap_max;
}

/* Others may have found the same room: who is counted last gives way. */
static void enlarge(struct attachment *att, const struct cache *cache,
                  struct slabd_mag_ *mag, uint32_t cap)
{
	uint32_t was = (uint32_t)mag->cap;
	magazine_set_cap(att, cache, mag, cap);
	if (!has_room(att, 0))
		magazine_set_cap(att, cache, mag, was);
}

void cap_grow(struct thread *self, struct attachment *att,
              const struct cache *cache, struct slabd_mag_ *mag)
{
	size_t stride = cache->row->stride;
	bool is_first = mag->cap == 0;
	uint32_t cap;
	att->misses += att->misses < BUSY_MISSES;
	cap_settle(self, att);
	if (mag->cap == 0 && !begin(self, att, cache, mag)) {
		age(self);
		return;
	}
	mag->seen = 1;
	cap = is_first ? first_cap(stride) : (uint32_t)mag->cap * 2;
	cap = cap < cap_now(cache) ? cap : cap_now(cache);
	if (cap > mag->cap &&
	    make_room(self, att, (cap - mag->cap) * stride, cap * stride))
		enlarge(att, cache, mag, cap);
	age(self);
}
