/* SPDX-License-Identifier: MIT */
/*
 * Four tags a step. A wide load that sees four zeros under the lease may be
 * answered with one wide store: nobody but the lease holder writes a free tag.
 * Mixed sizes are sound here as every store covers whole tags, and x86-64,
 * AArch64 and POWER keep aligned 8-byte accesses single-copy atomic.
 */
#include "shm/tags_pass.h"

#include <stddef.h>

#include "shm/atom.h"
#include "shm/layout.h"

/* Tags are read and written in both sizes. */
typedef uint64_t __attribute__((may_alias)) tag_word;

/* Four indexes at a time, wherever they lie. */
typedef uint32_t four __attribute__((vector_size(16), aligned(4), may_alias));

static const tag_word *words_of(const uint16_t *tags)
{
	return (const tag_word *)(const void *)tags;
}

static uint32_t n_words(uint32_t n)
{
	return (n + TAGS_WORD - 1) / TAGS_WORD;
}

/* High bit of each 16-bit lane that is zero; exact, no borrow between lanes. */
static uint64_t zero_lanes(uint64_t word)
{
	uint64_t low = UINT64_C(0x7fff7fff7fff7fff);
	return ~(((word & low) + low) | word | low);
}

/* The lanes of the word at index ix that are objects. Those behind the last one
 * are nobody's, whatever a client wrote there. */
static uint64_t real_lanes(uint32_t n, uint32_t ix)
{
	return n - ix < TAGS_WORD ? (UINT64_C(1) << 16 * (n - ix)) - 1
	                          : ~UINT64_C(0);
}

static uint32_t lane_of(uint64_t lanes)
{
	return (uint32_t)__builtin_ctzll(lanes) / 16;
}

static uint32_t claim_lanes(uint16_t *tags, uint64_t lanes, uint16_t id,
                            uint32_t first, uint32_t want, uint32_t *out)
{
	uint32_t got = 0;
	for (; lanes != 0 && got < want; lanes &= lanes - 1) {
		uint32_t ix = first + lane_of(lanes);
		atom_store(&tags[ix], id);
		out[got++] = ix;
	}
	return got;
}

/* Whole words, the first at index w, while all of each is free. How many. */
static uint32_t claim_words(tag_word *words, uint32_t w, uint32_t most,
                            uint16_t id, uint32_t *out)
{
	const four on = {TAGS_WORD, TAGS_WORD, TAGS_WORD, TAGS_WORD};
	const uint64_t mine = TAGS_EACH * id;
	four ix = (four){0, 1, 2, 3} + w * TAGS_WORD;
	uint32_t i = 0;
	/* pairs: tags_free_own; the last owner's writes come first. */
	for (; i < most && atom_load_acquire(&words[w + i]) == 0; i++) {
		atom_store(&words[w + i], mine);
		*(four *)(out + i * TAGS_WORD) = ix;
		ix += on;
	}
	return i;
}

/* Those of a word that are free. */
static uint32_t claim_some(uint16_t *tags, uint64_t seen, uint16_t id,
                           uint32_t w, uint32_t want, uint32_t *out)
{
	return claim_lanes(tags, zero_lanes(seen), id, w * TAGS_WORD, want, out);
}

/* Claims from the words first to end. Most that are not free are as the one before
 * them. */
static uint32_t claim_span(uint16_t *tags, uint32_t first, uint32_t end,
                           uint16_t id, uint32_t want, uint32_t *out)
{
	tag_word *words = (tag_word *)(void *)tags;
	uint64_t full = TAGS_EACH * id;
	uint32_t got = 0;
	for (uint32_t w = first; w < end && got < want; w++) {
		/* pairs: tags_free_own; the last owner's writes come first. */
		uint64_t seen = atom_load_acquire(&words[w]);
		if (seen == full)
			continue;
		if (seen == 0 && want - got >= TAGS_WORD) {
			uint32_t most = (want - got) / TAGS_WORD;
			most = most < end - w ? most : end - w;
			most = claim_words(words, w, most, id, out + got);
			got += most * TAGS_WORD;
			w += most > 0 ? most - 1 : 0;
		} else if (zero_lanes(seen) == 0) {
			full = seen;
		} else {
			got += claim_some(tags, seen, id, w, want - got,
			                  out + got);
		}
	}
	return got;
}

/* Claims from the last word, where that is not all objects. */
static uint32_t claim_rest(uint16_t *tags, uint32_t n, uint16_t id,
                           uint32_t want, uint32_t *out)
{
	uint32_t got = 0;
	for (uint32_t ix = n - n % TAGS_WORD; ix < n && got < want; ix++) {
		/* pairs: tags_free_own; the last owner's writes come first. */
		if (atom_load_acquire(&tags[ix]) != TAG_FREE)
			continue;
		atom_store(&tags[ix], id);
		out[got++] = ix;
	}
	return got;
}

