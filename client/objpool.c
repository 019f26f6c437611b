/* SPDX-License-Identifier: MIT */
/* Get and put of object pools, where they are no hits. */
#include "client/objpool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/checked.h"
#include "client/clock.h"
#include "client/home.h"
#include "client/objpool_live.h"
#include "client/resume.h"
#include "client/thread.h"
#include "client/tools.h"
#include "shm/atom.h"

#define FIRST_CAP 16u
#define STACK_BYTES (UINT64_C(1) << 20) /* of objects in one */
#define STACK_LEAST 8u

/* ---- stacks and stores ----------------------------------------------------- */

static void set_n(struct slabd_objs_ *objs, uint64_t n)
{
	atom_store(&objs->n_, (atom_load(&objs->n_) & ~UINT64_C(0xffff)) | n);
}

uint64_t objpool_hits(const struct slabd_objs_ *objs)
{
	uint64_t puts = atom_load(&objs->n_) >> 16;
	return puts + objs->in_ - objs->out_ - objpool_idle(objs);
}

uint64_t objpool_all_idle(const struct objpool *op)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < op->pool->view.geo.n_nodes; i++)
		n += op->stores[i].n;
	for (const struct slabd_objs_ *s = op->stacks; s != NULL; s = s->next_)
		n += objpool_idle(s);
	return n;
}

uint64_t objpool_all_hits(const struct objpool *op)
{
	uint64_t hits = op->counts.hits;
	for (const struct slabd_objs_ *s = op->stacks; s != NULL; s = s->next_)
		hits += objpool_hits(s);
	return hits;
}

bool objpool_store(struct objpool_store *store, uint64_t n,
                   void *const *objects)
{
	if (n > UINT32_MAX / 2 - store->n)
		return false;
	if (store->n + n > store->room) {
		uint32_t room = 2 * (store->n + (uint32_t)n) + 16;
		void **more = realloc(store->obj, room * sizeof(*more));
		if (more == NULL)
			return false;
		store->obj = more;
		store->room = room;
	}
	if (n > 0)
		memcpy(store->obj + store->n, objects, n * sizeof(*objects));
	store->n += (uint32_t)n;
	return true;
}

/* How many more may be idle. Those that a thread may put without a look count. */
static uint64_t room_left(const struct objpool *op)
{
	uint64_t used = 0;
	if (op->ops.max == 0)
		return UINT64_MAX;
	for (uint32_t i = 0; i < op->pool->view.geo.n_nodes; i++)
		used += op->stores[i].n;
	for (const struct slabd_objs_ *s = op->stacks; s != NULL;
	     s = s->next_) {
		uint64_t top = atom_load(&s->cap_);
		if (top < objpool_n(s))
			top = objpool_n(s);
		used += top > s->base_ ? top - s->base_ : 0;
	}
	return used < op->ops.max ? op->ops.max - used : 0;
}

/* Its owner's, as all that follows: from 0 on. */
static void compact(struct slabd_objs_ *objs)
{
	uint64_t n = objpool_n(objs);
	uint64_t base = objs->base_;
	if (base == 0)
		return;
	memmove(objs->obj_, objs->obj_ + base, (n - base) * sizeof(void *));
	set_n(objs, n - base);
	atom_store(&objs->low_, atom_load(&objs->low_) - base);
	atom_store(&objs->cap_, atom_load(&objs->cap_) - base);
	objs->base_ = 0;
}

void objpool_spill(struct objpool *op, struct slabd_objs_ *objs)
{
	uint64_t n = objpool_idle(objs);
	/* What finds no room is lost to the pool, and slabd's with its end. */
	(void)objpool_store(&op->stores[objs->node_], n,
	                    objs->obj_ + objs->base_);
	objs->out_ += n;
	set_n(objs, 0);
	objs->base_ = 0;
	atom_store(&objs->low_, UINT64_C(0));
	atom_store(&objs->cap_, UINT64_C(0));
}

