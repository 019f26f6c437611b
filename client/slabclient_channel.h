/* SPDX-License-Identifier: MIT */
/*
 * Channels, over which objects pass between processes: part of slabclient.h, which
 * includes it. What is said there of returned values and threads holds here.
 *
 * The channel owns what is under way: whoever is killed, at any instruction, each
 * object is a sender's, the channel's or a receiver's. A channel has a name in its
 * pool and any number of senders and receivers, and what one sender has sent comes
 * in that order. It lives as long as anybody has it open or something is under way.
 */
#ifndef SLABCLIENT_CHANNEL_H
#define SLABCLIENT_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "slabclient_arena.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slabd_channel slabd_channel;

/* Entries of a channel at most, and channels of a pool. */
#define SLABD_CHANNEL_CAPACITY_MAX 16384
#define SLABD_CHANNELS_MAX 64

/* slabd_channel_wait */
#define SLABD_CHANNEL_RECV 1u /* for something to receive */
#define SLABD_CHANNEL_SEND 2u /* for room to send */

/*
 * Opens a channel, and makes it where the pool has none of that name.
 *
 * capacity is how many entries it has room for: an object that is sent, or up to 32
 * that follow each other in memory and are sent by one call. 0: it is there, with
 * any. Asks slabd. A process may open one several times; each of these has what it
 * has begun to receive. Errors: EINVAL no name, a control character in it, or a
 * capacity over SLABD_CHANNEL_CAPACITY_MAX, ENAMETOOLONG, EEXIST it has another
 * capacity, ENOENT capacity 0 and there is none, ENOSPC the pool has all the
 * channels it can have, ENOMEM, EMFILE, ENOTCONN slabd is gone, or this is a forked
 * child, ETIMEDOUT slabd does not answer, nor opens it later, EAGAIN slabd has lost its
 * ring, and others have that open still.
 */
slabd_channel *slabd_channel_open(slabd_pool *pool, const char *name,
                                  size_t capacity);

/* Closes it: what this one has begun to receive is delivered again. No other thread
 * uses it any more. What is under way stays, and is freed only with the pool; an
 * empty channel that nobody has open ends. slabd_close closes those of its pool.
 * Each call of one that was closed, of the last 64 of the process, fails with EINVAL.
 * Errors: EINVAL NULL, or it was closed already. */
int slabd_channel_close(slabd_channel *channel);

/*
 * Sends objects of any cache of the pool, in order, and stops at the first that
 * can't be sent. Returns how many were: these are no longer the caller's, the others
 * are still. Never waits, but as slabd_channel_slow says. Errors (fewer than n): EAGAIN
 * the channel is full, ETIMEDOUT it stayed so, EPERM the next is not this client's, a
 * gift that it has not taken, or this thread has freed it of late, EINVAL no object
 * starts there, ENOTCONN, ESTALE slabd came again without what it had of this channel:
 * close it, and open it anew.
 */
size_t slabd_send(slabd_channel *channel, void *const *objects, size_t n);

/* Receives up to n objects, which are the caller's then. Returns how many; never
 * waits. Errors (fewer than n): EAGAIN there are no more, or what follows is
 * delivered again and this was not, or the other way round; ENOMEM this process has
 * no mapping left, EINVAL the next entry is an arena and stays, ENOTCONN, ESTALE. */
size_t slabd_recv(slabd_channel *channel, void **objects, size_t n);

/*
 * The same in two steps: the channel owns what was begun until it is committed, and
 * delivers it again should this process end before. Nobody else gets it meanwhile, nor
 * the rest of an entry of which it is a part: who begins 1 of 32 neighbours has the next
 * ones himself, by the next call, or leaves them to others with the commit.
 * It may be read and written, but not freed or sent. Begin as often as you like.
 * Errors: EAGAIN, ENOMEM, EINVAL, ENOTCONN, ESTALE as slabd_recv.
 */
size_t slabd_recv_begin(slabd_channel *channel, void **objects, size_t n);

/* Commits the first n of what was begun, in order. Errors: EINVAL not so many were,
 * EPERM something of it was not the channel's any more, and is not the caller's (what
 * else was asked for is committed), ENOTCONN, ESTALE (it is delivered again). */
int slabd_recv_commit(slabd_channel *channel, size_t n);

