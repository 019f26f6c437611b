/* SPDX-License-Identifier: MIT */
/*
 * What an arena in use says of itself, in the first bytes of its first chunk: written
 * by its process as it begins, grows and is reset, read by slabd out of the file when
 * somebody asks. A client wrote it, so it is shown, and nothing is done because of it.
 *
 * Chunks of arenas are objects of caches whose names begin with ARENA_CACHES; what
 * the tags say of them is exact, and what stands here is not: it may be half written,
 * or of an arena that the chunk was of before.
 */
#ifndef SHM_ARENA_LIVE_H
#define SHM_ARENA_LIVE_H

#include <stdint.h>

#include "shm/layout.h"

#define ARENA_CACHES "arena-"
#define ARENA_LIVE_MAGIC UINT64_C(0x4556494c42414c53) /* "SLABLIVE" */

struct arena_live {
	uint64_t magic;
	uint64_t since_ns; /* made, or taken: CLOCK_MONOTONIC */
	uint64_t reset_ns; /* 0: never */
	uint64_t resets;
	uint64_t bytes;       /* of chunks and blocks */
	uint64_t reset_bytes; /* the same after the last reset, or at first */
	char name[NAME_BYTES];
};

#endif
