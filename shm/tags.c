/* SPDX-License-Identifier: MIT */
/* The operations on single tags, and those whose speed does not matter. */
#include "shm/tags_pass.h"

#include <stddef.h>

#include "shm/atom.h"
#include "shm/layout.h"

#define KNOW_TRIES 16

void tags_init_srv(uint16_t *tags, uint32_t n, uint32_t n_lines)
{
	for (uint32_t i = 0; i < n_lines * TAGS_PER_LINE; i++)
		atom_store(&tags[i], (uint16_t)(i < n ? TAG_FREE : TAG_NONE));
}

uint32_t tags_pad_srv(uint16_t *tags, uint32_t n, uint32_t n_lines)
{
	uint32_t wrong = 0;
	for (uint32_t i = n; i < n_lines * TAGS_PER_LINE; i++) {
		if (atom_load(&tags[i]) == TAG_NONE)
			continue;
		atom_store(&tags[i], (uint16_t)TAG_NONE);
		wrong++;
	}
	return wrong;
}

/* Multiples of the golden ratio's part of 2^15: the starts of carves that follow
 * each other lie far apart (Knuth, The Art of Computer Programming, 6.4). */
void tags_start_srv(uint16_t *gens, uint32_t n, uint32_t carve)
{
	uint16_t start = (uint16_t)(carve * 20251u << 1);
	for (uint32_t i = 0; i < n; i++)
		atom_store(&gens[i], start);
}

/* It may be freed after the mark, and another be there as the generation is read:
 * so the mark is looked at again, a few times, as a client may write what it likes. */
uint16_t tags_know_any(uint16_t *tag, const uint16_t *gen)
{
	uint16_t now = 0;
	for (int i = 0; i < KNOW_TRIES; i++) {
		uint16_t seen = atom_load(tag);
		if (seen != TAG_FREE && seen <= CLIENT_ID_MAX)
			/* pairs: tags_sweep_srv, or tags_know_any elsewhere. */
			atom_cas(tag, &seen, (uint16_t)(seen | TAG_KNOWN));
		/* pairs: tags_free_known_own; the tag is looked at after it. */
		now = atom_load_acquire(gen);
		seen = atom_load(tag);
		if (seen == TAG_FREE || seen > CLIENT_ID_MAX)
			break;
	}
	return now;
}

bool tags_free_known_own(uint16_t *tag, uint16_t *gen, uint16_t own)
{
	uint16_t now = atom_load(gen);
	if (atom_load(tag) != (own | TAG_KNOWN) || (now & GEN_WAITING) != 0)
		return false;
	atom_store(gen, tags_next_gen(now));
	/* pairs: tags_claim_own; what the owner wrote comes before. */
	atom_store_release(tag, (uint16_t)TAG_FREE);
	return true;
}

bool tags_ungive_own(uint16_t *tag, uint16_t *gen, uint16_t own, uint16_t other)
{
	uint16_t given = (uint16_t)(other | TAG_KNOWN);
	/* pairs: tags_sweep_srv; one of the two has it. */
	if (!atom_cas(tag, &given, own))
		return false;
	atom_store(gen, (uint16_t)(atom_load(gen) & ~GEN_WAITING));
	/* pairs: tags_take_own; it waits no more. Who has its handle has it still,
	 * so that its generation goes on counting. */
	atom_store_release(tag, (uint16_t)(own | TAG_KNOWN));
	return true;
}

bool tags_anchor_srv(uint16_t *tag, const uint16_t *gen, uint16_t own,
                     uint16_t root)
{
	uint16_t seen = (uint16_t)(own | TAG_KNOWN);
	if (atom_load(tag) != seen || (atom_load(gen) & GEN_WAITING) != 0)
		return false;
	/* pairs: tags_take_own; the owner's message orders what it wrote. */
	return atom_cas(tag, &seen, (uint16_t)(root | TAG_KNOWN));
}

