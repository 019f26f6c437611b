/* SPDX-License-Identifier: MIT */
/*
 * One client's connection, and the client itself until its process is dead.
 *
 *   from                 on                              to
 *   -                    accepted                        PENDING
 *   -                    found in the rows, alive        DISCONNECTED
 *   -                    found in the rows, dead         DEAD
 *   DISCONNECTED         its connection was kept         LIVE
 *   PENDING              hello                           LIVE
 *   PENDING              hello of a client that is back  - (it gave its
 *                                                        connection away)
 *   PENDING              fault, refusal, hang-up, time-out  -
 *   LIVE                 hang-up                         DISCONNECTED
 *   LIVE                 fault                           DISCONNECTED, banned
 *   LIVE, DISCONNECTED   resume                          LIVE
 *   LIVE                 goodbye                         DEAD
 *   LIVE, DISCONNECTED   pidfd: its process is dead      DEAD
 *   DEAD                 its sweep is through            SWEPT
 *   SWEPT                second sweep, half a second on  -
 *
 * A client that is disconnected may still run and allocate: its objects stay
 * its own until its pidfd says that the process is dead. It may have become
 * another program: a hang-up tells of an exec or of closed descriptors, and
 * nothing tells which, so that a lease that an ended thread held stays, and the
 * list bits that are due are set a while later. It comes back over a new
 * connection, unless it lost the old one by a fault: then it is banned, by its
 * row. A slabd that was started again makes such peers of those that it finds.
 */
#ifndef DAEMON_SERVE_PEER_H
#define DAEMON_SERVE_PEER_H

#include "daemon/serve/server.h"
#include "daemon/watch/wake.h"
#include "shm/wire.h"

enum peer_state {
	PEER_PENDING,      /* no hello yet; timer: it is to come in time */
	PEER_LIVE,         /* a client */
	PEER_DISCONNECTED, /* one without a connection; timer: relist */
	PEER_DEAD,         /* waits for its sweep */
	PEER_SWEPT,        /* its id rests; timer: joins the second sweep */
};

/* What all clients of a pool are told. */
enum peer_tell { PEER_TELL_TRIM, PEER_TELL_DROPS, PEER_TELLS };

/* What it was asked last, see serve/survey.h. */
struct peer_survey {
	bool asked;   /* and has not answered */
	bool heard;   /* it has, to its end */
	uint32_t seq; /* of the question */
	int64_t asked_ns;
};

/* What it last said that it holds, see serve/held.h. */
struct peer_held {
	bool cut;     /* there is no room for all that it says */
	uint32_t n;   /* rows */
	uint32_t max; /* for which there is room */
	struct peer_held_row {
		uint32_t cache;
		uint32_t node;
		uint32_t objects;
	} *rows;
};

/* Whether it has run since, see serve/asleep.h. */
struct peer_asleep {
	int32_t teller;    /* the thread that answers; 0: not known */
	int64_t cpu_ns;    /* by which it is asleep; 0: not known */
	bool noted;        /* what follows is as it was before the question */
	int64_t others_ns; /* what all threads but that one have had */
	uint64_t turns;    /* of that one */
	uint64_t moves;    /* of the pool's pages: what lies where has changed */
	uint32_t told;     /* of what may have it change something */
	int64_t heard_ns;
	uint32_t fails;    /* it ran meanwhile, one time after the other ... */
	uint32_t skips;    /* ... so that nothing is noted for so many questions */
};

/* What of it is wrong, by its last answer, see serve/found.h. */
struct peer_found {
	uint32_t n;  /* rows */
	uint32_t at; /* of which so many were looked at, see found_next */
	struct wire_found_row rows[WIRE_FOUND_ROWS];
};

