/* SPDX-License-Identifier: MIT */
/*
 * Which granules a pool's sweep has to look at. It goes on in the order of their
 * units, round and round, and takes each that is due. Who joins has granules
 * made due, and is through when the sweep has come round to where it was then, or
 * nothing is due any more.
 *
 *            passed             at the time of the join
 *              v
 *   | . . D D . . D . | . . D ...        D due
 *              '----------------> + n_granules: it is through
 *
 * Private to slabd. Nothing is allocated once it is made.
 */
#ifndef DAEMON_POOL_DUE_H
#define DAEMON_POOL_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/slab.h"

struct due {
	uint64_t *bits; /* a bit a granule */
	uint64_t n_granules;
	uint64_t n;      /* bits that are set */
	uint64_t passed; /* granules, since the start, all rounds together */
	uint64_t lap; /* the next granule of the lap; n_granules: none runs */
	bool lap_asked;
	/* With TAG_FREE, and TAG_NONE, which is out of use; a client that lives
	 * also with TAG_KNOWN. */
	struct tags_living living;
	struct slab_swept swept;   /* since the start; by_id, of each client */
};

/* 0 or -ENOMEM. Done is fine after a failure, too. */
int due_make(struct due *due, const struct view *view);
void due_done(struct due *due);

/* Makes granules due, by the bits of a word; those beyond the pool's are not. */
void due_add(struct due *due, uint64_t word, uint64_t bits);

/* The next granule that is due; it is no longer. There must be one. */
uint64_t due_take(struct due *due);

/* A granule is no longer due: it is looked at out of turn. */
void due_drop(struct due *due, uint64_t granule);

/* When who joins now is through; whether that is so. */
static inline uint64_t due_until(const struct due *due)
{
	return due->passed + due->n_granules;
}

static inline bool due_through(const struct due *due, uint64_t until)
{
	return due->n == 0 || due->passed >= until;
}

#endif
