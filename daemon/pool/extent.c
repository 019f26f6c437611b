/* SPDX-License-Identifier: MIT */
#include "daemon/pool/extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_WORDS 8u
#define LEAF (LEAF_WORDS * 64u)
#define NONE UINT64_MAX

/* Free places, as sums tell them; a part of EXTENT_RUN_MAX or more that is free
 * as a whole has that many. */
struct run {
	uint32_t head, tail, best;
};

int extent_init(struct extent *map, uint64_t n)
{
	uint64_t leaves = (n + LEAF - 1) / LEAF;
	memset(map, 0, sizeof(*map));
	for (map->n_leaves = 1; map->n_leaves < leaves;)
		map->n_leaves *= 2;
	map->n = n;
	map->taken = calloc(leaves + 1, LEAF_WORDS * sizeof(uint64_t));
	map->sums = calloc(2 * map->n_leaves, sizeof(*map->sums));
	if (map->taken != NULL && map->sums != NULL)
		return 0;
	extent_done(map);
	return -ENOMEM;
}

void extent_done(struct extent *map)
{
	free(map->taken);
	free(map->sums);
	map->taken = NULL;
	map->sums = NULL;
}

/* ---- sums ---------------------------------------------------------------- */

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* The longest run that a part of so many places can have. */
static uint32_t most(uint64_t span)
{
	return span < EXTENT_RUN_MAX ? (uint32_t)span : EXTENT_RUN_MAX;
}

static struct run read_sum(struct extent *map, uint64_t at, uint64_t span)
{
	struct extent_sum sum = map->sums[at];
	uint32_t all = most(span);
	map->looks++;
	return (struct run){all - sum.head, all - sum.tail, all - sum.best};
}

/* False if it says so already. */
static bool write_sum(struct extent *map, uint64_t at, uint64_t span,
                      struct run run)
{
	struct extent_sum *sum = &map->sums[at];
	uint32_t all = most(span);
	struct extent_sum is = {.head = (uint16_t)(all - run.head),
	                        .tail = (uint16_t)(all - run.tail),
	                        .best = (uint16_t)(all - run.best)};
	bool same = sum->head == is.head && sum->tail == is.tail &&
	            sum->best == is.best;
	if (!same)
		*sum = is;
	return !same;
}

/* The longest run of bits that are set. */
static uint32_t longest(uint64_t bits)
{
	uint32_t n = 0;
	for (; bits != 0; bits &= bits << 1)
		n++;
	return n;
}

static struct run sum_leaf(struct extent *map, uint64_t leaf)
{
	const uint64_t *words = &map->taken[leaf * LEAF_WORDS];
	struct run run = {.head = LEAF};
	map->looks += LEAF_WORDS;
	for (uint32_t i = 0; i < LEAF_WORDS; i++) {
		if (words[i] == 0) {
			run.tail += 64;
			continue;
		}
		run.tail += (uint32_t)__builtin_ctzll(words[i]);
		run.head = run.head == LEAF ? run.tail : run.head;
		run.best = larger(run.best, run.tail);
		run.best = larger(run.best, longest(~words[i]));
		run.tail = (uint32_t)__builtin_clzll(words[i]);
	}
	run.best = larger(run.best, run.tail);
	return run;
}

/* Of two parts of so many places each. */
static struct run join(struct run left, struct run right, uint64_t span)
{
	uint32_t all = most(2 * span);
	struct run run = {.head = left.head, .tail = right.tail};
	if (left.head == most(span))
		run.head = left.head + right.head;
	if (right.tail == most(span))
		run.tail = right.tail + left.tail;
	run.best =
		larger(larger(left.best, right.best), left.tail + right.head);
	run.head = run.head < all ? run.head : all;
	run.tail = run.tail < all ? run.tail : all;
	run.best = run.best < all ? run.best : all;
	return run;
}

