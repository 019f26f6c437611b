/* SPDX-License-Identifier: MIT */
/*
 * libslabclient: shared slabs from per-thread magazines.
 *
 *      slabd_alloc --hit--> this thread's magazine          (inline, private)
 *           '------miss---> process depot --> node's partial list --> slabd
 *
 * A hit changes nothing that another process can see, and nothing that another
 * thread of this one does more with than count it. All state of
 * magazines and depot is private to the process; what others see are the owner
 * tags in the pool's shared file, which change only when objects move between
 * a slab and a magazine. So a process killed at any instruction loses nothing:
 * slabd frees whatever carries its id.
 *
 * Functions that return int give 0, or -1 with errno. Functions that return a
 * pointer give NULL with errno. NULL in place of a pool, a channel, an array or what
 * is to be filled in gives EINVAL; a cache or object pool to allocate of is not asked
 * for, as that is inline. Any thread may call anything unless said
 * otherwise. Nothing here prints or exits, but in the checked mode, or installs a
 * handler, and nothing is a point where a thread can be cancelled.
 *
 * After fork the child is no client: alloc, free, give and take fail there
 * with ENOTCONN, reading objects works, and slabd_open makes it a client of
 * its own. A signal handler may call nothing from this header.
 *
 * In the checked mode (SLABD_CHECKED, or the environment) each misuse of an object
 * is refused at once, with a line on standard error that says where. Sanitizers and
 * valgrind are told what is free and what is undefined. Both: see slabclient(3).
 *
 * With SLABD_NO_INLINE defined nothing is inline: slabd_alloc and slabd_free are
 * calls, which other languages find in the library in any case.
 */
#ifndef SLABCLIENT_H
#define SLABCLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slabd_pool slabd_pool;
typedef struct slabd_cache slabd_cache;
typedef struct slabd_mag_ slabd_local;
typedef uint64_t slabd_handle;

/* Of this header; slabd_version() is that of the library in use. */
#define SLABD_VERSION_MAJOR 0
#define SLABD_VERSION_MINOR 1
#define SLABD_VERSION_PATCH 0
#define SLABD_VERSION                                                          \
	(SLABD_VERSION_MAJOR * 10000 + SLABD_VERSION_MINOR * 100 +             \
	 SLABD_VERSION_PATCH)

/* Longest name of a cache or pool, in bytes without the end. */
#define SLABD_NAME_MAX 63
/* Open caches a process may have at one time, over all pools. */
#define SLABD_CACHES_MAX 1024
/* Objects a magazine holds at most. */
#define SLABD_MAGAZINE_MAX 768

/* slabd_options.flags */
#define SLABD_NO_HELPER 1u   /* no helper thread: poll slabd_descriptor() */
#define SLABD_STRICT_NODE 2u /* every cache local or NULL */
#define SLABD_FORCE_NODE 4u  /* threads count as on .node, wherever they run */
#define SLABD_NO_WAIT 8u     /* ENOMEM at once where slabd would have to grow */
#define SLABD_CHECKED 16u    /* misuse of objects is refused at once, and said on
                                standard error, see slabclient(3) */
#define SLABD_CHECKED_ABORT 32u /* so it is, and ends the process there */

/* slabd_cache_create flags */
#define SLABD_CACHE_STRICT 1u /* local node or NULL, never a remote object */
#define SLABD_CACHE_FIND 2u   /* open it only: ENOENT where there is none; size
                                 0: of any size, alignment and flags */
#define SLABD_CACHE_NEW 4u    /* make it only: EEXIST where there is one */
#define SLABD_CACHE_BESIDE 8u /* make it beside one of its name that differs */

