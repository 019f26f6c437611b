/* SPDX-License-Identifier: MIT */
/* What a crew did beside the loop: who waits for it is served. */
#ifndef DAEMON_SERVE_GROWN_H
#define DAEMON_SERVE_GROWN_H

struct server;

/* The pools have a crew each from now on. 0 or -errno. */
int grown_open(struct server *server);

/* Ends what is under way; after the pools. */
void grown_close(struct server *server);

#endif
