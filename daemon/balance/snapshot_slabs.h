/* SPDX-License-Identifier: MIT */
/* What of a snapshot needs a look into slabs. */
#ifndef DAEMON_BALANCE_SNAPSHOT_SLABS_H
#define DAEMON_BALANCE_SNAPSHOT_SLABS_H

#include "daemon/balance/own.h"

#define SNAPSHOT_LISTED_MAX 1024u /* more of a list are not counted */

/* Which slabs of a node are empty; idle: and since the last such round. */
void snapshot_empties(struct pool *pool, uint32_t node, bool idle);

/* Which pages might be moved, and whose objects they hold. brief: those with
 * lent slabs alone, and few, as clients wait. */
void snapshot_pages(struct pool *pool, bool brief);

#endif
