/* SPDX-License-Identifier: MIT */
#include "shm/partial.h"

static struct partial list_of(const struct view *view, uint32_t cache,
                              uint32_t node)
{
	const struct layout_geometry *geo = &view->geo;
	uint64_t ix = (uint64_t)(cache - 1) * geo->n_nodes + node;
	struct partial list;
	list.sum = (void *)(view->lists + ix * geo->list_stride);
	list.bits = list.sum + geo->list_sum_words;
	list.n_sum = geo->list_sum_words;
	list.n_bits = geo->list_words;
	return list;
}

/* Apart, so that the common case calls nothing. */
__attribute__((noinline, cold)) static struct partial
reach_list(const struct view *view, uint32_t cache, uint32_t node)
{
	view_reach(view);
	if (atom_load(&view->refused) && !view_has_list(view, cache))
		return (struct partial){.n_bits = 0};
	return list_of(view, cache, node);
}

struct partial partial_of(const struct view *view, uint32_t cache,
                          uint32_t node)
{
	return view_has_list(view, cache) ? list_of(view, cache, node)
	                                  : reach_list(view, cache, node);
}

static uint64_t bit_of(uint64_t ix)
{
	return UINT64_C(1) << (ix % 64);
}

/* The first set bit at or above from in n words; n * 64 when none is. */
static uint64_t find_bit(const uint64_t *words, uint64_t n, uint64_t from)
{
	uint64_t mask = ~UINT64_C(0) << (from % 64);
	for (uint64_t w = from / 64; w < n; w++, mask = ~UINT64_C(0)) {
		uint64_t seen = atom_load(&words[w]) & mask;
		if (seen != 0)
			return w * 64 + (uint64_t)__builtin_ctzll(seen);
	}
	return n * 64;
}

uint32_t partial_next(const struct partial *list, uint32_t from)
{
	uint64_t w = from / 64;
	uint64_t mask = ~UINT64_C(0) << (from % 64);
	while ((w = find_bit(list->sum, list->n_sum, w)) < list->n_bits) {
		uint64_t seen = atom_load(&list->bits[w]);
		if (w == from / 64)
			seen &= mask;
		if (seen != 0)
			return (uint32_t)(w * 64 +
			                  (uint64_t)__builtin_ctzll(seen));
		w++;
	}
	return PARTIAL_NONE;
}

uint32_t partial_next_few(const struct partial *list, uint32_t from,
                          uint32_t *vain)
{
	uint64_t w = from / 64;
	uint64_t mask = ~UINT64_C(0) << (from % 64);
	while (*vain > 0 &&
	       (w = find_bit(list->sum, list->n_sum, w)) < list->n_bits) {
		uint64_t seen = atom_load(&list->bits[w]);
		*vain -= seen == 0;
		if (w == from / 64)
			seen &= mask;
		if (seen != 0)
			return (uint32_t)(w * 64 +
			                  (uint64_t)__builtin_ctzll(seen));
		w++;
	}
	return PARTIAL_NONE;
}

/* The last set bit below one in n words; UINT64_MAX when none is. */
static uint64_t find_bit_below(const uint64_t *words, uint64_t n,
                               uint64_t below)
{
	below = below < n * 64 ? below : n * 64;
	while (below > 0) {
		uint64_t last = below - 1;
		uint64_t seen = atom_load(&words[last / 64]) &
		                UINT64_MAX >> (63 - last % 64);
		if (seen != 0)
			return last / 64 * 64 + 63 -
			       (uint64_t)__builtin_clzll(seen);
		below = last / 64 * 64;
	}
	return UINT64_MAX;
}

uint32_t partial_prev(const struct partial *list, uint32_t below)
{
	uint64_t w = ((uint64_t)below + 63) / 64;
	while ((w = find_bit_below(list->sum, list->n_sum, w)) != UINT64_MAX) {
		uint64_t bit = w < list->n_bits
		                       ? find_bit_below(&list->bits[w], 1,
		                                        below - w * 64)
		                       : UINT64_MAX;
		if (bit != UINT64_MAX)
			return (uint32_t)(w * 64 + bit);
	}
	return PARTIAL_NONE;
}

static void set_bit(uint64_t *words, uint64_t ix)
{
	/* pairs: partial_clear_any; a bit is set before the summary is read. */
	if ((atom_load(&words[ix / 64]) & bit_of(ix)) == 0)
		atom_set(&words[ix / 64], bit_of(ix));
}

void partial_set_any(const struct partial *list, uint32_t unit)
{
	if (list->n_bits == 0)
		return;
	set_bit(list->bits, unit);
	set_bit(list->sum, unit / 64);
}

void partial_clear_any(const struct partial *list, uint32_t unit)
{
	uint64_t w = unit / 64;
	if (list->n_bits == 0)
		return;
	/* pairs: slab_release_any; it is clear before the tags are looked at,
	 * and a tag is free before the bit is looked at. */
	if ((atom_clear(&list->bits[w], bit_of(unit)) & ~bit_of(unit)) != 0)
		return;
	/* pairs: set_bit; the word is looked at once its summary is clear. */
	atom_clear(&list->sum[w / 64], bit_of(w));
	/* pairs: partial_clear_any; whoever clears it next sees those bits. */
	if (atom_load(&list->bits[w]) != 0)
		atom_set(&list->sum[w / 64], bit_of(w));
}

bool partial_has(const struct partial *list, uint32_t unit)
{
	uint64_t w = unit / 64;
	return (atom_load(&list->bits[w]) & bit_of(unit)) != 0 &&
	       (atom_load(&list->sum[w / 64]) & bit_of(w)) != 0;
}

uint32_t partial_count(const struct partial *list, uint32_t limit)
{
	uint32_t count = 0;
	uint64_t w = 0;
	while (count < limit &&
	       (w = find_bit(list->sum, list->n_sum, w)) < list->n_bits) {
		uint64_t seen = atom_load(&list->bits[w++]);
		count += (uint32_t)__builtin_popcountll(seen);
	}
	return count;
}

uint32_t partial_count_few(const struct partial *list, uint32_t limit)
{
	uint32_t vain = PARTIAL_VAIN_MAX;
	uint32_t count = 0;
	uint64_t w = 0;
	while (count < limit && vain > 0 &&
	       (w = find_bit(list->sum, list->n_sum, w)) < list->n_bits) {
		uint64_t seen = atom_load(&list->bits[w++]);
		count += (uint32_t)__builtin_popcountll(seen);
		vain -= seen == 0;
	}
	return count;
}

uint32_t partial_check_part(const struct partial *list, uint64_t from,
                            uint64_t end)
{
	for (uint64_t w = from; w < end; w++)
		if (atom_load(&list->bits[w]) != 0 &&
		    (atom_load(&list->sum[w / 64]) & bit_of(w)) == 0)
			return (uint32_t)w;
	return PARTIAL_NONE;
}

uint32_t partial_repair_part_any(const struct partial *list, uint64_t from,
                                 uint64_t end)
{
	uint32_t missing = 0;
	for (uint64_t w = from; w < end; w++) {
		if (atom_load(&list->bits[w]) == 0 ||
		    (atom_load(&list->sum[w / 64]) & bit_of(w)) != 0)
			continue;
		/* pairs: partial_clear_any; who clears it next sees the
		 * bits. */
		missing += (atom_set(&list->sum[w / 64], bit_of(w)) &
		            bit_of(w)) == 0;
	}
	return missing;
}
