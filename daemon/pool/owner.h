/* SPDX-License-Identifier: MIT */
/*
 * Which slabd serves a pool, noted in its journal. A service manager that passes
 * what it keeps to a second one while the first lives would have two write the
 * same books: the second does not start.
 */
#ifndef DAEMON_POOL_OWNER_H
#define DAEMON_POOL_OWNER_H

#include "daemon/pool/pool.h"

/* This process serves it from now on. */
void owner_note(struct pool *pool);

/* -EBUSY, and says so, if another process that lives serves a pool of which the
 * journal was kept; else 0. */
int owner_look(const char *pool);

#endif
