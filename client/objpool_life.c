/* SPDX-License-Identifier: MIT */
/* Object pools, and the threads that have idle objects: their begin and end. */
#include "client/objpool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/barrier.h"
#include "client/clock.h"
#include "client/error.h"
#include "client/home.h"
#include "client/objpool_live.h"
#include "client/thread.h"
#include "client/tools.h"
#include "shm/atom.h"

#define TABLE_SIZE (SLABD_OBJPOOLS_MAX * sizeof(struct slabd_objs_))
#define IDLE_MS 10000u
#define CACHE_NAME "objpool " /* what is too long is cut */
#define ALIGN 32u    /* so that what comes after the head is no multiple */
#define END_ROUNDS 4 /* of objects whose end puts others back */

struct objpool objpool_places[SLABD_OBJPOOLS_MAX];
static uint64_t made; /* (A) pools so far; relaxed */
struct slabd_objs_ objpool_none[SLABD_OBJPOOLS_MAX];

/* By its place: one that was never made has none of its own. */
static struct slabd_objs_ *stack_of(struct slabd_objs_ *table,
                                    const struct objpool *op)
{
	return table + (op - objpool_places);
}

/* ---- begin ------------------------------------------------------------------ */

static struct objpool *take_place(void)
{
	struct objpool *op = NULL;
	process_lock();
	for (uint32_t i = 0; op == NULL && i < SLABD_OBJPOOLS_MAX; i++)
		if (!objpool_places[i].taken)
			op = &objpool_places[i];
	if (op != NULL)
		op->taken = true;
	process_unlock();
	if (op == NULL)
		error_set(EMFILE,
		          "this process has %d object pools already: "
		          "destroy one",
		          SLABD_OBJPOOLS_MAX);
	return op;
}

static void leave_place(struct objpool *op)
{
	process_lock();
	op->taken = false;
	process_unlock();
}

/* Unlike those of any other pool, client or life of a process. */
static uint64_t make_cookie(const struct slab_user *user)
{
	uint64_t seq = atom_add(&made, UINT64_C(1));
	return UINT64_C(1) << 63 | (uint64_t)user->id << 48 |
	       (uint64_t)(user->epoch & 0xffff) << 32 | (seq & 0xffffff) << 8;
}

static void fill_in(struct objpool *op, slabd_pool *pool, const char *name,
                    size_t size, const struct slabd_objpool_ops *ops)
{
	static const struct slabd_objpool_ops no_ops;
	size_t ix = (size_t)(op - objpool_places);
	op->pool = pool;
	op->ops = ops != NULL ? *ops : no_ops;
	op->size = size;
	op->cookie = make_cookie(&pool->user);
	op->idle_ns = (op->ops.idle_ms > 0 ? op->ops.idle_ms : IDLE_MS) *
	              UINT64_C(1000000);
	op->head.at_ = ix * sizeof(struct slabd_objs_);
	op->head.reset_ = op->ops.reset;
	op->head.arg_ = op->ops.arg;
	op->users = 0;
	op->stacks = NULL;
	op->due_ns = 0;
	memset(op->name, 0, sizeof(op->name));
	memcpy(op->name, name, strlen(name));
	memset(&op->old, 0, sizeof(op->old));
	memset(&op->counts, 0, sizeof(op->counts));
	atom_store(&objpool_none[ix].low_, UINT64_MAX);
}

/* The cache has another name than one that the program makes. */
static slabd_cache *make_cache(slabd_pool *pool, const char *name, size_t size)
{
	char text[sizeof(CACHE_NAME) + SLABD_NAME_MAX];
	snprintf(text, sizeof(text), CACHE_NAME "%s", name);
	text[SLABD_NAME_MAX] = '\0';
	return slabd_cache_create(pool, text, SLABD_OBJPOOL_HEAD_ + size, ALIGN,
	                          SLABD_CACHE_BESIDE);
}

static int make_stores(struct objpool *op, slabd_pool *pool, const char *name,
                       size_t size)
{
	slabd_cache *cache;
	op->stores = calloc(pool->view.geo.n_nodes, sizeof(*op->stores));
	if (op->stores == NULL)
		return error_set(ENOMEM, "no memory for an object pool");
	cache = make_cache(pool, name, size);
	if (cache == NULL) {
		int saved = errno;
		free(op->stores);
		errno = saved;
		return -1;
	}
	op->cache = cache_of(cache);
	return 0;
}

