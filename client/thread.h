/* SPDX-License-Identifier: MIT */
/* The calling thread, and its attachment to each pool: its node, and what it
 * holds for other nodes. */
#ifndef CLIENT_THREAD_H
#define CLIENT_THREAD_H

#include "client/process.h"
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

/* The same, NULL where there is none. Another thread's under the lock. */
struct attachment *thread_attached(struct thread *thread,
                                   const struct slabd_pool *pool);

/* The calling thread, maybe of the parent's time in a forked child; NULL before
 * its first miss. */
extern __thread struct thread *thread_self_
	__attribute__((tls_model("initial-exec")));

/* The calling thread if it was made, else NULL. */
static inline struct thread *thread_there(void)
{
	struct thread *self = thread_self_;
	return self != NULL && self->generation == process_generation ? self
	                                                              : NULL;
}

/* Sets ENOMEM and the error line of a thread that could not be made. -1. */
int thread_no_memory(void);

/* Makes a slot of the thread's table writable, before the first magazine that
 * takes anything there. False if there is no memory for it. */
bool thread_open_slot(struct thread *self, uint32_t slot);

/* The calling thread is about to sleep, in a pool; it is at work again. */
void thread_sleep(struct thread *self, struct attachment *att);
void thread_wake(struct thread *self);

/* Sends home what sleeping threads hold of a pool. Whether they held any.
 * Takes the process's lock. */
bool thread_drop_idle(struct slabd_pool *pool);

/* Wakes the thread if it was idle, and sets the node that it counts as on;
 * flushes when it moved. */
void thread_settle(struct thread *self, struct attachment *att);

/* Empties a thread's magazines of a pool and ends its attachment to it. Under
 * the lock. */
void thread_leave(struct thread *thread, struct slabd_pool *pool);

#endif
