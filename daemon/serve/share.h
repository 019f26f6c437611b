/* SPDX-License-Identifier: MIT */
/*
 * Shares of the loop's time, so that no crowd of one kind keeps others waiting.
 *
 *   used up --> on_pass, behind all that is due by then --> a new one
 *
 * A share lasts for as long as its user asks for little. Who has used it up has
 * another one as soon as everybody else that was due had his turn: where nobody
 * was, that is at once.
 */
#ifndef DAEMON_SERVE_SHARE_H
#define DAEMON_SERVE_SHARE_H

#include "daemon/serve/server.h"

/* Makes the event. 0 or -ENOMEM. Close is fine after a failure, too. */
int share_open(struct server *server);
void share_close(struct server *server);

/* What is left of a share of so much: 0 or less, nothing until the next one. */
int64_t share_left(struct server *server, struct share *share, int64_t most_ns);

/* It was used since then. */
void share_use(struct share *share, int64_t since_ns);

#endif
