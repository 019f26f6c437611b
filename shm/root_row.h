/* SPDX-License-Identifier: MIT */
/*
 * Roots in the control file: names that the pool's own objects have. Each root is
 * an owner of its own: its id is a row of the clients' table, FREE -> ROOT (slabd, as
 * it makes one), ROOT -> DEAD (slabd, at its end), swept then like a client's. So
 * whatever carries the id in its tag is the root's, and lives as long as that.
 *
 *   owner's -> root's   its owner gives it (client/give.c), or slabd does for it, as
 *                       it is named
 *   root's -> a gift    slabd alone, for who asks: so what it has seen of the tag
 *                       and its generation holds
 *
 * What takes slabd several stores is noted first, in busy and the words behind it;
 * the next slabd finishes what it finds there, as the note and the tags say:
 *
 *   SET    next, by's, becomes the root's; it is named; former is a gift to by.
 *          next is not the root's yet: nothing was done
 *   TAKE   nothing is named any more; former is a gift to by
 *   END    the same, and the root ends
 *
 * Letters as in layout.h.
 */
#ifndef SHM_ROOT_ROW_H
#define SHM_ROOT_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"

#define ROOTS_MAX 1024u

/* One root. 128 bytes. Rows that were never used come last. */
struct layout_root {
	char name[NAME_BYTES]; /* (C) as long as it is LIVE */
	/* NONE, GONE -> LIVE (slabd, once the rest is written), LIVE -> OVER
	 * (slabd, at its end), OVER -> GONE (slabd, once its id is dead), by a
	 * release that pairs with root_row_find_any. A kill before LIVE leaves an
	 * id without a root, which the next slabd ends; so does one at OVER. */
	uint32_t state; /* (A) enum root_state */
	uint32_t owner; /* (A) its id in the tags, stored while not LIVE */
	/* The handle of the object that it names, 0: none. Old -> new (slabd,
	 * when that is the root's), by a release that pairs with
	 * root_row_find_any: who follows it sees what its owner wrote. A kill
	 * before it: see busy. */
	uint64_t handle; /* (A) */
	uint32_t busy;   /* (D) enum root_busy; stored after the next three, and
	                    cleared before another writes them */
	uint32_t by;     /* (D) the client's id that asked, 0: an administrator */
	uint64_t next, former; /* (D) handles, 0: none */
	uint64_t spare[3];     /* (X) */
};
enum root_state { ROOT_NONE, ROOT_LIVE, ROOT_OVER, ROOT_GONE };
enum root_busy { ROOT_IDLE, ROOT_SET, ROOT_TAKE, ROOT_END };

struct view;

/* What one row said, at one time. */
struct root_seen {
	uint32_t owner;
	uint64_t handle;
};

/* The root of a name; false: there is none. */
bool root_row_find_any(const struct view *view, const char *name,
                    struct root_seen *seen);

/* The word of a root's id, as view_client_word; 0: it is no root's. */
uint64_t root_row_word(const struct view *view, uint32_t id);

#endif
