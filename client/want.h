/* SPDX-License-Identifier: MIT */
/* Telling slabd that a list is low. */
#ifndef CLIENT_WANT_H
#define CLIENT_WANT_H

#include "client/types.h"

/* Raises the want of (cache, node index) and rings slabd once. */
void want_tell(struct slabd_pool *pool, uint32_t cache, uint32_t node);

#endif
