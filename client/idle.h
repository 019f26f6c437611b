/* SPDX-License-Identifier: MIT */
/* What a process holds free and can do without. */
#ifndef CLIENT_IDLE_H
#define CLIENT_IDLE_H

#include "client/types.h"

/* Sends home what the depots and the magazines of idle threads hold. Whether
 * they held any. Takes the process's lock. */
bool idle_give_back(struct slabd_pool *pool);

#endif
