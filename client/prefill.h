/* SPDX-License-Identifier: MIT */
/* Reserves: what slabd_prefill has put by for a thread, apart from its magazine,
 * of which whoever is short may take some away. A miss takes one of it. */
#ifndef CLIENT_PREFILL_H
#define CLIENT_PREFILL_H

#include "client/types.h"

struct reserve {
	uint32_t n; /* (A) by the owner; relaxed, for held_sum */
	void *obj[];
};

/* (A) By slot, made by the owner at its first; NULL -> reserves. One goes, with
 * its place's NULL, under the thread's lock. */
struct reserves {
	struct reserve *of[SLABD_CACHES_MAX];
};

void *prefill_pop(struct reserve *reserve);

/* One of the calling thread's reserve, or NULL. */
static inline void *prefill_take(const struct thread *self,
                                 const struct cache *cache)
{
	struct reserves *all = self->reserves;
	return all == NULL ? NULL : prefill_pop(all->of[cache->slot]);
}

/* How many lie in a thread's reserve of a cache. Its owner, or under its lock. */
uint32_t prefill_count(const struct thread *thread, uint32_t slot);

/* Whether it has ever put anything by. */
bool prefill_any(const struct thread *thread);

/* One of them, which may be the owner's again. Under its lock. */
void *prefill_at(const struct thread *thread, uint32_t slot, uint32_t i);

/* Sends home what a thread has put by of a cache; of a pool. The owner, or anybody
 * once no other thread uses them. Takes the thread's lock. */
void prefill_drop(struct thread *thread, struct attachment *att,
                  struct cache *cache);
void prefill_drop_pool(struct thread *thread, struct attachment *att);

/* The thread's books are gone; what they name is its process's no more, or its
 * parent's. */
void prefill_forget(struct thread *thread);

#endif
