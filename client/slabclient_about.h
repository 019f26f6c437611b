/* SPDX-License-Identifier: MIT */
/*
 * What there is to know of caches and clients, and a thread's handle of a cache:
 * part of slabclient.h, which includes it. What is said there of returned values and threads holds here.
 */
#ifndef SLABCLIENT_ABOUT_H
#define SLABCLIENT_ABOUT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What an open cache is: its name, the bytes of an object as they were asked
 * for, the alignment that objects have, the bytes from object to object, whose
 * first size ones are the program's, its flags (SLABD_CACHE_STRICT or 0), and
 * the pool that it belongs to. Constant: the name is valid until the cache is
 * closed. No errors; wait-free, in a forked child too.
 */
const char *slabd_cache_name(const slabd_cache *cache);
size_t slabd_cache_size(const slabd_cache *cache);
size_t slabd_cache_align(const slabd_cache *cache);
size_t slabd_cache_stride(const slabd_cache *cache);
unsigned slabd_cache_flags(const slabd_cache *cache);
slabd_pool *slabd_cache_pool(const slabd_cache *cache);

/*
 * Counts this client's objects of a cache: those that the program has, and
 * those that its threads' magazines and its depot hold free. Either may be
 * NULL.
 *
 * Exact where no other thread allocates or frees meanwhile; else each object
 * that moves may be missed, or be counted on the wrong side. Objects that were
 * given to this client and that it has not taken count in neither. Reads the
 * owner tags of the slabs where this client has been, a nanosecond or two an
 * object, and takes the process's lock for a look at its threads. Errors:
 * ENOMEM this process has no memory or no mapping left, ENOTCONN in a forked
 * child. slabd is not needed.
 */
int slabd_cache_counts(slabd_cache *cache, uint64_t *in_use, uint64_t *held);

/*
 * Counts the objects of a cache in all of the pool: those that some client
 * owns, in use or held free, and those that lie free in slabs. Either may be
 * NULL.
 *
 * What other clients only hold can't be told from what they use: slabctl caches
 * asks them. Exact where no client takes objects from slabs or sends any home
 * meanwhile. Looks at each slab of the pool, and at all tags of this cache.
 * Lock-free. Errors: ENOTCONN in a forked child. slabd is not needed.
 */
int slabd_cache_totals(slabd_cache *cache, uint64_t *owned, uint64_t *unowned);

/*
 * Calls call(object, arg) for each object of a cache that a client owns; 0:
 * this one. Ends early, as done, where call returns anything but 0.
 *
 * A snapshot by owner tags: objects that are allocated or freed meanwhile may
 * be seen or not. The tags tell no object in use from one that lies free in a
 * magazine or depot of its owner: where that matters, flush first (slabd_flush,
 * in each thread slabd_thread_flush); what was given to the client and not
 * taken yet is left out. An object of another client may be freed at any time,
 * and be another's then. call runs in this thread without a lock, and may use
 * anything but slabd_cache_close and slabd_close; it may free the object.
 * Errors: EINVAL call is NULL, ESRCH no such client, ENOMEM this process has no
 * mapping left, ENOTCONN in a forked child. Waits for no client. slabd is
 * not needed.
 */
int slabd_cache_each(slabd_cache *cache, unsigned client_id,
                     int (*call)(void *object, void *arg), void *arg);

/*
 * The epoch of a living client, at least 1; 0 with errno where there is none.
 *
 * Ids are used again, as late as possible. An id and its epoch together name
 * one client for as long as the pool's memory lasts, over a restart of slabd
 * too. Wait-free. Errors: ESRCH no such client, ENOTCONN in a forked child.
 */
unsigned slabd_client_epoch(slabd_pool *pool, unsigned client_id);

/*
 * Whether a client lives: 0 as long as slabd knows of no end of it. epoch 0:
 * any client of that id.
 *
 * A client has ended when it has closed the pool or its process is dead, and
 * slabd has noted that, which takes a slabd that runs. Wait-free. Errors: ESRCH
 * it has ended, or another one has its id, ENOTCONN in a forked child.
 */
int slabd_client_check(slabd_pool *pool, unsigned client_id, unsigned epoch);

