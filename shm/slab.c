/* SPDX-License-Identifier: MIT */
#include "shm/slab.h"

#include <errno.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/tags.h"

uint16_t *slab_tags(const struct view *view, uint32_t head)
{
	uint64_t line = atom_peek(&view->lines[head]);
	return view->tags + line * TAGS_PER_LINE;
}

uint32_t slab_lines(const struct layout_cache *cache)
{
	return (cache->n_objs + TAGS_PER_LINE - 1) / TAGS_PER_LINE;
}

/* off / stride by a multiplication; exact for off < 2^32 (Lemire, Kaser and
 * Kurz, "Faster remainder by direct computation", 2019). */
static uint32_t slab_index(const struct layout_cache *cache, uint64_t off)
{
	__extension__ typedef unsigned __int128 wide;
	return (uint32_t)(((wide)off * cache->magic) >> 64);
}

int slab_locate(const struct view *view, uint64_t off,
                struct slab_place *place)
{
	uint64_t unit = off >> UNIT_SHIFT;
	if (unit >= view->geo.n_units)
		return -EINVAL;
	/* pairs: put_words; the slab's tags are there before its word. */
	place->word = atom_get(&view->words[unit]);
	place->cache = view_cache(view, WORD_CACHE(place->word));
	if (place->cache == NULL)
		return -EINVAL;
	place->head = (uint32_t)unit - WORD_BACK(place->word);
	off -= (uint64_t)place->head << UNIT_SHIFT;
	place->ix = slab_index(place->cache, off);
	if (place->ix >= place->cache->n_objs ||
	    (uint64_t)place->ix * place->cache->stride != off)
		return -EINVAL;
	place->tag = slab_tags(view, place->head) + place->ix;
	return 0;
}

static bool stands_on(uint64_t word, uint32_t cache, uint32_t node)
{
	return WORD_CACHE(word) == cache && WORD_BACK(word) == 0 &&
	       WORD_LIST(word) == node;
}

void slab_relist_any(const struct view *view, uint32_t head)
{
	/* pairs: put_words; a lent or emptied slab is seen as it is now. */
	uint64_t word = atom_get(&view->words[head]);
	const struct layout_cache *cache = view_cache(view, WORD_CACHE(word));
	struct partial list;
	if (cache == NULL || WORD_BACK(word) != 0)
		return;
	if (!tags_any_free(slab_tags(view, head), cache->n_objs))
		return;
	list = partial_of(view, WORD_CACHE(word), WORD_LIST(word));
	partial_set_any(&list, head);
}

/* Under the lease: claims, and takes the slab off its list when it is bare. */
static uint32_t claim_leased(const struct slab_user *user,
                             const struct partial *list,
                             const struct layout_cache *cache, uint32_t head,
                             uint32_t want, uint32_t *ix)
{
	uint16_t *tags = slab_tags(user->view, head);
	uint32_t got = tags_claim_own(tags, cache->n_objs, (uint16_t)user->id,
	                              want, ix);
	if (got < want) {
		partial_clear_any(list, head);
		if (tags_any_free(tags, cache->n_objs))
			partial_set_any(list, head);
	}
	return got;
}

/* Claims from one slab whose bit was seen on the list. */
static uint32_t claim_from(const struct slab_user *user,
                           const struct partial *list, uint32_t cache,
                           uint32_t node, uint32_t head, uint32_t want,
                           void **out)
{
	const struct view *view = user->view;
	uint32_t *lease = &view->leases[head];
	uint32_t ix[SLAB_RUN_MAX];
	uint32_t got = 0;
	if (!stands_on(atom_peek(&view->words[head]), cache, node)) {
		partial_clear_any(list, head);
		slab_relist_any(view, head);
		return 0;
	}
	if (!lease_take_any(lease, user->id, user->epoch))
		return 0;
	/* pairs: put_words; slabd may have emptied the slab in between. */
	if (stands_on(atom_get(&view->words[head]), cache, node)) {
		const struct layout_cache *row = &view->caches[cache - 1];
		char *base = user->data + ((uint64_t)head << UNIT_SHIFT);
		got = claim_leased(user, list, row, head, want, ix);
		for (uint32_t i = 0; i < got; i++)
			out[i] = base + (uint64_t)ix[i] * row->stride;
	}
	lease_drop_own(lease);
	return got;
}

uint32_t slab_claim_any(const struct slab_user *user, uint32_t cache,
                        uint32_t node, uint32_t want, void **out, bool *ring)
{
	const struct view *view = user->view;
	struct partial list = partial_of(view, cache, node);
	uint32_t enough = (want + 3) / 4;
	uint32_t low = atom_peek(&view_mark(view, cache, node)->low_slabs);
	uint32_t got = 0;
	uint32_t bared = 0;
	uint32_t unit = partial_next(&list, 0);
	while (unit < view->geo.n_units && got < enough) {
		got += claim_from(user, &list, cache, node, unit, want - got,
		                  out + got);
		bared += got < want;
		unit = partial_next(&list, unit + 1);
	}
	*ring = (got == 0 || bared != 0) && partial_count(&list, low) < low;
	return got;
}

/* Stores the free tags; returns the distinct runs of slabs in heads. */
static uint32_t release_tags(const struct slab_user *user, uint32_t n,
                             void *const *objects, uint32_t *heads,
                             uint32_t *refused)
{
	uint32_t n_heads = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t off = (uint64_t)((char *)objects[i] - user->data);
		struct slab_place place;
		if (slab_locate(user->view, off, &place) < 0 ||
		    !tags_free_own(place.tag, (uint16_t)user->id)) {
			++*refused;
			continue;
		}
		if (n_heads == 0 || heads[n_heads - 1] != place.head)
			heads[n_heads++] = place.head;
	}
	return n_heads;
}

uint32_t slab_release_any(const struct slab_user *user, uint32_t n,
                          void *const *objects)
{
	const struct view *view = user->view;
	uint32_t heads[SLAB_RUN_MAX];
	uint32_t refused = 0;
	uint32_t n_heads = release_tags(user, n, objects, heads, &refused);
	atom_fence();
	for (uint32_t i = 0; i < n_heads; i++) {
		/* pairs: put_words; where the slab stands now. */
		uint64_t word = atom_get(&view->words[heads[i]]);
		struct partial list;
		if (WORD_CACHE(word) == 0 || WORD_BACK(word) != 0)
			continue;
		list = partial_of(view, WORD_CACHE(word), WORD_LIST(word));
		partial_set_any(&list, heads[i]);
	}
	return refused;
}
