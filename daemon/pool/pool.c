/* SPDX-License-Identifier: MIT */
#include "daemon/pool/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/notify.h"
#include "daemon/pool/ledger.h"
#include "numa/memfile.h"

#define LOANS_MAX 65536u
#define SAY_AGAIN_NS (60 * CLOCK_S)
#define EMPTIED_SAID_NS CLOCK_S

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

/* ---- more pages from the kernel ------------------------------------------ */

void pool_say_lack(struct pool *pool, uint32_t node)
{
	const struct backing_node *row = &pool->backing.node[node];
	uint64_t bytes = row->resident_pages << pool->backing.page_shift;
	int64_t now_ns = clock_ns();
	if (row->lack == pool->said[node] &&
	    now_ns - pool->said_ns[node] < SAY_AGAIN_NS)
		return;
	pool->said[node] = row->lack;
	pool->said_ns[node] = now_ns;
	log_warn("pool %s: node %u does not grow beyond %llu MiB: %s%s%s",
	         pool->name, pool->topo->node[node].os_id,
	         (unsigned long long)(bytes >> 20), row->reason,
	         row->remedy[0] ? "; to repair it: " : "", row->remedy);
}

bool pool_is_busy(const struct pool *pool)
{
	bool any = false;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		any |= pool->busy[node];
	return any;
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
	pool->openers = calloc(geo->n_caches, sizeof(*pool->openers));
	if (pool->slabs == NULL || pool->standing == NULL ||
	    pool->openers == NULL ||
	    extent_init(&pool->lines, geo->n_units * LINES_PER_UNIT) < 0 ||
	    loans_make(&pool->loans, geo->n_units,
	               geo->n_units < LOANS_MAX ? (uint32_t)geo->n_units
	                                        : LOANS_MAX) < 0 ||
	    pages_make(&pool->pages, &pool->view) < 0 ||
	    due_make(&pool->due, &pool->view) < 0)
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
	if (pool->work_done != NULL)
		pool->work_done(pool);
	if (pool->looks_done != NULL)
		pool->looks_done(pool);
	if (pool->arenas_done != NULL)
		pool->arenas_done(pool);
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
	due_done(&pool->due);
	free(pool->slabs);
	free(pool->standing);
	free(pool->openers);
	free(pool->list_pages);
	for (unsigned i = 0; i < pool->backing.n_nodes; i++)
		close_fd(pool->backing.node[i].fd);
	if (pool->channels_done != NULL)
		pool->channels_done(pool);
	journal_unmap(pool->journal);
	close_fd(pool->journal_fd);
	free((void *)(uintptr_t)pool->own_topo);
}

/* A long end is told, as it would be taken for a hang. */
static void say_emptied(void)
{
	static int64_t said_ns;
	static unsigned parts;
	int64_t now_ns = clock_ns();
	parts++;
	if (said_ns == 0)
		said_ns = now_ns;
	if (now_ns - said_ns < EMPTIED_SAID_NS)
		return;
	said_ns = now_ns;
	log_info("memory goes back: %u GiB of the files have been looked through",
	         parts);
	notify_progress("giving memory back: %u GiB looked through", parts);
}

void pool_destroy(struct pool *pool)
{
	if (pool->work_done != NULL)
		pool->work_done(pool);
	pool->backing.emptied = say_emptied;
	if (pool->backing.unused)
		(void)memfile_empty(pool->shared_fd, say_emptied);
	backing_close(&pool->backing);
	if (pool->journal != NULL)
		ledger_remove(pool->journal);
	pool_close(pool);
}
