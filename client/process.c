/* SPDX-License-Identifier: MIT */
/*
 * What all pools of a process share: its threads and the magazine slots.
 *
 * A forked child inherits a copy of all this. A word on a page that the
 * kernel wipes at fork tells it that the books are the parent's; the first
 * slabd_open then starts new ones. Slots that the parent's caches hold stay
 * taken in the child: a stale cache must not meet another's magazines.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/pool.h"
#include "shm/atom.h"

/* Wiped at fork: in the child no generation lives and no lock is held (all
 * zero is an unlocked mutex in the C libraries of Linux). */
struct wiped {
	uint64_t alive; /* the generation, 0 in a forked child */
	pthread_mutex_t start;
	pthread_mutex_t lock;
};

/* What is made once, by the first slabd_open that has the memory for it. */
struct base {
	struct wiped *wiped;
	pthread_key_t key;
};
/* (A) NULL -> base (publish_base: who comes first), never back. Published, so
 * that what it names is whole. Who has a pool, a thread or a cache may read it
 * plainly: it was there before. */
static struct base *base;

static struct cache *slots[SLABD_CACHES_MAX];
static struct thread *threads;
static uint64_t generation;
/* Where a thread's table points before its first miss: every magazine is
 * empty and takes nothing. Never written. */
static struct slabd_mag_ none[SLABD_CACHES_MAX];
static __thread struct thread *self_;

__thread struct slabd_mag_ *slabd_mags_ = none;

static void thread_exit(void *arg);
static void forget_self(void);

void process_lock(void)
{
	pthread_mutex_lock(&base->wiped->lock);
}

void process_unlock(void)
{
	pthread_mutex_unlock(&base->wiped->lock);
}

static void *make_wiped(void)
{
	void *page = mmap(NULL, sizeof(struct wiped), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, sizeof(struct wiped), MADV_WIPEONFORK) == 0)
		return page;
	munmap(page, sizeof(struct wiped));
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

static struct base *make_base(void)
{
	struct base *own = calloc(1, sizeof(*own));
	if (own == NULL)
		return NULL;
	own->wiped = make_wiped();
	if (own->wiped != NULL &&
	    pthread_key_create(&own->key, thread_exit) == 0)
		return publish_base(own);
	drop_base(own);
	return NULL;
}

int process_start(void)
{
	/* pairs: publish_base */
	struct base *at = atom_load_acquire(&base);
	if (at == NULL)
		at = make_base();
	if (at == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&at->wiped->start);
	if (at->wiped->alive == 0) {
		threads = NULL;
		forget_self();
		at->wiped->alive = ++generation;
	}
	pthread_mutex_unlock(&at->wiped->start);
	return 0;
}

/* ---- slots -------------------------------------------------------------- */

int process_take_slot(struct cache *cache)
{
	for (uint32_t slot = 0; slot < SLABD_CACHES_MAX; slot++) {
		if (slots[slot] != NULL)
			continue;
		slots[slot] = cache;
		return (int)slot;
	}
	return -EMFILE;
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
	slots[slot] = NULL;
}

struct cache *process_cache_of(uint32_t slot)
{
	return slots[slot];
}

static struct thread *make_thread(void)
{
	size_t bytes = sizeof(none);
	struct thread *self;
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return NULL;
	self = calloc(1, sizeof(*self));
	if (self == NULL || madvise(table, bytes, MADV_WIPEONFORK) < 0 ||
	    pthread_setspecific(base->key, self) != 0) {
		free(self);
		munmap(table, bytes);
		errno = ENOMEM;
		return NULL;
	}
	self->mags = table;
	self->generation = generation;
	pthread_mutex_init(&self->lock, NULL);
	return self;
}

static void enlist(struct thread *self)
{
	self->link = &threads;
	self->next = threads;
	if (threads != NULL)
		threads->link = &self->next;
	threads = self;
}

struct thread *process_self(void)
{
	if (self_ != NULL && self_->generation == generation)
		return self_;
	forget_self();
	self_ = make_thread();
	if (self_ == NULL)
		return NULL;
	process_lock();
	enlist(self_);
	process_unlock();
	slabd_mags_ = self_->mags;
	return self_;
}

struct thread *process_first_thread(void)
{
	return threads;
}

static void retire(struct thread *self)
{
	while (self->seats != NULL) {
		struct seat *seat = self->seats;
		self->seats = seat->next;
		free(seat->remote);
		free(seat);
	}
	munmap(self->mags, sizeof(none));
	free(self);
	self_ = NULL;
	slabd_mags_ = none;
}

/* The calling thread's memory of the parent's time, without a look at what it
 * names: that is the parent's. */
static void forget_self(void)
{
	if (self_ == NULL)
		return;
	pthread_setspecific(base->key, NULL);
	retire(self_);
}

static void unlist(struct thread *self)
{
	*self->link = self->next;
	if (self->next != NULL)
		self->next->link = self->link;
}

/* Runs when a thread with magazines ends, however it ends. */
static void thread_exit(void *arg)
{
	struct thread *self = arg;
	if (base->wiped->alive == 0 || self->generation != generation)
		return;
	process_lock();
	for (struct seat *seat = self->seats; seat != NULL; seat = seat->next)
		if (atom_load(&seat->pool) != NULL)
			thread_leave(self, seat->pool);
	unlist(self);
	process_unlock();
	retire(self);
}
