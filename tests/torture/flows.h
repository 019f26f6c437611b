/* SPDX-License-Identifier: MIT */
/*
 * What goes on top of objects: channels, arenas and object pools.
 *
 *   "goods"    objects, received in two steps. Each has a ticket: who sends it says
 *              so, who has begun to receive it, and who has committed it. So none is
 *              lost, and none comes twice that is not marked so.
 *   "quick"    objects that are received in one step: with a dead receiver they go
 *   "crates"   arenas
 *
 *   ticket     free -> offered -> sent -> begun -> done
 *                        '---------------->'
 * What is sent in the end was lost. Of what was offered nobody can tell, as its
 * sender died; of what is begun, neither: its receiver died around the commit.
 */
#ifndef TESTS_TORTURE_FLOWS_H
#define TESTS_TORTURE_FLOWS_H

#include <stdint.h>

#include "client/slabclient.h"

struct actor;
struct board;
struct worker;

#define TICKETS (1u << 20)
#define BEGUN_MAX 32u
#define CRATES_MAX 3u
#define KEPT_MAX 8u

enum ticket_state { TICKET_FREE, TICKET_OFFERED, TICKET_SENT, TICKET_BEGUN,
	            TICKET_DONE };

/* Each a generation and a state below it. */
struct tickets {
	uint32_t word[TICKETS];
	uint32_t next;
};

/* Shared by all, as what is on the board. */
struct flow_counts {
	uint64_t sent;
	uint64_t received;
	uint64_t again;  /* of these, delivered again */
	uint64_t sent_on; /* from one channel to the other */
	uint64_t shipped; /* arenas sent over a channel */
	uint64_t landed;  /* and received */
	uint64_t large;   /* of those, with more than a chunk */
	uint64_t given;   /* arenas, to a worker */
	uint64_t taken;
	uint64_t kept;    /* objects of object pools that were got */
	uint64_t stale;   /* channels that slabd had lost */
};

/* An arena and what it was filled from. */
struct crate {
	slabd_arena *arena;
	uint64_t seed;
};

/* What a thread has of them. Its channels stay for the next one in its place. */
struct flows {
	slabd_channel *goods, *quick, *crates;
	uint32_t n_begun;
	uint32_t n_crates;
	uint32_t n_kept;
	void *begun[BEGUN_MAX];
	struct crate crate[CRATES_MAX];
	void *kept[KEPT_MAX];
};

/* One deed with channels and object pools, and one with arenas. */
void flows_step(struct actor *actor);
void crates_step(struct actor *actor);

/* One arena out of the channel, if there is one. */
void crates_receive(struct actor *actor);

/* Commits, frees and puts back what the thread has of them. */
void flows_let_go(struct actor *actor);
void crates_let_go(struct actor *actor);

/* What a forked child can do with them: nothing. */
void flows_in_child(struct actor *actor);

/* A worker's object pool. */
void flows_open(struct worker *worker);

/* A channel, or NULL: slabd is away, or has lost it. */
slabd_channel *flows_channel(struct actor *actor, slabd_channel **channel,
                             const char *name);

/* slabd has lost the ring of a channel that is open here. */
void flows_stale(struct actor *actor, slabd_channel **channel);

/* The last worker: receives all that is under way. */
void flows_drain_main(int fd, void *arg);

/* How many were sent and never came. */
uint64_t flows_count_lost(const struct board *board);

#endif
