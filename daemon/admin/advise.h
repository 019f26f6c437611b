/* SPDX-License-Identifier: MIT */
/* What a report says of what would do better, and where that comes from. */
#ifndef DAEMON_ADMIN_ADVISE_H
#define DAEMON_ADMIN_ADVISE_H

#include "daemon/admin/report.h"

#define ADVISE_MIB (UINT64_C(1) << 20)
#define ADVISE_CLIENTS_MAX 16u /* that are named, of each kind */

/* Adds advice of a pool, or of one of its caches (NULL: not), of a kind that
 * slabctl(1) names. */
__attribute__((format(printf, 7, 8))) void
advise_say(json_t **list, const struct pool *pool, const char *cache,
           const char *kind, uint64_t saves, const char *todo,
           const char *format, ...);

/*
 * What objects of one cache hold, as far as they were looked at: up to their last
 * byte that is not 0. Memory is zero before it is first written, and what an earlier
 * object left makes that more, never less. All zero to begin with.
 */
#define ADVISE_PARTS 8u
struct advise_filled {
	uint32_t slabs;              /* that came by */
	uint32_t looked;             /* objects with anything in them */
	uint32_t most_bytes;         /* that one of them holds */
	uint32_t part[ADVISE_PARTS]; /* of looked: how many end in which eighth */
};

/* Looks at some objects of a slab, a few hundred of all slabs of its cache. */
void advise_filled_look(struct advise_filled *filled, const struct pool *pool,
                        const struct usage *usage,
                        const struct usage_slab *slab);

/* Whether enough of them leave much of their end unused; and the cache that would do,
 * by size, stride and objects of a slab. */
bool advise_filled_less(const struct advise_filled *filled,
                        const struct pool *pool, const struct layout_cache *row,
                        struct layout_cache *less);

/* object with what they hold; takes object. */
json_t *advise_filled_doc(json_t *object, const struct advise_filled *filled);

/* Of what is in use now, as it was counted: the caches, as documents, with advice
 * of them and of the clients' magazines added to a list. filled: by id - 1. */
json_t *advise_caches(json_t **list, const struct pool *pool,
                      const struct usage *usage,
                      const struct advise_filled *filled);

/* What a pool is given by its configuration, of each node; and what nodes had carved
 * in the last hours, the fullest of them each time. */
struct advise_marks {
	uint64_t start, floor, max;
	uint64_t most, half; /* the greatest; and what half of the time was less */
	int64_t span_s;
};

/* Advice of these, added to a list, and the lines of configuration that do it. */
void advise_pool(json_t **list, json_t **keys, struct report *r,
                 const struct pool *pool, struct advise_marks *marks);

/* Adds advice of object pools that make again what they ended, as far as a slab has
 * them, to the items of the job. */
void advise_objpools(struct report *r, const struct pool *pool,
                     const struct usage_slab *slab);

#endif
