/* SPDX-License-Identifier: MIT */
#include "daemon/pool/keep.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/lastconf.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/ledger.h"

/* The name in the descriptor store, good until the next one is asked for. */
static const char *name_in(const char *pool, unsigned file)
{
	static const char *const what[] = {"ledger", "control", "shared"};
	static char name[160];
	if (file < KEEP_NODES || file == KEEP_PAST)
		snprintf(name, sizeof(name), "slabd.pool.%s.%s", pool,
		         file == KEEP_PAST ? "history" : what[file]);
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

static bool is_kept(const struct pool *pool, unsigned file)
{
	return fdstore_has(name_of(pool, file));
}

void keep_past(const struct pool *pool, int fd, bool again)
{
	if (is_kept(pool, KEEP_JOURNAL) &&
	    (again || !is_kept(pool, KEEP_PAST)))
		(void)fdstore_put_spare(name_of(pool, KEEP_PAST), fd);
}

int keep_take(const struct pool *pool, unsigned file)
{
	return fdstore_take(name_of(pool, file));
}

int keep_peek(const char *pool, unsigned file)
{
	return fdstore_peek(name_in(pool, file));
}

const char *keep_file(const struct pool *pool, unsigned file, int *fd)
{
	const int own[] = {pool->journal_fd, pool->control_fd, pool->shared_fd};
	if (file >= KEEP_NODES + pool->backing.n_nodes)
		return NULL;
	*fd = file < KEEP_NODES ? own[file]
	                        : pool->backing.node[file - KEEP_NODES].fd;
	return name_of(pool, file);
}

bool keep_is_whole(const struct pool *pool)
{
	unsigned file = 0;
	while (file < KEEP_NODES + pool->backing.n_nodes && is_kept(pool, file))
		file++;
	return file == KEEP_NODES + pool->backing.n_nodes;
}

const char *keep_config(int *fd)
{
	*fd = lastconf_fd();
	return FDSTORE_CONFIG;
}

bool keep_has_all(const struct pool *pool)
{
	unsigned n = KEEP_NODES + pool->journal->n_nodes;
	for (unsigned file = KEEP_CONTROL; file < n; file++)
		if (keep_peek(pool->name, file) < 0)
			return false;
	return true;
}

/* The manager has all before the journal says that the pool is whole; of one
 * that does not answer nobody knows, and the next slabd sees. */
void keep_pool(const struct pool *pool)
{
	unsigned n = KEEP_NODES + pool->backing.n_nodes;
	unsigned file = KEEP_CONTROL;
	enum fdstore_answer answer;
	/* Without it nobody takes up the rest. */
	if (!is_kept(pool, KEEP_JOURNAL))
		return;
	keep_fd(pool, KEEP_CONTROL, pool->control_fd);
	keep_fd(pool, KEEP_SHARED, pool->shared_fd);
	for (unsigned node = 0; node < pool->backing.n_nodes; node++)
		keep_fd(pool, KEEP_NODES + node, pool->backing.node[node].fd);
	answer = fdstore_confirm();
	while (file < n && is_kept(pool, file))
		file++;
	if (answer == FDSTORE_SILENT)
		log_warn("pool %s: it is not known whether the service manager "
		         "keeps it; a slabd that is started again without all "
		         "of it makes it anew", pool->name);
	if (answer != FDSTORE_REFUSED && file == n)
		return;
	log_warn("pool %s: not all of it is kept: it will not outlive slabd; "
	         "the service manager is to have room for %u descriptors of the "
	         "pool, and three a client: raise FileDescriptorStoreMax and "
	         "LimitNOFILE", pool->name, n);
	keep_forget(pool);
}

void keep_again(const struct pool *pool)
{
	keep_fd(pool, KEEP_JOURNAL, pool->journal_fd);
	keep_fd(pool, KEEP_CONTROL, pool->control_fd);
	keep_fd(pool, KEEP_SHARED, pool->shared_fd);
	for (unsigned node = 0; node < pool->backing.n_nodes; node++)
		keep_fd(pool, KEEP_NODES + node, pool->backing.node[node].fd);
	channels_keep(pool);
}

static void forget_files(const struct pool *pool)
{
	/* Of so many as there may be: the pool's table may be lost. */
	unsigned n = KEEP_PAST;
	for (unsigned file = KEEP_CONTROL; file <= n; file++)
		keep_fd(pool, file, -1);
}

void keep_forget(const struct pool *pool)
{
	forget_files(pool);
	channels_forget(pool);
	/* The last, as it says what else there may be. */
	keep_fd(pool, KEEP_JOURNAL, -1);
}

/* Whether a process lives that is kept as a client of the pool. */
static bool has_living(const char *pool)
{
	char head[NAME_BYTES + 24];
	const char *name;
	unsigned at = 0;
	snprintf(head, sizeof(head), "slabd.pool.%s.client.", pool);
	while ((name = fdstore_next(&at)) != NULL) {
		struct pollfd end = {.fd = fdstore_peek(name),
		                     .events = POLLIN};
		if (strncmp(name, head, strlen(head)) == 0 &&
		    poll(&end, 1, 0) == 0)
			return true;
	}
	return false;
}

void keep_let_go(struct pool *pool)
{
	bool in_use;
	log_warn("pool %s: the service manager has not kept all of it: it is "
	         "made anew. Its clients keep what they have until they close "
	         "the pool, and can open it again then. Raise "
	         "FileDescriptorStoreMax and LimitNOFILE of the manager",
	         pool->name);
	forget_files(pool);
	/* The manager's copies are closed by then. */
	in_use = !fdstore_barrier() || has_living(pool->name);
	if (pool->journal != NULL)
		ledger_pay(pool->journal, pool->topo,
		           in_use || ledger_is_mapped(pool->journal));
	pool_destroy(pool);
	keep_forget(pool);
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
