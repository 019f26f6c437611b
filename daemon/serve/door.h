/* SPDX-License-Identifier: MIT */
/*
 * Sockets that strangers write to, and how they are closed. A message may bring
 * descriptors, and to drop the last reference to what is behind one may take as
 * long as its sender likes: a TCP socket lingers, some file systems wait for
 * their server. So the loop neither takes a message that brings any, nor closes
 * a socket whose queue holds one. Linux since 6.16 has nothing of the sort sent
 * to begin with; what was queued before, or by an older kernel, is taken by a
 * closer, a thread that may wait, and is woken from its wait. What can't be woken
 * keeps two of them at the most for each user, and no more clients are let in
 * while many connections wait.
 *
 *   door_close: shut down --> nothing but bytes queued --> closed
 *                    |
 *                    '------> a closer empties and closes it
 *
 * No copy that the manager has is the last one before the queue is empty.
 */
#ifndef DAEMON_SERVE_DOOR_H
#define DAEMON_SERVE_DOOR_H

#include <stdbool.h>
#include <sys/types.h>

struct event_base;

/* Has the closers tell this loop when they are done. 0 or -errno. */
int door_open(struct event_base *base);

/* Waits for the closers, a second at most, and lets go of them. */
void door_stop(void);

/* From now on the socket, and what connects to it if it listens, takes no
 * descriptors where the kernel can refuse them; and nothing but descriptors
 * counts as what came along. */
void door_refuse(int fd);

/* What the first message of the queue is, which stays there: its size, cut to
 * bytes, or -errno. Whether it was longer, and brings descriptors. */
ssize_t door_peek(int fd, void *into, size_t bytes, bool *cut, bool *brings);

/* Shuts a connection down and closes it; name is then dropped from the
 * descriptor store, if it is not NULL. -1 is fine. */
void door_close(int fd, const char *name);

/* Closes what is no connection, beside the loop. */
void door_release(int fd);

/* Closes a listening socket, with those who wait in its backlog. */
void door_close_listener(int fd);

/* How many connections wait for a closer. */
unsigned door_waiting(void);

/* So many that no more is to be accepted. */
#define DOOR_WAITING_MAX 256u

#endif
