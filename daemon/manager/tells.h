/* SPDX-License-Identifier: MIT */
/*
 * What slabd tells its service manager, as sd_notify(3) does, but without ever
 * waiting for it: a manager that stands still, or is busy, holds nobody up.
 *
 *   tells_send --> the manager's socket
 *        '-- it is full --> a queue, in order --> tells_flush, once there is room
 *
 * In the queue a descriptor's put and its drop cancel each other out, and of
 * what has the same first field only the latest is left (of signs of life the
 * first), so that it is no longer than what the manager keeps and what it has yet
 * to. What waits is lost with
 * slabd; the next one finds a client whose process it was by its row.
 */
#ifndef DAEMON_MANAGER_TELLS_H
#define DAEMON_MANAGER_TELLS_H

#include <stdbool.h>
#include <stdint.h>

/* Puts that wait at most: each has a descriptor of its own. More than there is
 * room for names. */
#define TELLS_PUTS_MAX 4096u

/* Lines of fields, and a descriptor of which the manager gets a copy; -1. 1 the
 * manager has it, or gets it in its turn; 0 NOTIFY_SOCKET names none; -ENOBUFS
 * too many wait; -errno it can't be told. */
int tells_send(const char *fields, int fd);

/* Sends some of what waits. 0 nothing does any more; TELLS_E_FULL the manager
 * has to read first; TELLS_E_LATER the kernel lacks memory. */
#define TELLS_E_FULL 1
#define TELLS_E_LATER 2
int tells_flush(void);

/* The socket, connected to the manager, to be polled for room; or -errno. */
int tells_socket(void);

/* Whom to call when something begins to wait. */
void tells_on_wait(void (*call)(void *arg), void *arg);

/* Waits until nothing is in the queue; and until the manager has read all of it,
 * which ends with -ECANCELED when slabd is told to stop. 0; or -errno,
 * -ETIMEDOUT. */
int tells_drain(int64_t limit_ns);
int tells_barrier(int64_t limit_ns);

#endif