/* The thread's stack, made its own, of its node, and aged where that is due. */
static void settle(struct objpool *op, struct slabd_objs_ *objs, uint32_t node)
{
	if (objs->key_ == 0) {
		objs->link_ = &op->stacks;
		objs->next_ = op->stacks;
		if (objs->next_ != NULL)
			objs->next_->link_ = &objs->next_;
		op->stacks = objs;
		objs->node_ = node;
	}
	if (objs->due_)
		objpool_age_own(op, objs);
	if (objs->node_ != node) {
		objpool_spill(op, objs);
		objs->node_ = node;
	}
	objs->key_ = op->cookie | node;
	compact(objs);
}

/* ---- get ------------------------------------------------------------------- */

static void *take_own(struct slabd_objs_ *objs)
{
	uint64_t n = objpool_n(objs);
	if (n == 0)
		return NULL;
	/* Never higher: what lies above was put in this period. */
	if (atom_load(&objs->low_) > n - 1)
		atom_store(&objs->low_, n - 1);
	set_n(objs, n - 1);
	return objs->obj_[n - 1];
}

/* Some of a store to the thread's stack: the newest. */
static void refill(struct objpool *op, struct slabd_objs_ *objs)
{
	struct objpool_store *store = &op->stores[objs->node_];
	uint32_t n = (uint32_t)atom_load(&objs->cap_) / 2 + 1;
	n = n < store->n ? n : store->n;
	store->n -= n;
	if (store->low > store->n)
		store->low = store->n;
	memcpy(objs->obj_, store->obj + store->n, n * sizeof(void *));
	objs->in_ += n;
	set_n(objs, n);
	if (atom_load(&objs->cap_) < n)
		atom_store(&objs->cap_, (uint64_t)n);
}

static void *take_shared(struct objpool *op, uint32_t node)
{
	struct objpool_store *store = &op->stores[node];
	if (store->n == 0)
		return NULL;
	store->n--;
	if (store->low > store->n)
		store->low = store->n;
	op->counts.hits++;
	return store->obj[store->n];
}

static void *take(struct objpool *op, struct slabd_objs_ *objs, uint32_t node)
{
	void *object;
	if (objs == NULL)
		return take_shared(op, node);
	settle(op, objs, node);
	object = take_own(objs);
	if (object != NULL || op->stores[node].n == 0)
		return object;
	refill(op, objs);
	return take_own(objs);
}

/* Of whatever node, where there is no memory for a new one. */
static void *take_far(struct objpool *op)
{
	void *object = NULL;
	pthread_mutex_lock(&op->lock);
	for (uint32_t i = 0; object == NULL && i < op->pool->view.geo.n_nodes;
	     i++)
		object = take_shared(op, i);
	objpool_live_tell(op);
	pthread_mutex_unlock(&op->lock);
	return object;
}

static void count_made(struct objpool *op, bool made)
{
	pthread_mutex_lock(&op->lock);
	op->counts.misses++;
	op->counts.made += made;
	objpool_live_tell(op);
	pthread_mutex_unlock(&op->lock);
}

static bool init(struct objpool *op, void *object)
{
	int held;
	int r;
	if (op->ops.init == NULL)
		return true;
	held = link_hold();
	r = op->ops.init(object, op->ops.arg);
	link_let_go(held);
	return r >= 0;
}

static void *make(struct objpool *op)
{
	char *raw = slabd_alloc(&op->cache->head);
	void *object = raw + SLABD_OBJPOOL_HEAD_;
	int saved;
	if (raw == NULL) {
		object = take_far(op);
		if (object == NULL)
			count_made(op, false);
		return object;
	}
	memset(raw, 0, SLABD_OBJPOOL_HEAD_ + op->size);
	if (!init(op, object)) {
		saved = errno;
		error_set(saved, "object pool %s: its init failed", op->name);
		count_made(op, false);
		slabd_free(&op->cache->head, raw);
		errno = saved;
		return NULL;
	}
	count_made(op, true);
	return object;
}

