/* SPDX-License-Identifier: MIT */
/*
 * What is idle through a whole period goes, and so does a burst's hoard within
 * two, while what is in steady use stays.
 *
 * In a stack and in a store the newest come first. So what lies below the least
 * count of a period was not used in it: those objects are taken away at its end,
 * and the next begins with all that are there.
 */
#include "client/objpool.h"

#include "client/barrier.h"
#include "client/clock.h"
#include "client/home.h"
#include "client/objpool_live.h"
#include "client/resume.h"
#include "client/tools.h"
#include "shm/atom.h"

#define END_STEP 64u

/* ---- a period ends --------------------------------------------------------- */

/* The oldest n of an array go to old. Whether there was memory for it. */
static bool retire(struct objpool *op, uint64_t n, void *const *objects)
{
	if (!objpool_store(&op->old, n, objects))
		return false;
	op->counts.aged += n;
	return true;
}

static void age_store(struct objpool *op, struct objpool_store *store)
{
	uint32_t n = store->low;
	if (n > 0 && retire(op, n, store->obj)) {
		store->n -= n;
		for (uint32_t i = 0; i < store->n; i++)
			store->obj[i] = store->obj[i + n];
	}
	store->low = store->n;
}

/* What lies below low is nobody's who has not the lock. */
static void age_stack(struct objpool *op, struct slabd_objs_ *objs)
{
	uint64_t low = atom_load(&objs->low_);
	uint64_t n = low > objs->base_ ? low - objs->base_ : 0;
	if (n > 0 && retire(op, n, objs->obj_ + objs->base_)) {
		objs->out_ += n;
		objs->base_ = low;
	}
}

void objpool_age_own(struct objpool *op, struct slabd_objs_ *objs)
{
	objs->due_ = 0;
	atom_store(&objs->low_, objs->was_low_);
	age_stack(op, objs);
	atom_store(&objs->low_, objpool_n(objs));
}

/* Its owner does it, at its next call. */
static void leave_to_owner(struct slabd_objs_ *objs, uint64_t low)
{
	if (objs->due_)
		return;
	objs->due_ = 1;
	objs->was_low_ = low;
	atom_store(&objs->low_, UINT64_MAX);
	atom_store(&objs->cap_, UINT64_C(0));
}

static uint64_t top_of(const struct slabd_objs_ *objs)
{
	uint64_t n = objpool_n(objs);
	return n > objs->base_ ? n : objs->base_;
}

/* All that is there may be idle from now on. What the owner takes meanwhile is
 * seen after the barrier. Where nothing is, the first put is to be heard of. */
static void begin(struct slabd_objs_ *objs)
{
	uint64_t n = top_of(objs);
	uint64_t cap = n > objs->base_ ? atom_load(&objs->cap_) / 2 : 0;
	atom_store(&objs->low_, n);
	atom_store(&objs->cap_, cap > n ? cap : n);
}

static void settle(struct slabd_objs_ *objs)
{
	uint64_t n = top_of(objs);
	if (n < atom_load(&objs->low_))
		atom_store(&objs->low_, n);
}

/* The stacks, where the kernel has barriers for that. */
static void age_stacks(struct objpool *op)
{
	struct slabd_objs_ *s;
	bool done;
	for (s = op->stacks; s != NULL; s = s->next_) {
		if (s->due_)
			continue;
		age_stack(op, s);
		begin(s);
	}
	done = barrier_all();
	for (s = op->stacks; s != NULL; s = s->next_) {
		if (s->due_)
			continue;
		if (done)
			settle(s);
		else
			leave_to_owner(s, s->base_);
	}
}

void objpool_age(struct objpool *op, uint64_t now_ns)
{
	for (uint32_t i = 0; i < op->pool->view.geo.n_nodes; i++)
		age_store(op, &op->stores[i]);
	if (barrier_start())
		age_stacks(op);
	else
		for (struct slabd_objs_ *s = op->stacks; s != NULL;
		     s = s->next_)
			leave_to_owner(s, atom_load(&s->low_));
	op->due_ns = objpool_all_idle(op) > 0 ? now_ns + op->idle_ns : 0;
}

