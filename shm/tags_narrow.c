/* SPDX-License-Identifier: MIT */
/* One tag at a time: what the thread sanitizer can follow, and the reference
 * that tags_wide.c is tested against. */
#include "shm/tags_pass.h"

#include <stddef.h>

#include "shm/atom.h"
#include "shm/layout.h"

uint32_t tags_claim_own(uint16_t *tags, uint32_t n, uint32_t from, uint16_t id,
                        uint32_t want, uint32_t *out)
{
	uint32_t got = 0;
	from -= from % TAGS_WORD;
	for (uint32_t k = 0; k < n && got < want; k++) {
		uint32_t i = from + k < n ? from + k : from + k - n;
		/* pairs: tags_free_own; the last owner's writes come first. */
		if (atom_load_acquire(&tags[i]) != TAG_FREE)
			continue;
		atom_store(&tags[i], id);
		out[got++] = i;
	}
	return got;
}

static bool are_four(const uint16_t *tags, uint16_t owner)
{
	for (uint32_t i = 0; i < TAGS_WORD; i++)
		/* pairs: tags_free_own; as in tags.c's pass_one. */
		if (atom_load_acquire(&tags[i]) != owner)
			return false;
	return true;
}

uint32_t tags_words_of(const uint16_t *tags, uint32_t n_words, bool down,
                       uint16_t owner)
{
	const ptrdiff_t step = down ? -(ptrdiff_t)TAGS_WORD : TAGS_WORD;
	uint32_t i = 0;
	while (i < n_words && are_four(tags + step * (ptrdiff_t)i, owner))
		i++;
	return i;
}

static bool pass_four(uint16_t *tags, uint16_t from, uint16_t to)
{
	if (!are_four(tags, from))
		return false;
	for (uint32_t i = 0; i < TAGS_WORD; i++)
		/* pairs: channel_begin_any, by the entry that follows, or
		 * tags_claim_own. */
		atom_store_release(&tags[i], to);
	return true;
}

uint32_t tags_pass_words_own(uint16_t *tags, uint32_t n_words, bool down,
                             uint16_t from, uint16_t to)
{
	const ptrdiff_t step = down ? -(ptrdiff_t)TAGS_WORD : TAGS_WORD;
	uint32_t i = 0;
	while (i < n_words && pass_four(tags + step * (ptrdiff_t)i, from, to))
		i++;
	return i;
}

static bool free_four(uint16_t *tags, uint16_t *gens, uint16_t own)
{
	for (uint32_t i = 0; i < TAGS_WORD; i++)
		if (atom_load(&tags[i]) != (own | TAG_KNOWN) ||
		    (atom_load(&gens[i]) & GEN_WAITING) != 0)
			return false;
	for (uint32_t i = 0; i < TAGS_WORD; i++)
		tags_free_known_own(&tags[i], &gens[i], own);
	return true;
}

uint32_t tags_free_known_words_own(uint16_t *tags, uint16_t *gens,
                                   uint32_t n_words, bool down, uint16_t own)
{
	const ptrdiff_t step = down ? -(ptrdiff_t)TAGS_WORD : TAGS_WORD;
	uint32_t i = 0;
	while (i < n_words && free_four(tags + step * (ptrdiff_t)i,
	                                gens + step * (ptrdiff_t)i, own))
		i++;
	return i;
}

bool tags_any_free(const uint16_t *tags, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (atom_load(&tags[i]) == TAG_FREE)
			return true;
	return false;
}

uint32_t tags_count_free(const uint16_t *tags, uint32_t n)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < n; i++)
		count += atom_load(&tags[i]) == TAG_FREE;
	return count;
}

uint32_t tags_run(const uint16_t *tags, uint32_t from, uint32_t n)
{
	uint16_t tag = atom_load(&tags[from]);
	uint32_t at = from + 1;
	while (at < n && atom_load(&tags[at]) == tag)
		at++;
	return at - from;
}

uint32_t tags_sweep_srv(uint16_t *tags, uint16_t *gens, uint32_t n,
                        const struct tags_living *living, uint32_t *by_id)
{
	uint32_t swept = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint16_t seen = atom_load(&tags[i]);
		if (seen == TAG_FREE || tags_lives(living, seen))
			continue;
		/* pairs: tags_ungive_own, or the next tags_claim_own. */
		if (!atom_publish(&tags[i], &seen, (uint16_t)TAG_SRV))
			continue;
		atom_store(&gens[i], tags_next_gen(atom_load(&gens[i])));
		/* pairs: tags_claim_own */
		atom_store_release(&tags[i], (uint16_t)TAG_FREE);
		by_id[TAG_OWNER(seen)]++;
		swept++;
	}
	return swept;
}
