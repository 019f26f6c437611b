/* SPDX-License-Identifier: MIT */
/*
 * slabd as a whole: an event loop, pools, sockets, peers.
 *
 *   serve/listen.c   sockets bound, stale ones taken over
 *   serve/peer.c     one client's connection: its messages, its death
 *   serve/hello.c    the handshake, and descriptors handed over
 *   serve/server.c   the loop, timers, signals
 *   admin/report.c   what slabctl asks for
 */
#ifndef DAEMON_SERVE_SERVER_H
#define DAEMON_SERVE_SERVER_H

#include <event2/event.h>

#include "daemon/admin/reports.h"
#include "daemon/balance/unmet.h"
#include "daemon/conf/config.h"
#include "daemon/pool/pool.h"

/* Why connections were dropped. Names in server_drop_name. */
enum drop {
	DROP_GARBAGE,     /* no message of ours */
	DROP_SHORT,       /* cut */
	DROP_OVERSIZED,   /* longer than any message */
	DROP_VERSION,     /* another ABI */
	DROP_DESCRIPTORS, /* descriptors that nobody asked for */
	DROP_FLOOD,       /* more messages than any client has use for */
	DROP_TIMEOUT,     /* no hello in time */
	DROP_REFUSED,     /* no such pool, or not on its access list */
	DROP_LIMIT,       /* too many clients or descriptors */
	DROPS,
};

/* Where a listening socket comes from. */
enum socket_origin {
	SOCKET_GIVEN, /* the manager's own: not to be unlinked */
	SOCKET_MADE,
	SOCKET_KEPT,  /* made by a slabd before this one */
};

struct peer;

struct server {
	const struct config *config;
	bool supervised; /* whoever keeps the sockets ends with slabd */
	const struct topo *topo;
	struct event_base *base;
	struct pool pools[CONFIG_POOLS_MAX];
	unsigned n_pools;
	uint64_t dropped[DROPS];
	int64_t started_ns; /* CLOCK_MONOTONIC */
	int client_fd;      /* listening */
	int control_fd;     /* listening */
	enum socket_origin client_origin;
	enum socket_origin control_origin;
	struct event *accept;
	struct event *accept_again; /* after descriptors ran out */
	struct event *retry;        /* denied lists are tried anew */
	struct event *ahead;        /* faulting in ahead of need */
	struct event *balance;      /* the nodes are looked at */
	struct watched *watched;    /* pressure, and what is shared */
	struct event *watchdog;
	struct event *log_sums;
	struct event *ready_again; /* the manager could not be told */
	struct event *signals[3];
	struct admin *admin;
	struct peer *peers;
	unsigned n_peers;
	unsigned max_peers; /* clients of all pools, and some at the door */
};

/* Makes the timer. 0 or -ENOMEM. */
int duty_open(struct server *server);

/* Something happened: has the nodes looked at in so many milliseconds, or
 * before. */
void duty_soon(struct server *server, int ms);
#define SERVER_BALANCE_MS 1000 /* after something happened */

/* Watches the kernel's memory. 0 or -errno. */
int machine_open(struct server *server);
void machine_close(struct server *server);

/* The settings of a pool are others: what is watched follows. */
void machine_configure(struct server *server);

/* A node's own pages did not do for a pool's clients: other pools are to give
 * up what they can do without on the nodes where it had no more to get. */
void machine_denied(struct server *server, const struct pool *pool,
                    const struct unmet *unmet);

/* Whether, and why not, memory pressure is watched; "" where it is. */
bool machine_state(const struct server *server, const char **reason,
                        const char **remedy);

/* Runs slabd until it is told to stop. supervised: by "slabd --supervise",
 * which then ends too; another manager may mean to start slabd anew. The exit
 * status. */
int server_run(const struct config *config, bool supervised);

const char *server_drop_name(enum drop drop);

/* Counts and logs a dropped connection. text may come from the client. */
void server_count_drop(struct server *server, enum drop drop, int32_t pid,
                       const char *text);

/* Serves the wants of a pool, and sets timers for what is left to do. */
void server_serve_pool(struct server *server, struct pool *pool);

/* Asks every client of a pool to send home what it can. How many were. */
unsigned server_trim(struct server *server, const struct pool *pool);

/* Whether a live client of the pool is connected right now. */
bool server_connected(const struct server *server, const struct pool *pool,
                      uint32_t id);

#endif