/*
 * Names this client, for people: slabctl clients shows it, and other clients
 * can read it. At most SLABD_NAME_MAX bytes, without control characters; NULL
 * or "": the name of the process, as before.
 *
 * It lasts until the client's end, over a restart of slabd too.
 * slabd_options.name does the same at the start. Errors: EINVAL control
 * characters, ENAMETOOLONG, ENOMEM, ENOBUFS, EPROTO as slabd_cache_create,
 * ENOTCONN slabd is gone and did not come back in time, or this is a forked
 * child, ETIMEDOUT slabd does not answer. Talks to slabd; blocks up to five
 * seconds.
 */
int slabd_client_set_name(slabd_pool *pool, const char *name);

/*
 * Copies the name of a living client into bytes of memory at name, with a zero
 * at its end: the one that it gave itself, or its process's. SLABD_NAME_MAX + 1
 * bytes are enough. Lock-free. Errors: ESRCH no such client, ERANGE it does not
 * fit, EINVAL name is NULL, ENOTCONN in a forked child. slabd is not needed.
 */
int slabd_client_name(slabd_pool *pool, unsigned client_id, char *name,
                      size_t bytes);

/*
 * A descriptor that gets readable when the process of a client is dead (a
 * pidfd), for poll, epoll and the like; epoch 0: of any client of that id.
 *
 * It is the caller's, who closes it; closed by exec. It needs no slabd from
 * then on, whether slabd ends, stands still or is started anew, nor the pool.
 * The process may be another user's or in another PID namespace: it can be
 * waited for, and nothing else that this process could not do to it before. A
 * client that closed the pool while its process goes on has ended all the same:
 * slabd_client_check tells. Errors: ESRCH it has ended, EOPNOTSUPP slabd can't
 * see its process, EAGAIN too many descriptors are on their way from slabd,
 * EMFILE this process has no room for one, ENOMEM, ENOBUFS, EPROTO as
 * slabd_cache_create, ENOTCONN slabd is gone and did not come back in time, or
 * this is a forked child, ETIMEDOUT slabd does not answer. Talks to slabd;
 * blocks up to five seconds.
 */
int slabd_client_descriptor(slabd_pool *pool, unsigned client_id,
                            unsigned epoch);

/* What the calling thread has of a cache, at hand: slabd_local_alloc and
 * slabd_local_free do what slabd_alloc and slabd_free do, without a look for it
 * each time. That thread alone may use it, until it ends or the cache is closed;
 * each call gives the same, there is nothing to free, and both ways may be mixed.
 * After fork it fails in the child. Errors: EINVAL the cache was closed, ENOMEM,
 * ENOTCONN in a forked child. */
slabd_local *slabd_local_of(slabd_cache *cache);
/* As slabd_alloc and slabd_free. Once the cache is closed they give and take nothing:
 * no other cache has its place in the process, as long as one of SLABD_CACHES_MAX
 * places is free of which no handle was made. Errors of the former: EINVAL the cache
 * was closed, ENOMEM, ENOTCONN. */
#ifdef SLABD_NO_INLINE
void *slabd_local_alloc(slabd_local *local);
/* Sets no errno. */
void slabd_local_free(slabd_local *local, void *object);
#else
static inline void *slabd_local_alloc(slabd_local *local);
/* Sets no errno. */
static inline void slabd_local_free(slabd_local *local, void *object);
#endif

/*
 * Puts objects by, so that the calling thread's next n slabd_alloc of the cache
 * do not fail, nor wait for growth: those that its magazine can't serve take one
 * of them, whatever becomes of the magazine. Those already put by count; 0 gives
 * them back, as do slabd_thread_idle, slabd_thread_flush, slabd_flush, the
 * thread's end and the cache's. slabctl shows them as held. Errors: ENOMEM there
 * are not so many to be had, as slabd_alloc, and no more than before are put by,
 * EINVAL n objects are more than slabd_options.process_bytes, ENOTCONN in a forked
 * child. May wait for growth as slabd_alloc does, until it fails.
 */
int slabd_prefill(slabd_cache *cache, size_t n);

#ifdef __cplusplus
}
#endif
#endif
