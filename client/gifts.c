/* SPDX-License-Identifier: MIT */
/* What was given to this client and not taken. */
#include "client/error.h"
#include "client/handle.h"
#include "client/tools.h"
#include "client/types.h"
#include "shm/atom.h"
#include "shm/tags.h"

/* Where a walk over gifts is. */
struct gifts {
	slabd_pool *pool;
	uint64_t from; /* offsets before it are passed over */
	slabd_handle *handles;
	size_t n;
	size_t most;
};

/* Of one slab. It may go and another come meanwhile, as long as nothing in it is
 * ours: so each that is met is looked up anew. */
static void list_slab(struct gifts *gifts, uint32_t head,
                      const struct layout_cache *row)
{
	const struct view *view = &gifts->pool->view;
	const uint16_t *tags = slab_tags(view, head);
	uint16_t mine = (uint16_t)(gifts->pool->user.id | TAG_KNOWN);
	uint64_t start = ((uint64_t)head << UNIT_SHIFT) +
	                 slab_colour(row, head);
	uint32_t n = tags != NULL ? row->n_objs : 0;
	for (uint32_t i = 0; i < n && gifts->n < gifts->most; i++) {
		uint64_t off = start + (uint64_t)i * row->stride;
		uint16_t gen;
		if (off < gifts->from || atom_load(&tags[i]) != mine ||
		    slab_tag_of(view, off) != &tags[i])
			continue;
		gen = atom_load(slab_gen_of(view, &tags[i]));
		if ((gen & GEN_WAITING) == 0)
			continue;
		gifts->handles[gifts->n++] = handle_make(off, gen);
	}
}

/* The slabs that begin in a granule. */
static void list_granule(struct gifts *gifts, uint64_t granule)
{
	const struct view *view = &gifts->pool->view;
	uint64_t unit = granule << GRANULE_SHIFT;
	uint64_t end = unit + (UINT64_C(1) << GRANULE_SHIFT);
	end = end < view->geo.n_units ? end : view->geo.n_units;
	for (; unit < end && gifts->n < gifts->most; unit++) {
		/* pairs: put_words; the slab's tags and its cache are there. */
		uint64_t word = atom_load_acquire(&view->words[unit]);
		const struct layout_cache *row =
			view_cache(view, WORD_CACHE(word));
		if (row != NULL && WORD_BACK(word) == 0)
			list_slab(gifts, (uint32_t)unit, row);
	}
}

/* Who gives notes the place before the tag says so: there is no other. */
size_t slabd_gifts(slabd_pool *pool, slabd_handle after, size_t n,
                   slabd_handle *handles)
{
	const uint64_t *touched;
	struct gifts gifts = {.pool = pool, .handles = handles, .most = n};
	uint64_t n_granules;
	uint64_t granule = 0;
	uint32_t shift;
	if (!pool_alive(pool) || error_no_array(handles, n))
		return 0;
	n_granules = pool->view.geo.n_granules;
	shift = pool->view.geo.page_shift;
	touched = view_touched(&pool->view, pool->user.id);
	if (after != SLABD_NO_HANDLE) {
		gifts.from = handle_off(after) + 1;
		/* Its slab begins in the same page. */
		granule = gifts.from >> shift << shift >> UNIT_SHIFT >>
		          GRANULE_SHIFT;
	}
	for (; granule < n_granules && gifts.n < n; granule++) {
		/* pairs: view_touch_any */
		uint64_t word = atom_load_acquire(&touched[granule / 64]);
		if ((word >> (granule % 64) & 1) != 0)
			list_granule(&gifts, granule);
	}
	if (atom_load(&tools_on))
		tools_wrote(handles, gifts.n * sizeof(*handles));
	return gifts.n;
}
