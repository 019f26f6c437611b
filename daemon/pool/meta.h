/* SPDX-License-Identifier: MIT */
/*
 * What of a pool's own files has memory, beside the data.
 *
 *   control  the tables before the unit words; the others as slabd writes them
 *   shared   wants, leases and starts; stats, and where clients have been, up to
 *            the highest id; lists up to the last cache; tag lines up to a mark
 *
 * It is faulted in here and before anybody needs it, so that a shortage is an
 * error that is told, no SIGBUS; and clients reach nothing else, so that they
 * add nothing (client/reach.h). Lists and lines are never given back.
 */
#ifndef DAEMON_POOL_META_H
#define DAEMON_POOL_META_H

#include "daemon/pool/pool.h"

/* For a pool that is made: all that it has from the start. 0 or -errno. */
int meta_make(struct pool *pool);

/* The lists of the first n_caches caches. 0 or -errno, -ENOMEM as a rule. */
int meta_need_lists(struct pool *pool, uint32_t n_caches);

/* Tag lines up to one, and some ahead. 0 or -errno. */
int meta_need_lines(struct pool *pool, uint64_t end);

/* Parts of the shared file, in order. */
enum meta_part {
	META_FIXED, /* ready, all of it */
	META_STATS, /* ready up to the highest id that was handed out */
	META_TOUCHED, /* the same */
	META_LISTS, /* ready up to a mark */
	META_TAGS,  /* the same */
	META_PARTS,
};

/* Where a part begins, how far it is ready, and where it ends: offsets of whole
 * small pages. */
struct meta_range {
	uint64_t from;
	uint64_t ready;
	uint64_t end;
};
struct meta_range meta_range(const struct pool *pool, enum meta_part part);

/* Faults what is ready in again, where somebody took it away, with tags of which
 * no object is free; and takes away what is beyond it. 0 or -errno. */
int meta_mend(struct pool *pool);
int meta_purge(struct pool *pool);

#endif
