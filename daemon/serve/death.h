/* SPDX-License-Identifier: MIT */
/*
 * Clients' processes, and what they leave when they end.
 *
 *   pidfd, goodbye, a dead row --> sweep --> half a second --> second sweep
 *                                                              --> the id is free
 *
 * Sweeps go on in slices, one a turn of the event loop, the pools in turn: who
 * asks something of slabd waits for one slice at most.
 *
 *   hang-up, and nobody has its shared file --> as a goodbye
 *   hang-up, and no death follows --> list bits that are due are set
 *   no hello --> time-out
 */
#ifndef DAEMON_SERVE_DEATH_H
#define DAEMON_SERVE_DEATH_H

#include "daemon/serve/peer.h"

/* Makes what sweeps need of the loop: 0 or -ENOMEM. Stop forgets the dead, and
 * is fine after a failure, too. */
int death_start(struct server *server);
void death_stop(struct server *server);

/* Makes the timer; a pending peer's hello must come before it goes off. 0 or
 * -ENOMEM. */
int death_open(struct peer *peer);

/* Listens for the death of its process, by its pidfd. 0 or -ENOMEM. */
int death_watch(struct peer *peer);

/* Its connection is closed from the other end. A pending peer is freed. */
void death_hung_up(struct peer *peer);

/* Frees the places of clients of a pool whose connection has ended, and whose
 * shared file nobody has any more. How many there were. */
unsigned death_look(struct server *server, const struct pool *pool);

/* Ends a client's rights, not its life: it is asked to send home what it can,
 * hung up on and banned. What it has is its own until its process ends, as that
 * has it mapped. The peer stays. */
void death_evict(struct peer *peer);

/* It said goodbye. All that it had is free when farewell is called; then its
 * connection is closed. */
void death_goodbye(struct peer *peer, void (*farewell)(struct peer *peer));

/* Reaps the ids of a pool's roots that are over, and of channels that are empty and
 * that nobody has open. */
void death_end_owners(struct server *server, struct pool *pool);

/*
 * Watches the living clients of a pool that was taken over and reaps the
 * others, once the event loop is there: a death is served in the loop, as ever,
 * even if it has come by now. 0, or -errno with the reason logged: one may be
 * alive and can't be watched. Finds no client in a pool that was made by this
 * slabd.
 */
int death_adopt_clients(struct server *server, struct pool *pool);

#endif
