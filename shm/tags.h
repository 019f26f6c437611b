/* SPDX-License-Identifier: MIT */
/*
 * Owner tags: 16 bits an object, in the shared file, the only truth about who
 * owns what. 0 is free, 1..32766 a client, 0xffff no object at all. With TAG_KNOWN:
 * somebody has a handle, so that its generation counts; it may be a gift not taken.
 *
 *   who \ on        0 (free)            own id             another's
 *   lease holder    0 -> own (claim)    -                  never writes
 *   any owner       never writes        own -> 0 (free)    dead, known -> own
 *                                       own -> other,      (cas) -> own, known
 *                                       known (give)       (ungive)
 *                                       own <-> channel (pass)
 *   who makes a     never writes        own -> own, known  other -> other, known
 *   handle                              (cas)              (cas)
 *   slabd           -> 0xffff at carve  -                  dead -> TAG_SRV
 *                                                          (cas) -> 0 (sweep);
 *                   known: owner's -> a root's, a root's -> another's (cas)
 *
 * So a word of four tags that are all 0 has one possible writer, the lease
 * holder, and takes one wide store. A kill between any two stores leaves every
 * tag either free or carrying an id that the sweep knows, TAG_SRV among them.
 *
 * Beside each tag is the generation of what lies there, in a table of the same
 * shape: which object it is, in bits 1 to 15, and GEN_WAITING in bit 0, of one
 * that is known: it is a gift that its owner has not taken. A handle has the
 * former, so that one of an object that was freed is told from that of the
 * object which has its place now. What nobody has a handle of keeps it.
 *
 *   any owner    (g, 0) -> (g + 1, 0)    before it frees one that is known
 *                (g, 0) -> (g, 1)        before it gives it, while it is plain
 *                (g, 1) -> (g, 0)        after it took a gift back
 *   receiver     (g, 1) -> (g, 0)        takes it, while the tag is its id, known
 *   slabd        (g, any) -> (g + 1, 0)  of a tag that is TAG_SRV
 *                any -> start            at carve
 *
 * Of a client's threads one at a time gives an object, takes it, or takes it back:
 * so while it lives nobody changes what one of them has seen in the tag, nor then in
 * the generation; a kill leaves a dead one's object. tests/model/gifts.pml has all of it.
 *
 * tags_wide.c works on four tags at a time; tags_narrow.c one by one.
 */
#ifndef SHM_TAGS_H
#define SHM_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/atom.h"
#include "shm/layout.h"

#define TAG_KNOWN 0x8000u /* beside an id: a handle of the object was made */
#define TAG_SRV 0x7fffu   /* slabd's, for the moment that it sweeps it */
#define TAG_OWNER(tag) ((tag) & 0x7fffu)

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
uint32_t tags_sweep_srv(uint16_t *tags, uint16_t *gens, uint32_t n,
                        const struct tags_living *living, uint32_t *by_id);

/* ---- generations ---------------------------------------------------------- */

#define GEN_WAITING 1u
#define GEN_OBJECT(gen) ((uint32_t)(gen) >> 1)

/* The generation of the next object here. */
static inline uint16_t tags_next_gen(uint16_t gen)
{
	return (uint16_t)((gen & ~GEN_WAITING) + 2);
}

/* Begins n generations at a carve: far from those of other carves, as the places
 * may have been another slab's. */
void tags_start_srv(uint16_t *gens, uint32_t n, uint32_t carve);

/* ---- single objects ------------------------------------------------------- */

/* Whether an object is own's to free or give. */
static inline bool tags_has_own(const uint16_t *tag, const uint16_t *gen,
                                uint16_t own)
{
	uint16_t now = atom_load(tag);
	return now == own || (now == (own | TAG_KNOWN) &&
	                      (atom_load(gen) & GEN_WAITING) == 0);
}

/* own -> 0. False, and nothing changed, when the tag is not own: it may be, and
 * known. */
static inline bool tags_free_own(uint16_t *tag, uint16_t own)
{
	if (atom_load(tag) != own)
		return false;
	/* pairs: tags_claim_own; what the owner wrote comes before. */
	atom_store_release(tag, (uint16_t)TAG_FREE);
	return true;
}

/* own, known -> 0. False, and nothing changed, when it is not, or was not taken
 * yet. */
bool tags_free_known_own(uint16_t *tag, uint16_t *gen, uint16_t own);

/* A handle is made of an object, whosever it is: a client's -> the same, known.
 * Returns its generation. One that is freed at the very moment by a plain store
 * keeps its generation all the same. */
uint16_t tags_know_any(uint16_t *tag, const uint16_t *gen);

/* other, known -> own, known: takes a gift back whose receiver died meanwhile.
 * False when the sweep was there first: the object is free, or somebody else's by
 * now. */
bool tags_ungive_own(uint16_t *tag, uint16_t *gen, uint16_t own,
                     uint16_t other);

/* An owner's, known -> a root's, known, as the owner asked slabd. False, and nothing
 * changed, when it is not the owner's, or a gift to it. */
bool tags_anchor_srv(uint16_t *tag, const uint16_t *gen, uint16_t own,
                     uint16_t root);

/* A root's, known -> other, known, and waiting: a gift. slabd alone turns what is a
 * root's. False when it is not; a kill before leaves it the root's. */
bool tags_release_srv(uint16_t *tag, uint16_t *gen, uint16_t root,
                      uint16_t other);

/* What each owner has, by its id, and with TAG_KNOWN what of it are gifts that it
 * has not taken. */
struct tags_tally {
	uint64_t objects[65536];
	uint64_t bytes[65536];
};

/* Adds n tags of objects of stride bytes to a tally. */
void tags_tally_srv(const uint16_t *tags, const uint16_t *gens, uint32_t n,
                    uint32_t stride,
                    struct tags_tally *tally);

#include "shm/tags_gift.h"

#endif
