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

/* Of what is in use now, as it was counted: the caches, as documents, with advice
 * of them and of the clients' magazines added to a list. */
json_t *advise_caches(json_t **list, const struct pool *pool,
                      const struct usage *usage);

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

/* Advice of object pools that make again what they ended; in slices, NULL until the
 * last. */
json_t *advise_objpools(struct report *r, struct pool *pool);

#endif
