/* SPDX-License-Identifier: MIT */
/*
 * Object pools behind the hits of slabclient_objpool.h.
 *
 *   objpool.c       get and put, where they are no hits
 *   objpool_age.c   what is idle through a whole period goes
 *   objpool_life.c  pools and threads begin and end
 *   objpool_live.c  what slabctl shows of them
 *
 * A pool has a stack a thread, and a store a node of what threads leave to each
 * other. Idle objects lie in one of these, or in old, from where they are ended
 * by whoever put them there. The lock is over all of that; init, reset and fini
 * are never called under it, nor is anything of the library's that takes another
 * lock. It is taken after the process's.
 *
 * The places of pools are the process's for good, so that whoever uses one that
 * was destroyed is told so.
 */
#ifndef CLIENT_OBJPOOL_H
#define CLIENT_OBJPOOL_H

#include "client/types.h"

struct objpool_store {
	void **obj;
	uint32_t n;
	uint32_t room;
	uint32_t low; /* the least n of this period */
};

/* (C) while it is live. head lies where no stack's n_ does, see struct cache. */
struct objpool {
	_Alignas(64) struct slabd_pool *pool; /* (C) */
	struct cache *cache;          /* (C) */
	size_t size;                  /* (C) */
	uint64_t cookie;              /* (C) of its objects' states */
	struct slabd_objpool head;    /* (C) what a hit reads */
	struct slabd_objpool_ops ops; /* (C) */
	char name[NAME_BYTES];        /* (C) */
	uint64_t idle_ns;             /* (C) */
	/* (A) NULL -> pool (create), pool -> NULL (destroy): whose it is, once it
	 * can be used. Released after all else, and acquired before. */
	struct slabd_pool *live;
	bool taken;           /* under the process's lock: the place is */
	pthread_mutex_t lock; /* over all that follows, and (L) of the stacks */
	pthread_cond_t left;  /* users is less */
	uint32_t users;       /* threads that have its objects in their hands */
	struct slabd_objs_ *stacks;
	struct objpool_store *stores; /* by node */
	struct objpool_store old;     /* to be ended */
	uint64_t due_ns; /* when this period ends; 0: nothing is idle */
	struct slabd_objpool_counts counts; /* but for what stacks have */
	struct objpool_live *record; /* NULL: slabctl does not show it */
	slabd_cache *records;        /* (C) the cache of that, if there is one */
	uint64_t told_ns;            /* its sums are of then */
};

extern struct objpool objpool_places[SLABD_OBJPOOLS_MAX];

static inline struct objpool *objpool_of(const slabd_objpool *head)
{
	return (struct objpool *)((uintptr_t)head -
	                          offsetof(struct objpool, head));
}

/* ---- what lies idle; all under the lock ---------------------------------- */

static inline void *objpool_raw(void *object)
{
	return (char *)object - SLABD_OBJPOOL_HEAD_;
}

static inline uint64_t objpool_n(const struct slabd_objs_ *objs)
{
	/* pairs: slabd_objpool_put; what lies below is there. */
	uint64_t n = atom_load_acquire(&objs->n_) & 0xffff;
	return n != 0xffff ? n : 0;
}

/* How many lie in a stack: it may be being got from. */
static inline uint64_t objpool_idle(const struct slabd_objs_ *objs)
{
	uint64_t n = objpool_n(objs);
	return n > objs->base_ ? n - objs->base_ : 0;
}

/* Its hits. */
uint64_t objpool_hits(const struct slabd_objs_ *objs);

/* How many are idle in all; and all hits. */
uint64_t objpool_all_idle(const struct objpool *op);
uint64_t objpool_all_hits(const struct objpool *op);

/* Adds objects; false: there is no memory for them. */
bool objpool_store(struct objpool_store *store, uint64_t n,
                   void *const *objects);

/* By the owner, or once it is no more: all of a stack to where it is shared. */
void objpool_spill(struct objpool *op, struct slabd_objs_ *objs);

/* ---- what is idle for long ------------------------------------------------ */

/* Moves what was idle through the period to old, and begins another. */
void objpool_age(struct objpool *op, uint64_t now_ns);

/* The same of the calling thread's own stack, where the kernel has no barriers
 * for others' sake. */
void objpool_age_own(struct objpool *op, struct slabd_objs_ *objs);

/* Not under the lock: ends what is in old; n that were put into an array. */
void objpool_end_old(struct objpool *op);
void objpool_end(struct objpool *op, uint64_t n, void *const *objects);

/* What is due of a pool's object pools, or with force all of it: memory is
 * short. Any thread that holds no lock. */
void objpool_tick(struct slabd_pool *pool, uint64_t now_ns, bool force);

/* ---- ends ------------------------------------------------------------------ */

/* Where a thread's table points that has none: low_ sends every get the slow way,
 * and cap_ every put. */
extern struct slabd_objs_ objpool_none[SLABD_OBJPOOLS_MAX];

/* The calling thread's table, made where missing; NULL: it has none. */
struct slabd_objs_ *objpool_table(struct thread *self);

/* The calling thread ends: so do its idle objects. Holds no lock. */
void objpool_thread_end(struct thread *self);

/* Under the process's lock: a thread that is no more leaves them to others. */
void objpool_orphan(struct thread *thread);

/* The thread's table is gone. */
void objpool_drop_table(struct thread *thread);

/* A pool is closed, or its copy in a forked child. */
void objpool_close_all(struct slabd_pool *pool);

/* In a forked child, before its first pool. */
void objpool_forget_all(void);

#endif
