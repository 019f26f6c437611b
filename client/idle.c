/* SPDX-License-Identifier: MIT */
#include "client/idle.h"

#include "client/checked.h"
#include "client/home.h"
#include "client/prefill.h"
#include "client/thread.h"

bool idle_give_back(struct slabd_pool *pool)
{
	bool any = thread_drop_idle(pool);
	any |= checked_flush(pool);
	return home_drain_pool(pool) || any;
}

int slabd_thread_idle(slabd_pool *pool)
{
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return -1;
	self = thread_there();
	att = self != NULL ? thread_attached(self, pool) : NULL;
	/* It holds nothing. */
	if (att == NULL)
		return 0;
	prefill_drop_pool(self, att);
	thread_sleep(self, att);
	/* What it was asked for before, by nobody else any more. */
	if (atom_load(&pool->link.trims) != att->trims)
		thread_drop_idle(pool);
	return 0;
}
