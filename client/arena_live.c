/* SPDX-License-Identifier: MIT */
/* What arenas in use say of themselves for slabctl: shm/arena_live.h. */
#include "client/arena_live.h"

#include <string.h>

#include "client/clock.h"
#include "shm/arena_live.h"
#include "shm/atom.h"

_Static_assert(sizeof(struct arena_live) <= ARENA_FIRST_ROOM, "room");

static struct arena_live *live_of(const struct arena *arena)
{
	return (void *)arena->chunks.at[0].start;
}

void arena_live_begin(const struct arena *arena)
{
	struct arena_live *live = live_of(arena);
	atom_store(&live->magic, UINT64_C(0));
	live->since_ns = clock_coarse_ns();
	live->reset_ns = 0;
	live->resets = arena->resets;
	live->bytes = live->reset_bytes = arena->bytes;
	memcpy(live->name, arena->name, sizeof(live->name));
	/* pairs: with nobody; slabd reads it out of the file, and shows it. */
	atom_store_release(&live->magic, ARENA_LIVE_MAGIC);
}

void arena_live_end(char *start)
{
	atom_store((uint64_t *)(void *)start, UINT64_C(0));
}

/* The chunk may have been another process's. */
void arena_live_grown(const struct arena *arena, char *start)
{
	arena_live_end(start);
	if (arena->chunks.n > 0)
		atom_store(&live_of(arena)->bytes, arena->bytes);
}

void arena_live_reset(const struct arena *arena)
{
	struct arena_live *live;
	if (arena->chunks.n == 0)
		return;
	live = live_of(arena);
	atom_store(&live->reset_ns, clock_coarse_ns());
	atom_store(&live->resets, arena->resets);
	atom_store(&live->bytes, arena->bytes);
	atom_store(&live->reset_bytes, arena->bytes);
}
