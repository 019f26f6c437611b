/* SPDX-License-Identifier: MIT */
/*
 * The handshake: who may come in, and what they get. A refusal tells the client
 * why and what to do, and is counted.
 *
 *   newcomer   judge --> take an id --> (listen to it) --> welcome
 *   back       judge --> event pair --> (its connection) --> welcome back
 */
#ifndef DAEMON_SERVE_HELLO_H
#define DAEMON_SERVE_HELLO_H

#include "daemon/serve/peer.h"
#include "shm/wire.h"

struct hello_who {
	struct pool *pool;
	struct peer *client; /* that is back; NULL: a newcomer */
};

/* Whom the hello of a pending peer is from. 0, or -errno: it is refused, or was
 * given up. */
int hello_judge(struct peer *peer, const struct wire_hello *hello,
                struct hello_who *who);

/* Gets a newcomer all that a client has but its welcome: an id and the event
 * pair, of which the other end is in *theirs. 0; or -errno, it was refused. */
int hello_take(struct peer *peer, struct pool *pool, int *theirs);

/* The newcomer is a client from now on. 0, or -ENOTCONN: it took no answer. */
int hello_welcome(struct peer *peer, int theirs);

/* After a failure since hello_take: it never was in. */
void hello_undo(struct peer *peer);

/* A new event pair for a client that is back. 0; or -errno, the peer with its
 * connection was refused. */
int hello_open_events(struct peer *peer, int *ours, int *theirs);

/* The client has its connection again. */
void hello_welcome_back(struct peer *client, int theirs);

#endif
