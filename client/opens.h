/* SPDX-License-Identifier: MIT */
/*
 * What slabd is told of caches that were closed, so that it may end them.
 *
 *   NONE --last close--> DUE --sent--> TOLD --another connection--> DUE
 *     ^--------------- opened again ------'
 *
 * A message without an answer, which nobody waits for. It is sent under the
 * process's lock, and only while no cache is being opened: so slabd, which
 * reads a connection in order, never takes one for closed that is open. What
 * could not be sent stays due until the next call, or the helper's next turn. A
 * connection that was cut may have taken messages with it: all are told again.
 */
#ifndef CLIENT_OPENS_H
#define CLIENT_OPENS_H

#include "client/types.h"

/* Around a request that opens a cache; what is due waits meanwhile. The id, if
 * any, is told if it is not open by then. Both under the lock. */
void opens_begin(struct slabd_pool *pool);
void opens_end(struct slabd_pool *pool, int id);

/* A cache was closed for good. Under the lock. */
void opens_closed(struct slabd_pool *pool, uint32_t id);

/* Tells what is still due, if anything. */
void opens_tell(struct slabd_pool *pool);

#endif
