/* SPDX-License-Identifier: MIT */
/*
 * An object pool tells what slabctl objpools shows. Where there is no memory for that,
 * or no cache, it is not shown, and all else goes on.
 */
#ifndef CLIENT_OBJPOOL_LIVE_H
#define CLIENT_OBJPOOL_LIVE_H

#include "client/objpool.h"

/* It is made, and nobody has it yet. May wait as slabd_alloc. errno is left alone. */
void objpool_live_begin(struct objpool *op);

/* Under the lock, after a change: what the lock is over, and, where the kernel's tick
 * is another since, the sums over all threads. */
void objpool_live_tell(struct objpool *op);

/* Under the lock: all of it. */
void objpool_live_tell_all(struct objpool *op);

/* Not under the lock, it ends: it is seen no more. */
void objpool_live_end(struct objpool *op);

#endif