/* All zero is the default. Read by slabd_open alone, not kept. */
struct slabd_options {
	const char *socket;   /* NULL: $SLABD_SOCKET, else the default path */
	unsigned flags;       /* SLABD_NO_HELPER ... */
	int node;             /* with SLABD_FORCE_NODE: the kernel's node id */
	size_t thread_bytes;  /* cap on a thread's magazines; 0: 4 MiB */
	size_t process_bytes; /* cap on what is held free, in magazines and
	                         depot; 0: 256 MiB. Both: see slabclient(3) */
	unsigned wait_ms;     /* longest wait for growth; 0: 1 s */
	unsigned spare[3];    /* zero */
	const char *name;     /* of this client, see slabd_client_set_name */
};

/* Counts of one client since it opened the pool, all of its threads. */
struct slabd_stats {
	uint64_t refills;       /* runs claimed from slabs */
	uint64_t refilled;      /* objects in them */
	uint64_t flushes;       /* batches sent home */
	uint64_t flushed;       /* objects in them */
	uint64_t depot_gets;    /* magazine parts taken from the depot */
	uint64_t depot_puts;    /* magazine parts put there */
	uint64_t remote_allocs; /* objects taken from another node for want */
	uint64_t remote_frees;  /* objects freed that live on another node;
	                           slabctl sees them when they go home */
	uint64_t rings;         /* times slabd was told of a shortage */
	uint64_t waits;         /* times an allocation waited for growth */
	uint64_t failures;      /* allocations that ended in ENOMEM */
	uint64_t refused;       /* frees, gives, takes of what was not the caller's */
	uint64_t resumes;       /* times the connection to slabd came back */
	/* Those of remote_allocs for which the thread's own node might still
	 * have grown: it did not within the setting remote_wait. */
	uint64_t remote_with_room;
	uint64_t spare[2]; /* zero */
};

/*
 * Opens a pool and makes the process a client of it.
 *
 * pool NULL means "default"; options NULL means defaults. Returns the pool,
 * owned by the caller until slabd_close. Each call makes one more client.
 * Should slabd go, the library looks for it, at growing intervals of up to a
 * second, and goes on as the same client when it is there again with this pool.
 * Errors: ENOENT no such pool or no slabd at the socket, ENOTDIR and ELOOP the
 * socket's path, ECONNREFUSED slabd is not running, EACCES the pool's access
 * list leaves this user out, EPROTO another ABI version or no slabd at the
 * other end (slabd_last_error has both versions), EUCLEAN slabd has set the
 * pool aside, EAGAIN the pool has all the clients it may have, this user all
 * threads, or this process locks more memory (mlockall) than it may, ENOTCONN
 * slabd closed the connection (it is stopping, or too many are at its door),
 * ENAMETOOLONG, EINVAL options, ENOMEM, ENOBUFS, EMFILE, ENFILE, ENOSPC this
 * user has no epoll watch left, ENOSYS this kernel or sandbox has no
 * MADV_WIPEONFORK, ETIMEDOUT. Waits for a slabd that is being started anew.
 * Blocks up to five seconds, twice where slabd ends meanwhile.
 */
slabd_pool *slabd_open(const char *pool, const struct slabd_options *options);

/*
 * Flushes every magazine, gives back all that this client still owns and
 * unmaps the pool.
 *
 * No other thread may be using the pool or its caches; pointers into it are
 * dead afterwards. In a forked child it only unmaps. Waits up to five seconds until
 * slabd has taken all back; one second for a slabd that is gone, whose objects that
 * were not freed then come back when the process ends, or one that is stopped, which
 * takes them back when it goes on. A call with one of the last eight that were closed,
 * or with what was of it, fails with EINVAL. Errors: EINVAL pool is NULL, or closed,
 * EBUSY in a cleanup of one of its arenas.
 */
int slabd_close(slabd_pool *pool);

