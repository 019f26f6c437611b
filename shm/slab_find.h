/* SPDX-License-Identifier: MIT */
/* Where the objects of a slab and their tags lie: part of slab.h. */
#ifndef SHM_SLAB_FIND_H
#define SHM_SLAB_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/tags.h"
#include "shm/view.h"

/* Where an object lies. */
struct slab_place {
	const struct layout_cache *cache;
	uint64_t word; /* of the head unit */
	uint32_t head;
	uint32_t ix;
	uint16_t *tag;
};

/* The tags of a slab by its head unit; by its first line, where this process has not
 * touched so many yet. NULL where the kernel refuses. */
uint16_t *slab_tags(const struct view *view, uint32_t head);
uint16_t *slab_reach_tags(const struct view *view, uint64_t line)
	__attribute__((cold));

/* The generation beside a tag. */
static inline uint16_t *slab_gen_of(const struct view *view,
                                    const uint16_t *tag)
{
	return view->gens + (tag - view->tags);
}

/* off / stride by a multiplication; exact for off < 2^32, at least 2^33 for a
 * small negative one (Lemire, Kaser and Kurz, "Faster remainder by direct
 * computation", 2019). */
static inline uint64_t slab_index(uint64_t magic, uint64_t off)
{
	__extension__ typedef unsigned __int128 wide;
	return (uint64_t)(((wide)off * magic) >> 64);
}

/* Bytes of a slab before its first object. Multiplicative hashing (Knuth, The
 * Art of Computer Programming, 6.4) gives neighbours, and every second or
 * fourth, different colours. */
static inline uint64_t slab_colour(const struct layout_cache *row,
                                   uint32_t head)
{
	uint32_t turn = (head >> row->order) * 2654435769u >> 16;
	return (uint64_t)(turn & (row->colours - 1)) * row->colour_step;
}

/* Where the object lies that starts at an offset of the pool's data, or false.
 * slab_locate for those who need no more than that, and often: whose cache it is is
 * not looked at again, so that something in the slab has to be owned. reach: false
 * where its tags are not accessible yet is not the answer. */
static inline bool slab_find_if(const struct view *view, uint64_t off,
                                bool reach, struct slab_place *place)
{
	const struct layout_cache *row;
	uint64_t unit = off >> UNIT_SHIFT;
	uint64_t line, word, ix;
	uint32_t head;
	uint16_t *tags;
	if (__builtin_expect(unit >= view->geo.n_units, 0))
		return false;
	/* pairs: put_words; the slab's tags and its cache are there. */
	word = atom_load_acquire(&view->words[unit]);
	if (__builtin_expect(WORD_CACHE(word) == 0, 0))
		return false;
	row = &view->caches[WORD_CACHE(word) - 1];
	head = (uint32_t)unit - WORD_BACK(word);
	/* What lies before the first object comes out as a huge index. */
	off -= ((uint64_t)head << UNIT_SHIFT) + slab_colour(row, head);
	ix = slab_index(row->magic, off);
	if (__builtin_expect(ix >= row->n_objs || ix * row->stride != off, 0))
		return false;
	line = atom_load(&view->lines[head]);
	tags = view_has_lines(view, line) ? view->tags + line * TAGS_PER_LINE
	       : reach                    ? slab_reach_tags(view, line)
	                                  : NULL;
	if (__builtin_expect(tags == NULL, 0))
		return false;
	*place = (struct slab_place){row, word, head, (uint32_t)ix, tags + ix};
	return true;
}

static inline bool slab_find(const struct view *view, uint64_t off,
                             struct slab_place *place)
{
	return slab_find_if(view, off, true, place);
}

/* Its tag alone, or NULL. */
static inline uint16_t *slab_tag_of(const struct view *view, uint64_t off)
{
	struct slab_place place;
	return slab_find(view, off, &place) ? place.tag : NULL;
}

/* The head unit of the slab at an offset where slab_tag_of has found a tag. */
static inline uint32_t slab_head_of(const struct view *view, uint64_t off)
{
	uint64_t unit = off >> UNIT_SHIFT;
	return (uint32_t)unit - WORD_BACK(atom_load(&view->words[unit]));
}

#endif