/* ---- what is taken away ends ------------------------------------------------ */

static void finish(struct objpool *op, void *object)
{
	if (!cache_is_plain(op->cache))
		tools_look(object, op->size);
	if (op->ops.fini != NULL) {
		int held = link_hold();
		op->ops.fini(object, op->ops.arg);
		link_let_go(held);
	}
	*slabd_objpool_state_(object) = 0;
}

static void count_ended(struct objpool *op, uint64_t n)
{
	pthread_mutex_lock(&op->lock);
	op->counts.ended += n;
	objpool_live_tell(op);
	pthread_mutex_unlock(&op->lock);
}

void objpool_end(struct objpool *op, uint64_t n, void *const *objects)
{
	for (uint64_t i = 0; i < n; i++) {
		finish(op, objects[i]);
		slabd_free(&op->cache->head, objpool_raw(objects[i]));
	}
	count_ended(op, n);
}

static uint32_t take_old(struct objpool *op, void **objects)
{
	uint32_t n;
	pthread_mutex_lock(&op->lock);
	n = op->old.n < END_STEP ? op->old.n : END_STEP;
	op->old.n -= n;
	for (uint32_t i = 0; i < n; i++)
		objects[i] = op->old.obj[op->old.n + i];
	pthread_mutex_unlock(&op->lock);
	return n;
}

/* Straight to the slabs: no magazine of a thread that ages is to have them. */
void objpool_end_old(struct objpool *op)
{
	void *objects[END_STEP];
	uint32_t n;
	while ((n = take_old(op, objects)) > 0) {
		if (!cache_is_plain(op->cache)) {
			objpool_end(op, n, objects);
			continue;
		}
		for (uint32_t i = 0; i < n; i++) {
			finish(op, objects[i]);
			objects[i] = objpool_raw(objects[i]);
		}
		home_send(op->cache, n, objects);
		count_ended(op, n);
	}
}

/* ---- what is due ------------------------------------------------------------ */

/* Whether one is the pool's, which it stays until it is let go of. */
static bool hold(struct objpool *op, const struct slabd_pool *pool)
{
	bool is_its;
	/* pairs: slabd_objpool_create */
	if (atom_load_acquire(&op->live) != pool)
		return false;
	pthread_mutex_lock(&op->lock);
	/* pairs: slabd_objpool_create */
	is_its = atom_load_acquire(&op->live) == pool;
	op->users += is_its;
	pthread_mutex_unlock(&op->lock);
	return is_its;
}

static void let_go(struct objpool *op)
{
	pthread_mutex_lock(&op->lock);
	objpool_live_tell_all(op);
	op->users--;
	pthread_cond_broadcast(&op->left);
	pthread_mutex_unlock(&op->lock);
}

/* When it is due next; 0: nothing is idle. */
static uint64_t tick(struct objpool *op, uint64_t now_ns, bool force)
{
	uint64_t due_ns;
	pthread_mutex_lock(&op->lock);
	if (op->due_ns != 0 && (force || now_ns >= op->due_ns))
		objpool_age(op, now_ns);
	due_ns = op->due_ns;
	pthread_mutex_unlock(&op->lock);
	objpool_end_old(op);
	return due_ns;
}

void objpool_tick(struct slabd_pool *pool, uint64_t now_ns, bool force)
{
	uint64_t next_ns = UINT64_MAX;
	if (!resume_alarm_is_due(&pool->link, now_ns) && !force)
		return;
	for (uint32_t i = 0; i < SLABD_OBJPOOLS_MAX; i++) {
		uint64_t due_ns;
		if (!hold(&objpool_places[i], pool))
			continue;
		due_ns = tick(&objpool_places[i], now_ns, force);
		if (due_ns != 0 && due_ns < next_ns)
			next_ns = due_ns;
		let_go(&objpool_places[i]);
	}
	resume_alarm_anew(&pool->link, next_ns != UINT64_MAX ? next_ns : 0);
}
