/* SPDX-License-Identifier: MIT */
#include "shm/layout.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "shm/channel_row.h"
#include "shm/root_row.h"

#define SMALL_MIN 4096u
#define COLOUR_SPAN 4096u /* bytes after which a first-level cache repeats */
#define COLOUR_COST 32u   /* an object for colours is at most this part */

_Static_assert(sizeof(struct layout_node) == 128, "layout_node");
_Static_assert(sizeof(struct layout_cache) == 128, "layout_cache");
_Static_assert(sizeof(struct layout_client) == 48, "layout_client");
_Static_assert(sizeof(struct layout_name) == 136, "layout_name");
_Static_assert(sizeof(struct layout_root) == 128, "layout_root");
_Static_assert(sizeof(struct layout_channel) == 128, "layout_channel");
_Static_assert(sizeof(struct layout_head) == 200, "layout_head");

/* Tables start on a page of their own, so that unused ones cost none, and each
 * can be mapped by itself. */
static uint64_t place(struct layout_geometry *geo, uint64_t *end,
                      uint64_t bytes)
{
	uint64_t off = *end;
	*end = layout_round_up(geo, off + bytes);
	return off;
}

static bool counts_fit(const struct layout_geometry *geo)
{
	uint64_t page_units;
	if (geo->page_shift < PAGE_SHIFT_MIN || geo->page_shift > PAGE_SHIFT_MAX)
		return false;
	page_units = UINT64_C(1) << (geo->page_shift - UNIT_SHIFT);
	if (geo->n_nodes == 0 || geo->n_nodes > NODES_MAX)
		return false;
	if (geo->n_cpus == 0 || geo->n_cpus > CPUS_MAX)
		return false;
	if (geo->n_caches == 0 || geo->n_caches > CACHES_MAX)
		return false;
	return geo->n_units > 0 && geo->n_units <= UNITS_MAX &&
	       geo->n_units % page_units == 0;
}

static void place_control(struct layout_geometry *geo)
{
	uint64_t end = geo->small_bytes;
	uint64_t n_pages = geo->n_units >> (geo->page_shift - UNIT_SHIFT);
	geo->nodes_off = place(geo, &end, geo->n_nodes * sizeof(struct layout_node));
	geo->cpus_off = place(geo, &end, geo->n_cpus);
	geo->caches_off =
	        place(geo, &end, geo->n_caches * sizeof(struct layout_cache));
	geo->marks_off = place(geo, &end, (uint64_t)geo->n_caches * geo->n_nodes *
	                                     sizeof(struct layout_mark));
	geo->words_off = place(geo, &end, geo->n_units * sizeof(uint64_t));
	geo->lines_off = place(geo, &end, geo->n_units * sizeof(uint32_t));
	geo->pages_off = place(geo, &end, n_pages);
	geo->clients_off = place(geo, &end, CLIENT_IDS * sizeof(struct layout_client));
	geo->open_words = (geo->n_caches + 63) / 64;
	geo->opens_off = place(geo, &end, CLIENT_IDS * geo->open_words * 8);
	geo->names_off = place(geo, &end, CLIENT_IDS * sizeof(struct layout_name));
	geo->roots_off = place(geo, &end, ROOTS_MAX * sizeof(struct layout_root));
	geo->channels_off =
	        place(geo, &end, CHANNELS_MAX * sizeof(struct layout_channel));
	geo->joins_off = place(geo, &end, CLIENT_IDS * sizeof(uint64_t));
	geo->control_bytes = end;
}

static void place_shared(struct layout_geometry *geo)
{
	uint64_t end = 0;
	uint64_t n_lists = (uint64_t)geo->n_caches * geo->n_nodes;
	geo->want_words = (n_lists + 63) / 64;
	geo->list_words = (geo->n_units + 63) / 64;
	geo->list_sum_words = (geo->list_words + 63) / 64;
	geo->n_granules = (geo->n_units + (1u << GRANULE_SHIFT) - 1) >>
	                  GRANULE_SHIFT;
	geo->gifts_word = (geo->n_granules + 511) / 512 * 8;
	geo->touched_words = geo->gifts_word + GIFTS_WORDS;
	/* An odd count of lines, so that lists do not share cache sets. */
	geo->list_stride =
	        ((geo->list_words + geo->list_sum_words) * 8 + 127) / 128 * 128 +
	        64;
	geo->wants_off = place(geo, &end, geo->want_words * 8);
	geo->leases_off = place(geo, &end, geo->n_units * sizeof(uint32_t));
	geo->starts_off = place(geo, &end, geo->n_units * sizeof(uint16_t));
	geo->stats_off = place(geo, &end, (uint64_t)CLIENT_IDS * STATS_WORDS * 8);
	geo->touched_off = place(geo, &end, CLIENT_IDS * geo->touched_words * 8);
	geo->lists_off = place(geo, &end, n_lists * geo->list_stride);
	/* And as many lines more as the largest run has: who looks at tags by the
	 * row of a cache that is just made anew reads within the file. */
	geo->tags_off = place(geo, &end, (geo->n_units + 1) * LINES_PER_UNIT *
	                                    LINE_BYTES);
	geo->gens_off = place(geo, &end, (geo->n_units + 1) * LINES_PER_UNIT *
	                                    LINE_BYTES);
	geo->shared_bytes = end;
}

