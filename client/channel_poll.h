/* SPDX-License-Identifier: MIT */
/*
 * A channel's descriptor, for epoll and the like: an eventfd of this process, and a
 * thread that sleeps on the ring as slabd_channel_wait does, so that a sender pays
 * for it only while nothing is there.
 *
 *   the thread   there is something: told = 1, the descriptor is readable; then it
 *                sleeps until that is over
 *   a receive    that comes back short: what was told is read, told = 0
 *
 * So while told is 0 the thread looks, and while it is 1 nobody sleeps on the ring.
 */
#ifndef CLIENT_CHANNEL_POLL_H
#define CLIENT_CHANNEL_POLL_H

#include "client/channel.h"

struct channel_poll {
	pthread_mutex_t lock; /* around told and what the descriptor says */
	pthread_t thread;
	int fd;
	uint64_t ino; /* of it, as of all eventfds; 0: fstat is forbidden */
	uint32_t told; /* (A) 0 or 1, a futex */
	uint32_t stop; /* (A) 1: the thread ends */
	uint32_t ends; /* ends of peers that it has seen */
};

/* This handle has received all that there was. */
void channel_poll_short(struct slabd_channel *channel);

/* Ends the thread, and closes the descriptor; in a forked child that has none. */
void channel_poll_end(struct slabd_channel *channel, bool alive);

#endif
