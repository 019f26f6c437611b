/* SPDX-License-Identifier: MIT */
/* Object pools whose max or period has them end what they make again soon after. */
#include <inttypes.h>

#include "daemon/admin/advise.h"
#include "daemon/pool/objpools.h"

#define MISSES_LEAST 10000u
#define MISSES_PART 10u /* of gets: misses that are worth a word */

/* A client wrote these counts: sums of them may be anything. */
static bool misses_much(const struct objpool_live *live)
{
	double gets = (double)live->hits + (double)live->misses;
	return live->misses >= MISSES_LEAST &&
	       (double)live->misses >= gets / MISSES_PART;
}

/* How many ended as more were idle than are kept; those that aged are among ended. */
static uint64_t over_max(const struct objpool_live *live)
{
	return live->max > 0 && live->ended > live->aged
	               ? live->ended - live->aged
	               : 0;
}

static void say(json_t **list, const struct pool *pool,
                const struct objpools_seen *seen)
{
	const struct objpool_live *live = &seen->live;
	bool is_full = over_max(live) >= live->misses / 2;
	advise_say(list, pool, NULL, "objpool", 0,
		   is_full ? "a larger max in its slabd_objpool_ops"
		           : "a longer idle_ms in its slabd_objpool_ops",
		   "object pool %s of client %u made %" PRIu64 " objects as none "
		   "was idle, and ended %" PRIu64 " %s", live->name,
		   seen->client, live->misses,
		   is_full ? over_max(live) : live->aged,
		   is_full ? "as it had its max of them idle"
		           : "that were idle for a period");
}

void advise_objpools(struct report *r, const struct pool *pool,
                     const struct usage_slab *slab)
{
	struct objpools_seen seen;
	uint32_t at = 0;
	while (objpools_next(pool, slab, &at, &seen)) {
		uint64_t half = seen.live.misses / 2;
		if (misses_much(&seen.live) &&
		    (over_max(&seen.live) >= half || seen.live.aged >= half) &&
		    r->job->total++ < ADVISE_CLIENTS_MAX)
			say(&r->job->items, pool, &seen);
	}
}