struct peer {
	struct peer *next;
	struct peer **link;
	struct server *server;
	enum peer_state state;
	struct pool *pool; /* NULL while pending */
	uint32_t id;       /* 0 while pending */
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	char comm[16];
	int sock;   /* -1: disconnected */
	int events; /* our end of the event pair, -1 */
	bool kept;  /* the manager has both, too */
	bool lent;  /* a shared file of its own, see clients_lend_shared */
	int pidfd;  /* -1 while pending, and once it is dead */
	struct event *on_sock;
	struct event *on_events;
	struct event *on_death;
	struct event *timer; /* what for, the state says */
	/* While it waits for a sweep. */
	struct peer *behind; /* joined next */
	uint64_t through;    /* when, see due_through */
	int64_t died_ns;
	void (*farewell)(struct peer *peer); /* NULL: no goodbye was said */
	uint32_t farewell_seq;
	bool slowed;         /* it is not listened to now, see serve/users.h */
	uint32_t tokens;     /* messages it may still send in this second */
	int64_t tokens_ns;   /* when they were last filled up */
	struct peer_survey survey[SURVEY_KINDS];
	struct peer_held held;
	struct peer_asleep asleep;
	struct peer_found found;
	uint32_t tells; /* that it is yet to be told, as bits */
	uint32_t told;  /* how often it was, or is to be */
	/* Of the request that waits in its socket, as it takes long; NULL: none. */
	struct caches_job *job;
	struct { /* while its messages wait, see serve/users.h */
		struct peer *next;
		struct peer **link; /* NULL: they do not */
		struct peer_line *of;
		bool sock, events; /* by which something came */
		bool events_last;  /* which was read before */
	} line;
};

/* A peer without descriptors, on the server's list. NULL without memory. */
struct peer *peer_new(struct server *server, enum peer_state state);
void peer_free(struct peer *peer);

/* Another state, by the table above. Who is dead goes to the server's other
 * list, and has no place any longer that another could have. */
void peer_enter(struct peer *peer, enum peer_state state);

/* Listens to one of its descriptors; the callback's arg is the peer. 0 or
 * -ENOMEM. */
#define peer_watch(peer, event, fd, call)                                      \
	wake_on_fd((event), (peer)->server->base, (fd), call, (peer))

/* Closes the event pair, or both of the connection: then a live client is
 * disconnected, and a pending peer is freed. */
void peer_close_events(struct peer *peer);
void peer_disconnect(struct peer *peer);

/* Disconnects it for a fault, and bans a client. A pending peer is freed. */
void peer_fault(struct peer *peer, enum drop drop, const char *text);

/* Gives the connection of a pending peer, and our end of a new event pair, to a
 * client; what the client had of both is closed. */
void peer_hand_over(struct peer *client, struct peer *pending, int events);

/* Has the manager keep the connection of a live client, so that the next slabd
 * goes on with it. */
void peer_keep(struct peer *peer);

/* Goes to the end of a line, where it is in none; and leaves it. */
void peer_line_up(struct peer *peer, struct peer_line *line);
void peer_line_leave(struct peer *peer);

/* How many messages it may still send in this second. One is taken; false:
 * there was none. */
#define PEER_TOKENS 4096u /* a client that opens 1,000 caches needs 1,000 */
uint32_t peer_tokens(struct peer *peer);
bool peer_take_token(struct peer *peer);

/* The peer of a client that lives, or NULL. */
struct peer *peer_find(const struct server *server, const struct pool *pool,
                       uint32_t id);

/* Whether a client of the pool is connected right now. */
bool peer_connected(const struct server *server, const struct pool *pool,
                    uint32_t id);

/* Makes the timer of what follows. 0 or -ENOMEM. Close is fine after a failure,
 * too. */
int peer_open(struct server *server);
void peer_close(struct server *server);

/* Asks a client to send home what it can: true if it was; or every client of a
 * pool, many in turns to come: how many are. */
bool peer_ask_trim(struct peer *peer);
unsigned peer_trim(struct server *server, const struct pool *pool);

/* Tells every client of a pool that pages of it are holes now. */
void peer_drops(struct server *server, const struct pool *pool);

/* The name under which the descriptor store keeps a client's pidfd. */
#define PEER_FDSTORE_NAME 128
void peer_fdstore_name(char name[PEER_FDSTORE_NAME], const struct pool *pool,
                       uint32_t id);

#endif