/* A leaf has changed. What it changes above ends where a sum stays the same. */
static void note_leaf(struct extent *map, uint64_t leaf)
{
	uint64_t at = map->n_leaves + leaf;
	uint64_t span = LEAF;
	struct run run = sum_leaf(map, leaf);
	while (write_sum(map, at, span, run) && at > 1) {
		at /= 2;
		run = join(read_sum(map, 2 * at, span),
		           read_sum(map, 2 * at + 1, span), span);
		span *= 2;
	}
}

/* ---- taken and given ------------------------------------------------------ */

/* The bits of the word at place `at` that belong to places from there up to
 * `end`. */
static uint64_t mask_of(uint64_t at, uint64_t end)
{
	uint64_t mask = UINT64_MAX << (at % 64);
	if (end / 64 == at / 64)
		mask &= ~(UINT64_MAX << (end % 64));
	return mask;
}

static uint64_t next_word(uint64_t at)
{
	return (at / 64 + 1) * 64;
}

/* Flips all places of a run. */
static void flip(struct extent *map, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	for (uint64_t at = first; at < end; at = next_word(at))
		map->taken[at / 64] ^= mask_of(at, end);
	for (uint64_t leaf = first / LEAF; count > 0 && leaf * LEAF < end;
	     leaf++)
		note_leaf(map, leaf);
}

static void take(struct extent *map, uint64_t first, uint64_t count)
{
	flip(map, first, count);
	map->n_taken += count;
	if (count > 0 && first + count > map->end)
		map->end = first + count;
}

/* The lowest run of a leaf that has one. */
static uint64_t find_in_leaf(struct extent *map, uint64_t leaf, uint32_t count)
{
	const uint64_t *words = &map->taken[leaf * LEAF_WORDS];
	uint32_t first = 0; /* of the run that goes on */
	map->looks += LEAF_WORDS;
	for (uint32_t at = 0; at < LEAF; at++) {
		uint64_t left = words[at / 64] >> (at % 64);
		uint32_t end = left != 0 ? at + (uint32_t)__builtin_ctzll(left)
		                         : (at / 64 + 1) * 64;
		if (end - first >= count)
			return leaf * LEAF + first;
		at = left != 0 ? end : end - 1;
		first = left != 0 ? end + 1 : first;
	}
	return NONE;
}

/* The lowest run; what is beyond the last place counts as free. */
static uint64_t find(struct extent *map, uint32_t count)
{
	uint64_t span = map->n_leaves * LEAF;
	uint64_t first = 0;
	uint64_t at = 1;
	if (read_sum(map, at, span).best < count)
		return NONE;
	while (at < map->n_leaves) {
		struct run left, right;
		span /= 2;
		left = read_sum(map, 2 * at, span);
		right = read_sum(map, 2 * at + 1, span);
		at *= 2;
		if (left.best >= count)
			continue;
		if (left.tail + right.head >= count)
			return first + span - left.tail;
		first += span;
		at++;
	}
	return first < map->n ? find_in_leaf(map, first / LEAF, count) : NONE;
}

int extent_take(struct extent *map, uint64_t count, uint64_t *out)
{
	uint64_t first;
	if (count > EXTENT_RUN_MAX || count > map->n)
		return -ENOSPC;
	first = find(map, (uint32_t)count);
	/* The lowest passes the end: so would all others. */
	if (first == NONE || first + count > map->n)
		return -ENOSPC;
	take(map, first, count);
	*out = first;
	return 0;
}

int extent_claim(struct extent *map, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	if (first > map->n || count > map->n - first)
		return -EINVAL;
	for (uint64_t at = first; at < end; at = next_word(at))
		if ((map->taken[at / 64] & mask_of(at, end)) != 0)
			return -EINVAL;
	take(map, first, count);
	return 0;
}

void extent_give(struct extent *map, uint64_t first, uint64_t count)
{
	flip(map, first, count);
	map->n_taken -= count;
}
