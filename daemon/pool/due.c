/* SPDX-License-Identifier: MIT */
#include "daemon/pool/due.h"

#include <errno.h>
#include <stdlib.h>

int due_make(struct due *due, const struct view *view)
{
	due->n_granules = view->geo.n_granules;
	due->lap = due->n_granules;
	due->living.bits[0] |= UINT64_C(1) << TAG_FREE;
	due->living.bits[TAG_NONE / 64] |= UINT64_C(1) << TAG_NONE % 64;
	due->bits = calloc(view->geo.touched_words, sizeof(*due->bits));
	return due->bits == NULL ? -ENOMEM : 0;
}

void due_done(struct due *due)
{
	free(due->bits);
}

void due_add(struct due *due, uint64_t word, uint64_t bits)
{
	uint64_t beyond = due->n_granules - word * 64;
	if (beyond < 64)
		bits &= (UINT64_C(1) << beyond) - 1;
	bits &= ~due->bits[word];
	due->bits[word] |= bits;
	due->n += (uint64_t)__builtin_popcountll(bits);
}

void due_drop(struct due *due, uint64_t granule)
{
	uint64_t bit = UINT64_C(1) << (granule % 64);
	uint64_t *word = &due->bits[granule / 64];
	due->n -= (*word & bit) != 0;
	*word &= ~bit;
}

uint64_t due_take(struct due *due)
{
	uint64_t from = due->passed % due->n_granules;
	uint64_t n_words = (due->n_granules + 63) / 64;
	uint64_t mask = UINT64_MAX << (from % 64);
	uint64_t word = from / 64;
	uint64_t at;
	while ((due->bits[word] & mask) == 0) {
		word = word + 1 < n_words ? word + 1 : 0;
		mask = UINT64_MAX;
	}
	at = word * 64 + (uint64_t)__builtin_ctzll(due->bits[word] & mask);
	due_drop(due, at);
	due->passed += (at >= from ? at : at + due->n_granules) - from + 1;
	return at;
}
