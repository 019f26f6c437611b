/* SPDX-License-Identifier: MIT */
#include "shm/slab.h"

#include <errno.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/run.h"
#include "shm/tags_pass.h"

uint16_t *slab_reach_tags(const struct view *view, uint64_t line)
{
	view_reach(view);
	return atom_load(&view->refused) && !view_has_lines(view, line)
	               ? NULL
	               : view->tags + line * TAGS_PER_LINE;
}

uint16_t *slab_tags(const struct view *view, uint32_t head)
{
	uint64_t line = atom_load(&view->lines[head]);
	if (!view_has_lines(view, line))
		return slab_reach_tags(view, line);
	return view->tags + line * TAGS_PER_LINE;
}

uint32_t slab_lines(const struct layout_cache *cache)
{
	return (cache->n_objs + TAGS_PER_LINE - 1) / TAGS_PER_LINE;
}

int slab_locate(const struct view *view, uint64_t off,
                struct slab_place *place)
{
	uint64_t unit = off >> UNIT_SHIFT;
	uint64_t ix;
	if (unit >= view->geo.n_units)
		return -EINVAL;
	/* pairs: put_words; the slab's tags are there before its word. */
	place->word = atom_load_acquire(&view->words[unit]);
	place->cache = view_cache(view, WORD_CACHE(place->word));
	if (place->cache == NULL)
		return -EINVAL;
	place->head = (uint32_t)unit - WORD_BACK(place->word);
	/* What lies before the first object comes out as a huge index. */
	off -= ((uint64_t)place->head << UNIT_SHIFT) +
	       slab_colour(place->cache, place->head);
	ix = slab_index(place->cache->magic, off);
	if (ix >= place->cache->n_objs || ix * place->cache->stride != off)
		return -EINVAL;
	place->ix = (uint32_t)ix;
	place->tag = slab_tags(view, place->head);
	if (place->tag == NULL)
		return -EINVAL;
	place->tag += place->ix;
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
	uint64_t word = atom_load_acquire(&view->words[head]);
	const struct layout_cache *cache = view_cache(view, WORD_CACHE(word));
	const uint16_t *tags;
	struct partial list;
	if (cache == NULL || WORD_BACK(word) != 0)
		return;
	tags = slab_tags(view, head);
	if (tags == NULL || !tags_any_free(tags, cache->n_objs))
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
	uint16_t *start = &user->view->starts[head];
	uint32_t from = atom_load(start);
	uint32_t got;
	if (tags == NULL)
		return 0;
	got = tags_claim_own(tags, cache->n_objs,
	                     from < cache->n_objs ? from : 0,
	                     (uint16_t)user->id, want, ix);
	/* A slab that is bare begins anew, so that what comes back goes out in
	 * one run. */
	if (got > 0)
		atom_store(start, (uint16_t)(got < want ? 0 : ix[got - 1] + 1));
	if (got < want) {
		partial_clear_any(list, head);
		if (tags_any_free(tags, cache->n_objs))
			partial_set_any(list, head);
	}
	return got;
}

/* Where the objects of some indexes lie: in ascending order, but for once round the
 * slab's end, so that the ends of a run tell it. */
static void spread(char *base, uint32_t stride, uint32_t n, const uint32_t *ix,
                   void **out)
{
	uint32_t i = 0;
	while (i < n) {
		uint32_t run = 1;
		if (ix[n - 1] - ix[i] == n - 1 - i)
			run = n - i;
		while (i + run < n && ix[i + run] == ix[i] + run)
			run++;
		run_spread(base + (uint64_t)ix[i] * stride, stride, run,
		           out + i);
		i += run;
	}
}

