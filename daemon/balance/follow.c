/* SPDX-License-Identifier: MIT */
/* What came and what went, entered in a pool. */
#include "daemon/balance/follow.h"

#include <errno.h>
#include <string.h>

#include "daemon/balance/move.h"
#include "daemon/balance/own.h"
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

static void run_lookup(struct work_job *job)
{
	for (uint32_t i = 0; i < job->range[0].n; i++) {
		unsigned at;
		job->at[i] = NODE_NONE;
		if (backing_where(job->books, job->row[0], work_page(job, 0) + i,
		                  &at) == 0)
			job->at[i] = (uint8_t)at;
	}
}

static void looked_up(struct work_job *job)
{
	struct balance *b = job->pool->balance;
	if (b == NULL)
		return;
	b->follow.under_way = false;
	b->follow.n = (uint32_t)job->range[0].n;
	memcpy(b->follow.at, job->at, sizeof(b->follow.at));
}

/* Asks where the kernel has pages in a row, of one file. False if it is to be tried
 * again. */
static bool look_up(struct pool *pool, uint64_t page, uint64_t most)
{
	struct balance *b = pool->balance;
	uint32_t file = pages_file(&pool->pages, page);
	uint64_t end = pages_first(&pool->pages, file) +
	               pages_size(&pool->pages, file);
	struct work_job job = {.pool = pool,
	                       .run = run_lookup,
	                       .done = looked_up,
	                       .row = {file, file, file},
	                       .range = {{page, 1}}};
	most = most < WORK_AT ? most : WORK_AT;
	while (job.range[0].n < most && page + job.range[0].n < end &&
	       pages_node_of(&pool->pages, page + job.range[0].n) != NODE_NONE)
		job.range[0].n++;
	b->follow = (struct balance_follow){.first = page,
	                                    .n_past = b->n_past,
	                                    .under_way = true};
	if (work_do(&job) != -EAGAIN)
		return true;
	b->follow.under_way = false;
	return false;
}

/* A page that was there already: the books alone moved. */
static void followed(const struct work_job *job)
{
	const struct pool *pool = job->pool;
	unsigned long long page = job->range[0].first;
	unsigned to = pool->view.nodes[job->row[2]].os_id;
	if (job->error == 0)
		log_debug("pool %s: the kernel moved page %llu from node %u "
		          "to %u", pool->name, page,
		          pool->view.nodes[job->row[1]].os_id, to);
	else
		log_warn("pool %s: the kernel moved page %llu to node %u, and "
		         "the books can't follow: %s", pool->name, page, to,
		         job->how.reason);
}

/* False if it is to be tried again. */
static bool follow_page(struct pool *pool, uint64_t page, uint32_t to)
{
	uint32_t from = pages_node_of(&pool->pages, page);
	if (from == NODE_NONE || to == NODE_NONE || to == from)
		return true;
	if (!move_may(pool, page, to))
		return false;
	pool->counts.stray_pages++;
	(void)move_migrate(pool, page, to, followed);
	return true;
}

static void say_strays(struct pool *pool)
{
	uint64_t n = pool->counts.stray_pages - pool->told_strays;
	pool->told_strays = pool->counts.stray_pages;
	if (n > 0)
		log_info("pool %s: the kernel had moved %llu page%s to %s, which now count%s there",
		         pool->name, (unsigned long long)n, n == 1 ? "" : "s",
		         n == 1 ? "another node" : "other nodes",
		         n == 1 ? "s" : "");
}

/* The next page of which it is known where it lies. What moved since makes that
 * void. */
static bool is_known(struct pool *pool)
{
	struct balance *b = pool->balance;
	if (b->follow.n_past != b->n_past)
		b->follow.n = 0;
	return b->follow.next < b->follow.n;
}

bool follow_pages(struct pool *pool, uint64_t *page, uint64_t n)
{
	struct balance_follow *follow = &pool->balance->follow;
	while (n > 0 && !follow->under_way) {
		if (is_known(pool)) {
			*page = follow->first + follow->next;
			if (!follow_page(pool, *page, follow->at[follow->next]))
				return true;
			follow->next++;
			++*page;
			n--;
			continue;
		}
		*page = pages_next_ready(&pool->pages, *page);
		if (*page == PAGES_NONE) {
			say_strays(pool);
			return false;
		}
		if (!look_up(pool, *page, n))
			return true;
	}
	return true;
}
