/* SPDX-License-Identifier: MIT */
/*
 * The library's private structures.
 *
 *   process ---- threads ---- one magazine a slot, one attachment a pool
 *      '-------- slots: which cache a magazine of that slot serves
 *   pool ------- caches ----- depots, a few a node
 *
 * What is done to them, each file using those above it alone:
 *
 *   tools     what watches the program's memory, if anything does
 *   process   the lock, the slots; which generation of forks this is
 *   opens     what slabd is told of caches that were closed
 *   closed    what stays of a cache that was closed
 *   reach     which of a pool's pages are accessible
 *   credit    what the process may keep in its depots
 *   home      objects between the process and the slabs: depots, claims, frees
 *   checked   what a program does wrong, where that is looked for
 *   magazine  one magazine: its capacity, its older half, its end
 *   thread    the calling thread, its attachments, its end
 *   holds     what the calling thread holds free
 *   cap       how large magazines grow
 *   look      what of that is wrong
 *   idle      threads that said they sleep; what the process can do without
 *   shortage  what an allocation does when its node has nothing
 *   prefill   what a thread has put by
 *   objpool   objects that are kept constructed
 *   alloc, free, local, give, cache, helper, pool: the public functions
 *
 * Letters: (C) constant while open, (O) the thread that owns it, (L) under
 * process_lock, (A) atomic.
 */
#ifndef CLIENT_TYPES_H
#define CLIENT_TYPES_H

#include <pthread.h>
#include <stdbool.h>

#include "client/cached.h"
#include "client/error.h"
#include "client/link.h"
#include "client/process.h"
#include "client/slabclient.h"
#include "client/turns.h"
#include "shm/slab.h"

#define REMOTE_MAX 256u
#define REMOTE_BYTES ((uint64_t)16 << 10) /* for all other nodes */
#define NODE_FOLLOW NODES_MAX
/* Of a thread's table of magazines, which is made writable part by part. */
#define TABLE_BYTES ((SLABD_CACHES_MAX + 1) * sizeof(struct slabd_mag_))
#define TABLE_PART ((size_t)32 << 10)
#define TABLE_PARTS ((TABLE_BYTES + TABLE_PART - 1) / TABLE_PART)

struct checked;

struct remote { /* of any cache, on one other node; counted as it empties */
	uint32_t n;            /* (A) stored by the owner; relaxed */
	uint64_t bytes;        /* (O) */
	void *obj[REMOTE_MAX]; /* (A) like n */
};

/* One thread in one pool. */
struct attachment {
	struct attachment *next; /* (C) of the same thread */
	/* (A) pool -> NULL (thread_leave, by whoever closes it), NULL -> pool
	 * (attach, by the owner, for its next pool). Stored by a release after
	 * all other fields, and acquired before they are read. */
	struct slabd_pool *pool;
	uint32_t node;         /* (O) index; where its magazines belong */
	uint32_t forced;       /* (O) index, or NODE_FOLLOW */
	uint32_t trims;        /* (O) trims it has followed */
	uint32_t misses;       /* (O) so far, no further than matters */
	struct remote *remote; /* (O) n_nodes of them */
	uint64_t remote_bytes; /* (O) in these */
	/* Under the thread's lock: its owner sleeps, and who wants what its
	 * magazines and remote hold may take it, under process_lock too. */
	bool idle;
	bool no_wait; /* (O) this call waits for nothing */
	uint64_t
		cap_bytes; /* (A) sum of its magazines' cap * stride; relaxed */
	/* (A) What it took from depots and slabs less what it gave back: the
	 * bytes in its magazines and those that it has in use. A measure:
	 * relaxed, an update is lost where another thread closes a cache, and
	 * below 0 it stays 0. */
	int64_t taken_bytes;
};

/*
 * A pool or a cache closes while threads that have used it are at work with
 * others. So whoever empties or halves a magazine that its owner is not using
 * holds the lock: under it a slot that is marked as used has its cache. What
 * the owner itself does to a magazine needs none.
 */
