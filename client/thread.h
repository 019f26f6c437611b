/* SPDX-License-Identifier: MIT */
/* The calling thread, and its attachment to each pool: its node, and what it
 * holds for other nodes. */
#ifndef CLIENT_THREAD_H
#define CLIENT_THREAD_H

#include "client/types.h"

/* Starts the process's books, anew in a forked child. 0 or -errno. */
int thread_start(void);

/* The calling thread, made at its first miss; NULL with errno ENOMEM. */
struct thread *thread_self(void);

/* The first of all threads. Under the lock. */
struct thread *thread_first(void);

/* The thread's attachment to a pool, made where missing; NULL with errno. */
struct attachment *thread_attachment(struct thread *self,
                                     struct slabd_pool *pool);

/* Sets the node that the thread counts as on; flushes when it moved. */
void thread_settle(struct thread *self, struct attachment *att);

/* Empties a thread's magazines of a pool and ends its attachment to it. Under
 * the lock. */
void thread_leave(struct thread *thread, struct slabd_pool *pool);

#endif
