/* SPDX-License-Identifier: MIT */
#include "daemon/pool/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOANS_MAX 65536u

/* ---- rows and counts ----------------------------------------------------- */

struct layout_node *pool_node(struct pool *pool, uint32_t node)
{
	return (struct layout_node *)(uintptr_t)&pool->view.nodes[node];
}

struct layout_mark *pool_mark(struct pool *pool, uint32_t cache, uint32_t node)
{
	return (void *)(uintptr_t)view_mark(&pool->view, cache, node);
}

struct layout_client *pool_client(struct pool *pool, uint32_t id)
{
	return (struct layout_client *)(uintptr_t)&pool->view.clients[id];
}

uint64_t pool_ready_units(const struct pool *pool, uint32_t node)
{
	return pool->pages.node[node].pages * pool->pages.page_units;
}

uint64_t pool_end_unit(const struct pool *pool, uint32_t node)
{
	const struct layout_node *row = &pool->view.nodes[node];
	return row->first_unit + row->high_page * pool->pages.page_units;
}

uint32_t *pool_slabs(const struct pool *pool, uint32_t cache, uint32_t home)
{
	return &pool->slabs[(uint64_t)(cache - 1) * pool->view.geo.n_nodes +
	                    home];
}

uint32_t pool_standing(const struct pool *pool, uint32_t cache, uint32_t node)
{
	return pool->standing[pool_slabs(pool, cache, node) - pool->slabs];
}

/* ---- what slabctl and the kernel decide ---------------------------------- */

void pool_set_drain(struct pool *pool, uint32_t node, bool drain)
{
	atom_store(&pool_node(pool, node)->drain, drain ? 1u : 0u);
}

void pool_set_cpu_node(struct pool *pool, uint32_t cpu, uint32_t node)
{
	uint8_t *byte = (uint8_t *)(uintptr_t)&pool->view.cpus[cpu];
	atom_store(byte, (uint8_t)node);
}

/* ---- opened and closed --------------------------------------------------- */

void pool_init(struct pool *pool, const struct config_pool *config,
               const struct topo *topo)
{
	memset(pool, 0, sizeof(*pool));
	pool->control_fd = pool->control_ro_fd = pool->shared_fd = -1;
	pool->journal_fd = -1;
	pool->config = config;
	pool->topo = topo;
	memcpy(pool->name, config->name, sizeof(pool->name));
}

/* Clients get a descriptor that can't write, of a file that is ours alone, so
 * that other users can't open it again for writing. */
int pool_open_read_only(int fd)
{
	char path[40];
	int ro;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	return ro < 0 ? -errno : ro;
}

int pool_make_books(struct pool *pool, const struct layout_geometry *geo)
{
	uint64_t n_cells = (uint64_t)geo->n_caches * geo->n_nodes;
	pool->slabs = calloc(n_cells, sizeof(*pool->slabs));
	pool->standing = calloc(n_cells, sizeof(*pool->standing));
	if (pool->slabs == NULL || pool->standing == NULL)
		return -ENOMEM;
	if (extent_init(&pool->lines, geo->n_units * LINES_PER_UNIT, false) < 0)
		return -ENOMEM;
	if (loans_make(&pool->loans, geo->n_units,
	               geo->n_units < LOANS_MAX ? (uint32_t)geo->n_units
	                                        : LOANS_MAX) < 0 ||
	    pages_make(&pool->pages, &pool->view) < 0)
		return -ENOMEM;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void pool_close(struct pool *pool)
{
	if (pool->head != NULL)
		munmap(pool->head, pool->view.geo.control_bytes);
	if (pool->shared != NULL)
		munmap(pool->shared, pool->view.geo.shared_bytes);
	close_fd(pool->control_fd);
	close_fd(pool->control_ro_fd);
	close_fd(pool->shared_fd);
	extent_done(&pool->lines);
	pages_done(&pool->pages);
	loans_done(&pool->loans);
	free(pool->slabs);
	free(pool->standing);
	for (unsigned i = 0; i < pool->backing.n_nodes; i++)
		close_fd(pool->backing.node[i].fd);
	journal_unmap(pool->journal);
	close_fd(pool->journal_fd);
}

void pool_destroy(struct pool *pool)
{
	backing_close(&pool->backing);
	pool_close(pool);
}
