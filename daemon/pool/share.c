/* SPDX-License-Identifier: MIT */
#include "daemon/pool/share.h"

#include <errno.h>

#include "numa/cgroup.h"
#include "shm/layout.h"

#define LIMIT_ROOM 64u

_Static_assert(SHARE_BYTES_MAX == UNITS_MAX * UNIT_BYTES, "what tables hold");

/* A share of a node that is many times what a control group allows slabd would
 * take tables that alone exceed it: there is room for the limit to be raised
 * LIMIT_ROOM times while slabd runs. */
static uint64_t within_limit(uint64_t bytes, const struct cgroup_room *group)
{
	return group->least_bytes < bytes / LIMIT_ROOM
	               ? group->least_bytes * LIMIT_ROOM
	               : bytes;
}

static uint64_t whole_pages(uint64_t bytes, uint64_t page)
{
	return bytes > page ? bytes / page : 1;
}

/* Each part of all pages in the same proportion, and one page at least. */
static uint64_t cut(uint64_t pages, uint64_t all, uint64_t most,
                    unsigned n_nodes)
{
	return 1 + pages * (most - n_nodes) / all;
}

uint64_t share_largest(const struct config_pool *config, unsigned n_nodes)
{
	uint64_t page = config_page_bytes(config->page);
	return SHARE_BYTES_MAX / n_nodes / page * page;
}

int share_of_nodes(const struct config_pool *config, const struct topo *topo,
                   uint64_t bytes[TOPO_NODES_MAX])
{
	uint64_t page = config_page_bytes(config->page);
	uint64_t most = SHARE_BYTES_MAX / page;
	uint64_t all = 0;
	struct cgroup_room group;
	cgroup_look(NULL, CGROUP_MEMORY, &group);
	for (unsigned i = 0; i < topo->n_nodes; i++) {
		uint64_t want = config->max_bytes;
		if (want == 0)
			want = within_limit(topo->node[i].bytes / 100 *
			                            config->max_percent,
			                    &group);
		bytes[i] = whole_pages(want, page) * page;
		all += bytes[i] / page;
	}
	if (all <= most)
		return 0;
	if (config->max_bytes != 0)
		return -E2BIG;
	for (unsigned i = 0; i < topo->n_nodes; i++)
		bytes[i] = cut(bytes[i] / page, all, most, topo->n_nodes) *
		           page;
	return SHARE_E_CUT;
}

unsigned share_percent(const struct config_pool *config)
{
	return config->max_bytes == 0 ? config->max_percent : 0;
}
