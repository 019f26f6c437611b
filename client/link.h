/* SPDX-License-Identifier: MIT */
/*
 * The connection to slabd: requests on one socket, events on another.
 *
 *   connect.h   how it is made        doorbell.h  rings out, trims in
 *   request.h   a call and its reply  resume.h    the way back, once it is cut
 *
 * When slabd goes both sockets are replaced in place: their numbers stay.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "shm/atom.h"
#include "shm/view.h"
#include "shm/wire.h"

/* How far the way back has come, see resume.h. Letters: (C) constant once the
 * pool is open, (R) under lock. */
struct resume {
	pthread_mutex_t lock;
	struct sockaddr_un to;   /* (C) */
	struct wire_hello hello; /* (C) the client that comes back */
	const struct view *view; /* (C) NULL: no client yet, no way back */
	int trial;               /* (R) a connection without its welcome, -1 */
	uint32_t tries;          /* (R) in a row */
	uint32_t err;            /* (A) errno of the last try; relaxed, a text */
	uint64_t due_ns;         /* (R) of the next try, or the trial's end; 0:
	                        connected, or nobody has begun to try */
	uint64_t stands_ns;      /* (R) since when the connection stands */
	uint64_t alarm_ns;       /* (A) when object pools age, or 0; see (R) */
	char why[WIRE_TEXT];     /* (R) until lost, then (C) */
};

struct link {
	int sock;   /* (C) requests */
	int events; /* (C) rings out, trims in */
	int poller; /* (C) epoll: readable when doorbell_poll has work to do */
	int timer;  /* (C) timerfd, in the poller; (R) what it is set to */
	/* (A) Odd: connected. Odd -> even (link_cut, by whoever saw slabd
	 * gone), even -> odd (connected, which put new sockets in place, under
	 * resume.lock). A number names one connection, so that a late look at
	 * the old one can't cut the new. Relaxed: the kernel orders what is
	 * done to sockets. */
	uint32_t up;
	/* (A) 0 -> errno, never back (give_up): no way back to slabd. */
	uint32_t lost;
	uint32_t trims; /* (A) trims asked for so far; relaxed */
	/* (A) The second in which memory was last short, and one; 0: never.
	 * Relaxed. */
	uint64_t short_s;
	uint64_t rung;  /* (A) second << 16 | rings in it; relaxed, a few may
	                   be missed when threads ring at the same time */
	uint32_t count_asked;  /* (A) seq of slabd's last WIRE_COUNT; relaxed */
	/* (A) The last that was answered, by whoever sets it (held_answer). */
	uint32_t count_told;
	uint32_t look_asked; /* (A) the same of WIRE_LOOK */
	uint32_t look_told;  /* (A) see look_answer */
	/* (A) How often the kernel has refused to have what is readable read, as
	 * in a sandbox, and errno of the last time; relaxed, a few may be missed. */
	uint32_t n_denied;
	uint32_t denied;
	pthread_mutex_t calls;
	pthread_cond_t called; /* by the monotonic clock */
	bool calling;          /* one request at a time; under calls */
	uint32_t seq;          /* of the last request; of who is calling */
	/* (A) The inodes of both sockets, which tell them from whatever else may
	 * have their numbers; 0: not known yet. Stored under resume.lock. */
	uint64_t sock_ino;
	uint64_t events_ino;
	bool foreign; /* (A) the numbers are the program's by now; for good */
	struct resume resume;
};

static inline bool link_is_up(const struct link *link)
{
	return (atom_load(&link->up) & 1) != 0;
}

static inline bool link_is_lost(const struct link *link)
{
	return atom_load(&link->lost) != 0;
}

/* No call of this library is a cancellation point: a thread cancelled in the
 * middle would keep locks and objects. hold gives what let_go puts back. */
int link_hold(void);
void link_let_go(int before);

/* slabd was seen to be gone from the connection that up names. */
void link_cut(struct link *link, uint32_t up);

/* Whether a send or recv that gave got, and errno, met the end of it. */
bool link_is_cut(ssize_t got);

/* Reading what the poller tells of gave -1 and errno: notes it where waiting for
 * more is of no use, as it stays readable. */
void link_note_denied(struct link *link);

/* Why slabd is not there, in one line with the remedy, which is written to text
 * where it is not a fixed one. */
#define LINK_WHY 240
const char *link_why(const struct link *link, char text[LINK_WHY]);

/* Has the poller tell of a socket, or no more. 0, or -errno. A forked child
 * has the same poller, and copies of the sockets keep them in it: each is
 * taken out before it is closed. */
int link_watch(struct link *link, int sock);
void link_unwatch(struct link *link, int sock);

/*
 * Whether the sockets' numbers are still theirs, to be asked before anything is
 * done to them. A program that closes all descriptors that it did not open
 * itself, as daemons do, has files of its own there afterwards: then the link is
 * lost for good. Not under resume.lock.
 */
bool link_is_own(struct link *link);

/* Notes which sockets they are. */
void link_note(struct link *link);

/* The inode behind a descriptor of that type (S_IFSOCK, S_IFIFO), or 0. */
uint64_t link_inode(int fd, unsigned type);

/* Closes the descriptors; in a forked child, its copies. */
void link_close(struct link *link);

#endif
