/* SPDX-License-Identifier: MIT */
/* What came and what went, entered in a pool. */
#include "daemon/balance/follow.h"

#include <errno.h>

#include "daemon/balance/move.h"
#include "daemon/base/log.h"
#include "daemon/pool/nodes.h"

static bool follow_cpu(struct pool *pool, const struct topo *now, uint32_t cpu)
{
	uint32_t node = nodes_of_cpu(pool->topo, now, cpu);
	if (node == NODE_NONE || node == pool->view.cpus[cpu])
		return false;
	log_info("pool %s: CPU %u counts for node %u from now on", pool->name,
	         cpu, pool->view.nodes[node].os_id);
	pool_set_cpu_node(pool, cpu, node);
	return true;
}

static bool follow_node(struct pool *pool, const struct topo *now,
                        uint32_t node)
{
	uint32_t os_id = pool->view.nodes[node].os_id;
	bool offline = topo_index_of(now, os_id) < 0;
	if (offline == pool->offline[node])
		return false;
	pool->offline[node] = offline;
	if (offline)
		log_warn("pool %s: the memory of node %u was taken offline: "
		         "nothing is made there until it is back", pool->name,
		         os_id);
	else
		log_info("pool %s: the memory of node %u is back", pool->name,
		         os_id);
	return true;
}

/* Nodes without CPUs are the last to be lent from. */
static bool follow_has_cpu(struct pool *pool, uint32_t node, bool has)
{
	struct layout_node *row = pool_node(pool, node);
	bool had = (row->flags & NODE_HAS_CPU) != 0;
	if (has == had)
		return false;
	atom_store(&row->flags, has ? row->flags | NODE_HAS_CPU
	                            : row->flags & ~NODE_HAS_CPU);
	log_info("pool %s: node %u has %s now", pool->name, row->os_id,
	         has ? "CPUs" : "no CPUs");
	return true;
}

static bool follow_cpus(struct pool *pool, const struct topo *now)
{
	bool has[NODES_MAX] = {false};
	bool changed = false;
	for (uint32_t cpu = 0; cpu < now->n_cpus; cpu++) {
		uint32_t node = nodes_of_cpu(pool->topo, now, cpu);
		if (node != NODE_NONE)
			has[node] = true;
	}
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		changed |= follow_has_cpu(pool, node, has[node]);
	for (uint32_t cpu = 0; cpu < pool->view.geo.n_cpus; cpu++)
		changed |= follow_cpu(pool, now, cpu);
	return changed;
}

/* Nodes that came since the pool was made. */
static void say_new(struct pool *pool, const struct topo *now)
{
	for (unsigned i = 0; i < now->n_nodes; i++) {
		unsigned os_id = now->node[i].os_id;
		if (topo_index_of(pool->topo, os_id) >= 0)
			continue;
		if (pool->new_nodes == now->n_nodes)
			return;
		log_warn("pool %s: node %u came after the pool was made, which "
		         "has nothing there: threads that run there take the "
		         "nearest of its nodes; to use it: stop the pool's "
		         "clients and start slabd anew", pool->name, os_id);
	}
	pool->new_nodes = now->n_nodes;
}

unsigned follow_nodes(struct pool *pool, const struct topo *now)
{
	unsigned what = FOLLOW_NOTHING;
	say_new(pool, now);
	if (follow_cpus(pool, now))
		what |= FOLLOW_CPUS;
	for (uint32_t cpu = pool->view.geo.n_cpus; cpu < now->n_cpus; cpu++)
		if (nodes_of_cpu(pool->topo, now, cpu) != NODE_NONE)
			log_warn("pool %s: CPU %u came, and the pool's table "
			         "ends before it: threads there take node %u "
			         "as theirs until the pool is made anew",
			         pool->name, cpu, pool->view.nodes[0].os_id);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		if (follow_node(pool, now, node))
			what |= FOLLOW_MEMORY;
	return what;
}

/* ---- pages -------------------------------------------------------------- */

/* False if it is to be tried again. */
static bool follow_page(struct pool *pool, uint64_t page)
{
	uint32_t from = pages_node_of(&pool->pages, page);
	uint32_t file = pages_file(&pool->pages, page);
	struct backing_moved how;
	unsigned to;
	int error;
	if (backing_where(&pool->backing, file,
	                  page - pages_first(&pool->pages, file), &to) < 0 ||
	    to == from)
		return true;
	/* It is there already: the books alone move. */
	pool->counts.stray_pages++;
	if (move_migrate(pool, page, to, &how, &error) == 1)
		log_debug("pool %s: the kernel moved page %llu from node %u "
		          "to %u", pool->name, (unsigned long long)page,
		          pool->view.nodes[from].os_id,
		          pool->view.nodes[to].os_id);
	else if (error == -EAGAIN)
		return pool->counts.stray_pages--, false;
	else
		log_warn("pool %s: the kernel moved page %llu to node %u, and "
		         "the books can't follow: %s", pool->name,
		         (unsigned long long)page, pool->view.nodes[to].os_id,
		         how.reason);
	return true;
}

static void say_strays(struct pool *pool)
{
	uint64_t n = pool->counts.stray_pages - pool->told_strays;
	pool->told_strays = pool->counts.stray_pages;
	if (n > 0)
		log_info("pool %s: the kernel had moved %llu pages to other "
		         "nodes, which now count there", pool->name,
		         (unsigned long long)n);
}

bool follow_pages(struct pool *pool, uint64_t *page, uint64_t n)
{
	for (; n > 0; n--, ++*page) {
		*page = pages_next_ready(&pool->pages, *page);
		if (*page == PAGES_NONE) {
			say_strays(pool);
			return false;
		}
		if (!follow_page(pool, *page))
			return true;
	}
	return true;
}
