/* SPDX-License-Identifier: MIT */
/* Pages that a crew faulted in beside the loop: who waits for them is served. */
#ifndef DAEMON_SERVE_GROWN_H
#define DAEMON_SERVE_GROWN_H

struct server;

/* The pools grow beside the loop from now on. 0 or -errno. */
int grown_open(struct server *server);

/* Ends what is under way; after the pools. */
void grown_close(struct server *server);

#endif
