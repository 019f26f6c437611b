/* SPDX-License-Identifier: MIT */
/*
 * What stands in the first bytes of an arena's chunks as it is given: the first one
 * says what it is and leads to the others, which come as a chain.
 *
 *   handle --> record --> part --> part --> ... --> SLABD_NO_HANDLE
 *              chunk 0    chunk 1   ...     blocks
 *
 * Who takes it believes nothing of this: each handle is taken by the tag, which says
 * whether it is a gift to it, so once; and what is left over or does not fit is free
 * again.
 */
#ifndef CLIENT_ARENA_RECORD_H
#define CLIENT_ARENA_RECORD_H

#include "client/arena.h"

#define ARENA_MAGIC UINT64_C(0x324e455241424c53) /* "SLBAREN2" */
#define ARENA_PART_MAGIC UINT64_C(0x3254524150424c53) /* "SLBPART2" */

struct arena_record {
	uint64_t magic;
	uint64_t used;     /* bytes from the last chunk's start on */
	slabd_handle next; /* part */
	uint32_t n_chunks, n_blocks;
	uint32_t classes; /* a bit each class that they are of */
	uint32_t root; /* of slabd_send_arena: bytes from the start on; 0: none */
	char name[NAME_BYTES];
};
_Static_assert(sizeof(struct arena_record) <= ARENA_FIRST_ROOM, "room");

struct arena_part {
	uint64_t magic;
	slabd_handle next;
};
_Static_assert(sizeof(struct arena_part) <= ARENA_ROOM, "room");
_Static_assert(ARENA_CLASSES <= 32, "bits of classes");

/* An arena that has what a record says begins where the giver was; false: it says so of
 * no place there is. What is no arena's inside is free again: NULL, with EBADMSG. */
bool arena_go_on(struct arena *arena, const struct arena_record *record);
slabd_arena *arena_broken(struct arena *arena);

/* The class of the chunk at an offset; ARENA_CLASSES with EINVAL: there is none, or it
 * is of another cache; with another errno: it can't be opened now. */
uint32_t arena_class_at(struct arena_home *home, uint64_t off);

/* 0 if an arena may leave this process, else -1: EBUSY. */
int arena_check_leaves(const struct arena *arena);

#endif
