/* SPDX-License-Identifier: MIT */
/*
 * The checked mode: what a program does wrong with objects is refused at once, and
 * said, with the place in the program that did it.
 *
 * A cache that is checked has no magazines (cap_max is 0) and is not plain, so
 * that the inline code sends each call here, and a program that is not checked
 * pays nothing. An allocation claims one object of a slab; a free gives it back
 * to it, so that the owner tag alone says whose it is. Records say besides what
 * this process did last to it, where, and by which thread.
 *
 *   alloc            one of a slab; it is in use
 *   free             what is not in use is refused; the object is kept for a while,
 *                    filled with a byte that nobody is to change
 *   others follow    what was kept goes home, and who wrote to it is found out
 *   give             what is not in use is refused
 *   take             what was not given, or taken before, is refused
 *
 * In a forked child all of it is wiped, and none of it is used.
 */
#ifndef CLIENT_CHECKED_H
#define CLIENT_CHECKED_H

#include "client/types.h"

/* Of a call that the program made: what __builtin_return_address gives there. */
#define CHECKED_SITE() __builtin_return_address(0)

/* Whether a pool is opened checked, by flags of slabd_options and by
 * $SLABD_CHECKED; begins it then. 0 or -errno. */
int checked_start(struct slabd_pool *pool, unsigned flags);

/* Its end, once nothing is kept; or in a forked child. */
void checked_end(struct slabd_pool *pool);

/* An object of a cache that is checked was allocated. */
void checked_note_alloc(const struct cache *cache, const void *object,
                        const void *site);

/* One was put by for an allocation to come: it is nobody's till then. */
void checked_note_put_by(const struct cache *cache, const void *object,
                         const void *site);

/* A call with the address what was refused, for what errno and the error line say:
 * that is said, where the pool is checked. */
void checked_refuse_call(struct slabd_pool *pool, const char *call,
                         const void *what, const void *site);

/* Frees an object, or refuses to. */
void checked_free(struct cache *cache, void *object, const void *site);

/* Gives an object by give(), or refuses to: as give(). */
typedef int checked_give_how(struct slabd_pool *pool, void *object,
                             unsigned client_id);
int checked_give(struct slabd_pool *pool, void *object, unsigned client_id,
                 const void *site, checked_give_how *give);

/* Whether an object may become a root's: 0, or -1 as it was refused. */
int checked_root(struct slabd_pool *pool, const void *object, const void *site);
/* Sends the first of n objects that are the program's, by send(arg): what that
 * returns, and refuses the one that is not. */
struct checked_sent {
	size_t (*send)(void *arg, void *const *objects, size_t n);
	void *arg;
	void *const *objects;
	size_t n;
};
size_t checked_send(struct slabd_pool *pool, const struct checked_sent *sent,
                    unsigned owner, const void *site);

/* n objects, so many bytes apart, have been received. */
void checked_note_recv(struct slabd_pool *pool, const char *first, int64_t step,
                       uint32_t n, const void *site);

/* The same for n objects that are given as one, by give(whole), for a call. */
struct checked_whole {
	const char *call;
	int (*give)(void *whole);
	void *(*at)(void *whole, uint32_t i);
	void *whole;
	uint32_t n;
};
int checked_give_whole(struct slabd_pool *pool,
                       const struct checked_whole *whole, unsigned client_id,
                       const void *site);

/* What slabd_take gave: an object, or NULL with errno and the line why. Returns
 * it. */
void *checked_note_take(struct slabd_pool *pool, slabd_handle handle,
                        void *object, const void *site);

/* What is kept goes home. Whether there was any; nothing where the pool is not
 * checked. Any thread. */
bool checked_flush(struct slabd_pool *pool);

/* How many came home so far that were kept, by any thread; of a pool that is
 * checked. */
uint64_t checked_gone(const struct slabd_pool *pool);

/* All that is kept goes home. Whether any came there since they were so many, some
 * by other threads, for which it waits a little, or not at all. */
bool checked_is_more(struct slabd_pool *pool, uint64_t before, bool waits);

/* Adds what is kept to what the process holds, as held_sum. */
void checked_sum(const struct slabd_pool *pool, uint32_t *objects);

#endif
