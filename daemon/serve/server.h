/* SPDX-License-Identifier: MIT */
/*
 * What slabd is while it runs: an event loop, pools, sockets, peers. Each call
 * goes down this list:
 *
 *   serve/loop.c        everything opened, the loop, everything closed
 *   serve/reload.c      the configuration read again
 *   serve/apply.c       and what of it is applied, and what waits
 *   serve/ready.c       what is told of a slabd that serves
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
 *   serve/sampling.c    what the pools were like
 *   serve/grown.c       pages that came from beside the loop
 *   serve/leaving.c     pools that slabd.conf has no more
 *   serve/kept.c        connections that outlive slabd
 *   serve/files.c       what the pools' files hold, looked at now and then
 *   serve/overdue.c     arenas that nobody resets, looked for now and then
 *   serve/peer.c        one client's connection, and the list of them
 *   serve/survey.c      what all clients are asked
 *   serve/held.c        what they hold, as they say then
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

#include "daemon/base/spread.h"
#include "daemon/conf/config.h"
#include "daemon/pool/caches.h"
#include "daemon/serve/drops.h"
#include "daemon/serve/listen.h"
#include "daemon/watch/psi.h"

#define USERS_BITS 7
#define USERS (1u << USERS_BITS)

struct crew;
struct machine;
struct past;
struct peer;

/* Of the loop's time, see serve/share.h. */
struct share {
	uint64_t pass; /* in which it was used last */
	int64_t used_ns;
};

/* What all clients of a pool are asked, see serve/survey.h. */
enum survey_kind { SURVEY_HELD, SURVEY_FOUND, SURVEY_KINDS };

struct server {
	const struct config *config;
	const char *file; /* that it was read from, absolute; NULL: none */
	bool file_given;  /* on the command line */
	const char *program; /* it was started from; NULL: not known */
	const struct topo *topo;
	struct event_base *base;
	struct pool pools[CONFIG_POOLS_MAX];
	unsigned n_pools;
	/* Those that could not be taken over: their clients go on without us. */
	const char *left[CONFIG_POOLS_MAX];
	unsigned n_left;
	int64_t started_ns;
	int64_t start_took_ns;
	struct listen_socket clients; /* where they connect */
	struct listen_socket control; /* where slabctl does */
	struct peer *peers;           /* pending and clients */
	unsigned n_peers;
	struct peer *dead; /* those that were clients, until their id is free */
	struct drops drops;
	uint32_t survey_seq[SURVEY_KINDS]; /* of the last question */
	uint32_t held_rows; /* of answers for which there is room */
	struct machine *machine;
	/* Of serve/death.c. */
	struct event *sweep; /* a slice is due in some pool */
	struct event *lap;   /* a step of the slow look at everything */
	unsigned sweep_turn; /* the pool whose slice is next */
	struct share deaths; /* ends of processes */
	struct spread sweeps; /* from a death until what it had is back */
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
	struct event *overdue;  /* arenas that nobody resets are looked for */
	/* How short the kernel is, for the pools that want to know; and whether
	 * other pools lack pages of a node. */
	enum plan_pressure kernel;
	/* Of serve/grown.c. */
	struct crew *crew[CONFIG_POOLS_MAX];   /* by pool: work beside the loop */
	struct event *grown[CONFIG_POOLS_MAX]; /* some of it is done */
	struct psi_state scarce[CONFIG_POOLS_MAX][NODES_MAX];
	/* Of serve/sampling.c. */
	struct event *sample;  /* something may have changed */
	struct event *tally;   /* tags are counted */
	struct sampling {      /* by pool */
		struct past *past; /* NULL: without */
		int fd;            /* its file */
		uint64_t mark;     /* what was seen last, as one number */
		bool uncounted;    /* it changed since tags were counted */
		uint64_t joined;   /* the look; 0: none */
		int64_t asked_ns;
		int64_t cost_ns;   /* of this count, so far */
		int64_t next_ns;   /* none begins until then */
	} samples[CONFIG_POOLS_MAX];
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
