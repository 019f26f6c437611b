/* SPDX-License-Identifier: MIT */
#include "daemon/pool/grow.h"

#include <errno.h>

#include "daemon/base/log.h"

#define GROW_BYTES_MAX (UINT64_C(16) << 20) /* faulted in at one time */

/* Says why a node does not grow. */
static void say_lack(const struct pool *pool, uint32_t node)
{
	const struct backing_node *row = &pool->backing.node[node];
	uint64_t bytes = pool->pages.node[node].pages
	                 << pool->view.geo.page_shift;
	log_warn("pool %s: node %u does not grow beyond %llu MiB: %s%s%s",
	         pool->name, pool->view.nodes[node].os_id,
	         (unsigned long long)(bytes >> 20), row->reason,
	         row->remedy[0] ? "; to repair it: " : "", row->remedy);
}

/* At least one page, even if that is larger than the bound. */
static uint64_t step_pages(const struct pool *pool, uint32_t node)
{
	uint64_t most = GROW_BYTES_MAX >> pool->view.geo.page_shift;
	uint64_t n = pool->pages.node[node].pages / 8;
	n = n < most ? n : most;
	return n > 1 ? n : 1;
}

int grow_node(struct pool *pool, uint32_t node)
{
	struct pages *pages = &pool->pages;
	uint64_t n = step_pages(pool, node);
	uint64_t page = pages_hole(pages, node, &n);
	uint64_t got = 0;
	uint32_t file;
	if (page == PAGES_NONE || pool->view.nodes[node].drain != 0 ||
	    pool->offline[node])
		return -ENOSPC;
	file = pages_file(pages, page);
	if (backing_grow(&pool->backing, file, page - pages_first(pages, file),
	                 n, node, &got) < 0)
		say_lack(pool, node);
	if (got > 0)
		pages_add(pages, page, got, node);
	return got > 0 ? 0 : -ENOSPC;
}
