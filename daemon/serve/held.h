/* SPDX-License-Identifier: MIT */
/*
 * What clients hold in magazines and depots, asked of them (serve/survey.h) when
 * somebody wants to know: tags tell it from what is in use no more.
 *
 * What clients say is cut to what their tags say: a lie makes its own numbers wrong.
 */
#ifndef DAEMON_SERVE_HELD_H
#define DAEMON_SERVE_HELD_H

#include <stdbool.h>

#include "daemon/pool/usage.h"
#include "daemon/serve/survey.h"
#include "shm/wire.h"

/* One message of an answer. One that nobody asked for is passed over. False if
 * no client that means well sends such. */
bool held_take(struct peer *peer, const struct wire_held *msg);

/* Calls with what one client said that it holds, where it did. */
void held_each(const struct server *server, const struct pool *pool, uint32_t id,
               const struct survey *survey,
               void (*call)(void *arg, uint32_t cache, uint32_t node,
                            uint64_t objects),
               void *arg);

/* Adds what clients hold to a pool just counted, and how many did not say. */
void held_fill(const struct server *server, const struct pool *pool,
               const struct survey *survey, struct usage *usage);

#endif
