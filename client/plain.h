/* SPDX-License-Identifier: MIT */
/*
 * The plain way of a give, in a third of the instructions: turns are the calling
 * thread's own, the receiver is whom it gave to last, and the object is in nobody's
 * books but its tag. Whatever is otherwise, nothing is done here, and slabd_give goes
 * its long way (give.c), of which this one keeps the order of steps. Nothing is called,
 * so that no register has to be saved: stores are dear where each object's line is
 * fetched from another core.
 */
#ifndef CLIENT_PLAIN_H
#define CLIENT_PLAIN_H

#include "client/give.h"
#include "client/holds.h"
#include "client/reach.h"
#include "client/tools.h"
#include "client/turn.h"
#include "client/types.h"
#include "shm/handle.h"
#include "shm/heir.h"
#include "shm/tags.h"

/* PLAIN_WENT: the receiver was there before and is not after; the turn goes on. */
enum plain { PLAIN_NOT, PLAIN_GIVEN, PLAIN_WENT };

/* Whether the object is one that can be given so. */
static inline bool plain_is(const struct slabd_pool *pool,
                            const struct slab_place *place, const void *object)
{
	return atom_load(place->tag) == pool->user.id && !atom_load(&tools_on) &&
	       !heir_has_parts(place->cache) &&
	       holds_last_without(pool, WORD_CACHE(place->word), object);
}

/* The bit that view_touch_any would set is. */
static inline bool plain_is_touched(const struct turns_last *last, uint32_t head)
{
	uint32_t granule = head >> GRANULE_SHIFT;
	return (atom_load(&last->touched[granule / 64]) >> granule % 64 & 1) != 0;
}

/* As view_client_word; one that is banned is not the same. */
static inline bool plain_is_there(const struct turns_last *last)
{
	/* pairs: clients_set */
	return atom_load_acquire(last->word) == last->receiver;
}

/* In the turn. */
__attribute__((always_inline)) static inline enum plain
plain_hand_over(struct slabd_pool *pool, const void *object, unsigned client_id)
{
	struct turns_last *last = &pool->turns.last;
	const struct view *view = &pool->view;
	struct slab_place place;
	uint64_t bytes;
	uint16_t *gen;
	uint16_t seen;
	if (last->client_id != client_id || client_id == 0 ||
	    !slab_find_if(view,
	                  (uint64_t)((const char *)object - pool->user.data),
	                  false, &place) ||
	    !plain_is_there(last) || !plain_is(pool, &place, object) ||
	    !plain_is_touched(last, place.head))
		return PLAIN_NOT;
	bytes = atom_load(&last->given->bytes) + place.cache->stride;
	if (bytes >= last->most)
		return PLAIN_NOT;
	gen = slab_gen_of(view, place.tag);
	seen = atom_load(gen);
	tags_give_plain_own(place.tag, gen, seen, (uint16_t)client_id);
	atom_store(&last->given->bytes, bytes);
	last->gen_at = gen;
	last->gen = GEN_OBJECT(seen);
	last->object = object;
	if (__builtin_expect(plain_is_there(last), 1))
		return PLAIN_GIVEN;
	last->object = NULL;
	last->head = place.head;
	return PLAIN_WENT;
}

__attribute__((always_inline)) static inline enum plain
plain_give(struct slabd_pool *pool, const void *object, unsigned client_id)
{
	struct turns *turns = &pool->turns;
	enum plain how = PLAIN_NOT;
	if (__builtin_expect(atom_load(&turns->whose) != turn_mark(), 0))
		return PLAIN_NOT;
	atom_store(&turns->within, 1u);
	/* pairs: share, by the kernel's barrier. */
	atom_meet();
	if (__builtin_expect(atom_load(&turns->whose) == turn_mark(), 1))
		how = plain_hand_over(pool, object, client_id);
	if (__builtin_expect(how != PLAIN_WENT, 1))
		turn_end(&turns->within);
	return how;
}

/* A gift that waits, in a page that is open, and no batch is full with it. In the
 * turn. */
__attribute__((always_inline)) static inline void *
plain_take_over(struct slabd_pool *pool, uint64_t off, uint32_t object,
                const struct slab_place *place)
{
	uint64_t bytes = atom_load(&pool->turns.taken_bytes) + place->cache->stride;
	if (bytes >= give_taken_batch(pool) ||
	    !tags_take_own(place->tag, slab_gen_of(&pool->view, place->tag),
	                   (uint16_t)pool->user.id, object))
		return NULL;
	atom_store(&pool->turns.taken_bytes, bytes);
	return pool->user.data + off;
}

/* The plain way of a take, likewise. NULL: nothing was done. */
__attribute__((always_inline)) static inline void *
plain_take(struct slabd_pool *pool, slabd_handle handle)
{
	struct turns *turns = &pool->turns;
	uint64_t off = handle_off(handle);
	struct slab_place place;
	void *object = NULL;
	if (__builtin_expect(atom_load(&turns->whose) != turn_mark(), 0) ||
	    atom_load(&tools_on) ||
	    !slab_find_if(&pool->view, off, false, &place) ||
	    !reach_is_open(pool, off >> pool->view.geo.page_shift))
		return NULL;
	atom_store(&turns->within, 1u);
	/* pairs: share, by the kernel's barrier. */
	atom_meet();
	if (__builtin_expect(atom_load(&turns->whose) == turn_mark(), 1))
		object = plain_take_over(pool, off, handle_object(handle),
		                         &place);
	turn_end(&turns->within);
	return object;
}

/*
 * What the calling thread has given last so is told by handle without a look at its
 * slab: with the same generation it is the same object, whoever has it, as one that is
 * known gets another as it is freed. SLABD_NO_HANDLE: that can't be told.
 */
static inline slabd_handle plain_handle_of(const struct slabd_pool *pool,
                                           const void *object)
{
	const struct turns_last *last;
	uint16_t now;
	if (pool == NULL || atom_load(&pool->turns.whose) != turn_mark())
		return SLABD_NO_HANDLE;
	last = &pool->turns.last;
	if (last->object != object || object == NULL)
		return SLABD_NO_HANDLE;
	now = atom_load(last->gen_at);
	return GEN_OBJECT(now) != last->gen
	               ? SLABD_NO_HANDLE
	               : handle_make((uint64_t)((const char *)object -
	                                        pool->user.data), now);
}

#endif