struct thread {
	struct slabd_mag_ *mags; /* (O) the table; wiped in a forked child */
	/* (O) Writable parts, see thread_open_slot; others take no memory. */
	uint64_t writable[TABLE_PARTS / 64 + 1];
	bool idle; /* (O) said so: slabd_mags_1_ is not mags */
	/* (A) Only grows, at its head, by the owner's release. */
	struct attachment *attachments;
	struct attachment *last; /* (O) that a remote free was in; or NULL */
	struct thread *next;     /* (L) */
	struct thread **link; /* (L) what points at this one */
	uint64_t generation;  /* (C) of the process that made it */
	pthread_mutex_t lock; /* taken after process_lock */
	/* Its owner holds it for as long as it lives, and the kernel lets go of
	 * it then (a robust mutex): whoever gets it knows that it is dead. */
	pthread_mutex_t life;
	uint32_t clock;       /* (O) misses so far */
	uint32_t oldest;      /* (O) slot last looked at for idleness */
	uint32_t richest;     /* (O) slot last looked at for its bytes */
	uint32_t sought;      /* (O) slot last found by holds_object */
	/* (A) Slots with a magazine; cleared under lock. */
	uint64_t used[SLABD_CACHES_MAX / 64];
	uint64_t local[SLABD_CACHES_MAX / 64]; /* (A) slabd_local_of's */
	struct reserves *reserves; /* (A) see prefill.h */
	struct slabd_objs_ *objs; /* (O) the table of idle objects; NULL: none yet */
	uint32_t shard;                        /* (L) */
};

/* What the kernel wipes in a forked child: there no pool lives and no lock is
 * held (all zero is an unlocked mutex in the C libraries of Linux). */
struct pool_wiped {
	uint64_t alive;
	uint64_t plain;
	pthread_mutex_t reach;
};

struct slabd_pool {
	struct slab_user user; /* (C) */
	struct view view;      /* (C) but for what reach.h says */
	const uint64_t *alive; /* (C) a word that reads 0 in a forked child */
	struct pool_wiped *wiped; /* (C) the page that it lies on */
	/* (A) A bit a page of data that is accessible. 0 <-> 1 (reach.c, under
	 * its lock), by a release; acquired by reach_is_open. */
	uint64_t *open;
	/* (A) A bit a client id whose notes are accessible: 0 -> 1
	 * (reach_touched, under the lock), by a release; acquired by it. */
	uint64_t *rows;
	uint64_t drops;        /* (A) of the head, when pages were last closed */
	uint64_t *map;         /* (C) see make_map */
	void *control;         /* (C) */
	uint64_t control_bytes;
	uint64_t shared_bytes;
	uint64_t data_bytes;
	size_t thread_bytes;  /* (C) */
	size_t process_bytes; /* (C) */
	uint64_t wait_ns;     /* (C) */
	uint32_t forced;      /* (C) index, or NODE_FOLLOW */
	bool strict;          /* (C) */
	bool no_wait;         /* (C) */
	/* (A) grow_seq at the last wait in vain: no wait until it moves. */
	uint32_t vain_seq;
	bool vain;            /* (A) */
	/* (A) Waits for the thread's own node: how many in a row were in vain,
	 * and how many misses pass without one. Relaxed: counts alone. */
	uint32_t near_vain;
	uint32_t near_left;
	uint64_t max_bytes; /* (C) of data, when it has grown to its most */
	uint64_t depot_bytes; /* (A) held free: depots, shards' credit */
	uint64_t cap_bytes;
	int64_t net_bytes;    /* (A) claimed, less what was sent home; relaxed */
	struct turns turns; /* whose turn it is to take or give an object */
	uint32_t n_holders;   /* (A) threads with magazines; relaxed */
	uint64_t floor_bytes; /* (A) a thread's, see cap.h; relaxed */
	struct shard shards[PROCESS_SHARDS];
	struct link link;
	struct joined *channels; /* under channels_lock, see channel.h */
	pthread_mutex_t channels_lock; /* held while slabd is asked */
	struct cache *caches[CACHES_MAX]; /* (L) by id - 1 */
	uint8_t told[CACHES_MAX]; /* (L) by id - 1, see opens.h */
	uint32_t opening;         /* (L) requests for caches under way */
	/* (A) Written under the lock, relaxed: a stale look tells later. */
	uint32_t told_up; /* link.up of the connection that was told */
	bool tell_due;    /* some of told is DUE */
	bool has_helper;                  /* (C) */
	pthread_t helper;                 /* (C) */
	int helper_pipe[2];               /* (C) a byte in it ends the helper */
	uint64_t helper_ino;              /* (C) of the pipe */
	bool helper_left;                 /* (A) it is to touch nothing more */
	struct slabd_pool *next;          /* (L) of those that are open */
	struct checked *checked;          /* (C) NULL: it is not, see checked.h */
	struct arena_home *arenas;        /* (A) NULL -> arena_home_of's */
};

/* Sets errno and the error line; returns false. */
__attribute__((cold)) bool closed_why(const struct slabd_pool *pool);

/* False, with errno ENOTCONN and the error line, in a forked child; with EINVAL
 * for a cache that was closed, and for NULL. */
static inline bool pool_alive(const struct slabd_pool *pool)
{
	return (pool != NULL && atom_load(pool->alive) != 0) || closed_why(pool);
}

#endif
