/* SPDX-License-Identifier: MIT */
#include "client/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/checked.h"
#include "client/credit.h"
#include "client/home.h"
#include "client/life.h"
#include "client/magazine.h"
#include "client/objpool.h"
#include "client/pages.h"
#include "client/prefill.h"
#include "client/process.h"
#include "client/tools.h"
#include "shm/atom.h"

#define LOOK_MORE 16u /* threads, and as many again, to the next look */
static struct thread *threads;
static uint32_t n_threads;         /* (L) in it */
static uint32_t look_at = LOOK_MORE; /* (L) */
/* Where a thread's table points before its first miss: every magazine is
 * empty and takes nothing. Never written. */
static struct slabd_mag_ none[SLABD_CACHES_MAX + 1];
__thread struct thread *thread_self_;

/* Where no magazine's n lies; see struct cache. */
__thread struct slabd_mag_ *slabd_mags_1_ __attribute__((aligned(16))) = none;
__thread struct slabd_objs_ *slabd_objs_1_ __attribute__((aligned(16))) =
	objpool_none;

/* ---- attachments -------------------------------------------------------- */

static uint32_t node_now(const struct slabd_pool *pool,
                         const struct attachment *att)
{
	int cpu;
	if (pool->view.geo.n_nodes == 1)
		return 0;
	if (att->forced != NODE_FOLLOW)
		return att->forced;
	cpu = sched_getcpu();
	return view_cpu_node(&pool->view, cpu < 0 ? 0 : (uint32_t)cpu);
}

struct attachment *thread_attached(struct thread *thread,
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
	/* pairs: thread_attached */
	atom_store_release(&self->attachments, att);
	return att;
}

__attribute__((cold, noinline)) static struct attachment *
attach(struct thread *self, struct slabd_pool *pool)
{
	struct attachment *att = thread_attached(self, NULL);
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
	att->misses = 0;
	att->remote_bytes = 0;
	att->taken_bytes = 0;
	/* pairs: thread_attached */
	atom_store_release(&att->pool, pool);
	return att;
}

struct attachment *thread_attachment(struct thread *self,
                                     struct slabd_pool *pool)
{
	struct attachment *att = thread_attached(self, pool);
	return att != NULL ? att : attach(self, pool);
}

/* Under the thread's lock: empties its magazines of one pool. Whether they held
 * any. */
static bool drop_locked(struct thread *thread, struct attachment *att,
                        bool to_depot)
{
	bool any = false;
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits = atom_load(&thread->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			if (cache->pool == att->pool)
				any |= magazine_drop(thread, att, cache,
				                     to_depot);
		}
	}
	return any;
}

static void drop_all(struct thread *thread, struct attachment *att,
                     bool to_depot)
{
	pthread_mutex_lock(&thread->lock);
	drop_locked(thread, att, to_depot);
	pthread_mutex_unlock(&thread->lock);
}

/* What memory is short of is given back, and the thread starts small again. */
static void follow_trim(struct thread *self, struct attachment *att)
{
	drop_all(self, att, false);
	magazine_drop_remote(att);
	att->misses = 0;
	atom_store(&att->taken_bytes, INT64_C(0));
}

void thread_settle(struct thread *self, struct attachment *att)
{
	struct slabd_pool *pool = att->pool;
	uint32_t node = node_now(pool, att);
	uint32_t trims = atom_load(&pool->link.trims);
	if (!self->idle && node == att->node && trims == att->trims)
		return;
	if (self->idle)
		thread_wake(self);
	if (trims != att->trims)
		follow_trim(self, att);
	else if (node != att->node)
		drop_all(self, att, true);
	att->node = node;
	att->trims = trims;
}

void thread_leave(struct thread *thread, struct slabd_pool *pool)
{
	struct attachment *att = thread_attached(thread, pool);
	struct remote *remote;
	if (att == NULL)
		return;
	prefill_drop_pool(thread, att);
	drop_all(thread, att, true);
	magazine_drop_remote(att);
	credit_leave(pool, thread->shard);
	att->idle = false;
	/* In this order: a child forked in between frees what is left of it. */
	remote = att->remote;
	/* pairs: retire */
	atom_store_release(&att->remote, (struct remote *)NULL);
	free(remote);
	/* pairs: thread_attached, when the owner looks for one that it can use
	 * again. */
	atom_store_release(&att->pool, (struct slabd_pool *)NULL);
}

