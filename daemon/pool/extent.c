/* SPDX-License-Identifier: MIT */
#include "daemon/pool/extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int extent_init(struct extent *map, uint64_t n, bool taken)
{
	uint64_t words = (n + 63) / 64;
	memset(map, 0, sizeof(*map));
	map->taken = calloc(words, sizeof(uint64_t));
	if (map->taken == NULL)
		return -ENOMEM;
	map->n = n;
	if (taken) {
		memset(map->taken, 0xff, words * sizeof(uint64_t));
		map->n_taken = n;
		map->end = n;
	}
	return 0;
}

void extent_done(struct extent *map)
{
	free(map->taken);
	map->taken = NULL;
}

/* The first free place in [from, end), or end. */
static uint64_t next_free(const struct extent *map, uint64_t from, uint64_t end)
{
	while (from < end) {
		uint64_t word = ~map->taken[from / 64] >> (from % 64);
		if (word != 0) {
			from += (uint64_t)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from = (from / 64 + 1) * 64;
	}
	return end;
}

/* The last taken place in [first, first + count), or first - 1. */
static uint64_t last_taken(const struct extent *map, uint64_t first,
                           uint64_t count)
{
	uint64_t ix = first + count - 1;
	while (ix + 1 > first && (map->taken[ix / 64] >> (ix % 64) & 1) == 0)
		ix--;
	return ix;
}

int extent_take(struct extent *map, uint64_t first, uint64_t end,
                uint64_t count, uint64_t align, uint64_t *out)
{
	uint64_t at = first;
	while ((at = next_free(map, at, end)) < end) {
		uint64_t last;
		at = (at + align - 1) / align * align;
		if (at + count > end)
			break;
		last = last_taken(map, at, count);
		if (last + 1 == at) {
			for (uint64_t i = at; i < at + count; i++)
				map->taken[i / 64] |= UINT64_C(1) << (i % 64);
			map->n_taken += count;
			if (at + count > map->end)
				map->end = at + count;
			*out = at;
			return 0;
		}
		at = last + 1;
	}
	return -ENOSPC;
}

int extent_take_low(struct extent *map, uint64_t count, uint64_t *out)
{
	uint32_t class = 63u - (uint32_t)__builtin_clzll(count | 1);
	uint64_t *from;
	class = class < EXTENT_CLASSES ? class : EXTENT_CLASSES - 1;
	from = &map->from[class];
	if (extent_take(map, *from, map->n, count, 1, out) < 0 &&
	    extent_take(map, 0, map->n, count, 1, out) < 0)
		return -ENOSPC;
	*from = *out + count;
	return 0;
}

void extent_give(struct extent *map, uint64_t first, uint64_t count)
{
	for (uint32_t class = 0; class < EXTENT_CLASSES; class++)
		if (map->from[class] > first)
			map->from[class] = first;
	for (uint64_t i = first; i < first + count; i++)
		map->taken[i / 64] &= ~(UINT64_C(1) << (i % 64));
	map->n_taken -= count;
}

uint64_t extent_free(const struct extent *map, uint64_t first, uint64_t end)
{
	uint64_t n = 0;
	while ((first = next_free(map, first, end)) < end) {
		n++;
		first++;
	}
	return n;
}
