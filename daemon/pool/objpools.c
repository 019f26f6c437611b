/* SPDX-License-Identifier: MIT */
#include "daemon/pool/objpools.h"

#include <string.h>

#include "daemon/pool/clients.h"

static bool has_records(const struct layout_cache *row)
{
	return row->size >= sizeof(struct objpool_live) &&
	       strcmp(row->name, OBJPOOL_LIVE_CACHE) == 0;
}

/* What somebody died with lies about with another owner. */
static bool is_its_own(const struct pool *pool,
                       const struct objpools_seen *seen)
{
	uint32_t epoch = clients_epoch(pool, seen->client);
	return seen->live.magic == OBJPOOL_LIVE_MAGIC &&
	       seen->live.owner == objpool_live_owner(seen->client, epoch);
}

bool objpools_next(const struct pool *pool, const struct usage_slab *slab,
                   uint32_t *at, struct objpools_seen *seen)
{
	struct objpool_live *live = &seen->live;
	if (!has_records(&pool->view.caches[slab->cache - 1]))
		return false;
	while (live_next(pool, slab, at, &seen->client, &seen->off)) {
		if (!live_read(pool, seen->off, live, sizeof(*live)) ||
		    !is_its_own(pool, seen))
			continue;
		live->name[NAME_BYTES - 1] = '\0';
		return true;
	}
	return false;
}
