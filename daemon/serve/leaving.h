/* SPDX-License-Identifier: MIT */
/*
 * Pools that slabd.conf has no more, and clients still do. Each goes on for
 * them as it is, grows and shrinks, and lets nobody new in; it ends with its
 * last client. They stand behind the configured ones, and end from the last on.
 */
#ifndef DAEMON_SERVE_LEAVING_H
#define DAEMON_SERVE_LEAVING_H

#include "daemon/serve/server.h"

/* The settings of one by its name, in place of a section. */
void leaving_configure(struct config_pool *config, const char *name);

/* Says which there are, once their clients are known. */
void leaving_say(const struct server *server);

/* As slabd ends: who has memory of which pool still. */
void leaving_say_holders(const struct server *server);

/* Ends those that nobody has any more. How long until another look is due, in
 * ns; -1: at the next death. */
int64_t leaving_close(struct server *server);

#endif
