/* SPDX-License-Identifier: MIT */
#include "daemon/pool/keep.h"

#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"

/* The name in the descriptor store, good until the next one is asked for. */
static const char *name_in(const char *pool, unsigned file)
{
	static const char *const what[] = {"ledger", "control", "shared"};
	static char name[160];
	if (file < KEEP_NODES)
		snprintf(name, sizeof(name), "slabd.pool.%s.%s", pool,
		         what[file]);
	else
		snprintf(name, sizeof(name), "slabd.pool.%s.node%u", pool,
		         file - KEEP_NODES);
	return name;
}

static const char *name_of(const struct pool *pool, unsigned file)
{
	return name_in(pool->name, file);
}

void keep_fd(const struct pool *pool, unsigned file, int fd)
{
	if (fd >= 0)
		fdstore_put(name_of(pool, file), fd);
	else
		fdstore_drop(name_of(pool, file));
}

int keep_take(const struct pool *pool, unsigned file)
{
	return fdstore_take(name_of(pool, file));
}

int keep_peek(const char *pool, unsigned file)
{
	return fdstore_peek(name_in(pool, file));
}

bool keep_has_all(const struct pool *pool)
{
	unsigned n = KEEP_NODES + pool->journal->n_nodes;
	for (unsigned file = KEEP_CONTROL; file < n; file++)
		if (keep_peek(pool->name, file) < 0)
			return false;
	return true;
}

static bool is_kept(const struct pool *pool, unsigned file)
{
	return fdstore_has(name_of(pool, file));
}

/* The manager has all before the journal says that the pool is whole. */
void keep_pool(const struct pool *pool)
{
	unsigned n = KEEP_NODES + pool->backing.n_nodes;
	unsigned file = KEEP_CONTROL;
	bool whole;
	/* Without it nobody takes up the rest. */
	if (!is_kept(pool, KEEP_JOURNAL))
		return;
	keep_fd(pool, KEEP_CONTROL, pool->control_fd);
	keep_fd(pool, KEEP_SHARED, pool->shared_fd);
	for (unsigned node = 0; node < pool->backing.n_nodes; node++)
		keep_fd(pool, KEEP_NODES + node, pool->backing.node[node].fd);
	whole = fdstore_confirm();
	while (file < n && is_kept(pool, file))
		file++;
	if (whole && file == n)
		return;
	log_warn("pool %s: not all of it is kept: it will not outlive slabd; "
	         "the service manager is to have room for %u descriptors of the "
	         "pool, and three a client: raise FileDescriptorStoreMax and "
	         "LimitNOFILE", pool->name, n);
	keep_forget(pool);
}

void keep_forget(const struct pool *pool)
{
	/* Of so many as there may be: the pool's table may be lost. */
	unsigned n = KEEP_NODES + NODES_MAX;
	for (unsigned file = KEEP_CONTROL; file < n; file++)
		keep_fd(pool, file, -1);
	/* The last, as it says what else there may be. */
	keep_fd(pool, KEEP_JOURNAL, -1);
}

void keep_or_destroy(struct pool *pool, bool has_clients)
{
	if (has_clients && is_kept(pool, KEEP_JOURNAL)) {
		pool_close(pool);
		return;
	}
	/* pairs: adopt_pool, should this be cut short. */
	atom_store_release(&pool->journal->state, (uint32_t)JOURNAL_MAKING);
	pool_destroy(pool);
	keep_forget(pool);
}
