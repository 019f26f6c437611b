/* SPDX-License-Identifier: MIT */
/* Gifts of single objects: part of tags.h, which includes it. */
#ifndef SHM_TAGS_GIFT_H
#define SHM_TAGS_GIFT_H

#include "shm/tags.h"

/* The same of one that is plainly own's. */
static inline void tags_give_plain_own(uint16_t *tag, uint16_t *gen,
                                       uint16_t seen, uint16_t other)
{
	/* pairs: tags_take_own; it is plain before it waits. */
	atom_store_release(gen, (uint16_t)(seen | GEN_WAITING));
	/* pairs: tags_take_own; the receiver sees what the giver wrote. */
	atom_store_release(tag, (uint16_t)(other | TAG_KNOWN));
}

/* own -> other, known, and waiting, in its turn. False, and nothing changed, when it
 * is not own's. */
static inline bool tags_give_own(uint16_t *tag, uint16_t *gen, uint16_t own,
                                 uint16_t other)
{
	uint16_t now = atom_load(tag);
	uint16_t seen = atom_load(gen);
	if (now != own) {
		if (now != (own | TAG_KNOWN) || (seen & GEN_WAITING) != 0)
			return false;
		/* As long as it is plain, nobody takes it. */
		atom_store(tag, own);
	}
	tags_give_plain_own(tag, gen, seen, other);
	return true;
}

/* Takes one object by its generation (GEN_OBJECT), in its turn: no other thread of
 * own's takes or gives it meanwhile, and nobody else changes what is own's and known,
 * or its generation, while own lives: so that a store does, behind a look at the tag
 * and then one at the generation. False, and nothing changed, where no gift to own
 * waits there, or another object is. */
static inline bool tags_take_own(uint16_t *tag, uint16_t *gen, uint16_t own,
                                 uint32_t object)
{
	uint16_t given = (uint16_t)(object << 1 | GEN_WAITING);
	/* pairs: tags_give_own; what the giver wrote is there, and it waits. */
	if (atom_load_acquire(tag) != (own | TAG_KNOWN))
		return false;
	if (atom_load(gen) != given)
		return false;
	/* The turn's end shows it to this client's threads, the next change of
	 * the tag to all others. */
	atom_store(gen, (uint16_t)(given & ~GEN_WAITING));
	return true;
}

#endif
