/* SPDX-License-Identifier: MIT */
#include "daemon/pool/blame.h"

#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/pool/work.h"

/* What is put right just now is said as that ends: who may have done it stands. */
static bool is_at_it(const struct pool *pool)
{
	bool is = work_is_taken(pool, WORK_SHARED);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		is |= work_is_taken(pool, node);
	return is;
}

void blame_note(struct pool *pool)
{
	if (is_at_it(pool))
		return;
	pool->suspects = pool->n_clients;
	for (uint32_t id = 1;
	     pool->suspects == 1 && id <= pool->view.head->top_id; id++)
		if (view_client_live(&pool->view, id))
			pool->suspect = id;
}

/* The only client since the last look, which may have ended, or just one of
 * them. */
static const char *who(const struct pool *pool, char *text, size_t n)
{
	const struct layout_client *row = &pool->view.clients[pool->suspect];
	if (pool->suspects != 1)
		return "one of its clients";
	snprintf(text, n, "client %u (%.16s, pid %d)", pool->suspect, row->comm,
	         row->pid);
	return text;
}

static const char *what(const struct pool *pool, unsigned file, char *text,
                        size_t n)
{
	if (blame_is_shared(pool, file))
		return "the shared file";
	snprintf(text, n, "node %u", pool->view.nodes[file].os_id);
	return text;
}

void blame_say(const struct pool *pool, unsigned file, uint64_t bytes,
               const char *happened)
{
	char name[80];
	char of[32];
	log_warn("pool %s: %s: %llu KiB %s; done by %s", pool->name,
	         what(pool, file, of, sizeof(of)),
	         (unsigned long long)bytes >> 10, happened,
	         who(pool, name, sizeof(name)));
}