/* What the inline code works with. Where a tool watches, nothing. */
static void show_table(const struct thread *self)
{
	slabd_mags_1_ = atom_load(&tools_on) ? none : self->mags;
}

/* ---- the end ------------------------------------------------------------- */

static void free_thread(struct thread *thread)
{
	while (thread->attachments != NULL) {
		struct attachment *att = thread->attachments;
		thread->attachments = att->next;
		free(att->remote);
		free(att);
	}
	if (thread->mags != NULL)
		munmap(thread->mags, TABLE_BYTES);
	objpool_drop_table(thread);
	prefill_forget(thread);
	free(thread);
}

/* Leaves all pools, and the list. Under the lock. */
static void unlist(struct thread *thread)
{
	objpool_orphan(thread);
	for (struct attachment *att = thread->attachments; att != NULL;
	     att = att->next)
		if (atom_load(&att->pool) != NULL)
			thread_leave(thread, att->pool);
	process_leave_shard(thread->shard);
	*thread->link = thread->next;
	if (thread->next != NULL)
		thread->next->link = thread->link;
	n_threads--;
}

/* Those whose destructors came here after thread_end's last time. Under the
 * lock, by whoever makes threads or is short of memory. */
static void bury_dead(void)
{
	for (struct thread *next, *t = threads; t != NULL; t = next) {
		next = t->next;
		if (!life_is_over(&t->life))
			continue;
		unlist(t);
		free_thread(t);
	}
	look_at = 2 * n_threads + LOOK_MORE;
}

/* ---- idle --------------------------------------------------------------- */

/* Under the thread's lock: magazines that are at hand in a way that does not ask
 * whether they are idle are emptied for good. */
static void drop_local(struct thread *self, struct attachment *att)
{
	for (uint32_t word = 0; word < SLABD_CACHES_MAX / 64; word++) {
		uint64_t bits =
			atom_load(&self->local[word]) &
			atom_load(&self->used[word]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
				word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct cache *cache = process_cache_of(slot);
			if (cache->pool == att->pool)
				magazine_drop(self, att, cache, true);
		}
	}
}

void thread_sleep(struct thread *self, struct attachment *att)
{
	slabd_mags_1_ = none;
	self->idle = true;
	pthread_mutex_lock(&self->lock);
	drop_local(self, att);
	att->idle = true;
	pthread_mutex_unlock(&self->lock);
}

void thread_wake(struct thread *self)
{
	pthread_mutex_lock(&self->lock);
	for (struct attachment *att = self->attachments; att != NULL;
	     att = att->next)
		att->idle = false;
	pthread_mutex_unlock(&self->lock);
	self->idle = false;
	show_table(self);
}

static bool drop_if_idle(struct thread *thread, struct attachment *att)
{
	bool any = false;
	pthread_mutex_lock(&thread->lock);
	if (att->idle) {
		any = drop_locked(thread, att, false);
		any |= magazine_drop_remote(att);
	}
	pthread_mutex_unlock(&thread->lock);
	return any;
}

bool thread_drop_idle(struct slabd_pool *pool)
{
	struct thread *t;
	bool any = false;
	process_lock();
	bury_dead();
	for (t = threads; t != NULL;) {
		struct attachment *att = thread_attached(t, pool);
		bool some = att != NULL && drop_if_idle(t, att);
		any |= some;
		/* One that has nothing left costs little. */
		t = some && process_give_way() ? threads : t->next;
	}
	process_unlock();
	return any;
}

/* ---- the calling thread ------------------------------------------------- */

static void retire(struct thread *self)
{
	thread_self_ = NULL;
	slabd_mags_1_ = none;
	process_shard_own = 0;
	free_thread(self);
}

static bool has_local(const struct thread *self)
{
	uint64_t any = 0;
	for (uint32_t i = 0; i < SLABD_CACHES_MAX / 64; i++)
		any |= atom_load(&self->local[i]);
	return any != 0;
}

/* The calling thread's memory of the parent's time, without a look at what it
 * names: that is the parent's. */
static void forget_self(void)
{
	if (thread_self_ == NULL)
		return;
	process_mark_thread(NULL);
	/* It stays and reads as zeroes, for who uses a handle of the parent's. */
	if (has_local(thread_self_))
		thread_self_->mags = NULL;
	retire(thread_self_);
}

