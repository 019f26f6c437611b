/* SPDX-License-Identifier: MIT */
/*
 * The library's private structures.
 *
 *   process ---- threads ---- one magazine a slot, one seat a pool
 *      '-------- slots: which cache a magazine of that slot serves
 *   pool ------- caches ----- one depot a node
 *
 * Letters: (C) constant while open, (O) the thread that owns it, (L) under
 * process_lock, (A) atomic.
 */
#ifndef CLIENT_POOL_H
#define CLIENT_POOL_H

#include <pthread.h>
#include <stdbool.h>

#include "client/link.h"
#include "client/slabclient.h"
#include "shm/slab.h"

#define REMOTE_MAX 64u
#define SEAT_FOLLOW NODES_MAX

struct depot;

struct cache {
	struct slabd_cache head;        /* (C) what the inline hit reads */
	struct slabd_pool *pool;        /* (C) */
	const struct layout_cache *row; /* (C) */
	uint32_t id;                    /* (C) */
	uint32_t slot;                  /* (C) */
	uint32_t refs;                  /* (L) */
	bool strict;                    /* (C) */
	uint32_t cap_max;               /* (C) see cap_most */
	/* (A) NULL -> depot (depot_of, the first put), back at close. */
	struct depot *depots[NODES_MAX];
};

/* Objects of any cache of a pool that live on one other node. */
struct remote {
	uint32_t n;
	void *obj[REMOTE_MAX];
};

/* One thread in one pool. */
struct seat {
	struct seat *next; /* (C) of the same thread */
	/* (A) pool -> NULL (who closes it, thread_leave), NULL -> pool (the
	 * owner, who sits there anew): put after all else, and got before. */
	struct slabd_pool *pool;
	uint32_t node;           /* (O) index; where its magazines belong */
	uint32_t forced;         /* (O) index, or SEAT_FOLLOW */
	uint32_t trims;          /* (O) trims it has followed */
	struct remote *remote;   /* (O) n_nodes of them */
};

/*
 * A pool or a cache closes while threads that have used it are at work with
 * others. So the lock is held by who empties or halves a magazine that the
 * owner is not at: under it a slot that is marked as used has its cache. The
 * owner's own business with a magazine needs none.
 */
struct thread {
	struct slabd_mag_ *mags; /* (O) the table; wiped in a forked child */
	struct seat *seats; /* (A) only grows, at its head; the owner's put */
	struct thread *next;     /* (L) */
	struct thread **link;    /* (L) what points at this one */
	uint64_t generation;     /* (C) of the process that made it */
	pthread_mutex_t lock;    /* taken after process_lock */
	size_t cap_bytes;        /* (A) sum of cap * stride; relaxed */
	uint32_t clock;          /* (O) misses so far */
	uint32_t oldest;         /* (O) slot last looked at for idleness */
	uint32_t richest;        /* (O) slot last looked at for its bytes */
	/* (A) Slots with a magazine; cleared under lock. */
	uint64_t used[SLABD_CACHES_MAX / 64];
};

struct slabd_pool {
	struct slab_user user; /* (C) */
	struct view view;      /* (C) */
	const uint64_t *alive; /* (C) a word that reads 0 in a forked child */
	uint64_t *map;         /* (C) see make_map */
	void *control;         /* (C) */
	uint64_t control_bytes;
	uint64_t shared_bytes;
	uint64_t data_bytes;
	size_t thread_bytes;   /* (C) */
	size_t process_bytes;  /* (C) */
	uint64_t wait_ns;      /* (C) */
	uint32_t forced;       /* (C) index, or SEAT_FOLLOW */
	bool strict;           /* (C) */
	bool no_wait;          /* (C) */
	/* (A) grow_seq at the last wait in vain: no wait until it moves. */
	uint32_t vain_seq;
	bool vain;             /* (A) */
	uint64_t depot_bytes;  /* (A) in all depots; relaxed, a cap's measure */
	struct link link;
	struct cache *caches[CACHES_MAX]; /* (L) by id - 1 */
	bool has_helper;       /* (C) */
	pthread_t helper;      /* (C) */
	int helper_stop;       /* (C) eventfd */
};

/* The process-wide lock over threads, slots and caches. Never held while
 * slabd is talked to. */
void process_lock(void);
void process_unlock(void);

/* Starts the process's books, anew in a forked child. 0 or -errno. */
int process_start(void);

/* A slot for a cache, or -EMFILE; whether there is one. Under the lock. */
int process_take_slot(struct cache *cache);
bool process_has_slot(void);
void process_drop_slot(uint32_t slot);

/* The cache of a slot. Lock-free. */
struct cache *process_cache_of(uint32_t slot);

/* The calling thread, made at its first miss; NULL with errno ENOMEM. */
struct thread *process_self(void);

/* The thread's seat in a pool, made where missing; NULL with errno. */
struct seat *thread_seat(struct thread *self, struct slabd_pool *pool);

/* The first of all threads. Under the lock. */
struct thread *process_first_thread(void);

/* Sets the node that the thread counts as on; flushes when it moved. */
void thread_settle(struct thread *self, struct seat *seat);

/* Empties a thread's magazines of a pool and vacates its seat there. Under the
 * lock. */
void thread_leave(struct thread *thread, struct slabd_pool *pool);

/* Sets errno ENOTCONN and the error line; returns false. */
__attribute__((cold)) bool pool_is_not(void);

/* False, with errno ENOTCONN and the error line, in a forked child. */
static inline bool pool_alive(const struct slabd_pool *pool)
{
	return atom_load(pool->alive) != 0 || pool_is_not();
}

/* Sends home what all depots of the pool hold. Any thread. */
void pool_drain(struct slabd_pool *pool);

/* Starts and stops the thread that serves events. 0 or -errno. In a forked
 * child, where no such thread runs, forget gives back what it has of it. */
int helper_start(struct slabd_pool *pool);
void helper_stop(struct slabd_pool *pool);
void helper_forget(struct slabd_pool *pool);

/* Empties and forgets a cache. The caller took it out of pool->caches. */
void cache_destroy(struct cache *cache);

#endif
