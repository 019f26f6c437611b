/* SPDX-License-Identifier: MIT */
/*
 * Which small pages of the lists have memory. The summaries of all lists that may
 * be used have; of a bitmap there is a page, of 2 GiB of units, once a slab of
 * those stands on the list: before its bit is set, so that neither slabd nor a
 * client adds memory by it. Pages are never given back while slabd runs; the next
 * one makes the table anew from the slabs, and what is beyond goes back, with bits
 * that say nothing.
 *
 *   list of a cache and node   | summary | bitmap                     |
 *   small pages                |####|####|....|..##|....|....|....|...|
 */
#ifndef DAEMON_POOL_LISTS_H
#define DAEMON_POOL_LISTS_H

#include "daemon/pool/work.h"

/* Room for the table; 0 or -ENOMEM. What the head says is ready is noted. */
int lists_open(struct pool *pool);

/* The summaries of the first n_caches caches' lists: one list's at least, and as
 * many as there is time for. 0, LISTS_E_LATER: there are more, or -errno as
 * meta_need. */
#define LISTS_E_LATER 1
int lists_need(struct pool *pool, uint32_t n_caches, int64_t until_ns);

/* The place of a unit's bit. 0 or -errno (meta_need); what is there costs a
 * look. */
int lists_need_bit(struct pool *pool, uint32_t cache, uint32_t node,
                   uint32_t unit);

/* The same for a slab that is taken over: its place has memory as a rule. And
 * after the last of them: sets every summary bit that is due, and gives back what
 * no slab needs any longer. */
int lists_adopt_bit(struct pool *pool, uint32_t cache, uint32_t node,
                    uint32_t unit);
void lists_adopted(struct pool *pool);

/* How much that is. */
uint64_t lists_due(const struct pool *pool);

/* All that has memory by the table has it, for a while, 1: there is more of that. 0
 * or -errno. */
int lists_mend_some(struct pool *pool, int64_t until_ns);

/* What has none by it, from a place of the shared file on, as ranges in units of
 * holes (meta.h). How many. */
uint32_t lists_excess(const struct pool *pool, uint64_t from,
                      struct work_range *out, uint32_t most);

#endif