bool tags_release_srv(uint16_t *tag, uint16_t *gen, uint16_t root,
                      uint16_t other)
{
	uint16_t seen = (uint16_t)(root | TAG_KNOWN);
	if (atom_load(tag) != seen)
		return false;
	/* pairs: tags_take_own; it waits before it is the receiver's. */
	atom_store_release(gen, (uint16_t)(atom_load(gen) | GEN_WAITING));
	/* pairs: tags_take_own */
	return atom_cas(tag, &seen, (uint16_t)(other | TAG_KNOWN));
}

static bool pass_one(uint16_t *tag, const uint16_t *gen, uint16_t from,
                     uint16_t to)
{
	/* pairs: tags_free_own; of this process, which a tool can't follow through
	 * others. */
	uint16_t now = atom_load_acquire(tag);
	if (now != from && (now != (from | TAG_KNOWN) ||
	                    (atom_load(gen) & GEN_WAITING) != 0))
		return false;
	/* pairs: channel_begin_any, by the entry that follows. */
	atom_store_release(tag, (uint16_t)(to | (now & TAG_KNOWN)));
	return true;
}

/* In ascending words where it can; one by one at both ends. */
uint32_t tags_pass_own(uint16_t *tags, uint16_t *gens, uint32_t n, bool down,
                       uint16_t from, uint16_t to)
{
	const ptrdiff_t step = down ? -1 : 1;
	uint32_t i = 0;
	while (i < n) {
		ptrdiff_t at = step * (ptrdiff_t)i;
		uint16_t *word = tags + at - (down ? TAGS_WORD - 1 : 0);
		uint32_t went = 0;
		if (n - i >= TAGS_WORD && ((uintptr_t)word & 7) == 0)
			went = TAGS_WORD *
			       tags_pass_words_own(word, (n - i) / TAGS_WORD,
			                           down, from, to);
		i += went;
		if (went > 0)
			continue;
		if (!pass_one(tags + at, gens + at, from, to))
			break;
		i++;
	}
	return i;
}

uint32_t tags_leading(const uint16_t *tags, uint32_t n, bool down,
                      uint16_t owner, bool are)
{
	const ptrdiff_t step = down ? -1 : 1;
	uint32_t i = 0;
	while (i < n) {
		const uint16_t *at = tags + step * (ptrdiff_t)i;
		const uint16_t *word = at - (down ? TAGS_WORD - 1 : 0);
		uint32_t wide = 0;
		if (are && n - i >= TAGS_WORD && ((uintptr_t)word & 7) == 0)
			wide = TAGS_WORD * tags_words_of(word, (n - i) / TAGS_WORD,
			                                 down, owner);
		/* pairs: tags_free_own, as in pass_one. */
		if (wide == 0 &&
		    (TAG_OWNER(atom_load_acquire(at)) == owner) != are)
			break;
		i += wide > 0 ? wide : 1;
	}
	return i;
}

/* Of those of one owner that are known, how many wait. */
static uint32_t count_waiting(const uint16_t *gens, uint32_t n)
{
	uint32_t waiting = 0;
	for (uint32_t i = 0; i < n; i++)
		waiting += atom_load(&gens[i]) & GEN_WAITING;
	return waiting;
}

void tags_tally_srv(const uint16_t *tags, const uint16_t *gens, uint32_t n,
                    uint32_t stride, struct tags_tally *tally)
{
	/* Runs of one owner are the rule: count each before adding it. */
	for (uint32_t i = 0; i < n;) {
		uint16_t tag = atom_load(&tags[i]);
		uint32_t run = tags_run(tags, i, n);
		tally->objects[TAG_OWNER(tag)] += run;
		tally->bytes[TAG_OWNER(tag)] += (uint64_t)run * stride;
		if ((tag & TAG_KNOWN) != 0) {
			uint32_t waiting = count_waiting(gens + i, run);
			tally->objects[tag] += waiting;
			tally->bytes[tag] += (uint64_t)waiting * stride;
		}
		i += run;
	}
}
