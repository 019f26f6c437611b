/* SPDX-License-Identifier: MIT */
/* An arena tells what slabctl arenas shows. By the thread that uses it. */
#ifndef CLIENT_ARENA_LIVE_H
#define CLIENT_ARENA_LIVE_H

#include "client/arena.h"

/* It has its first chunk. */
void arena_live_begin(const struct arena *arena);

/* A further chunk or block begins there. */
void arena_live_grown(const struct arena *arena, char *start);

/* A chunk or block is no arena's any more. */
void arena_live_end(char *start);

/* It was reset. */
void arena_live_reset(const struct arena *arena);

#endif
