/* SPDX-License-Identifier: MIT */
/*
 * Owner tags: 16 bits an object, in the shared file, the only truth about who
 * owns what. 0 is free, 1..32767 a client, 0xffff no object at all.
 *
 *   who \ on        0 (free)                  own id           another's
 *   lease holder    0 -> own id (claim)       -                never writes
 *   any owner       never writes              own -> 0 (free)  dead -> own
 *                                             own -> other     (ungive, cas)
 *                                             (give)
 *   slabd           -> 0xffff at carve        -                dead -> 0 (sweep,
 *                                                              cas)
 *
 * So a word of four tags that are all 0 has one possible writer, the lease
 * holder, and takes one wide store. A kill between any two stores leaves every
 * tag either free or carrying an id that the sweep knows.
 *
 * tags_wide.c works on four tags at a time; tags_narrow.c does the same one by
 * one, for the thread sanitizer and as the reference in the tests.
 */
#ifndef SHM_TAGS_H
#define SHM_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/atom.h"
#include "shm/layout.h"

/* Tags of a slab: n objects, rounded up to whole words by TAG_NONE. */
#define TAGS_WORD 4u
#define TAGS_EACH UINT64_C(0x0001000100010001)

/* Makes all n free and fills the last word up with TAG_NONE. The run is as
 * long as n_lines * TAGS_PER_LINE. Nobody else may be looking. */
void tags_init_srv(uint16_t *tags, uint32_t n, uint32_t n_lines);

/* Writes TAG_NONE again where there is no object; returns how many of these tags
 * said something else. Nobody claims them, but what reads on shows a slab that
 * has more than its objects. A kill half way leaves some for the next time. */
uint32_t tags_pad_srv(uint16_t *tags, uint32_t n, uint32_t n_lines);

/*
 * Turns up to want free tags into id, in order from about index from on and
 * round the end, and writes their indexes to out. The caller holds the slab's
 * lease; from < n. Returns how many; fewer than want only when it saw no more
 * free ones.
 */
uint32_t tags_claim_own(uint16_t *tags, uint32_t n, uint32_t from, uint16_t id,
                        uint32_t want, uint32_t *out);

/* Whether any of n tags is free right now. */
bool tags_any_free(const uint16_t *tags, uint32_t n);

/* How many of n tags are free right now. */
uint32_t tags_count_free(const uint16_t *tags, uint32_t n);

/* How many tags from one on, of n, are the same as it right now; at least 1. */
uint32_t tags_run(const uint16_t *tags, uint32_t from, uint32_t n);

/* A bit for each value of a tag: whose objects stay. Private to slabd. */
struct tags_living {
	uint64_t bits[65536 / 64];
};

static inline bool tags_lives(const struct tags_living *living, uint32_t id)
{
	return (living->bits[id / 64] >> (id % 64) & 1) != 0;
}

/* Turns every tag that is not free, and whose bit is not set, into 0; returns
 * how many, and adds them to by_id, by tag. Such owners are dead, have said
 * goodbye, or never were: a giver alone still writes these tags, with
 * tags_ungive_own. */
uint32_t tags_sweep_srv(uint16_t *tags, uint32_t n,
                        const struct tags_living *living, uint32_t *by_id);

/* own -> 0. False, and nothing changed, when the tag is not own. */
static inline bool tags_free_own(uint16_t *tag, uint16_t own)
{
	if (atom_load(tag) != own)
		return false;
	/* pairs: tags_claim_own; what the owner wrote comes before. */
	atom_store_release(tag, (uint16_t)TAG_FREE);
	return true;
}

/* own -> 0 for four tags that make up a word. False, and nothing changed,
 * unless all four are own. */
bool tags_free_four_own(uint16_t *tags, uint16_t own);

/* own -> other. False, and nothing changed, when the tag is not own. */
static inline bool tags_give_own(uint16_t *tag, uint16_t own, uint16_t other)
{
	if (atom_load(tag) != own)
		return false;
	/* pairs: slabd_take; the receiver sees what the giver wrote. */
	atom_store_release(tag, other);
	return true;
}

/* other -> own: takes a gift back whose receiver died meanwhile. False when
 * the sweep was there first: the object is free, or somebody else's by now. */
bool tags_ungive_own(uint16_t *tag, uint16_t own, uint16_t other);

/* What each owner holds, by tag. */
struct tags_tally {
	uint64_t objects[65536];
	uint64_t bytes[65536];
};

/* Adds n tags of objects of stride bytes to a tally. */
void tags_tally_srv(const uint16_t *tags, uint32_t n, uint32_t stride,
                    struct tags_tally *tally);

#endif
