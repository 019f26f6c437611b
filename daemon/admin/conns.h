/* SPDX-License-Identifier: MIT */
/*
 * The connections of the admin server, from accept on. evhttp says nothing of
 * one before its first request, and of its end only when it had one; so the
 * bufferevent is held: evhttp takes its callbacks away when it is done with it.
 * The socket is closed here, never by evhttp, as what strangers have sent may
 * take long to drop (serve/door.h).
 *
 *   conns_add --> (met) --> conns_asked ... --> evhttp is done --> let go
 *
 * Where all places are taken, one of the user who has most of them goes.
 */
#ifndef DAEMON_ADMIN_CONNS_H
#define DAEMON_ADMIN_CONNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ADMIN_CONNS_MAX 32

struct bufferevent;
struct event_base;
struct evhttp_connection;

struct conn {
	struct bufferevent *bev;         /* held; NULL: free */
	struct evhttp_connection *evcon; /* after the first request, or NULL */
	uint64_t last;                   /* tick of the last request */
	bool met;
	uid_t uid; /* once it is met */
};

struct conns {
	uint64_t tick; /* counts connections and requests */
	struct conn conn[ADMIN_CONNS_MAX];
};

/* How many there are, once those that evhttp is done with are let go. */
unsigned conns_count(struct conns *conns);

/* Inside accept, before evhttp wraps what this returns and while it has no
 * callbacks yet: nothing may count in between. NULL: no memory, or no place. */
struct bufferevent *conns_add(struct conns *conns, struct event_base *base);

/* Whether the last place is taken. */
bool conns_are_all(const struct conns *conns);

/* After accept, and before anything is read: whose the new ones are. */
void conns_meet(struct conns *conns);

/* One of them asks. closecb is told with arg when it ends. */
void conns_asked(struct conns *conns, struct evhttp_connection *evcon,
                 void (*closecb)(struct evhttp_connection *, void *),
                 void *arg);

/* evhttp is about to be done with it. */
void conns_ended(struct conns *conns, const struct evhttp_connection *evcon);

/* Has one of them end, soon: of the user with most of them that one whose last
 * request, or connect, is longest ago. */
void conns_evict(struct conns *conns);

/* Nothing is heard of them any more; and, without an evhttp, they are closed. */
void conns_forget(struct conns *conns);
void conns_close(struct conns *conns);

#endif
