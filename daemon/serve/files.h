/* SPDX-License-Identifier: MIT */
/* What the pools' files hold is looked at from time to time, as long as there is
 * a client, and once after its end (pool/holes.h). */
#ifndef DAEMON_SERVE_FILES_H
#define DAEMON_SERVE_FILES_H

#include "daemon/base/clock.h"
#include "daemon/serve/server.h"

/* From one look to the next. */
#define FILES_NS (2 * CLOCK_S)

/* Makes the timer. 0 or -ENOMEM. Close is fine after a failure, too. */
int files_open(struct server *server);
void files_close(struct server *server);

/* Looks in so long, or before. */
void files_look(struct server *server, int64_t ns);

/* Looks at one pool at once. */
void files_look_now(struct server *server, struct pool *pool);

#endif
