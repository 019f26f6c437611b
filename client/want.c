/* SPDX-License-Identifier: MIT */
#include "client/want.h"

#include "client/doorbell.h"
#include "shm/atom.h"

void want_tell(struct slabd_pool *pool, uint32_t cache, uint32_t node)
{
	/* A want that is set is rung for by who set it: first see if we may. */
	if ((atom_load(&view_mark(&pool->view, cache, node)->denied) &
	     MARK_DENIED) ||
	    !doorbell_may_ring(&pool->link) ||
	    !view_want_any(&pool->view, cache, node))
		return;
	doorbell_ring(&pool->link);
	view_count(&pool->view, pool->user.id, STAT_RINGS, 1);
}
