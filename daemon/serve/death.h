/* SPDX-License-Identifier: MIT */
/*
 * What a client leaves, and when it is taken up.
 *
 *   pidfd, goodbye, a dead row --> sweep --> second sweep --> the id is free
 *   hang-up, and no death follows --> list bits that are due are set
 *   no hello --> time-out
 */
#ifndef DAEMON_SERVE_DEATH_H
#define DAEMON_SERVE_DEATH_H

#include "daemon/serve/peer.h"

/* Makes the timer; a pending peer's hello must come before it goes off. 0 or
 * -ENOMEM. */
int death_open(struct peer *peer);

/* Listens for the death of its process, by its pidfd. 0 or -ENOMEM. */
int death_watch(struct peer *peer);

/* Its connection is closed from the other end. A pending peer is freed. */
void death_hung_up(struct peer *peer);

/* It said goodbye: all that it had is free when this returns. */
void death_goodbye(struct peer *peer);

/* Frees all that the client had, which has ended; its id rests until the second
 * sweep. */
void death_sweep(struct peer *peer);

#endif
