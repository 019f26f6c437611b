/* SPDX-License-Identifier: MIT */
/*
 * One client's connection, and the client itself until its process is dead.
 *
 *   accepted -- hello --> client -- goodbye ----------------> gone
 *      |                    |  '--- fault, closed socket --> mute --.
 *      '-- fault, time-out -'------- pidfd: process dead <----------'
 *                                         '--> sweep --> second sweep --> gone
 *
 * A mute client has no connection any more but may still run and allocate: its
 * objects stay its own until its pidfd says that the process is dead.
 */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include "daemon/server.h"
#include "shm/wire.h"

struct peer {
	struct peer *next;
	struct peer **link;
	struct server *server;
	struct pool *pool; /* NULL before the hello */
	uint32_t id;       /* 0 before the hello and after the end */
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	char comm[16];
	int sock;   /* -1: mute */
	int events; /* our end of the event pair, -1 */
	int pidfd;  /* -1 before the hello */
	struct event *on_sock;
	struct event *on_events;
	struct event *on_death;
	struct event *timer; /* for the hello, then for the second sweep */
	uint32_t tokens;     /* messages it may still send in this second */
	int64_t second;      /* when they were last filled up */
};

/* Takes an accepted connection over; closes it on failure. */
void peer_accept(struct server *server, int sock);

/* Frees all peers; their clients live on, as slabd may come back. */
void peer_drop_all(struct server *server);

/* Drops the connection for a fault. The peer may be freed. */
void peer_fault(struct peer *peer, enum drop drop, const char *text);

/* Answers a hello: 0 the peer is a client now; else a negative errno was sent
 * and counted, and the connection is to be dropped. */
int hello_answer(struct peer *peer, const struct wire_hello *hello);

/* Starts listening to events and for the death of the process. 0 or -errno. */
int peer_watch(struct peer *peer);

#endif