/*
 * Opens the named cache, and makes it where it is missing.
 *
 * size in bytes, 1 to the pool's page (2 MiB as a rule); align 0 or a power of
 * two up to 4096; flags SLABD_CACHE_*. One process may open a cache many times
 * and gets the same pointer. A cache that nobody has open and that has no
 * object in use goes when its place is needed, or its name with another size,
 * alignment or flags. While it is used, SLABD_CACHE_BESIDE makes a version that
 * differs beside it, as for a struct that grew: each version is opened by its
 * own size, alignment and flags, frees its own objects, and all but the newest
 * go by themselves once they are unused. Errors: EINVAL size, alignment, flags,
 * an empty name or control characters in it, ENAMETOOLONG, EEXIST the name is
 * in use with another size, alignment or flags (slabd_last_error has both, and
 * who uses it), or, with SLABD_CACHE_NEW, at all, ENOENT with SLABD_CACHE_FIND,
 * ENOSPC the pool has all its caches and all are in use, EMFILE the process has
 * SLABD_CACHES_MAX open, ENOMEM, ENOBUFS it, the system or slabd has no memory
 * left, EPROTO the answer is not slabd's, ENOTCONN slabd is gone and did not
 * come back in time, or this is a forked child, ETIMEDOUT slabd does not
 * answer. Talks to slabd; blocks up to five seconds.
 */
slabd_cache *slabd_cache_create(slabd_pool *pool, const char *name, size_t size,
                                size_t align, unsigned flags);

/*
 * Opens the newest cache of a name, whatever its size, alignment and flags,
 * which it can be asked for; makes none. The pointer is as of
 * slabd_cache_create, and is closed like it. Errors: ENOENT there is none,
 * EINVAL, ENAMETOOLONG the name, EMFILE, ENOMEM, ENOBUFS, EPROTO, ENOTCONN,
 * ETIMEDOUT as slabd_cache_create. Talks to slabd; blocks up to five seconds.
 */
slabd_cache *slabd_cache_open(slabd_pool *pool, const char *name);

/*
 * Closes what slabd_cache_create opened; the last close flushes its magazines.
 *
 * Objects stay allocated. No other thread may be using the cache. Errors:
 * EINVAL cache is NULL, ENOTCONN in a forked child.
 */
int slabd_cache_close(slabd_cache *cache);

/*
 * Removes a cache, all versions of its name, that nobody has open and of which
 * no object is in use. Its memory serves other caches.
 *
 * It need not be open, and must not be in this process either. Errors: EBUSY it
 * is in use (slabd_last_error says by whom; what is unused of it is gone),
 * ENOENT, EINVAL and ENAMETOOLONG the name, ENOMEM, ENOBUFS, EPROTO, ENOTCONN,
 * ETIMEDOUT as slabd_cache_create. Talks to slabd; blocks up to five seconds.
 */
int slabd_cache_remove(slabd_pool *pool, const char *name);

/*
 * Allocates one object; its bytes are undefined, its owner is this client.
 *
 * Errors: ENOMEM the node (and, unless strict, every other node) has nothing
 * free and slabd could not grow it within the wait, ENOTCONN this process is
 * no client. A hit is wait-free. A miss waits for no client, whatever that does;
 * it may wait for a thread of its own process that makes or empties magazines,
 * and blocks for up to wait_ms where nothing at all is free and slabd is growing
 * the pool.
 */
#ifdef SLABD_NO_INLINE
void *slabd_alloc(slabd_cache *cache);
#else
static inline void *slabd_alloc(slabd_cache *cache);
#endif

/*
 * Allocates one object if there is one at once: from the thread's magazine, the
 * process's depot, or a slab that has any, of the thread's own node first.
 * Never waits for growth, nor for anybody else; where nothing is free slabd is
 * told, if it was not yet, so that it may be otherwise a little later. Errors:
 * ENOMEM, ENOTCONN this process is no client. A thread's first call of all
 * takes the process's lock; after that a hit is wait-free, a miss as that of
 * slabd_alloc.
 */
void *slabd_alloc_nowait(slabd_cache *cache);

/*
 * Frees one object of this cache that this client owns; NULL does nothing.
 *
 * What lies in no slab of the cache is refused at once and counted, and
 * slabd_last_error says so. An address inside an object, an object that was
 * freed or given away, and another client's are refused and counted when the
 * magazine is flushed, and until then it may hand them out; in the checked mode
 * they are refused at once. An object whose home is
 * another node goes home in a batch. errno is left alone. A hit is wait-free, a
 * miss as that of slabd_alloc but for growth; slabd is not needed.
 */
