/* SPDX-License-Identifier: MIT */
#include "client/holds.h"

#include "client/thread.h"
#include "shm/atom.h"

static inline bool is_within(const void *object, const void *first,
                             uintptr_t bytes)
{
	return (uintptr_t)object - (uintptr_t)first <= bytes;
}

/* Whether of the newest any lies within so many bytes from one on. Of as many as
 * there are as a rule, without a loop. */
static inline bool is_newest(uint64_t n, void *const *objects,
                             const void *first, uintptr_t bytes)
{
	uint64_t end = n > HOLDS_NEWEST ? n - HOLDS_NEWEST : 0;
	void *const *at = objects + end;
	if (__builtin_expect(n >= HOLDS_NEWEST, 1))
		return is_within(at[0], first, bytes) ||
		       is_within(at[1], first, bytes) ||
		       is_within(at[2], first, bytes) ||
		       is_within(at[3], first, bytes) ||
		       is_within(at[4], first, bytes) ||
		       is_within(at[5], first, bytes) ||
		       is_within(at[6], first, bytes) ||
		       is_within(at[7], first, bytes);
	while (n > end)
		if (is_within(objects[--n], first, bytes))
			return true;
	return false;
}

/* Whether a magazine has objects of a pool's cache: by its key and by them, as
 * which cache a slot is of is not this thread's to read. */
static bool is_of(const struct slabd_mag_ *mag, const struct slabd_pool *pool,
                  uint32_t cache)
{
	return WORD_CACHE(atom_load(&mag->key)) == cache && mag->n > 0 &&
	       (uint64_t)((const char *)mag->obj[0] - pool->user.data) <
	               pool->data_bytes;
}

__attribute__((noinline)) static const struct slabd_mag_ *
search(struct thread *self, const struct slabd_pool *pool, uint32_t cache)
{
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&self->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (!is_of(&self->mags[slot], pool, cache))
				continue;
			self->sought = slot;
			return &self->mags[slot];
		}
	}
	return NULL;
}

/* The one that was asked for last comes first. */
static inline const struct slabd_mag_ *
find(struct thread *self, const struct slabd_pool *pool, uint32_t cache)
{
	if (is_of(&self->mags[self->sought], pool, cache))
		return &self->mags[self->sought];
	return search(self, pool, cache);
}

static bool is_on_its_way(struct thread *self, const struct slabd_pool *pool,
                          const void *object, uintptr_t bytes)
{
	const struct attachment *att = thread_attached(self, pool);
	for (uint32_t node = 0; att != NULL && node < pool->view.geo.n_nodes;
	     node++)
		if (is_newest(att->remote[node].n, att->remote[node].obj,
		              object, bytes))
			return true;
	return false;
}

void holds_fetch_next(const struct slabd_pool *pool, const void *object, size_t n)
{
	struct thread *self = thread_there();
	uintptr_t unit = (uintptr_t)object >> UNIT_SHIFT;
	const struct slabd_mag_ *mag;
	void *const *at;
	if (self == NULL || self->idle)
		return;
	mag = find(self, pool, WORD_CACHE(atom_load(&pool->map[unit])));
	if (mag == NULL)
		return;
	n = n < mag->n ? n : mag->n;
	at = mag->obj + mag->n;
	/* Four a turn: half of what a turn does is its end. */
	for (; n >= 4; n -= 4) {
		at -= 4;
		atom_fetch_line(at[3]);
		atom_fetch_line(at[2]);
		atom_fetch_line(at[1]);
		atom_fetch_line(at[0]);
	}
	while (n-- > 0)
		atom_fetch_line(*--at);
}

/* What an idle thread holds is others' to take away. */
static inline bool holds(const struct slabd_pool *pool, const void *object,
                         uintptr_t bytes)
{
	struct thread *self = thread_there();
	uintptr_t unit = (uintptr_t)object >> UNIT_SHIFT;
	uint32_t cache = WORD_CACHE(atom_load(&pool->map[unit]));
	const struct slabd_mag_ *mag;
	if (self == NULL || self->idle)
		return false;
	if (pool->view.geo.n_nodes > 1 &&
	    is_on_its_way(self, pool, object, bytes))
		return true;
	mag = find(self, pool, cache);
	return mag != NULL && is_newest(mag->n, mag->obj, object, bytes);
}

bool holds_object(const struct slabd_pool *pool, const void *object)
{
	return holds(pool, object, 0);
}

bool holds_between(const struct slabd_pool *pool, const void *first,
                   const void *last)
{
	return holds(pool, first, (uintptr_t)last - (uintptr_t)first);
}