int thread_no_memory(void)
{
	return error_set(ENOMEM,
	                 "no memory for a thread's magazines, which take 6 MiB "
	                 "of address space: raise ulimit -v, or "
	                 "vm.max_map_count for many thousands of threads");
}

/* Read-only memory is not counted against limits, and reads as zeroes. */
static struct thread *make_thread(void)
{
	struct thread *self;
	void *table = mmap(NULL, TABLE_BYTES, PROT_READ,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return NULL;
	self = calloc(1, sizeof(*self));
	if (self == NULL || madvise(table, TABLE_BYTES, MADV_WIPEONFORK) < 0 ||
	    process_mark_thread(self) != 0) {
		free(self);
		munmap(table, TABLE_BYTES);
		errno = ENOMEM;
		return NULL;
	}
	life_begin(&self->life);
	self->mags = table;
	self->generation = process_generation;
	pthread_mutex_init(&self->lock, NULL);
	return self;
}

static void enlist(struct thread *self)
{
	if (++n_threads > look_at)
		bury_dead();
	self->link = &threads;
	self->next = threads;
	if (threads != NULL)
		threads->link = &self->next;
	threads = self;
}

__attribute__((cold, noinline)) static struct thread *make_self(void)
{
	forget_self();
	thread_self_ = make_thread();
	if (thread_self_ == NULL)
		return NULL;
	process_lock();
	thread_self_->shard = process_enter_shard();
	enlist(thread_self_);
	process_unlock();
	show_table(thread_self_);
	return thread_self_;
}

struct thread *thread_self(void)
{
	if (thread_self_ != NULL && thread_self_->generation == process_generation)
		return thread_self_;
	return make_self();
}

bool thread_open_slot(struct thread *self, uint32_t slot)
{
	size_t first = slot * sizeof(struct slabd_mag_) / TABLE_PART;
	size_t last = ((slot + 1) * sizeof(struct slabd_mag_) - 1) / TABLE_PART;
	for (size_t part = first; part <= last; part++) {
		uint64_t *word = &self->writable[part / 64];
		uint64_t bit = UINT64_C(1) << (part % 64);
		if (*word & bit)
			continue;
		if (pages_open(self->mags, part * TABLE_PART,
		               (part + 1) * TABLE_PART) < 0)
			return false;
		*word |= bit;
	}
	return true;
}

struct thread *thread_first(void)
{
	return threads;
}

/* Runs when a thread with magazines ends, however it ends. */
static void thread_end(void *arg)
{
	struct thread *self = arg;
	if (!process_is(self->generation))
		return;
	objpool_thread_end(self);
	process_lock();
	unlist(self);
	process_unlock();
	pthread_mutex_unlock(&self->life);
	retire(self);
}

/* Of a forked child: the threads are its parent's. */
static void forget_all(void)
{
	threads = NULL;
	n_threads = 0;
	look_at = LOOK_MORE;
	objpool_forget_all();
	forget_self();
}

int thread_start(void)
{
	tools_find();
	return process_start(thread_end, forget_all);
}

/* ---- public ------------------------------------------------------------- */

int slabd_thread_node(slabd_pool *pool, int node)
{
	int ix;
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return -1;
	ix = node == -1 ? (int)NODE_FOLLOW : view_node_index(&pool->view, node);
	if (ix < 0)
		return error_set(EINVAL, "pool %s has no node %d",
		                 pool->view.head->name, node);
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return thread_no_memory();
	att->forced = (uint32_t)ix;
	thread_settle(self, att);
	return 0;
}

int slabd_thread_flush(slabd_pool *pool)
{
	struct thread *self;
	struct attachment *att;
	if (!pool_alive(pool))
		return -1;
	self = thread_self();
	att = self != NULL ? thread_attachment(self, pool) : NULL;
	if (att == NULL)
		return thread_no_memory();
	if (self->idle)
		thread_wake(self);
	prefill_drop_pool(self, att);
	drop_all(self, att, false);
	magazine_drop_remote(att);
	checked_flush(pool);
	return 0;
}

int slabd_flush(slabd_pool *pool)
{
	int r = slabd_thread_flush(pool);
	if (r == 0)
		home_drain_pool(pool);
	return r;
}
