/* SPDX-License-Identifier: MIT */
/*
 * What this process holds free and should not: an object that lies there twice, one
 * that is free or another client's by its tag, an address at which none starts. A
 * free that was a fault has put it there, and an allocation will give it to
 * somebody. slabd asks for that, as an audit can't see it.
 *
 * All magazines, what waits for other nodes and the depots are looked through while
 * their threads are at work. What seems wrong is looked at again and again: what
 * lies there by right is somewhere else by then, or is one of what it was.
 */
#ifndef CLIENT_LOOK_H
#define CLIENT_LOOK_H

#include "client/types.h"

/* Looks, at most so many times as there is room; how many were found. Takes the
 * process's lock, thread by thread and depot by depot. */
uint32_t look_all(struct slabd_pool *pool, struct wire_found_row *rows,
                  uint32_t most);

/* Answers slabd if it has asked since the last call. Any one thread. */
void look_answer(struct slabd_pool *pool);

#endif