/* Goes on at the slab's end, and from its start on to the word at end. */
__attribute__((noinline)) static uint32_t
claim_round(uint16_t *tags, uint32_t n, uint32_t end, uint16_t id,
            uint32_t want, uint32_t *out)
{
	uint32_t got = claim_rest(tags, n, id, want, out);
	return got + claim_span(tags, 0, end, id, want - got, out + got);
}

uint32_t tags_claim_own(uint16_t *tags, uint32_t n, uint32_t from, uint16_t id,
                        uint32_t want, uint32_t *out)
{
	uint32_t first = from / TAGS_WORD;
	uint32_t got = claim_span(tags, first, n / TAGS_WORD, id, want, out);
	if (got < want)
		got += claim_round(tags, n, first, id, want - got, out + got);
	return got;
}

uint32_t tags_words_of(const uint16_t *tags, uint32_t n_words, bool down,
                       uint16_t owner)
{
	const uint64_t full = TAGS_EACH * owner;
	const tag_word *word = words_of(tags);
	const ptrdiff_t step = down ? -1 : 1;
	uint32_t i = 0;
	for (; i < n_words && atom_load(word) == full; i++)
		word += step;
	return i;
}

/* Two a turn. */
static uint32_t pass_up(tag_word *word, uint32_t n, uint64_t seen, uint64_t then)
{
	tag_word *at = word;
	tag_word *end = word + n;
	for (; at + 2 <= end && atom_load(at) == seen; at += 2) {
		/* pairs: channel_begin_any, or tags_claim_own. */
		atom_store_release(at, then);
		if (atom_load(at + 1) != seen)
			return (uint32_t)(at + 1 - word);
		/* pairs: channel_begin_any, or tags_claim_own. */
		atom_store_release(at + 1, then);
	}
	if (at < end && atom_load(at) == seen) {
		/* pairs: channel_begin_any, or tags_claim_own. */
		atom_store_release(at, then);
		at++;
	}
	return (uint32_t)(at - word);
}

uint32_t tags_pass_words_own(uint16_t *tags, uint32_t n_words, bool down,
                             uint16_t from, uint16_t to)
{
	const uint64_t seen = TAGS_EACH * from;
	const uint64_t then = TAGS_EACH * to;
	tag_word *word = (tag_word *)(void *)tags;
	uint32_t i = 0;
	if (!down)
		return pass_up(word, n_words, seen, then);
	for (; i < n_words && atom_load(word) == seen; i++, word--)
		/* pairs: channel_begin_any, by the entry that follows, or
		 * tags_claim_own: what the owner wrote comes before. */
		atom_store_release(word, then);
	return i;
}

/* The next generation in each lane, of which none waits: its high bit apart, nothing
 * is carried on. */
static uint64_t next_gens(uint64_t gens)
{
	const uint64_t high = TAGS_EACH << 15;
	return ((gens & ~high) + TAGS_EACH * 2) ^ (gens & high);
}

uint32_t tags_free_known_words_own(uint16_t *tags, uint16_t *gens,
                                   uint32_t n_words, bool down, uint16_t own)
{
	const uint64_t known = TAGS_EACH * (uint16_t)(own | TAG_KNOWN);
	const ptrdiff_t step = down ? -1 : 1;
	tag_word *word = (tag_word *)(void *)tags;
	tag_word *gen = (tag_word *)(void *)gens;
	uint32_t i = 0;
	for (; i < n_words && atom_load(word) == known; i++) {
		uint64_t now = atom_load(gen);
		if ((now & TAGS_EACH * GEN_WAITING) != 0)
			break;
		atom_store(gen, next_gens(now));
		/* pairs: tags_claim_own; what the owner wrote comes before. */
		atom_store_release(word, (uint64_t)TAG_FREE);
		word += step;
		gen += step;
	}
	return i;
}

__attribute__((noinline)) static bool any_free_rest(const uint16_t *tags,
                                                    uint32_t n)
{
	for (uint32_t ix = n - n % TAGS_WORD; ix < n; ix++)
		if (atom_load(&tags[ix]) == TAG_FREE)
			return true;
	return false;
}

