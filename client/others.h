/* SPDX-License-Identifier: MIT */
/* What a client tells of itself as it opens a pool. */
#ifndef CLIENT_OTHERS_H
#define CLIENT_OTHERS_H

#include "client/types.h"

/* Whether a name is one that a client may have, NULL among them. 0, or -1 with
 * errno. */
int others_check_name(const char *name);

/* Has slabd call this client so; NULL: as its process. 0, or -1 with errno. */
int others_tell_name(struct slabd_pool *pool, const char *name);

#endif
