/* SPDX-License-Identifier: MIT */
/* Roots: what the pool itself owns, by name; and the end of one. */
#include "daemon/admin/owned.h"

#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/death.h"
#include "shm/atom.h"
#include "shm/handle.h"

#define CONFLICT 409

/* The cache of the object that it names, or null. */
static json_t *cache_doc(const struct pool *pool, uint64_t handle)
{
	uint64_t unit = handle_off(handle) >> UNIT_SHIFT;
	uint64_t word = unit < pool->view.geo.n_units
	                        ? atom_load(&pool->view.words[unit])
	                        : 0;
	return WORD_CACHE(word) == 0
	               ? json_null()
	               : report_cache_name(pool, WORD_CACHE(word) - 1);
}

/* Who made it stands in the row of its id. */
static json_t *row_doc(const struct pool *pool, const struct usage *usage,
                       const struct layout_root *row)
{
	const struct layout_client *id = &pool->view.clients[row->owner];
	double age = (double)(clock_ns() - id->since * CLOCK_S) / 1e9;
	return json_pack("{s:o, s:i, s:b, s:I, s:o, s:I, s:I, s:I, s:o, s:f}",
	                 "name", report_text(row->name), "id", row->owner,
	                 "set", row->handle != 0, "handle",
	                 report_count(row->handle), "cache",
	                 cache_doc(pool, row->handle), "objects",
	                 usage->owners->objects[row->owner], "bytes",
	                 usage->owners->bytes[row->owner], "uid",
	                 report_count(id->uid), "process",
	                 report_text(id->comm), "age_s", age > 0 ? age : 0);
}

static json_t *root_doc(struct report *r, struct pool *pool,
                        const struct usage *usage, uint32_t ix)
{
	const struct layout_root *row = &pool->view.roots[ix];
	const struct owned *owned = r->job->own;
	if (row->state != ROOT_LIVE || !owned_is_named(r->arg, row->name) ||
	    (owned != NULL && owned->tally.objects[row->owner] == 0))
		return json_null();
	return owned == NULL ? row_doc(pool, usage, row)
	                     : report_merge(row_doc(pool, usage, row),
	                                    owned_matched(owned, row->owner));
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct owned_named *named = r->arg;
	struct owned *owned;
	if (!owned_match(r, pool, &named->filter, &owned))
		return NULL;
	return json_pack("{s:o, s:i}", "roots",
	                 report_counted(r, pool, 0, roots_n(pool), root_doc),
	                 "most", pool->config->max_roots);
}

json_t *report_roots(struct report *r)
{
	struct owned_named named;
	owned_named_params(r, &named);
	r->arg = &named;
	return report_pools(r, pool_doc);
}
