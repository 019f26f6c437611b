/* SPDX-License-Identifier: MIT */
/* Saying hello to slabd: a socket, the hello, the welcome. */
#ifndef CLIENT_HANDSHAKE_H
#define CLIENT_HANDSHAKE_H

#include <sys/un.h>

#include "shm/wire.h"

#define HANDSHAKE_SECONDS 5 /* longest wait of a socket that blocks */

/* No welcome has come so far. */
#define HANDSHAKE_E_NONE 1

/* The same file by a number that is none of the three standard streams, should a
 * program have those closed: what it prints would come to slabd. fd is no more,
 * unless it is what comes back. -1 with errno; also if fd is. */
int handshake_number(int fd);

/* Connects. flags is 0 or SOCK_NONBLOCK. The socket, or -errno; -EAGAIN the
 * queue at slabd's door is full. */
int handshake_connect(const struct sockaddr_un *to, int flags);

/* Sends the hello: 0, or -errno. */
int handshake_hello(int sock, const struct wire_hello *hello);

/*
 * Receives the welcome and the descriptors that came with it, which are then
 * the caller's. 0; HANDSHAKE_E_NONE; or -errno, and msg->text says in one line
 * why: -ENOTCONN the other end closed, -EPROTO it is no slabd of this ABI,
 * -EMFILE no room for the descriptors, else slabd's own refusal.
 */
int handshake_welcome(int sock, struct wire_welcome *msg, int fds[WIRE_FDS_MAX],
                  unsigned *n);

#endif
