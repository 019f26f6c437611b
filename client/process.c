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
static struct wiped {
	uint64_t alive; /* the generation, 0 in a forked child */
	pthread_mutex_t start;
	pthread_mutex_t lock;
} *wiped;
static int wiped_error;
static pthread_once_t wiped_once = PTHREAD_ONCE_INIT;
/* A word for each 64 KiB of 48 bits of address space. */
#define MAP_WORDS (UINT64_C(1) << (48 - UNIT_SHIFT))
static uint64_t *map;
static struct cache *slots[SLABD_CACHES_MAX];
static struct thread *threads;
static uint64_t generation;
static pthread_key_t key;
/* Where a thread's table points before its first miss: every magazine is
 * empty and takes nothing. Never written. */
static struct slabd_mag_ none[SLABD_CACHES_MAX];
static __thread struct thread *self_;

__thread struct slabd_mag_ *slabd_mags_ = none;

static void thread_exit(void *arg);
static void forget_self(void);

void process_lock(void)
{
	pthread_mutex_lock(&wiped->lock);
}

void process_unlock(void)
{
	pthread_mutex_unlock(&wiped->lock);
}

/* Readable zeroes that take no memory until they are shown something else. */
static int make_map(void)
{
	void *at = mmap(NULL, MAP_WORDS * sizeof(*map), PROT_READ,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return errno;
	madvise(at, MAP_WORDS * sizeof(*map), MADV_DONTDUMP);
	map = at;
	return 0;
}

static void make_wiped(void)
{
	void *page = mmap(NULL, sizeof(*wiped), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED ||
	    madvise(page, sizeof(*wiped), MADV_WIPEONFORK) < 0)
		wiped_error = errno;
	else if ((wiped_error = make_map()) == 0 &&
	         (wiped_error = pthread_key_create(&key, thread_exit)) == 0)
		wiped = page;
}

int process_start(void)
{
	pthread_once(&wiped_once, make_wiped);
	if (wiped == NULL)
		return -wiped_error;
	pthread_mutex_lock(&wiped->start);
	if (wiped->alive == 0) {
		threads = NULL;
		forget_self();
		wiped->alive = ++generation;
	}
	pthread_mutex_unlock(&wiped->start);
	return 0;
}

/* ---- the map of unit words ---------------------------------------------- */

const uint64_t *process_map(void)
{
	return map;
}

static void *map_at(const char *data)
{
	return &map[(uintptr_t)data >> UNIT_SHIFT];
}

static size_t map_bytes(uint64_t n_units)
{
	return (n_units * sizeof(*map) + 4095) & ~(size_t)4095;
}

int process_map_show(const char *data, uint64_t n_units, int control_fd,
                     uint64_t words_off)
{
	void *at = mmap(map_at(data), map_bytes(n_units), PROT_READ,
	                MAP_SHARED | MAP_FIXED, control_fd, (off_t)words_off);
	return at == MAP_FAILED ? -errno : 0;
}

void process_map_hide(const char *data, uint64_t n_units)
{
	mmap(map_at(data), map_bytes(n_units), PROT_READ,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
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
	    pthread_setspecific(key, self) != 0) {
		free(self);
		munmap(table, bytes);
		errno = ENOMEM;
		return NULL;
	}
	self->mags = table;
	self->generation = generation;
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
	munmap(self->mags, sizeof(none));
	free(self);
	self_ = NULL;
	slabd_mags_ = none;
}

/* The calling thread's memory of the parent's time, without a look at what it
 * names: that is the parent's. */
static void forget_self(void)
{
	struct seat *seat = self_ != NULL ? self_->seats : NULL;
	if (self_ == NULL)
		return;
	while (seat != NULL) {
		struct seat *next = seat->next;
		free(seat->remote);
		free(seat);
		seat = next;
	}
	pthread_setspecific(key, NULL);
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
	if (wiped->alive == 0 || self->generation != generation)
		return;
	process_lock();
	while (self->seats != NULL)
		thread_leave(self, self->seats->pool);
	unlist(self);
	process_unlock();
	retire(self);
}
