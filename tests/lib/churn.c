/* SPDX-License-Identifier: MIT */
#include "tests/lib/churn.h"
#include "tests/lib/rng.h"

#include "shm/atom.h"

#define OBJECTS 200u

static void *run(void *arg)
{
	struct churn *churn = arg;
	uint64_t me = atom_add(&churn->next, 1u) + 1;
	uint64_t *mine[OBJECTS] = {NULL};
	struct rng rng = {.state = me + 1};
	while (!atom_load(&churn->stop)) {
		unsigned i = (unsigned)(rng_next(&rng) % OBJECTS);
		if (mine[i] == NULL) {
			mine[i] = slabd_alloc(churn->cache);
			if (mine[i] != NULL)
				*mine[i] = me << 32 | i;
			continue;
		}
		if (*mine[i] != (me << 32 | i))
			atom_add(&churn->wrong, 1u);
		slabd_free(churn->cache, mine[i]);
		mine[i] = NULL;
		if (rng_next(&rng) % 64 == 0)
			slabd_flush(churn->pool);
	}
	slabd_free_bulk(churn->cache, OBJECTS, (void **)mine);
	return NULL;
}

void churn_start(struct churn *churn, slabd_pool *pool, slabd_cache *cache,
                 unsigned n)
{
	*churn = (struct churn){.pool = pool, .cache = cache, .n = n};
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&churn->threads[i], NULL, run, churn) != 0)
			tap_bail("no thread");
}

uint32_t churn_end(struct churn *churn)
{
	atom_store(&churn->stop, 1u);
	for (unsigned i = 0; i < churn->n; i++)
		pthread_join(churn->threads[i], NULL);
	return atom_load(&churn->wrong);
}

void churn_once(slabd_cache *cache, size_t n)
{
	void *last = NULL;
	void *object;
	while (n-- > 0 && (object = slabd_alloc_nowait(cache)) != NULL) {
		*(void **)object = last;
		last = object;
	}
	while (last != NULL) {
		object = last;
		last = *(void **)object;
		slabd_free(cache, object);
	}
}