int layout_compute(struct layout_geometry *geo)
{
	long kernel = sysconf(_SC_PAGESIZE);
	if (!counts_fit(geo))
		return -EINVAL;
	geo->small_bytes =
	        kernel > (long)SMALL_MIN ? (uint32_t)kernel : SMALL_MIN;
	place_control(geo);
	place_shared(geo);
	return 0;
}

int layout_check(const struct layout_head *head, uint64_t control_bytes,
                 uint64_t shared_bytes, struct layout_geometry *geo)
{
	if (control_bytes < sizeof(*head))
		return -EINVAL;
	if (head->magic != LAYOUT_MAGIC || head->version != LAYOUT_VERSION)
		return -EPROTO;
	geo->n_nodes = head->n_nodes;
	geo->n_cpus = head->n_cpus;
	geo->n_caches = head->n_caches;
	geo->page_shift = head->page_shift;
	geo->n_units = head->n_units;
	if (layout_compute(geo) < 0 || head->n_ids != CLIENT_IDS)
		return -EINVAL;
	if (geo->control_bytes != control_bytes || head->control_bytes != control_bytes)
		return -EINVAL;
	if (geo->shared_bytes != shared_bytes || head->shared_bytes != shared_bytes)
		return -EINVAL;
	return 0;
}

static uint64_t waste_of(uint64_t slab_bytes, uint64_t stride)
{
	return slab_bytes % stride;
}

/* The smallest order that wastes an eighth or less, else the least wasteful. */
static uint32_t pick_order(uint32_t page_shift, uint64_t stride)
{
	uint32_t best = page_shift - UNIT_SHIFT;
	for (uint32_t order = 0; order <= page_shift - UNIT_SHIFT; order++) {
		uint64_t slab_bytes = UNIT_BYTES << order;
		if (slab_bytes < stride)
			continue;
		if (waste_of(slab_bytes, stride) * 8 <= slab_bytes)
			return order;
		if (waste_of(slab_bytes, stride) * (UNIT_BYTES << best) <
		    waste_of(UNIT_BYTES << best, stride) * slab_bytes)
			best = order;
	}
	return best;
}

/* How many colours spread a stride over all sets: what its steps leave out. */
static uint32_t colours_wanted(uint64_t stride, uint64_t step)
{
	uint64_t apart = stride & -stride;
	apart = apart < COLOUR_SPAN ? apart : COLOUR_SPAN;
	return apart > step ? (uint32_t)(apart / step) : 1;
}

static void pick_colours(struct layout_cache *row)
{
	uint64_t slab_bytes = UNIT_BYTES << row->order;
	uint64_t step = row->align > LINE_BYTES ? row->align : LINE_BYTES;
	uint32_t wanted = colours_wanted(row->stride, step);
	uint64_t room = slab_bytes - (uint64_t)row->n_objs * row->stride;
	if (room / step + 1 < wanted &&
	    (uint64_t)row->stride * COLOUR_COST <= slab_bytes) {
		row->n_objs--;
		room += row->stride;
	}
	while (wanted > room / step + 1)
		wanted /= 2;
	row->colours = wanted;
	row->colour_step = (uint32_t)step;
}

int layout_fit_cache(uint32_t page_shift, uint64_t size, uint64_t align,
                     struct layout_cache *out)
{
	uint64_t step = align == 0 ? STRIDE_MIN : align < 8 ? 8 : align;
	uint64_t stride;
	if (size == 0 || size > UINT64_C(1) << page_shift)
		return -EINVAL;
	if (align > ALIGN_MAX || (align & (align - 1)) != 0)
		return -EINVAL;
	stride = (size + step - 1) / step * step;
	if (stride < STRIDE_MIN)
		stride = STRIDE_MIN;
	if (stride > UINT64_C(1) << page_shift)
		return -EINVAL;
	out->size = (uint32_t)size;
	out->align = (uint32_t)step;
	out->stride = (uint32_t)stride;
	out->order = pick_order(page_shift, stride);
	out->n_objs = (uint32_t)((UNIT_BYTES << out->order) / stride);
	out->magic = UINT64_MAX / stride + 1;
	pick_colours(out);
	return 0;
}
