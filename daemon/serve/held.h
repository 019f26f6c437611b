/* SPDX-License-Identifier: MIT */
/*
 * What clients hold in magazines and depots, asked of them when somebody wants
 * to know: tags tell it from what is in use no more.
 *
 *   held_wait -> count -> client's helper -> held ... held, last -> held_take
 *   held_wait, until all have answered or a tenth of a second is over
 *   held_fill -> usage
 *
 * A client is asked again once it has answered: who wants to know meanwhile
 * waits for the next answer, and one serves all. A client that has not answered
 * for a second is waited for no more until it does. What clients say is cut to
 * what their tags say: a lie makes its own numbers wrong.
 */
#ifndef DAEMON_SERVE_HELD_H
#define DAEMON_SERVE_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/pool/usage.h"
#include "shm/wire.h"

struct peer;
struct server;

/* One question, all zero to begin with. */
struct held_ask {
	uint32_t seq; /* answers to this or a later one are new enough */
	int64_t began_ns;
};

/* Asks the clients of a pool where that is due. Whether their answers are worth
 * waiting for. */
bool held_wait(struct server *server, const struct pool *pool,
               struct held_ask *ask);

/* One message of an answer. One that nobody asked for is passed over. False if
 * no client that means well sends such. */
bool held_take(struct peer *peer, const struct wire_held *msg);

/* Adds what clients hold to a pool just counted, and how many did not say. */
void held_fill(const struct server *server, const struct pool *pool,
               const struct held_ask *ask, struct usage *usage);

#endif
