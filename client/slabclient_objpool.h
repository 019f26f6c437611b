/* SPDX-License-Identifier: MIT */
/*
 * Object pools: objects worth keeping constructed, with the buffers that hang
 * off them. Part of slabclient.h, which includes it; what is said there of
 * returned values and threads holds here.
 *
 *          get: this thread's idle objects, then those that threads share
 *   made <------------------------------------------------------------- idle
 *    | '------------------------------ put: reset ---------------------> ^ |
 *   init, where nothing is idle                                            |
 *          fini: idle through a whole period, over max, a thread's end, ...'
 *
 * Objects are slabs' objects of the cache "objpool NAME", so that slabd frees
 * those of a process that died; what hangs off them in private memory goes with
 * it. They belong to one process: they are not given to others.
 */
#ifndef SLABCLIENT_OBJPOOL_H
#define SLABCLIENT_OBJPOOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slabd_objpool slabd_objpool;

/* Object pools that a process may have at one time. */
#define SLABD_OBJPOOLS_MAX 128

/* Each may be NULL or 0; read by slabd_objpool_create, not kept. */
struct slabd_objpool_ops {
	/* Makes an object of zeroed bytes, once. 0, or -1 with errno: then
	 * slabd_objpool_get fails with it. */
	int (*init)(void *object, void *arg);
	/* Makes one that is put back as good as new. What it keeps, as a buffer,
	 * is there at the next get. */
	void (*reset)(void *object, void *arg);
	/* Ends one, once. */
	void (*fini)(void *object, void *arg);
	void *arg;
	size_t max; /* idle objects that are kept, of all threads; 0: any */
	unsigned idle_ms; /* the period after which idle objects age; 0: 10 s */
};

/* Counts of one object pool since it was made, all of its threads. */
struct slabd_objpool_counts {
	uint64_t hits;    /* gets that an idle object served */
	uint64_t misses;  /* those that none did */
	uint64_t made;    /* objects that init made */
	uint64_t aged;    /* objects that ended as they had been idle */
	uint64_t ended;   /* objects that ended, these among them */
	uint64_t idle;    /* objects that are idle now */
	uint64_t refused; /* puts of what was not the pool's, or put already */
	uint64_t spare;   /* zero */
};

/*
 * Makes an object pool of this process: objects of a size, in bytes, aligned to
 * 16, with 16 bytes before each. ops NULL is all zero.
 *
 * Owned by the caller until slabd_objpool_destroy, or slabd_close of the pool.
 * Its functions are called by whichever thread gets, puts or ends; fini also by
 * the library's helper thread, or in slabd_poll, as objects age. They may call
 * anything but slabd_objpool_destroy of their own pool and slabd_close, and return:
 * they neither throw nor jump out.
 * Errors: EINVAL the size or the name, ENAMETOOLONG the name, EMFILE the process
 * has SLABD_OBJPOOLS_MAX, ENOSPC, ENOMEM, ENOBUFS, EPROTO, ENOTCONN, ETIMEDOUT as
 * slabd_cache_create. Talks to slabd; blocks up to five seconds.
 */
slabd_objpool *slabd_objpool_create(slabd_pool *pool, const char *name,
                                    size_t size,
                                    const struct slabd_objpool_ops *ops);

/*
 * Gets an object that is idle, as reset left it, the newest of this thread's
 * first; or makes one, by init. The caller owns it. A hit is wait-free; a miss is
 * as slabd_alloc, and may wait for another thread that misses, too. Errors:
 * ENOMEM there is no memory for one, EINVAL the pool was destroyed, ENOTCONN in a
 * forked child, and what init failed with.
 */
#ifdef SLABD_NO_INLINE
void *slabd_objpool_get(slabd_objpool *objpool);
#else
static inline void *slabd_objpool_get(slabd_objpool *objpool);
#endif

/*
 * Puts an object back, whichever thread got it: it is reset and kept, or ended
 * where max are idle. NULL does nothing. What is not an object of this pool, or
 * was put already, is refused and counted, and so is one before which the program
 * has written; slabd_last_error says so. So is each once the pool
 * was destroyed, and in a forked child. errno is left alone.
 */
#ifdef SLABD_NO_INLINE
void slabd_objpool_put(slabd_objpool *objpool, void *object);
#else
static inline void slabd_objpool_put(slabd_objpool *objpool, void *object);
#endif

/* Ends all idle objects of all threads, and the pool. No other thread may be
 * using it. What the program still has is not ended: its memory comes back with
 * slabd_close. NULL, or one that was destroyed, does nothing; nor does a forked
 * child. */
void slabd_objpool_destroy(slabd_objpool *objpool);

/* Fills in the counts. Errors: EINVAL the pool was destroyed, ENOTCONN in a
 * forked child. */
int slabd_objpool_get_counts(slabd_objpool *objpool,
                             struct slabd_objpool_counts *counts);

#ifdef __cplusplus
}
#endif

#include "slabclient_objpool_hit.h"
#endif
