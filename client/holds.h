/* SPDX-License-Identifier: MIT */
/* What the calling thread holds free: who gives that away has freed it before. */
#ifndef CLIENT_HOLDS_H
#define CLIENT_HOLDS_H

#include "client/types.h"

/* Whether the calling thread holds an object of a pool free, in a magazine or on
 * its way home. */
bool holds_object(const struct slabd_pool *pool, const void *object);

#endif