/* Whether a pool can be used; sets errno and the line. */
static bool is_usable(const struct objpool *op)
{
	/* pairs: slabd_objpool_create, slabd_objpool_destroy */
	const struct slabd_pool *pool = atom_load_acquire(&op->live);
	if (pool != NULL)
		return pool_alive(pool);
	error_set(EINVAL, "the object pool was destroyed");
	return false;
}

/* The calling thread's node and stack in a pool. False with errno. */
static bool find_self(struct objpool *op, uint32_t *node,
                      struct slabd_objs_ **objs)
{
	struct thread *self = thread_self();
	struct attachment *att =
		self != NULL ? thread_attachment(self, op->pool) : NULL;
	if (att == NULL)
		return thread_no_memory(), false;
	thread_settle(self, att);
	*node = att->node;
	*objs = objpool_table(self);
	if (*objs != NULL)
		*objs += op - objpool_places;
	return true;
}

/* It is in use from now on. */
static void *hand_out(struct objpool *op, void *object)
{
	if (object == NULL)
		return NULL;
	*slabd_objpool_state_(object) =
		op->cookie | home_of(op->cache, objpool_raw(object));
	if (!cache_is_plain(op->cache))
		tools_look(object, op->size);
	return object;
}

/* That it took one is undone first. */
void *slabd_objpool_get_slow_(slabd_objpool *head)
{
	struct objpool *op = objpool_of(head);
	struct slabd_objs_ *objs = slabd_objs_of_(head);
	uint32_t node;
	void *object;
	atom_store(&objs->n_, atom_load(&objs->n_) + 1);
	if (!is_usable(op) || !find_self(op, &node, &objs))
		return NULL;
	pthread_mutex_lock(&op->lock);
	object = take(op, objs, node);
	if (object != NULL)
		objpool_live_tell(op);
	pthread_mutex_unlock(&op->lock);
	objpool_end_old(op);
	return hand_out(op, object != NULL ? object : make(op));
}

/* ---- put ------------------------------------------------------------------- */

/* How many a stack may ever hold. */
static uint64_t most(const struct objpool *op)
{
	uint64_t n = STACK_BYTES / op->cache->row->stride;
	if (n < STACK_LEAST)
		return STACK_LEAST;
	return n < SLABD_OBJS_MAX_ ? n : SLABD_OBJS_MAX_;
}

/* More room for a stack that is full. */
static void widen(struct objpool *op, struct slabd_objs_ *objs)
{
	uint64_t cap = atom_load(&objs->cap_);
	uint64_t more = cap > 0 ? cap : FIRST_CAP;
	uint64_t room = room_left(op);
	if (more > most(op) - (cap < most(op) ? cap : most(op)))
		more = most(op) - (cap < most(op) ? cap : most(op));
	atom_store(&objs->cap_, cap + (more < room ? more : room));
}

/* The older half goes to the store. */
static void leave_half(struct objpool *op, struct slabd_objs_ *objs)
{
	uint64_t n = objpool_n(objs);
	uint64_t half = (n + 1) / 2;
	if (room_left(op) < half ||
	    !objpool_store(&op->stores[objs->node_], half, objs->obj_))
		return;
	objs->out_ += half;
	memmove(objs->obj_, objs->obj_ + half, (n - half) * sizeof(void *));
	set_n(objs, n - half);
	atom_store(&objs->low_, UINT64_C(0));
}

/* False: there is no room. */
static bool keep_own(struct objpool *op, struct slabd_objs_ *objs, void *object)
{
	if (objpool_n(objs) >= atom_load(&objs->cap_))
		widen(op, objs);
	if (objpool_n(objs) >= atom_load(&objs->cap_))
		leave_half(op, objs);
	if (objpool_n(objs) >= atom_load(&objs->cap_))
		return false;
	objs->obj_[objpool_n(objs)] = object;
	/* pairs: objpool_n */
	atom_store_release(&objs->n_, atom_load(&objs->n_) + 0x10001);
	return true;
}

