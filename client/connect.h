/* SPDX-License-Identifier: MIT */
/* How a process becomes a client: the first connection and its welcome. */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include "client/link.h"
#include "shm/layout.h"

/* What a welcome brought. The caller closes the descriptors. */
struct connect_welcome {
	struct wire_welcome msg;
	int control;
	int shared;
	int data[NODES_MAX];
};

/* Connects and says hello. 0, or -errno with the thread's error line set. */
int connect_open(struct link *link, const char *path, const char *pool,
                 struct connect_welcome *welcome);

/* The pool is mapped: from now on events are heard, and the client can find its
 * way back. The view outlives the link. 0, or -errno. */
int connect_settle(struct link *link, const struct view *view);

#endif
