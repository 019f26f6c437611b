/* SPDX-License-Identifier: MIT */
#include "daemon/pool/live.h"

#include <unistd.h>

#include "shm/slab.h"

/* The file that an offset of the pool's data lies in, and where there. */
static int file_of(const struct pool *pool, uint64_t off, off_t *at)
{
	uint64_t unit = off >> UNIT_SHIFT;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		const struct layout_node *row = &pool->view.nodes[node];
		if (unit - row->first_unit >= row->n_units)
			continue;
		*at = (off_t)(off - (row->first_unit << UNIT_SHIFT));
		return pool->backing.node[node].fd;
	}
	return -1;
}

bool live_next(const struct pool *pool, const struct usage_slab *slab,
               uint32_t *at, uint32_t *client, uint64_t *off)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	const uint16_t *tags = slab_tags(&pool->view, slab->head);
	uint64_t start = ((uint64_t)slab->head << UNIT_SHIFT) +
	                 slab_colour(row, slab->head);
	while (*at < row->n_objs) {
		uint32_t i = (*at)++;
		*client = TAG_OWNER(atom_load(&tags[i]));
		*off = start + (uint64_t)i * row->stride;
		if (*client - 1 < CLIENT_ID_MAX &&
		    view_client_live(&pool->view, *client))
			return true;
	}
	return false;
}

bool live_read(const struct pool *pool, uint64_t off, void *out, size_t bytes)
{
	off_t at;
	int fd = file_of(pool, off, &at);
	return fd >= 0 && pread(fd, out, bytes, at) == (ssize_t)bytes;
}

int64_t live_age_ns(uint64_t since_ns)
{
	int64_t now_ns = clock_ns();
	return since_ns < (uint64_t)now_ns ? now_ns - (int64_t)since_ns : 0;
}
