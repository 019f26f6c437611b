/* SPDX-License-Identifier: MIT */
/* The thread that serves slabd's events. */
#ifndef CLIENT_HELPER_H
#define CLIENT_HELPER_H

#include "client/types.h"

/* Starts and stops it. 0 or -errno. In a forked child, where no such thread
 * runs, forget gives back what it has of it. */
int helper_start(struct slabd_pool *pool);
void helper_stop(struct slabd_pool *pool);
void helper_forget(struct slabd_pool *pool);

#endif
