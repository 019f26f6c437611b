/* SPDX-License-Identifier: MIT */
#include "client/holds.h"

#include "client/thread.h"
#include "shm/atom.h"

/* Two at a time, without a branch. */
static bool is_among(uint64_t n, void *const *objects, const void *object)
{
	typedef uint64_t pair
		__attribute__((vector_size(16), aligned(8), may_alias));
	const pair want = {(uintptr_t)object, (uintptr_t)object};
	pair seen = {0, 0};
	bool odd = false;
	uint64_t i = 0;
	for (; i + 4 <= n; i += 4)
		seen |= (pair)(*(const pair *)(objects + i) == want) |
		        (pair)(*(const pair *)(objects + i + 2) == want);
	for (; i < n; i++)
		odd |= objects[i] == object;
	return odd || (seen[0] | seen[1]) != 0;
}

/* In those of its cache, whatever home it has by now. A magazine is looked at by
 * its key: which cache a slot is of is not this thread's to read. */
static bool in_magazines(const struct thread *self, uint32_t cache,
                         const void *object)
{
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&self->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			const struct slabd_mag_ *mag =
				&self->mags[word * 64 +
			                    (uint32_t)__builtin_ctzll(bits)];
			if (WORD_CACHE(atom_load(&mag->key)) == cache &&
			    is_among(mag->n, mag->obj, object))
				return true;
		}
	}
	return false;
}

bool holds_object(const struct slabd_pool *pool, const void *object)
{
	const struct thread *self = thread_there();
	uintptr_t unit = (uintptr_t)object >> UNIT_SHIFT;
	uint64_t word = atom_load(&pool->map[unit]);
	const struct attachment *att;
	/* What an idle thread holds is others' to take away. */
	if (self == NULL || self->idle)
		return false;
	att = thread_attached((struct thread *)(uintptr_t)self, pool);
	if (att == NULL)
		return false;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (is_among(att->remote[node].n, att->remote[node].obj,
		             object))
			return true;
	return in_magazines(self, WORD_CACHE(word), object);
}
