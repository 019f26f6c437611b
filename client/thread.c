/* SPDX-License-Identifier: MIT */
#include "client/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/home.h"
#include "client/magazine.h"
#include "client/process.h"
#include "shm/atom.h"

static struct thread *threads;
/* Where a thread's table points before its first miss: every magazine is
 * empty and takes nothing. Never written. */
static struct slabd_mag_ none[SLABD_CACHES_MAX];
static __thread struct thread *self_;

__thread struct slabd_mag_ *slabd_mags_ = none;

/* ---- attachments -------------------------------------------------------- */

static uint32_t node_now(const struct slabd_pool *pool,
                         const struct attachment *att)
{
	int cpu;
	if (att->forced != NODE_FOLLOW)
		return att->forced;
	cpu = sched_getcpu();
	return view_cpu_node(&pool->view, cpu < 0 ? 0 : (uint32_t)cpu);
}

static struct attachment *find_attachment(struct thread *thread,
                                          const struct slabd_pool *pool)
{
	/* pairs: new_attachment */
	struct attachment *att = atom_load_acquire(&thread->attachments);
	/* pairs: attach, thread_leave */
	while (att != NULL && atom_load_acquire(&att->pool) != pool)
		att = att->next;
	return att;
}

/* One to no pool yet: other threads may be looking through the list. */
static struct attachment *new_attachment(struct thread *self)
{
	struct attachment *att = calloc(1, sizeof(*att));
	if (att == NULL)
		return NULL;
	att->next = self->attachments;
	/* pairs: find_attachment */
	atom_store_release(&self->attachments, att);
	return att;
}

__attribute__((cold, noinline)) static struct attachment *
attach(struct thread *self, struct slabd_pool *pool)
{
	struct attachment *att = find_attachment(self, NULL);
	if (att == NULL)
		att = new_attachment(self);
	if (att == NULL)
		return NULL;
	att->remote = calloc(pool->view.geo.n_nodes, sizeof(*att->remote));
	if (att->remote == NULL)
		return NULL;
	att->forced = pool->forced;
	att->trims = atom_load(&pool->link.trims);
	att->node = node_now(pool, att);
	/* pairs: find_attachment */
	atom_store_release(&att->pool, pool);
	return att;
}

struct attachment *thread_attachment(struct thread *self,
                                     struct slabd_pool *pool)
{
	struct attachment *att = find_attachment(self, pool);
	return att != NULL ? att : attach(self, pool);
}

/* Empties the thread's magazines of one pool. */
static void drop_all(struct thread *thread, const struct slabd_pool *pool,
                     bool to_depot)
{
	pthread_mutex_lock(&thread->lock);
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&thread->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			if (cache->pool == pool)
				magazine_drop(thread, cache, to_depot);
		}
	}
	pthread_mutex_unlock(&thread->lock);
}

void thread_settle(struct thread *self, struct attachment *att)
{
	struct slabd_pool *pool = att->pool;
	uint32_t node = node_now(pool, att);
	uint32_t trims = atom_load(&pool->link.trims);
	if (node == att->node && trims == att->trims)
		return;
	drop_all(self, pool, trims == att->trims);
	if (trims != att->trims)
		magazine_drop_remote(att);
	att->node = node;
	att->trims = trims;
}

void thread_leave(struct thread *thread, struct slabd_pool *pool)
{
	struct attachment *att = find_attachment(thread, pool);
	struct remote *remote;
	if (att == NULL)
		return;
	drop_all(thread, pool, true);
	magazine_drop_remote(att);
	/* In this order: a child forked in between frees what is left of it. */
	remote = att->remote;
	/* pairs: retire */
	atom_store_release(&att->remote, (struct remote *)NULL);
	free(remote);
	/* pairs: find_attachment, when the owner looks for one that it can use
	 * again. */
	atom_store_release(&att->pool, (struct slabd_pool *)NULL);
}

/* ---- the calling thread ------------------------------------------------- */

static void retire(struct thread *self)
{
	while (self->attachments != NULL) {
		struct attachment *att = self->attachments;
		self->attachments = att->next;
		free(att->remote);
		free(att);
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
	process_mark_thread(NULL);
	retire(self_);
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
	    process_mark_thread(self) != 0) {
		free(self);
		munmap(table, bytes);
		errno = ENOMEM;
		return NULL;
	}
	self->mags = table;
	self->generation = process_generation;
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

struct thread *thread_self(void)
{
	if (self_ != NULL && self_->generation == process_generation)
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

struct thread *thread_first(void)
{
	return threads;
}

static void unlist(struct thread *self)
{
	*self->link = self->next;
	if (self->next != NULL)
		self->next->link = self->link;
}

/* Runs when a thread with magazines ends, however it ends. */
static void thread_end(void *arg)
{
	struct thread *self = arg;
	if (!process_is(self->generation))
		return;
	process_lock();
	for (struct attachment *att = self->attachments; att != NULL;
	     att = att->next)
		if (atom_load(&att->pool) != NULL)
			thread_leave(self, att->pool);
	unlist(self);
	process_unlock();
	retire(self);
}

/* Of a forked child: the threads are its parent's. */
static void forget_all(void)
{
	threads = NULL;
	forget_self();
}

int thread_start(void)
{
	return process_start(thread_end, forget_all);
}

/* ---- public ------------------------------------------------------------- */

int slabd_thread_node(slabd_pool *pool, int node)
{
	int ix = node == -1 ? (int)NODE_FOLLOW
	                    : view_node_index(&pool->view, node);
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return -1;
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node);
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return error_set(ENOMEM, "no memory for a thread's magazines");
	att->forced = (uint32_t)ix;
	thread_settle(self, att);
	return 0;
}

int slabd_flush(slabd_pool *pool)
{
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return -1;
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return error_set(ENOMEM, "no memory for a thread's magazines");
	drop_all(self, pool, false);
	magazine_drop_remote(att);
	home_drain_pool(pool);
	return 0;
}