#ifdef SLABD_NO_INLINE
void slabd_free(slabd_cache *cache, void *object);
#else
static inline void slabd_free(slabd_cache *cache, void *object);
#endif

/* Allocates on a node named by the kernel's id, and never on another. Errors:
 * ENOMEM, ENOTCONN as slabd_alloc, EINVAL for a node that the pool does not
 * have. */
void *slabd_alloc_node(slabd_cache *cache, int node);

/* Allocates up to n objects into out; returns how many, fewer with errno
 * ENOMEM. The caller owns each. Inline where n is a constant up to 32. */
#ifdef SLABD_NO_INLINE
size_t slabd_alloc_bulk(slabd_cache *cache, size_t n, void **out);
#else
static inline size_t slabd_alloc_bulk(slabd_cache *cache, size_t n, void **out);
#endif

/* Frees n objects of the cache; NULLs are passed over. Inline where n is a
 * constant up to 32 and all lie in 64 KiB of the pool, as neighbours do. */
#ifdef SLABD_NO_INLINE
void slabd_free_bulk(slabd_cache *cache, size_t n, void *const *objects);
#else
static inline void slabd_free_bulk(slabd_cache *cache, size_t n,
                                   void *const *objects);
#endif

/* This client's id, 1 to 32766; 0 with ENOTCONN in a forked child. */
unsigned slabd_client_id(slabd_pool *pool);

/* Makes the calling thread count as on a node (the kernel's id) of this pool;
 * -1 follows the CPU again. Errors: EINVAL no such node, ENOMEM this process
 * has no memory left, ENOTCONN in a forked child. */
int slabd_thread_node(slabd_pool *pool, int node);

/* Tells that the calling thread is about to sleep: until its next allocation
 * or free, in any pool, what it holds free of this pool can be had by slabd
 * and by other threads, should memory be short. Errors: ENOTCONN in a forked
 * child. */
int slabd_thread_idle(slabd_pool *pool);

/* Sends home what the calling thread's magazines and the process's depot
 * hold. Errors: ENOMEM this process has no memory left, ENOTCONN in a forked
 * child. */
int slabd_flush(slabd_pool *pool);

/* Sends home what the calling thread's magazines hold of this pool, and nothing
 * else: other threads and what the process keeps for them stay as they are.
 * Waits for no client; slabd is not needed. Errors: ENOMEM
 * this process has no memory left, ENOTCONN in a forked child. */
int slabd_thread_flush(slabd_pool *pool);

/* Fills in this client's counts. Errors: ENOTCONN in a forked child. */
int slabd_get_stats(slabd_pool *pool, struct slabd_stats *stats);

/* With SLABD_NO_HELPER: a descriptor that is readable when slabd_poll has
 * something to do. The pool owns it; it stays the same until slabd_close,
 * whether slabd comes or goes. Errors: ENOTCONN this is a forked child, or
 * there is no way back to slabd (see slabd_poll). */
int slabd_descriptor(slabd_pool *pool);

/* Serves what slabd asked for, and looks for a slabd that is gone when that is
 * due; never blocks. Errors: ENOTCONN slabd is gone: the pool works on with
 * what it has, and grows when slabd is there again; or it never will, as slabd
 * was started anew or dropped this client (slabd_last_error says which): close
 * the pool and open it again. */
int slabd_poll(slabd_pool *pool);

/* What this thread's last failed call in this library met, in one line with
 * the remedy; "" if there was none. Valid until the thread's next call. */
const char *slabd_last_error(void);

/* "1.2.3" of the library in use. */
const char *slabd_version(void);

#ifdef __cplusplus
}
#endif

#include "slabclient_about.h"
#include "slabclient_arena.h"
#include "slabclient_bulk.h"
#include "slabclient_give.h"
#include "slabclient_objpool.h"
#include "slabclient_root.h"
#include "slabclient_channel.h"
#endif