/* Most words are as the one before them. */
bool tags_any_free(const uint16_t *tags, uint32_t n)
{
	const tag_word *words = words_of(tags);
	uint64_t full = TAGS_EACH;
	for (uint32_t w = 0; w < n / TAGS_WORD; w++) {
		uint64_t word = atom_load(&words[w]);
		if (word == full)
			continue;
		if (zero_lanes(word) != 0)
			return true;
		full = word;
	}
	return n % TAGS_WORD != 0 && any_free_rest(tags, n);
}

uint32_t tags_count_free(const uint16_t *tags, uint32_t n)
{
	const tag_word *words = words_of(tags);
	uint32_t count = 0;
	for (uint32_t w = 0; w < n_words(n); w++) {
		uint64_t lanes = zero_lanes(atom_load(&words[w])) &
		                 real_lanes(n, w * TAGS_WORD);
		count += (uint32_t)__builtin_popcountll(lanes);
	}
	return count;
}

uint32_t tags_run(const uint16_t *tags, uint32_t from, uint32_t n)
{
	const tag_word *words = words_of(tags);
	uint16_t tag = atom_load(&tags[from]);
	uint32_t at = from + 1;
	while (at < n && at % TAGS_WORD != 0 && atom_load(&tags[at]) == tag)
		at++;
	if (at % TAGS_WORD != 0)
		return at - from;
	while (at + TAGS_WORD <= n &&
	       atom_load(&words[at / TAGS_WORD]) == TAGS_EACH * tag)
		at += TAGS_WORD;
	while (at < n && atom_load(&tags[at]) == tag)
		at++;
	return at - from;
}

/* Those lanes of a word that are owned, and not by the living; all 16 bits of
 * each. */
static uint64_t dead_lanes(uint64_t word, const struct tags_living *living)
{
	uint64_t lanes = 0;
	for (uint32_t at = 0; at < 64; at += 16) {
		uint32_t tag = (uint32_t)(word >> at) & 0xffff;
		if (tag != TAG_FREE && !tags_lives(living, tag))
			lanes |= UINT64_C(0xffff) << at;
	}
	return lanes;
}

/* Makes those lanes slabd's, all at once if nobody writes to any of the word
 * meanwhile: a living owner may free its own, a lease holder claim those that
 * are free, and a giver take back what it gave to the dead. Else one by one.
 * Returns those that are. */
static uint64_t seize(uint16_t *tags, uint64_t word, uint64_t lanes)
{
	tag_word seen = word;
	uint64_t got = 0;
	/* pairs: tags_ungive_own */
	if (atom_publish((tag_word *)(void *)tags, &seen,
	                 (word & ~lanes) | (lanes & TAGS_EACH * TAG_SRV)))
		return lanes;
	for (uint32_t lane = 0; lane < TAGS_WORD; lane++) {
		uint64_t mask = UINT64_C(0xffff) << 16 * lane;
		uint16_t tag = (uint16_t)(word >> 16 * lane);
		if ((lanes & mask) == 0)
			continue;
		/* pairs: tags_ungive_own */
		if (atom_publish(&tags[lane], &tag, (uint16_t)TAG_SRV))
			got |= mask;
	}
	return got;
}

/* The lanes are slabd's: so are their generations. */
static uint32_t free_lanes(uint16_t *tags, uint16_t *gens, uint64_t word,
                           uint64_t lanes, uint32_t *by_id)
{
	uint32_t n = 0;
	for (uint32_t lane = 0; lane < TAGS_WORD; lane++) {
		if ((lanes >> 16 * lane & 0xffff) == 0)
			continue;
		atom_store(&gens[lane], tags_next_gen(atom_load(&gens[lane])));
		/* pairs: tags_claim_own */
		atom_store_release(&tags[lane], (uint16_t)TAG_FREE);
		by_id[TAG_OWNER(word >> 16 * lane & 0xffff)]++;
		n++;
	}
	return n;
}

uint32_t tags_sweep_srv(uint16_t *tags, uint16_t *gens, uint32_t n,
                        const struct tags_living *living, uint32_t *by_id)
{
	const tag_word *words = words_of(tags);
	uint64_t stays = 0; /* the last word in which nothing was to be freed */
	uint32_t swept = 0;
	for (uint32_t w = 0; w < n_words(n); w++) {
		uint64_t word = atom_load(&words[w]);
		uint64_t lanes;
		if (word == 0 || word == stays)
			continue;
		lanes = dead_lanes(word, living) &
		        real_lanes(n, w * TAGS_WORD);
		if (lanes == 0)
			stays = word;
		else
			swept += free_lanes(tags + w * TAGS_WORD,
			                    gens + w * TAGS_WORD, word,
			                    seize(tags + w * TAGS_WORD, word,
			                          lanes),
			                    by_id);
	}
	return swept;
}
