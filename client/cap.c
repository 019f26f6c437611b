/* SPDX-License-Identifier: MIT */
#include "client/cap.h"

#include "client/magazine.h"
#include "client/process.h"
#include "shm/atom.h"

#define FIRST_MOST 16u
#define FIRST_BYTES ((size_t)16 << 10)
#define CAP_IDLE 4u
#define AGE_STEP 32u /* misses from one look for idleness to the next */
#define LOOKS_MAX 8  /* at other magazines for room */

uint32_t cap_most(const struct slabd_pool *pool, uint32_t stride)
{
	size_t most = pool->thread_bytes / 8 / stride;
	return most > SLABD_MAGAZINE_MAX ? SLABD_MAGAZINE_MAX : (uint32_t)most;
}

/* The slot after this one that the thread uses, round and round. */
static uint32_t next_used(const struct thread *self, uint32_t slot)
{
	for (uint32_t i = 0; i < SLABD_CACHES_MAX; i++) {
		uint64_t used;
		slot = (slot + 1) % SLABD_CACHES_MAX;
		used = atom_load(&self->used[slot / 64]);
		if (used >> (slot % 64) & 1)
			break;
		if (used == 0)
			slot |= 63;
	}
	return slot;
}

static void halve(struct thread *self, struct cache *cache,
                  struct slabd_mag_ *mag)
{
	magazine_set_cap(self, cache, mag, (uint32_t)mag->cap / 2);
	while (mag->n > mag->cap)
		magazine_halve(cache, mag);
}

static bool has_room(const struct thread *self, size_t budget, size_t more)
{
	return atom_load(&self->cap_bytes) + more <= budget;
}

/* Under the lock: takes bytes from magazines that hold more than share. */
static bool take_room(struct thread *self, size_t budget, size_t more,
                      size_t share)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		struct cache *cache;
		struct slabd_mag_ *mag;
		if (has_room(self, budget, more))
			return true;
		self->richest = next_used(self, self->richest);
		cache = process_cache_of(self->richest);
		mag = magazine_of(self, cache);
		if (mag->cap > 1 && mag->cap * cache->row->stride > share)
			halve(self, cache, mag);
	}
	return false;
}

/* Whether the budget has so many bytes more for a magazine that would then
 * hold share bytes; takes them from those that hold more. */
static bool make_room(struct thread *self, size_t budget, size_t more,
                      size_t share)
{
	bool made;
	if (has_room(self, budget, more))
		return true;
	pthread_mutex_lock(&self->lock);
	made = take_room(self, budget, more, share);
	pthread_mutex_unlock(&self->lock);
	return made;
}

/* Now and then looks whether another magazine has not missed since the last
 * look, and then halves it: what idles gives its budget to what works. */
static void age(struct thread *self)
{
	struct slabd_mag_ *mag;
	struct cache *cache;
	if (++self->clock % AGE_STEP != 0)
		return;
	pthread_mutex_lock(&self->lock);
	self->oldest = next_used(self, self->oldest);
	cache = process_cache_of(self->oldest);
	mag = magazine_of(self, cache);
	if (mag->seen == 0 && mag->cap > CAP_IDLE)
		halve(self, cache, mag);
	mag->seen = 0;
	pthread_mutex_unlock(&self->lock);
}

/* What a first miss gives: little of what is large, as it may be the last. */
static uint32_t first_cap(size_t stride)
{
	size_t cap = FIRST_BYTES / stride;
	if (cap < 1)
		return 1;
	return cap < FIRST_MOST ? (uint32_t)cap : FIRST_MOST;
}

void cap_grow(struct thread *self, const struct attachment *att,
              const struct cache *cache, struct slabd_mag_ *mag)
{
	size_t stride = cache->row->stride;
	uint32_t cap =
		mag->cap == 0 ? first_cap(stride) : (uint32_t)mag->cap * 2;
	if (mag->cap == 0) {
		mag->key = cache->id | att->node << 16;
		/* pairs: magazine_drop; a thread that closes another cache
		 * clears its bit of this word at the same time. */
		atom_set(&self->used[cache->slot / 64],
		         UINT64_C(1) << (cache->slot % 64));
		magazine_set_cap(self, cache, mag, 1);
	}
	mag->seen = 1;
	cap = cap < cache->cap_max ? cap : cache->cap_max;
	if (cap > mag->cap &&
	    make_room(self, cache->pool->thread_bytes,
	              (cap - mag->cap) * stride, cap * stride))
		magazine_set_cap(self, cache, mag, cap);
	age(self);
}
