/* SPDX-License-Identifier: MIT */
/*
 * One client's connection, and the client itself until its process is dead.
 *
 *   accepted -- hello --> client -- goodbye ----------------> gone
 *      |                  |  ^  '-- fault, closed socket --> mute --.
 *      |                  |  '--------- resume ---------------'     |
 *      '-- fault, time-out '-------- pidfd: process dead <----------'
 *                                         '--> sweep --> second sweep --> gone
 *
 * A mute client has no connection any more but may still run and allocate: its
 * objects stay its own until its pidfd says that the process is dead. It may
 * have become another program: a hang-up tells of an exec or of closed
 * descriptors, and nothing tells which, so that a lease that an ended thread
 * held stays, and the list bits that are due are set a while later. It comes
 * back over a new connection, unless it lost the old one by a fault: then it is
 * barred, by its row. A slabd that was started again makes mute clients of
 * those that it finds.
 */
#ifndef DAEMON_SERVE_PEER_H
#define DAEMON_SERVE_PEER_H

#include "daemon/serve/server.h"
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
	struct event *timer; /* for the hello, a hang-up, the second sweep */
	uint32_t tokens;     /* messages it may still send in this second */
	int64_t second;      /* when they were last filled up */
};

/* Takes an accepted connection over; closes it on failure. */
void peer_accept(struct server *server, int sock);

/* Frees all peers; their clients live on, as slabd may come back. */
void peer_drop_all(struct server *server);

/* Drops the connection for a fault. The peer may be freed. */
void peer_fault(struct peer *peer, enum drop drop, const char *text);

/* Answers a hello: 0 the peer is a client now; HELLO_E_RESUMED its connection
 * is another peer's, a client that is back; or -errno, which was sent and
 * counted, and the connection is to be dropped. */
int hello_answer(struct peer *peer, const struct wire_hello *hello);
#define HELLO_E_RESUMED 1

/* Starts listening to events and for the death of the process. 0 or -errno. */
int peer_watch(struct peer *peer);

/* The peer of a client, until its second sweep; NULL. */
struct peer *peer_find(const struct server *server, const struct pool *pool,
                       uint32_t id);

/* Gives the connection of a peer at the door, and our end of a new event pair,
 * to a client; what the client had of both is closed. 0; or -errno, and the
 * client is mute. Takes events over in any case. */
int peer_resume(struct peer *client, struct peer *door, int events);

/*
 * Makes a mute peer of a client that slabd finds in the control file after it
 * was started again, and that the pool's n_clients counts. Takes over pidfd, a
 * descriptor of its process: its death is served in the loop, as ever, even if
 * it has died by now. 0, or -errno with pidfd closed.
 */
int peer_adopt(struct server *server, struct pool *pool, uint32_t id,
               int pidfd);

/* The same for a row that is DEAD, or LIVE without a process: sweeps it at
 * once, and a second time in the loop. */
int peer_adopt_dead(struct server *server, struct pool *pool, uint32_t id);

/* Watches the living clients of a pool that was taken over and reaps the others,
 * once the event loop is there. 0, or -errno with the reason logged: one may be
 * alive and can't be watched. Finds no client in a pool that this slabd made. */
int peer_adopt_clients(struct server *server, struct pool *pool);

/* The name under which the descriptor store keeps a client's pidfd. */
#define PEER_FDSTORE_NAME 128
void peer_fdstore_name(char name[PEER_FDSTORE_NAME], const struct pool *pool,
                     uint32_t id);

#endif
