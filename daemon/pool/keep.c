/* SPDX-License-Identifier: MIT */
#include "daemon/pool/keep.h"

#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"

void keep_name(char name[KEEP_NAME], const char *pool, const char *what)
{
	snprintf(name, KEEP_NAME, "slabd.pool.%s.%s", pool, what);
}

void keep_node_name(char name[KEEP_NAME], const char *pool, unsigned node)
{
	snprintf(name, KEEP_NAME, "slabd.pool.%s.node%u", pool, node);
}

void keep_fd(const struct pool *pool, const char *what, int fd)
{
	char name[KEEP_NAME];
	keep_name(name, pool->name, what);
	if (fd >= 0)
		fdstore_put(name, fd);
	else
		fdstore_drop(name);
}

static bool is_kept(const struct pool *pool, const char *what)
{
	char name[KEEP_NAME];
	keep_name(name, pool->name, what);
	return fdstore_has(name);
}

static bool is_whole(const struct pool *pool)
{
	char name[KEEP_NAME];
	for (unsigned node = 0; node < pool->backing.n_nodes; node++) {
		keep_node_name(name, pool->name, node);
		if (!fdstore_has(name))
			return false;
	}
	return is_kept(pool, "control") && is_kept(pool, "shared");
}

/* The manager has all before the journal says that the pool is whole. */
void keep_pool(const struct pool *pool)
{
	char name[KEEP_NAME];
	/* Without it nobody takes up the rest. */
	if (!is_kept(pool, "ledger"))
		return;
	keep_fd(pool, "control", pool->control_fd);
	keep_fd(pool, "shared", pool->shared_fd);
	for (unsigned node = 0; node < pool->backing.n_nodes; node++) {
		keep_node_name(name, pool->name, node);
		fdstore_put(name, pool->backing.node[node].fd);
	}
	fdstore_barrier();
	if (is_whole(pool))
		return;
	log_warn("pool %s: not all of it is kept: it will not outlive slabd",
	         pool->name);
	keep_forget(pool);
}

void keep_forget(const struct pool *pool)
{
	char name[KEEP_NAME];
	keep_fd(pool, "control", -1);
	keep_fd(pool, "shared", -1);
	for (unsigned node = 0; node < pool->topo->n_nodes; node++) {
		keep_node_name(name, pool->name, node);
		fdstore_drop(name);
	}
	/* The last, as it says what else there may be. */
	keep_fd(pool, "ledger", -1);
}

void keep_or_destroy(struct pool *pool, bool has_clients)
{
	if (has_clients && is_kept(pool, "ledger")) {
		pool_close(pool);
		return;
	}
	/* pairs: adopt_pool, should this be cut short. */
	atom_store_release(&pool->journal->state, (uint32_t)JOURNAL_MAKING);
	pool_destroy(pool);
	keep_forget(pool);
}