slabd_objpool *slabd_objpool_create(slabd_pool *pool, const char *name,
                                    size_t size,
                                    const struct slabd_objpool_ops *ops)
{
	struct objpool *op;
	if (!pool_alive(pool))
		return NULL;
	if (name == NULL || name[0] == '\0')
		return error_set(EINVAL, "an object pool needs a name"), NULL;
	if (strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "object pool name over %d bytes",
		                 SLABD_NAME_MAX),
		       NULL;
	if (size == 0 || size > SIZE_MAX - SLABD_OBJPOOL_HEAD_)
		return error_set(EINVAL,
		                 "an object pool of objects of %zu "
		                 "bytes",
		                 size),
		       NULL;
	op = take_place();
	if (op == NULL)
		return NULL;
	if (make_stores(op, pool, name, size) < 0) {
		leave_place(op);
		return NULL;
	}
	fill_in(op, pool, name, size, ops);
	objpool_live_begin(op);
	barrier_start();
	/* pairs: is_usable, hold; it is whole. */
	atom_store_release(&op->live, pool);
	return &op->head;
}

/* ---- a thread --------------------------------------------------------------- */

/* Where a tool watches it has none, so that each call goes out of line. */
struct slabd_objs_ *objpool_table(struct thread *self)
{
	void *table;
	if (self->objs != NULL || atom_load(&tools_on))
		return self->objs;
	table = mmap(NULL, TABLE_SIZE, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return NULL;
	if (madvise(table, TABLE_SIZE, MADV_WIPEONFORK) < 0) {
		munmap(table, TABLE_SIZE);
		return NULL;
	}
	self->objs = table;
	slabd_objs_1_ = table;
	return table;
}

void objpool_drop_table(struct thread *thread)
{
	if (thread->objs == NULL)
		return;
	if (slabd_objs_1_ == thread->objs)
		slabd_objs_1_ = objpool_none;
	munmap(thread->objs, TABLE_SIZE);
	thread->objs = NULL;
}

/* Under the pool's lock: takes a stack out of it, and keeps its count. */
static void unlink_stack(struct objpool *op, struct slabd_objs_ *objs)
{
	op->counts.hits += objpool_hits(objs);
	*objs->link_ = objs->next_;
	if (objs->next_ != NULL)
		objs->next_->link_ = objs->link_;
	memset(objs, 0, offsetof(struct slabd_objs_, obj_));
}

/* Takes what is idle in a thread's stack out of it, with the stack's end. How
 * many, which are in the caller's hands if there are any. */
static uint64_t take_stack(struct objpool *op, struct slabd_objs_ *objs,
                           void **objects)
{
	uint64_t n = 0;
	pthread_mutex_lock(&op->lock);
	if (objs->key_ != 0) {
		n = objpool_idle(objs);
		memcpy(objects, objs->obj_ + objs->base_, n * sizeof(*objects));
		unlink_stack(op, objs);
	}
	op->users += n > 0;
	pthread_mutex_unlock(&op->lock);
	return n;
}

static bool end_stacks(struct thread *self)
{
	void *objects[SLABD_OBJS_MAX_];
	bool any = false;
	for (uint32_t i = 0; i < SLABD_OBJPOOLS_MAX; i++) {
		struct objpool *op = &objpool_places[i];
		uint64_t n = take_stack(op, stack_of(self->objs, op), objects);
		if (n == 0)
			continue;
		objpool_end(op, n, objects);
		pthread_mutex_lock(&op->lock);
		op->users--;
		pthread_cond_broadcast(&op->left);
		pthread_mutex_unlock(&op->lock);
		any = true;
	}
	return any;
}

void objpool_thread_end(struct thread *self)
{
	for (int i = 0; i < END_ROUNDS && self->objs != NULL; i++)
		if (!end_stacks(self))
			break;
}

void objpool_orphan(struct thread *thread)
{
	for (uint32_t i = 0; thread->objs != NULL && i < SLABD_OBJPOOLS_MAX;
	     i++) {
		struct objpool *op = &objpool_places[i];
		struct slabd_objs_ *objs = stack_of(thread->objs, op);
		pthread_mutex_lock(&op->lock);
		if (objs->key_ != 0) {
			objpool_spill(op, objs);
			unlink_stack(op, objs);
		}
		pthread_mutex_unlock(&op->lock);
	}
}

/* ---- end -------------------------------------------------------------------- */

/* All that is idle, of all threads, goes to old, and nothing is. */
static void gather(struct objpool *op)
{
	pthread_mutex_lock(&op->lock);
	while (op->users > 0)
		pthread_cond_wait(&op->left, &op->lock);
	while (op->stacks != NULL) {
		struct slabd_objs_ *objs = op->stacks;
		uint64_t n = objpool_idle(objs);
		(void)objpool_store(&op->old, n, objs->obj_ + objs->base_);
		unlink_stack(op, objs);
	}
	for (uint32_t i = 0; i < op->pool->view.geo.n_nodes; i++) {
		(void)objpool_store(&op->old, op->stores[i].n,
		                    op->stores[i].obj);
		op->stores[i].n = 0;
	}
	pthread_mutex_unlock(&op->lock);
}

static void free_stores(struct objpool *op)
{
	for (uint32_t i = 0; i < op->pool->view.geo.n_nodes; i++)
		free(op->stores[i].obj);
	free(op->stores);
	free(op->old.obj);
	op->stores = NULL;
}

/* Whether one was the pool's, or of any; it is nobody's any more. */
static bool claim_end(struct objpool *op, const struct slabd_pool *pool)
{
	/* pairs: slabd_objpool_create */
	struct slabd_pool *live = atom_load_acquire(&op->live);
	if (live == NULL || (pool != NULL && live != pool))
		return false;
	pthread_mutex_lock(&op->lock);
	/* pairs: hold, is_usable */
	atom_store_release(&op->live, (struct slabd_pool *)NULL);
	pthread_mutex_unlock(&op->lock);
	return true;
}

static void destroy(struct objpool *op, const struct slabd_pool *pool)
{
	int saved = errno;
	if (claim_end(op, pool)) {
		objpool_live_end(op);
		gather(op);
		objpool_end_old(op);
		free_stores(op);
		slabd_cache_close(&op->cache->head);
		leave_place(op);
	}
	errno = saved;
}

static struct objpool *place_of(slabd_objpool *head)
{
	struct objpool *op = objpool_of(head);
	return op >= objpool_places && op < objpool_places + SLABD_OBJPOOLS_MAX
	               ? op
	               : NULL;
}

void slabd_objpool_destroy(slabd_objpool *head)
{
	struct objpool *op = place_of(head);
	/* pairs: slabd_objpool_create */
	const struct slabd_pool *pool =
		op != NULL ? atom_load_acquire(&op->live) : NULL;
	int held = link_hold();
	if (pool != NULL && pool_alive(pool))
		destroy(op, pool);
	link_let_go(held);
}

/* In a forked child: what is idle is the parent's. The lock may be one of its
 * threads', which was at work with the stores then: those are left. */
static void forget(struct objpool *op, const struct slabd_pool *pool)
{
	bool whole = pthread_mutex_trylock(&op->lock) == 0;
	/* pairs: slabd_objpool_create */
	bool is = atom_load_acquire(&op->live) == pool;
	if (is) {
		/* pairs: hold, is_usable */
		atom_store_release(&op->live, (struct slabd_pool *)NULL);
		op->stacks = NULL;
		op->record = NULL;
	}
	if (is && whole)
		free_stores(op);
	if (whole)
		pthread_mutex_unlock(&op->lock);
	if (is)
		leave_place(op);
}

void objpool_close_all(struct slabd_pool *pool)
{
	for (uint32_t i = 0; i < SLABD_OBJPOOLS_MAX; i++)
		if (atom_load(pool->alive) != 0)
			destroy(&objpool_places[i], pool);
		else
			forget(&objpool_places[i], pool);
}

/* Locks that other threads of the parent had when it forked. */
void objpool_forget_all(void)
{
	for (uint32_t i = 0; i < SLABD_OBJPOOLS_MAX; i++) {
		pthread_mutex_init(&objpool_places[i].lock, NULL);
		pthread_cond_init(&objpool_places[i].left, NULL);
	}
}

/* ---- counts ----------------------------------------------------------------- */

int slabd_objpool_get_counts(slabd_objpool *head,
                             struct slabd_objpool_counts *counts)
{
	struct objpool *op = place_of(head);
	/* pairs: slabd_objpool_create */
	const struct slabd_pool *pool =
		op != NULL ? atom_load_acquire(&op->live) : NULL;
	if (pool == NULL)
		return error_set(EINVAL, "the object pool was destroyed");
	if (!pool_alive(pool) || error_no_array(counts, 1))
		return -1;
	pthread_mutex_lock(&op->lock);
	*counts = op->counts;
	counts->hits = objpool_all_hits(op);
	counts->idle = objpool_all_idle(op);
	pthread_mutex_unlock(&op->lock);
	tools_wrote(counts, sizeof(*counts));
	return 0;
}
