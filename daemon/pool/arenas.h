/* SPDX-License-Identifier: MIT */
/*
 * Arenas in use, as each says of itself in its first chunk (shm/arena_live.h): read
 * out of the file, so that nothing a client does to its pages matters here. What is
 * there is its client's word: it is shown, and the log warns of those that are not
 * reset for too long and are large; nothing else is done because of it.
 *
 * A look goes over a pool in slices and notes what it finds overdue; at its end the
 * log gets a line of each that it was not told of within the hour, a few at a time.
 */
#ifndef DAEMON_POOL_ARENAS_H
#define DAEMON_POOL_ARENAS_H

#include "daemon/pool/live.h"
#include "shm/arena_live.h"

#define ARENAS_SAY_AGAIN_NS (3600 * CLOCK_S) /* of one arena, at the earliest */
#define ARENAS_SAY_MAX 4u  /* lines of a look: the rest has the next one */
#define ARENAS_SAID_MAX 128u /* that are remembered */

struct arena_seen {
	uint64_t off; /* of its first chunk */
	uint32_t client;
	struct arena_live live; /* the name ends; all else may be anything */
};

/* The next arena whose first chunk is object *at or a later one of a slab; *at is
 * behind it then. False: there is none. */
bool arenas_next(const struct pool *pool, const struct usage_slab *slab,
                 uint32_t *at, struct arena_seen *seen);

/* Whether it was not reset, or taken, for arena_warn_age and has arena_warn_bytes
 * and no more than there is. */
bool arenas_is_overdue(const struct pool *pool, const struct arena_live *live);

/* "arena NAME of client ... is reset never, ..." and what to do about it. */
void arenas_text(const struct pool *pool, const struct arena_seen *seen,
                 char *out, size_t bytes);
const char *arenas_remedy(void);

/* Whether there is anything to look at in a pool. */
bool arenas_is_watched(const struct pool *pool);

/* A slice of a look. True: there is more of it. */
bool arenas_look(struct pool *pool);

#endif
