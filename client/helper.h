/* SPDX-License-Identifier: MIT */
/* The thread that serves slabd's events. */
#ifndef CLIENT_HELPER_H
#define CLIENT_HELPER_H

#include "client/types.h"

/* 0 or -errno. */
int helper_start(struct slabd_pool *pool);

/* False when it can't be woken, and is left: the pool's structure stays then. */
bool helper_stop(struct slabd_pool *pool);

/* Closes its descriptors, in a forked child, where no such thread runs, too. */
void helper_forget(struct slabd_pool *pool);

#endif
