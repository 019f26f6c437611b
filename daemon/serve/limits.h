/* SPDX-License-Identifier: MIT */
/* How many clients of a pool may be a user's, and a process's, so that others
 * find a place, too. */
#ifndef DAEMON_SERVE_LIMITS_H
#define DAEMON_SERVE_LIMITS_H

#include "daemon/serve/peer.h"

#define LIMITS_TEXT 192u

/* How many one process may have, and one user: half of the places are left to others
 * by default, and an eighth; who looks after the machine always finds one. */
unsigned limits_of_process(const struct config_pool *config);
unsigned limits_of_user(const struct config_pool *config, uint32_t uid);

/* Whether a newcomer may have a place in the pool; where not, why and what to do
 * about it. What clients left that are over is free then. */
bool limits_allow(const struct peer *newcomer, const struct pool *pool,
                  char why[LIMITS_TEXT]);

#endif
