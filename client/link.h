/* SPDX-License-Identifier: MIT */
/*
 * The connection to slabd: requests on one socket, events on another.
 *
 * A request waits for five seconds at the most, and one is under way at a
 * time. The events socket is never waited on by an allocation. When slabd goes
 * both are replaced in place, see resume.h: their numbers stay.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/resume.h"
#include "shm/atom.h"
#include "shm/wire.h"

struct link {
	int sock;   /* (C) requests */
	int events; /* (C) rings out, trims in */
	int poller; /* (C) epoll: readable when link_poll has something to do */
	int timer;  /* (C) timerfd, in the poller; (R) what it is set to */
	/* (A) Odd: connected. Odd -> even (who saw slabd gone, by cas), even
	 * -> odd (who put new sockets in place, under resume.lock). A number
	 * names one connection, so that a late look at the old one can't cut
	 * the new. Relaxed: the kernel orders what is done to sockets. */
	uint32_t up;
	/* (A) 0 -> errno, never back (give_up): no way back to slabd. */
	uint32_t lost;
	uint32_t trims; /* (A) trims asked for so far; relaxed */
	uint64_t rung;  /* (A) second << 16 | rings in it; relaxed, a few may
	                   be missed when threads ring at the same time */
	pthread_mutex_t calls; /* one request at a time */
	uint32_t seq;          /* of the last request; under calls */
	struct resume resume;
};

/* What a welcome brought. The caller closes the descriptors. */
struct link_welcome {
	struct wire_welcome msg;
	int control;
	int shared;
	int data[NODES_MAX];
};

static inline bool link_is_up(const struct link *link)
{
	return (atom_load(&link->up) & 1) != 0;
}

static inline bool link_is_lost(const struct link *link)
{
	return atom_load(&link->lost) != 0;
}

/* No call of this library is a cancellation point: a thread cancelled in the
 * middle would keep locks and objects. hold gives what let_go puts back. */
int link_hold(void);
void link_let_go(int before);

/* CLOCK_MONOTONIC. */
uint64_t link_now_ns(void);

/* Connects and says hello. 0, or -errno with the thread's error line set. */
int link_open(struct link *link, const char *path, const char *pool,
              struct link_welcome *welcome);

/* The pool is mapped: from now on events are heard, and the client can find its
 * way back. The view outlives the link. 0, or -errno. */
int link_settle(struct link *link, const struct view *view);

/* Sends a request, whose head it fills in with a number of its own, and waits
 * for the reply to it. A connection that is cut is waited for, and the request
 * sent again: slabd may do it twice. 0, or -errno: -ENOTCONN slabd is gone,
 * -ETIMEDOUT it does not answer. The reply's own error is not looked at. */
int link_call(struct link *link, struct wire_head *msg, size_t bytes,
              struct wire_reply *reply);

/* Says goodbye, with a look of one second for a slabd that is gone. No other
 * thread uses the link any more. */
void link_bye(struct link *link);

/* Whether slabd wants to hear of this client again in this second. A list that
 * runs bare, and is filled by others, again and again is no end of reasons to
 * ring, and slabd takes too many rings for a fault. */
bool link_may_ring(const struct link *link);

/* Tells slabd to look at the wants. Never blocks. A slabd that comes back
 * looks at them by itself. */
void link_ring(struct link *link);

/* Reads the events that are there, and resumes if that is due. Never blocks.
 * Whether slabd is there. */
bool link_poll(struct link *link);

/* Why slabd is not there, in one line with the remedy. */
const char *link_why(const struct link *link);

/* Has the poller tell of a socket, or no more. 0, or -errno. A forked child
 * has the same poller, and copies of the sockets keep them in it: each is
 * taken out before it is closed. */
int link_watch(struct link *link, int sock);
void link_unwatch(struct link *link, int sock);

/* Closes the descriptors; in a forked child, its copies. */
void link_close(struct link *link);

#endif