/*
 * Sends the first n of what was begun on to another channel of the same slabd_pool, in
 * order, in place of receiving, copying, sending and freeing it: each object goes from
 * one channel to the other in one step and is never this client's, so that whoever is
 * killed, it is delivered by one of both. For a stage of a pipeline, which writes into
 * what it has begun. Stops at the first that can't be sent on, and waits as
 * slabd_channel_slow says of to; returns how many were, which are no longer begun.
 * Errors (fewer than n): EAGAIN to is full, ETIMEDOUT it stayed so, EINVAL not so many
 * were begun, two pools, one channel, or an arena's entry, EPERM something of it is not
 * the channel's any more (that was left out), ENOTCONN, ESTALE.
 */
size_t slabd_forward(slabd_channel *channel, slabd_channel *to, size_t n);

/* 1: what the last slabd_recv or slabd_recv_begin returned here somebody had begun to
 * receive before, and never committed; else 0. */
int slabd_recv_again(const slabd_channel *channel);

/*
 * Sends an arena as one entry, and what lies in it with it: it is the channel's, and
 * then whoever's receives it by slabd_recv_arena; here it is destroyed. root, in its
 * first chunk, as what was allocated first is, or NULL, is what the receiver begins
 * with. Pointers within it are good in the sender's address space alone: have offsets
 * from it (slabd::offset_ptr in C++). Of several chunks each costs as much again
 * (slabd_arena_reserve). Killed at any instruction, on either side, all of it has one
 * owner, and what was under way comes again. Waits like slabd_send. Errors, and the
 * arena stays the caller's: EBUSY it has children or cleanups, EINVAL no arena, two
 * pools, or a root beside its first chunk, EPERM the program gave or freed a chunk of it
 * by itself, EAGAIN, ETIMEDOUT, ENOMEM, ENOTCONN, ESTALE.
 */
int slabd_send_arena(slabd_channel *channel, slabd_arena *arena, void *root);

/* Receives one, the caller's from now on, and its root. Errors: EAGAIN nothing is there, EINVAL the next entry is no arena and stays, EBADMSG it was
 * one and what its sender wrote in it is not (it is freed), ENOMEM, ENOTCONN, ESTALE.
 * The first time for each size of chunks opens its cache, as slabd_cache_create does. */
slabd_arena *slabd_recv_arena(slabd_channel *channel, void **root);

/*
 * Waits until there is something to receive or room to send, as for_what says: looks
 * for some microseconds where that was not in vain lately, and then sleeps.
 * timeout_ms: -1 for ever, 0 not at all. Another thread or process may be faster.
 * Errors: ETIMEDOUT, EOWNERDEAD a client died that had the channel open (told once
 * for each, when there is nothing else to tell: slabd_channel_ended has its id; of
 * more than eight at a time the last), EINVAL for_what, ESTALE, ENOTCONN a forked child.
 */
int slabd_channel_wait(slabd_channel *channel, unsigned for_what,
                       int timeout_ms);

/*
 * A descriptor for epoll, libevent and the like, of this process's alone: readable
 * from when there is something to receive until slabd_recv or slabd_recv_begin on this
 * channel comes back with fewer than asked for; and once for each client that died,
 * until such a call, or a slabd_channel_wait that nothing came to. So watch it by level,
 * or by edge and receive until it is short. The library reads it, and closes it with the
 * channel. A thread of the library's sleeps for it: a sender pays for the wake-up only
 * where nothing was there. Errors: ENOTCONN, ESTALE, EMFILE, ENFILE, ENOMEM, EPERM and
 * ENOSYS a sandbox forbids eventfd, EAGAIN no thread is to be had.
 */
int slabd_channel_descriptor(slabd_channel *channel);

/* What slabd_send does, by this handle, when the channel is full because its
 * receivers are slow. SLABD_CHANNEL_FAIL: it fails, as at first. SLABD_CHANNEL_BLOCK:
 * it waits for room, timeout_ms at the most, -1: for ever; then it fails,
 * too. Errors: EINVAL policy. */
#define SLABD_CHANNEL_FAIL 0u
#define SLABD_CHANNEL_BLOCK 1u
int slabd_channel_slow(slabd_channel *channel, unsigned policy, int timeout_ms);

/* The id of the client whose death was told last, or 0. */
unsigned slabd_channel_ended(const slabd_channel *channel);

/* The ids of up to n living clients that have it open, this one among them. Returns
 * how many there are, or more than n. */
size_t slabd_channel_peers(slabd_channel *channel, unsigned *ids, size_t n);

#ifdef __cplusplus
}
#endif
#endif
