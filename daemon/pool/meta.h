/* SPDX-License-Identifier: MIT */
/*
 * What of a pool's own files has memory, beside the data.
 *
 *   control  the tables before the unit words; the others as slabd writes them
 *   shared   wants, leases and starts; stats, and where clients have been, up to
 *            the highest id and some more; lists as pool/lists.h has it; tag lines,
 *            and generations, up to a mark
 *
 * It is faulted in here and before anybody needs it, so that a shortage is an
 * error that is told, no SIGBUS; and clients reach nothing else, so that they
 * add nothing (client/reach.h). Lists and lines are never given back.
 */
#ifndef DAEMON_POOL_META_H
#define DAEMON_POOL_META_H

#include "daemon/pool/work.h"

#define META_PUNCH_SHIFT 12u /* holes are made in units of that */

/* For a pool that is made: all that it has from the start. 0 or -errno. */
int meta_make(struct pool *pool);

/* Tag lines up to one, and some ahead. 0 or -errno. */
int meta_need_lines(struct pool *pool, uint64_t end);

/* So many bytes of the shared file, and the rest of the small pages at both ends;
 * the former asks slabd's control groups first, as for what is not there yet. 0
 * or -errno, -ENOMEM as a rule; -EAGAIN: a job takes away what is beyond what is
 * ready, and it is to be tried again when that has ended. */
int meta_need(struct pool *pool, uint64_t from, uint64_t bytes);
int meta_hold(struct pool *pool, uint64_t from, uint64_t bytes);
bool meta_may(struct pool *pool, uint64_t bytes); /* that question alone */

/* Parts of the shared file but the lists, in order. */
enum meta_part {
	META_FIXED, /* ready, all of it */
	META_STATS, /* ready up to the highest id that was handed out, and more */
	META_TOUCHED, /* the same */
	META_TAGS,    /* ready up to a mark */
	META_GENS,    /* the same */
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

/* How much of the shared file has memory by all this, without the lists. */
uint64_t meta_due(const struct pool *pool);

/* Faults what is ready in again, where somebody took it away, with tags of which
 * no object is free. *lost: of tags or leases, which nothing tells. 0 or -errno. */
int meta_mend(struct pool *pool, bool *lost);

/* The same for a while, a part at least, by whoever has the file's row: ranges are
 * those of meta_ranges, of that time. 1: there is more; lost so far. */
int meta_mend_some(struct pool *pool, const struct meta_range *range,
                   int64_t until_ns, bool *lost);
void meta_ranges(const struct pool *pool, struct meta_range range[META_PARTS]);

/* What is beyond it of one part, in units of holes. */
struct work_range meta_excess(const struct pool *pool, enum meta_part part);

/* For an id that is to be handed out, and some ahead of it; and the highest one
 * that may be: as long as a job has the shared file none whose rows are not
 * ready. */
void meta_ready_ids(struct pool *pool, uint32_t id);
uint32_t meta_ids(const struct pool *pool);

#endif
