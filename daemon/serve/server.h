/* SPDX-License-Identifier: MIT */
/*
 * What slabd is while it runs: an event loop, pools, sockets, peers. Each call
 * goes down this list:
 *
 *   serve/loop.c        everything opened, the loop, everything closed
 *   serve/machine.c     CPUs and memory that come, go and run short
 *   serve/dispatch.c    what connections bring, handed to those below
 *   serve/share.c       shares of the loop's time
 *   serve/users.c       what of it a user's messages have
 *   serve/guardian.c    the supervisor, and another one should it be lost
 *   serve/hello.c       who may come in, and what they get
 *   serve/limits.c      how many clients a user and a process may have
 *   serve/message.c     one message, read and checked
 *   serve/death.c       clients' processes, and what they leave
 *   serve/duty.c        what is due in the pools, and when
 *   serve/grown.c       pages that came from beside the loop
 *   serve/leaving.c     pools that slabd.conf has no more
 *   serve/kept.c        connections that outlive slabd
 *   serve/files.c       what the pools' files hold, looked at now and then
 *   serve/peer.c        one client's connection, and the list of them
 *   serve/held.c        what clients hold, as they say when asked
 *   serve/found.c       and what of it should not be there
 *   serve/asks.c        what they are called, and whose end they wait for
 *   serve/door.c        what strangers send, and how sockets are closed
 *   serve/drops.c       connections that were dropped, counted
 *   serve/paths.c       the sockets' paths, should they be removed
 *   serve/listen.c      sockets bound, kept, or left by a dead slabd
 */
#ifndef DAEMON_SERVE_SERVER_H
#define DAEMON_SERVE_SERVER_H

#include <event2/event.h>

#include "daemon/conf/config.h"
#include "daemon/pool/caches.h"
#include "daemon/serve/drops.h"
#include "daemon/serve/listen.h"
#include "daemon/watch/psi.h"

#define USERS_BITS 7
#define USERS (1u << USERS_BITS)

struct crew;
struct machine;
struct peer;

/* Of the loop's time, see serve/share.h. */
struct share {
	uint64_t pass; /* in which it was used last */
	int64_t used_ns;
};

struct server {
	const struct config *config;
	const struct topo *topo;
	struct event_base *base;
	struct pool pools[CONFIG_POOLS_MAX];
	unsigned n_pools;
	/* Those that could not be taken over: their clients go on without us. */
	const char *left[CONFIG_POOLS_MAX];
	unsigned n_left;
	int64_t started_ns;
	struct listen_socket clients; /* where they connect */
	struct listen_socket control; /* where slabctl does */
	struct peer *peers;           /* pending and clients */
	unsigned n_peers;
	struct peer *dead; /* those that were clients, until their id is free */
	struct drops drops;
	uint32_t held_seq;  /* of questions what clients hold */
	uint32_t held_rows; /* for whose answers there is room */
	uint32_t found_seq; /* of questions what of it is wrong */
	struct machine *machine;
	/* Of serve/death.c. */
	struct event *sweep; /* a slice is due in some pool */
	struct event *lap;   /* a step of the slow look at everything */
	unsigned sweep_turn; /* the pool whose slice is next */
	struct share deaths; /* ends of processes */
	unsigned look_from;  /* whose place is looked at next, by position */
	struct peer_queue {  /* who waits for a sweep, and who for an answer
	                        too, by pool */
		struct peer *first;
		struct peer *last;
	} dying[CONFIG_POOLS_MAX], leaving[CONFIG_POOLS_MAX];
	/* Of serve/duty.c. */
	struct event *wants; /* rounds over pools' wants go on */
	unsigned wants_turn; /* the pool that is the first to */
	struct duty_share {  /* by pool */
		struct share share;
		bool due; /* there is more to do */
	} wants_of[CONFIG_POOLS_MAX];
	struct share wants_of_all;
	struct event *retry;    /* denied lists are tried anew */
	struct event *ahead;    /* faulting in ahead of need */
	struct event *tidy;     /* older versions of caches end */
	struct caches_job tidying[CONFIG_POOLS_MAX]; /* by pool */
	struct event *balance;  /* the nodes are looked at */
	int64_t balance_due_ns; /* if it is pending */
	struct event *calm;     /* a level may have ended */
	struct event *files;    /* the files are looked at */
	int64_t files_due_ns;   /* if it is pending */
	/* How short the kernel is, for the pools that want to know; and whether
	 * other pools lack pages of a node. */
	enum plan_pressure kernel;
	/* Of serve/grown.c. */
	struct crew *crew[CONFIG_POOLS_MAX];   /* by pool: work beside the loop */
	struct event *grown[CONFIG_POOLS_MAX]; /* some of it is done */
	struct psi_state scarce[CONFIG_POOLS_MAX][NODES_MAX];
	/* Of serve/peer.c. */
	struct event *tell; /* more clients are to be told */
	/* Of serve/share.c. */
	uint64_t passes;
	struct event *pass; /* the next one begins */
	/* Of serve/users.c. */
	struct event *users_wait; /* for another share */
	struct event *slow;       /* who is slowed may go on */
	uint64_t slowed;          /* how often one was */
	unsigned users_turn;      /* who is asked first */
	void (*read)(struct peer *peer, int fd, unsigned n);
	struct user {
		struct share share;
		uint32_t tokens;   /* messages in this second */
		int64_t tokens_ns; /* when they were filled up; 0: never */
		struct peer_line {
			struct peer *first;
			struct peer **end; /* NULL: nobody ever was in it */
		} line;
	} users[USERS];
};

#endif