/* Claims from one slab whose bit was seen on the list. */
static uint32_t claim_from(const struct slab_user *user,
                           const struct partial *list, uint32_t cache,
                           uint32_t node, uint32_t head, uint32_t want,
                           void **out)
{
	const struct view *view = user->view;
	uint32_t *lease = &view->leases[head];
	uint64_t word = atom_load(&view->words[head]);
	bool lent = WORD_HOME(word) != node;
	uint32_t ix[SLAB_RUN_MAX];
	uint32_t got = 0;
	view_touch_any(view, user->id, head);
	if (!stands_on(word, cache, node)) {
		partial_clear_any(list, head);
		slab_relist_any(view, head);
		return 0;
	}
	if ((lent && user->home_only) ||
	    !lease_take_any(lease, user->id, user->epoch))
		return 0;
	/* pairs: put_words; slabd may have emptied the slab in between. */
	if (stands_on(atom_load_acquire(&view->words[head]), cache, node)) {
		const struct layout_cache *row = &view->caches[cache - 1];
		char *base = user->data + ((uint64_t)head << UNIT_SHIFT) +
		             slab_colour(row, head);
		got = claim_leased(user, list, row, head, want, ix);
		spread(base, row->stride, got, ix, out);
	}
	lease_drop_own(lease);
	if (lent && !user->counts)
		view_count(view, user->id, STAT_REMOTE_ALLOCS, got);
	return got;
}

/* Walks a list from a unit to before another one. */
static uint32_t claim_between(const struct slab_user *user,
                              const struct partial *list, uint32_t cache,
                              uint32_t node, uint32_t from, uint32_t to,
                              uint32_t want, void **out, bool *bared)
{
	uint32_t enough = (want + 3) / 4;
	uint32_t got = 0;
	uint32_t unit = partial_next(list, from);
	while (unit < to && got < enough) {
		got += claim_from(user, list, cache, node, unit, want - got,
		                  out + got);
		*bared |= got < want;
		unit = partial_next(list, unit + 1);
	}
	return got;
}

/* Slabs of the node's own file come first: what is lent to it is farther. */
uint32_t slab_claim_any(const struct slab_user *user, uint32_t cache,
                        uint32_t node, uint32_t want, void **out, bool *ring)
{
	const struct view *view = user->view;
	struct partial list = partial_of(view, cache, node);
	uint32_t low = atom_load(&view_mark(view, cache, node)->low_slabs);
	uint32_t first = (uint32_t)view->nodes[node].first_unit;
	bool bared = false;
	uint32_t got = claim_between(user, &list, cache, node, first,
	                             (uint32_t)view->geo.n_units, want, out,
	                             &bared);
	if (got == 0 && first > 0)
		got = claim_between(user, &list, cache, node, 0, first, want,
		                    out, &bared);
	*ring = (got == 0 || bared) && partial_count(&list, low) < low;
	return got;
}

/* The slab that a release is at: most objects lie where the last one did. */
struct release {
	uint64_t start; /* offset of its first object */
	uint64_t bytes; /* from there to its end; 0: none yet */
	uint64_t magic;
	uint64_t stride;
	uint64_t n_objs;
	uint16_t *tags;
	const struct view *view;
	uint32_t head;
};

static bool release_enter(struct release *at, const struct view *view,
                          uint64_t off)
{
	struct slab_place place;
	at->bytes = 0;
	if (slab_locate(view, off, &place) < 0)
		return false;
	at->head = place.head;
	at->start = ((uint64_t)place.head << UNIT_SHIFT) +
	            slab_colour(place.cache, place.head);
	at->bytes = (UNIT_BYTES << place.cache->order) -
	            slab_colour(place.cache, place.head);
	at->magic = place.cache->magic;
	at->stride = place.cache->stride;
	at->n_objs = place.cache->n_objs;
	at->tags = place.tag - place.ix;
	at->view = view;
	return true;
}

/* Of objects that lie side by side whole words of tags, the first of which is as it
 * has to be: how many objects there are to look at. */
