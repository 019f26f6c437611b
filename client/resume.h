/* SPDX-License-Identifier: MIT */
/*
 * The way back to slabd, once it was seen to be gone.
 *
 *   connected -- hang-up --> waiting -- due --> trial: hello sent
 *       ^                     ^  ^                |      |   |
 *       |                     |  '--- refused, ---'      |   |
 *       |                     |       cut, 5 s           |   |
 *       |                     '-- 10 ms, doubling to 1 s |   |
 *       |                         (60 ms while a thread  |   |
 *       |                         waits for memory)      |   |
 *       '--------- welcome: new sockets, old numbers ----'   |
 *   lost <------------------- slabd says never --------------'
 *
 * Whoever comes by takes the next step: the helper thread, slabd_poll, a
 * request or an allocation that waits. A step never waits, so that nobody is
 * held up by another's; what has to be waited for is in the link's poller. A
 * stopped slabd is not gone: its sockets stand, and where they do not, the
 * trial waits at its door.
 */
#ifndef CLIENT_RESUME_H
#define CLIENT_RESUME_H

#include <pthread.h>
#include <sys/un.h>

#include "shm/view.h"
#include "shm/wire.h"

struct link;

/* Letters: (C) constant once the pool is open, (R) under lock. */
struct resume {
	pthread_mutex_t lock;
	struct sockaddr_un to;   /* (C) */
	struct wire_hello hello; /* (C) who comes back */
	const struct view *view; /* (C) NULL: no client yet, no way back */
	int trial;          /* (R) a connection without its welcome, -1 */
	uint32_t tries;     /* (R) in a row */
	uint64_t due_ns;    /* (R) of the next try, or the trial's end; 0:
	                       connected, or nobody has begun to try */
	uint64_t stands_ns; /* (R) when the connection came to stand */
	char why[WIRE_TEXT]; /* (R) until lost, then (C) */
};

/* Takes the next step if it is due. Never waits. */
void resume_step(struct link *link);

/* The same for an allocation that waits: a try that is not due for long is
 * due in 20 to 60 ms. */
void resume_press(struct link *link);

/* Waits for the connection: 0; or -ENOTCONN at the time until_ns, or as soon
 * as there is no way back. */
int resume_wait(struct link *link, uint64_t until_ns);

/* Tries at once, and once: 0; or -ENOTCONN when that failed, or at until_ns. */
int resume_once(struct link *link, uint64_t until_ns);

#endif
