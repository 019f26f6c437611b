/* SPDX-License-Identifier: MIT */
#include "daemon/pool/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int places_make(struct places *places, uint64_t n, uint32_t n_sets)
{
	uint64_t at[PLACES_LEVELS];
	uint64_t words = n;
	uint64_t all = 0;
	memset(places, 0, sizeof(*places));
	places->n = n;
	places->n_sets = n_sets;
	do {
		words = (words + 63) / 64;
		at[places->n_levels++] = all;
		all += words * n_sets;
	} while (words > 1);
	places->level[0] = calloc(all > 0 ? all : 1, sizeof(uint64_t));
	if (places->level[0] == NULL)
		return -ENOMEM;
	for (uint32_t i = 1; i < places->n_levels; i++)
		places->level[i] = places->level[0] + at[i];
	return 0;
}

void places_done(struct places *places)
{
	free(places->level[0]);
	places->level[0] = NULL;
}

static uint64_t *word_of(const struct places *places, uint32_t set,
                         uint32_t level, uint64_t word)
{
	return &places->level[level][word * places->n_sets + set];
}

void places_put(struct places *places, uint32_t set, uint64_t at, bool in)
{
	for (uint32_t i = 0; i < places->n_levels; i++, at /= 64) {
		uint64_t *word = word_of(places, set, i, at / 64);
		uint64_t was = *word;
		uint64_t bit = UINT64_C(1) << (at % 64);
		*word = in ? was | bit : was & ~bit;
		/* Above stands only whether there is any. */
		if ((*word == 0) == (was == 0))
			return;
	}
}

/* From a bit of a level down to the lowest, or highest, number below it. */
static uint64_t descend(const struct places *places, uint32_t set,
                        uint32_t level, uint64_t at, bool up)
{
	while (level-- > 0) {
		uint64_t word = *word_of(places, set, level, at);
		uint64_t bit = (uint64_t)(up ? __builtin_ctzll(word)
		                             : 63 - __builtin_clzll(word));
		at = at * 64 + bit;
	}
	return at;
}

uint64_t places_next(const struct places *places, uint32_t set, uint64_t from)
{
	uint64_t n = places->n;
	for (uint32_t i = 0; i < places->n_levels && from < n; i++) {
		uint64_t word = *word_of(places, set, i, from / 64) &
		                UINT64_MAX << (from % 64);
		if (word != 0)
			return descend(places, set, i,
			               from / 64 * 64 +
			                       (uint64_t)__builtin_ctzll(word),
			               true);
		from = from / 64 + 1;
		n = (n + 63) / 64;
	}
	return PLACES_NONE;
}

uint64_t places_prev(const struct places *places, uint32_t set, uint64_t below)
{
	below = below < places->n ? below : places->n;
	for (uint32_t i = 0; i < places->n_levels && below > 0; i++) {
		uint64_t last = below - 1;
		uint64_t word = *word_of(places, set, i, last / 64) &
		                UINT64_MAX >> (63 - last % 64);
		if (word != 0)
			return descend(places, set, i,
			               last / 64 * 64 + 63 -
			                       (uint64_t)__builtin_clzll(word),
			               false);
		below = last / 64;
	}
	return PLACES_NONE;
}