static uint32_t release_side_by_side(const struct release *at, uint64_t ix,
                                     bool down, void *const *objects,
                                     uint32_t left)
{
	ptrdiff_t step = down ? -(ptrdiff_t)at->stride : (ptrdiff_t)at->stride;
	uint64_t most = down ? ix + 1 : at->n_objs - ix;
	most = most < left ? most : left;
	return run_length(objects, (uint32_t)most, step) / TAGS_WORD;
}

/* Frees whole words of tags of objects that lie side by side, from the first on, upwards
 * or downwards: bulks come home as they went out. Returns how many it freed. */
static uint32_t release_words(const struct release *at, uint64_t ix, uint16_t own,
                              void *const *objects, uint32_t left)
{
	bool down = ix % TAGS_WORD == TAGS_WORD - 1;
	uint16_t *tags = at->tags + ix - (down ? TAGS_WORD - 1 : 0);
	uint32_t n;
	if (left < TAGS_WORD || (!down && ix % TAGS_WORD != 0) ||
	    (!down && at->n_objs - ix < TAGS_WORD))
		return 0;
	if (tags_words_of(tags, 1, false, own) == 1) {
		n = release_side_by_side(at, ix, down, objects, left);
		return TAGS_WORD *
		       tags_pass_words_own(tags, n, down, own, TAG_FREE);
	}
	if (tags_words_of(tags, 1, false, own | TAG_KNOWN) == 0)
		return 0;
	n = release_side_by_side(at, ix, down, objects, left);
	return TAGS_WORD *
	       tags_free_known_words_own(tags, slab_gen_of(at->view, tags), n,
	                                 down, own);
}

/* One that somebody has a handle of, or that is not this user's. */
__attribute__((noinline)) static void
release_known(const struct release *at, uint64_t ix, uint16_t own,
              uint32_t *refused)
{
	uint16_t *tag = at->tags + ix;
	*refused += !tags_free_known_own(tag, slab_gen_of(at->view, tag), own);
}

/* Frees the object at an offset from the slab's first, and where it can those that
 * follow it. Returns how many it dealt with. */
static uint32_t release_one(const struct release *at, uint64_t in, uint16_t own,
                            void *const *objects, uint32_t left,
                            uint32_t *refused)
{
	uint64_t ix = slab_index(at->magic, in);
	uint32_t n;
	if (ix >= at->n_objs || ix * at->stride != in) {
		++*refused;
		return 1;
	}
	n = release_words(at, ix, own, objects, left);
	if (n > 0)
		return n;
	if (!tags_free_own(at->tags + ix, own))
		release_known(at, ix, own, refused);
	return 1;
}

/* Stores the free tags; returns the slabs that were met in heads. */
static uint32_t release_tags(const struct slab_user *user, uint32_t n,
                             void *const *objects, uint32_t *heads,
                             uint32_t *refused)
{
	struct release at = {.bytes = 0};
	uint32_t n_heads = 0;
	for (uint32_t i = 0; i < n;) {
		uint64_t off = (uint64_t)((char *)objects[i] - user->data);
		if (off - at.start >= at.bytes) {
			if (!release_enter(&at, user->view, off)) {
				++*refused;
				i++;
				continue;
			}
			heads[n_heads++] = at.head;
		}
		i += release_one(&at, off - at.start, (uint16_t)user->id,
		                 objects + i, n - i, refused);
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
	/* pairs: partial_clear_any, place; the tags are free before the look
	 * at the list's bit and at where the slab stands. */
	atom_fence();
	for (uint32_t i = 0; i < n_heads; i++) {
		/* pairs: put_words; where the slab stands now. */
		uint64_t word = atom_load_acquire(&view->words[heads[i]]);
		struct partial list;
		if (WORD_CACHE(word) == 0 || WORD_BACK(word) != 0)
			continue;
		list = partial_of(view, WORD_CACHE(word), WORD_LIST(word));
		partial_set_any(&list, heads[i]);
	}
	return refused;
}
