/* SPDX-License-Identifier: MIT */
#include "daemon/pool/renew.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/pages.h"
#include "daemon/pool/slabs.h"
#include "shm/lease.h"
#include "shm/slab.h"
#include "shm/tags.h"

#define SLICE_NS CLOCK_MS

/* No process that may look at its tags, or hold its lease, is left. */
static void take_apart(struct pool *pool, uint32_t head)
{
	const struct layout_cache *row =
		&pool->view.caches[WORD_CACHE(pool->view.words[head]) - 1];
	tags_init_srv(slab_tags(&pool->view, head), row->n_objs,
	              slab_lines(row));
	lease_drop_own(&pool->view.leases[head]);
	(void)slabs_reclaim(pool, head);
}

static void empty_page(struct pool *pool, uint64_t page)
{
	uint32_t unit = (uint32_t)(page * pool->pages.page_units);
	uint32_t end = unit + pool->pages.page_units;
	for (; unit < end && pool->pages.used[page] > 0; unit++) {
		uint64_t word = pool->view.words[unit];
		if (WORD_CACHE(word) != 0 && WORD_BACK(word) == 0)
			take_apart(pool, unit);
	}
}

bool renew_some(struct pool *pool)
{
	int64_t until_ns = clock_ns() + SLICE_NS;
	uint64_t page = 0;
	/* Its tags must be there to be written. */
	if (pool->head->aside == 0 || pool->n_clients > 0 || !holes_guard(pool))
		return false;
	while ((page = pages_next_used_any(&pool->pages, page)) != PAGES_NONE) {
		empty_page(pool, page++);
		if (clock_ns() >= until_ns)
			return true;
	}
	pool->head->aside = 0;
	log_info("pool %s: nobody has it any longer: it is as new, and lets "
	         "clients in", pool->name);
	return false;
}
