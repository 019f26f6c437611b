/* SPDX-License-Identifier: MIT */
/* A ring made anew from the tags, where it was lost: what the channel owns, in the
 * order of places. */
#include "shm/atom.h"
#include "shm/channel.h"
#include "shm/slab.h"
#include "shm/tags_pass.h"

struct fill {
	const struct view *view;
	const struct channel *channel;
	uint32_t n; /* entries so far */
	uint64_t objects;
	uint64_t left; /* for which there was no entry */
};

/* Neighbours, of one slab. */
static void add(struct fill *fill, uint64_t off, uint32_t n)
{
	struct channel_run run = {.off = off, .n = n, .again = true};
	if (fill->n == fill->channel->capacity) {
		fill->left += n;
		return;
	}
	channel_put_srv(fill->channel, fill->n++, &run);
	fill->objects += n;
}

/* How many of n are no parts of an arena, which the one that leads brings along:
 * those wait (shm/heir.h). */
static uint32_t whole(const uint16_t *tags, const uint16_t *gens, uint32_t n)
{
	uint32_t i = 0;
	while (i < n && ((atom_load(&tags[i]) & TAG_KNOWN) == 0 ||
	                 (atom_load(&gens[i]) & GEN_WAITING) == 0))
		i++;
	return i;
}

static void fill_slab(struct fill *fill, uint32_t head,
                      const struct layout_cache *row)
{
	const uint16_t *tags = slab_tags(fill->view, head);
	const uint16_t *gens = slab_gen_of(fill->view, tags);
	uint16_t owner = (uint16_t)fill->channel->owner;
	uint64_t start = ((uint64_t)head << UNIT_SHIFT) + slab_colour(row, head);
	for (uint32_t i = 0; i < row->n_objs;) {
		uint32_t most = row->n_objs - i;
		uint32_t n;
		most = most < CHANNEL_RUN_MAX ? most : CHANNEL_RUN_MAX;
		n = tags_leading(tags + i, most, false, owner, true);
		n = whole(tags + i, gens + i, n);
		if (n > 0)
			add(fill, start + (uint64_t)i * row->stride, n);
		i += n > 0 ? n : 1;
	}
}

/* The slabs that begin in a granule. */
static void fill_granule(struct fill *fill, uint64_t granule)
{
	const struct view *view = fill->view;
	uint64_t unit = granule << GRANULE_SHIFT;
	uint64_t end = unit + (UINT64_C(1) << GRANULE_SHIFT);
	end = end < view->geo.n_units ? end : view->geo.n_units;
	for (; unit < end; unit++) {
		uint64_t word = view->words[unit];
		const struct layout_cache *row =
			view_cache(view, WORD_CACHE(word));
		if (row != NULL && WORD_BACK(word) == 0)
			fill_slab(fill, (uint32_t)unit, row);
	}
}

uint64_t channel_fill_srv(const struct view *view, const struct channel *channel,
                          uint64_t *left)
{
	struct fill fill = {.view = view, .channel = channel};
	const uint64_t *touched = view_touched(view, channel->owner);
	for (uint64_t granule = 0; granule < view->geo.n_granules; granule++) {
		/* pairs: view_touch_any */
		uint64_t word = atom_load_acquire(&touched[granule / 64]);
		if ((word >> (granule % 64) & 1) != 0)
			fill_granule(&fill, granule);
	}
	*left = fill.left;
	return fill.objects;
}