/* One of another node goes where that node's threads find it. */
static bool keep(struct objpool *op, struct slabd_objs_ *objs, uint32_t node,
                 void *object)
{
	uint32_t home = home_of(op->cache, objpool_raw(object));
	if (objs != NULL)
		settle(op, objs, node);
	if (objs != NULL && home == node)
		return keep_own(op, objs, object);
	return room_left(op) > 0 &&
	       objpool_store(&op->stores[home], 1, &object);
}

/* Something is idle: when its period ends. 0: that is known already. */
static uint64_t begin_period(struct objpool *op)
{
	if (op->due_ns != 0)
		return 0;
	op->due_ns = clock_now_ns() + op->idle_ns;
	return op->due_ns;
}

static void keep_or_end(struct objpool *op, void *object)
{
	struct slabd_objs_ *objs = NULL;
	uint64_t due_ns = 0;
	uint32_t node = 0;
	bool kept = false;
	if (!cache_is_plain(op->cache))
		tools_free(object, op->size);
	if (find_self(op, &node, &objs)) {
		pthread_mutex_lock(&op->lock);
		kept = keep(op, objs, node, object);
		if (kept) {
			due_ns = begin_period(op);
			objpool_live_tell(op);
		}
		pthread_mutex_unlock(&op->lock);
	}
	if (due_ns != 0)
		resume_alarm(&op->pool->link, due_ns);
	if (!kept)
		objpool_end(op, 1, &object);
	objpool_end_old(op);
}

void slabd_objpool_keep_slow_(slabd_objpool *head, void *object)
{
	int saved = errno;
	keep_or_end(objpool_of(head), object);
	errno = saved;
}

__attribute__((cold)) static void refuse(struct objpool *op, const void *object,
                                         const void *site, const char *why)
{
	struct slabd_pool *pool = op->pool;
	pthread_mutex_lock(&op->lock);
	op->counts.refused++;
	objpool_live_tell(op);
	pthread_mutex_unlock(&op->lock);
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	if (pool->checked != NULL) {
		error_set(EINVAL, "object pool %s: %s", op->name, why);
		checked_refuse_call(pool, "slabd_objpool_put", object, site);
		return;
	}
	error_set(EINVAL, "slabd_objpool_put of %p to %s: %s", object, op->name,
	          why);
}

/* Whether it is an object of the pool's cache, and this client's. */
static bool is_object(const struct objpool *op, const void *object)
{
	const struct slabd_pool *pool = op->pool;
	uint64_t off = (uint64_t)((const char *)object - SLABD_OBJPOOL_HEAD_ -
	                          pool->user.data);
	const uint16_t *tag = slab_tag_of(&pool->view, off);
	return tag != NULL && TAG_OWNER(atom_load(tag)) == pool->user.id &&
	       WORD_CACHE(atom_load(&pool->view.words[off >> UNIT_SHIFT])) ==
	               op->cache->id;
}

static void put(struct objpool *op, void *object, const void *site)
{
	uint64_t state;
	if (!is_object(op, object)) {
		refuse(op, object, site, "it is no object of this pool");
		return;
	}
	state = *slabd_objpool_state_(object);
	if (state == SLABD_OBJPOOL_IDLE_) {
		refuse(op, object, site, "it was put already");
		return;
	}
	if ((state & ~UINT64_C(0xff)) != op->cookie) {
		refuse(op, object, site,
		       "it is of another pool, or what lies before "
		       "it was overwritten");
		return;
	}
	*slabd_objpool_state_(object) = SLABD_OBJPOOL_IDLE_;
	if (op->ops.reset != NULL)
		op->ops.reset(object, op->ops.arg);
	keep_or_end(op, object);
}

void slabd_objpool_put_slow_(slabd_objpool *head, void *object)
{
	struct objpool *op = objpool_of(head);
	int saved = errno;
	if (object != NULL && is_usable(op))
		put(op, object, CHECKED_SITE());
	errno = saved;
}
