/* SPDX-License-Identifier: MIT */
/* Owner tags of neighbours that pass over a channel: see tags.h. */
#ifndef SHM_TAGS_PASS_H
#define SHM_TAGS_PASS_H

#include "shm/tags.h"

/*
 * n neighbours go from one owner to another, in the order of their places, or
 * against it (down), the first at tags[0]: from a client to a channel that it sends
 * them to, or from a channel to the client that has begun to receive them. What is
 * known stays so. Stops at the first that is not from's, or a gift not taken: how
 * many went. A kill leaves a first part that went, and the rest as it was.
 */
uint32_t tags_pass_own(uint16_t *tags, uint16_t *gens, uint32_t n, bool down,
                       uint16_t from, uint16_t to);

/* The same for whole words, the first at tags, while all four of each are plain:
 * how many words went. To TAG_FREE, too. */
uint32_t tags_pass_words_own(uint16_t *tags, uint32_t n_words, bool down,
                             uint16_t from, uint16_t to);

/* Frees those of whole words that are known, each with the next generation, while all
 * four are own's and no gifts: how many words. */
uint32_t tags_free_known_words_own(uint16_t *tags, uint16_t *gens,
                                   uint32_t n_words, bool down, uint16_t own);

/* How many whole words, the first at tags, are an owner's, and plain. */
uint32_t tags_words_of(const uint16_t *tags, uint32_t n_words, bool down,
                       uint16_t owner);

/* How many of these, from the first on, are an owner's, or are not. */
uint32_t tags_leading(const uint16_t *tags, uint32_t n, bool down,
                      uint16_t owner, bool are);

#endif
