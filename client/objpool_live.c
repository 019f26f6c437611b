/* SPDX-License-Identifier: MIT */
/* What object pools say of themselves for slabctl: shm/objpool_live.h. */
#include "client/objpool_live.h"

#include <errno.h>
#include <string.h>

#include "client/clock.h"
#include "shm/atom.h"
#include "shm/objpool_live.h"

#define ALIGN 64u /* two processes' records share no line */

/* One that nobody reads yet. */
static void fill_in(struct objpool_live *live, const struct objpool *op)
{
	const struct slab_user *user = &op->pool->user;
	atom_store(&live->magic, UINT64_C(0));
	memset(live, 0, sizeof(*live));
	live->owner = objpool_live_owner(user->id, user->epoch);
	live->since_ns = live->told_ns = clock_coarse_ns();
	live->object_bytes = op->size;
	live->max = op->ops.max;
	live->idle_ms = op->idle_ns / 1000000;
	memcpy(live->name, op->name, sizeof(live->name));
	/* pairs: with nobody; slabd reads it out of the file, and shows it. */
	atom_store_release(&live->magic, OBJPOOL_LIVE_MAGIC);
}

void objpool_live_begin(struct objpool *op)
{
	int saved = errno;
	slabd_cache *cache = slabd_cache_create(
		op->pool, OBJPOOL_LIVE_CACHE, sizeof(struct objpool_live), ALIGN,
		SLABD_CACHE_BESIDE);
	op->record = cache != NULL ? slabd_alloc(cache) : NULL;
	if (op->record != NULL)
		fill_in(op->record, op);
	else if (cache != NULL)
		slabd_cache_close(cache);
	op->records = cache;
	op->told_ns = 0;
	errno = saved;
}

static void tell_counts(struct objpool_live *live,
                        const struct slabd_objpool_counts *counts)
{
	atom_store(&live->misses, counts->misses);
	atom_store(&live->made, counts->made);
	atom_store(&live->aged, counts->aged);
	atom_store(&live->ended, counts->ended);
	atom_store(&live->refused, counts->refused);
}

static void tell_sums(struct objpool *op, uint64_t now_ns)
{
	struct objpool_live *live = op->record;
	atom_store(&live->hits, objpool_all_hits(op));
	atom_store(&live->idle, objpool_all_idle(op));
	atom_store(&live->told_ns, now_ns);
	op->told_ns = now_ns;
}

/* An init or a reset that forks returns in the child, too, whose parent's it is. */
static bool is_told(const struct objpool *op)
{
	return op->record != NULL && atom_load(op->pool->alive) != 0;
}

void objpool_live_tell(struct objpool *op)
{
	uint64_t now_ns;
	if (!is_told(op))
		return;
	tell_counts(op->record, &op->counts);
	now_ns = clock_coarse_ns();
	if (now_ns != op->told_ns)
		tell_sums(op, now_ns);
}

void objpool_live_tell_all(struct objpool *op)
{
	if (!is_told(op))
		return;
	tell_counts(op->record, &op->counts);
	tell_sums(op, clock_coarse_ns());
}

void objpool_live_end(struct objpool *op)
{
	struct objpool_live *live;
	pthread_mutex_lock(&op->lock);
	live = op->record;
	op->record = NULL;
	if (live != NULL)
		atom_store(&live->magic, UINT64_C(0));
	pthread_mutex_unlock(&op->lock);
	if (live == NULL)
		return;
	slabd_free(op->records, live);
	slabd_cache_close(op->records);
}
