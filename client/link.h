/* SPDX-License-Identifier: MIT */
/*
 * The connection to slabd: requests on one socket, events on another.
 *
 * Requests are blocking with a limit of five seconds, one at a time under the
 * pool's lock. The events socket is never waited on by an allocation.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/wire.h"

struct link {
	int sock;       /* requests */
	int events;     /* rings out, trims in */
	uint32_t gone;  /* (A) slabd was seen to be gone; relaxed, sticky */
	uint32_t trims; /* (A) trims asked for so far; relaxed */
	uint32_t seq;   /* of the last request; under the pool's lock */
	uint64_t rung;  /* (A) second << 16 | rings in it; relaxed, a few may
	                   be missed when threads ring at the same time */
};

/* What a welcome brought. The caller closes the descriptors. */
struct link_welcome {
	struct wire_welcome msg;
	int control;
	int shared;
	int data[NODES_MAX];
};

/* No call of this library is a cancellation point: a thread cancelled in the
 * middle would keep locks and objects. hold gives what let_go puts back. */
int link_hold(void);
void link_let_go(int before);

/* Connects and says hello. 0, or -errno with the thread's error line set. */
int link_open(struct link *link, const char *path, const char *pool,
              struct link_welcome *welcome);

/* Sends a request, whose head it fills in with a number of its own, and waits
 * for the reply to it. 0, or -errno: -ENOTCONN slabd is
 * gone, -ETIMEDOUT it does not answer. The reply's own error is not looked
 * at. */
int link_call(struct link *link, struct wire_head *msg, size_t bytes,
              struct wire_reply *reply);

/* Whether slabd wants to hear of this client again in this second. A list that
 * runs bare, and is filled by others, again and again is no end of reasons to
 * ring, and slabd takes too many rings for a fault. */
bool link_may_ring(const struct link *link);

/* Tells slabd to look at the wants. Never blocks. */
void link_ring(struct link *link);

/* Reads the events that are there. False once slabd is gone. */
bool link_poll(struct link *link);

void link_close(struct link *link);

#endif
