/* SPDX-License-Identifier: MIT */
/* Clients of a pool, as the control file has them: which live. */
#include <errno.h>

#include "client/error.h"
#include "client/types.h"

#define WORD_EPOCH(word) ((uint32_t)((word) >> 8))

static int no_client(const struct slabd_pool *pool, unsigned client_id)
{
	return error_set(ESRCH, "pool %s has no client %u",
	                 pool->view.head->name, client_id);
}

unsigned slabd_client_epoch(slabd_pool *pool, unsigned client_id)
{
	uint64_t word;
	if (!pool_alive(pool))
		return 0;
	word = view_client_word(&pool->view, client_id);
	return word != 0 ? WORD_EPOCH(word) : (no_client(pool, client_id), 0);
}

int slabd_client_check(slabd_pool *pool, unsigned client_id, unsigned epoch)
{
	uint64_t word;
	if (!pool_alive(pool))
		return -1;
	word = view_client_word(&pool->view, client_id);
	if (word == 0)
		return no_client(pool, client_id);
	if (epoch != 0 && WORD_EPOCH(word) != epoch)
		return error_set(ESRCH,
		                 "client %u of pool %s has ended: another one "
		                 "has its number",
		                 client_id, pool->view.head->name);
	return 0;
}
