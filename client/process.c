/* SPDX-License-Identifier: MIT */
/*
 * What all pools of a process share: one lock and the magazine slots.
 *
 * A forked child inherits a copy of all this. A word on a page that the
 * kernel wipes at fork tells it that the books are the parent's; the first
 * slabd_open then starts new ones. Slots that the parent's caches hold stay
 * taken in the child: a stale cache must not meet another's magazines.
 */
#include "client/process.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/slabclient.h"
#include "shm/atom.h"

#define YIELDS_MAX 1000u

/* Wiped at fork: in the child no generation lives and no lock is held (all
 * zero is an unlocked mutex in the C libraries of Linux). */
struct wiped {
	uint64_t alive; /* the generation, 0 in a forked child */
	pthread_mutex_t start;
	pthread_mutex_t lock;
	uint32_t waiting; /* (A) threads, for the lock; relaxed: a hint */
};

/* What is made once, by the first slabd_open that has the memory for it. */
struct base {
	struct wiped *wiped;
	pthread_key_t key;
};
/* (A) NULL -> base (publish_base, by the first), never back. It is published,
 * so that what it names is whole. Those who have a pool, a thread or a cache
 * read it plainly: it was there before. */
static struct base *base;

uint64_t process_generation;
__thread uint32_t process_shard;
__thread uint64_t process_shard_own;
static uint32_t in_shard[PROCESS_SHARDS]; /* (L) */
static bool shard_owned[PROCESS_SHARDS];  /* (L) */
static struct cache *slots[SLABD_CACHES_MAX];
static bool has_handle[SLABD_CACHES_MAX];  /* (A) false -> true, never back */
static uint64_t dropped[SLABD_CACHES_MAX]; /* (L) when, as a count of them */

void process_lock(void)
{
	struct wiped *wiped = base->wiped;
	if (pthread_mutex_trylock(&wiped->lock) == 0)
		return;
	atom_add(&wiped->waiting, 1u);
	pthread_mutex_lock(&wiped->lock);
	atom_add(&wiped->waiting, -1u);
}

/* Who waits does not have it by the time that it is let go of: whoever lets go
 * would have it again first. One that stands still is not waited for. */
bool process_give_way(void)
{
	struct wiped *wiped = base->wiped;
	uint32_t waiting = atom_load(&wiped->waiting);
	if (waiting == 0)
		return false;
	pthread_mutex_unlock(&wiped->lock);
	for (uint32_t i = 0;
	     i < YIELDS_MAX && atom_load(&wiped->waiting) >= waiting; i++)
		sched_yield();
	process_lock();
	return true;
}

void process_unlock(void)
{
	pthread_mutex_unlock(&base->wiped->lock);
}

static void *make_wiped(void)
{
	void *page = mmap(NULL, sizeof(struct wiped), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, sizeof(struct wiped), MADV_WIPEONFORK) == 0)
		return page;
	error = errno;
	munmap(page, sizeof(struct wiped));
	errno = error;
	return NULL;
}

static void drop_base(struct base *own)
{
	if (own->wiped != NULL)
		munmap(own->wiped, sizeof(struct wiped));
	free(own);
}

/* Of several threads that make one, the first has it. No lock is held, which a
 * child that is forked meanwhile would find held for ever. */
static struct base *publish_base(struct base *own)
{
	struct base *first = NULL;
	/* pairs: publish_base, in another thread, and process_start. */
	if (atom_publish(&base, &first, own))
		return own;
	pthread_key_delete(own->key);
	drop_base(own);
	return first;
}

static struct base *make_base(void (*thread_end)(void *))
{
	struct base *own = calloc(1, sizeof(*own));
	int error;
	if (own == NULL)
		return NULL;
	own->wiped = make_wiped();
	error = own->wiped == NULL ? errno
	                           : pthread_key_create(&own->key, thread_end);
	if (error == 0)
		return publish_base(own);
	drop_base(own);
	errno = error;
	return NULL;
}

int process_start(void (*thread_end)(void *), void (*forget)(void))
{
	/* pairs: publish_base */
	struct base *at = atom_load_acquire(&base);
	if (at == NULL)
		at = make_base(thread_end);
	if (at == NULL)
		return -errno;
	pthread_mutex_lock(&at->wiped->start);
	if (at->wiped->alive == 0) {
		memset(in_shard, 0, sizeof(in_shard));
		memset(shard_owned, 0, sizeof(shard_owned));
		forget();
		at->wiped->alive = ++process_generation;
	}
	pthread_mutex_unlock(&at->wiped->start);
	return 0;
}

int process_mark_thread(const void *mark)
{
	return pthread_setspecific(base->key, mark);
}

bool process_is(uint64_t generation)
{
	return base->wiped->alive != 0 && generation == process_generation;
}

/* ---- shards ------------------------------------------------------------- */

uint32_t process_enter_shard(void)
{
	process_shard = 0;
	for (uint32_t i = 1; i < PROCESS_SHARDS; i++)
		if (in_shard[i] < in_shard[process_shard])
			process_shard = i;
	in_shard[process_shard]++;
	process_shard_own = 0;
	if (shard_owned[process_shard])
		return process_shard;
	shard_owned[process_shard] = true;
	process_shard_own = process_generation;
	return process_shard | PROCESS_SHARD_OWN;
}

void process_leave_shard(uint32_t shard)
{
	in_shard[shard & ~PROCESS_SHARD_OWN]--;
	if ((shard & PROCESS_SHARD_OWN) != 0)
		shard_owned[shard & ~PROCESS_SHARD_OWN] = false;
}

/* ---- slots -------------------------------------------------------------- */

/* Whether a slot that is free is better taken than another one: the lowest of those
 * that no handle was made of, else the one that is free for longest. */
static bool is_better(uint32_t slot, int than)
{
	bool has = atom_load(&has_handle[slot]);
	if (than < 0)
		return true;
	if (!has || !atom_load(&has_handle[than]))
		return !has && atom_load(&has_handle[than]);
	return dropped[slot] < dropped[than];
}

/* The hit by a handle asks nothing but its slot's magazine: so as long as there are
 * others, a slot of which somebody may have one is not taken. */
int process_take_slot(struct cache *cache)
{
	int best = -EMFILE;
	for (uint32_t slot = 0; slot < SLABD_CACHES_MAX; slot++)
		if (slots[slot] == NULL && is_better(slot, best))
			best = (int)slot;
	if (best >= 0)
		slots[best] = cache;
	return best;
}

void process_note_handle(uint32_t slot)
{
	atom_store(&has_handle[slot], true);
}

bool process_has_slot(void)
{
	for (uint32_t slot = 0; slot < SLABD_CACHES_MAX; slot++)
		if (slots[slot] == NULL)
			return true;
	return false;
}

void process_drop_slot(uint32_t slot)
{
	static uint64_t n; /* (L) */
	slots[slot] = NULL;
	dropped[slot] = ++n;
}

bool process_has_cache(const struct cache *cache)
{
	for (uint32_t slot = 0; slot < SLABD_CACHES_MAX; slot++)
		if (slots[slot] == cache)
			return true;
	return false;
}

struct cache *process_cache_of(uint32_t slot)
{
	return slots[slot];
}
