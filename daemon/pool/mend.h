/* SPDX-License-Identifier: MIT */
/*
 * A shared file of which memory was taken away has it again, with tags of which no
 * object is free. It is done beside the loop, as the kernel says where the holes
 * are only while no client's call holds the file.
 */
#ifndef DAEMON_POOL_MEND_H
#define DAEMON_POOL_MEND_H

#include "daemon/pool/work.h"

/* Begins a part of it, after which pool->mending tells whether there is more. True:
 * it was done in the call, and there is. */
bool mend_some(struct pool *pool);

#endif
