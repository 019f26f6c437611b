/* SPDX-License-Identifier: MIT */
/*
 * What clients find among that which they hold free and should not (client/look.h),
 * asked of them for an audit: what lies in a magazine no tag tells.
 *
 *   found_wait -> look -> client's helper -> found -> found_take
 *   found_wait, until all have answered or a quarter of a second is over
 *   found_next, a fault at a time
 *
 * Who has not answered for a second is waited for no more until it does. Of what a
 * client says slabd shows what the tags allow, as that client's fault: a lie makes
 * nobody's but its own.
 */
#ifndef DAEMON_SERVE_FOUND_H
#define DAEMON_SERVE_FOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/wire.h"

struct peer;
struct pool;
struct server;

/* One question, all zero to begin with. */
struct found_ask {
	uint32_t seq; /* answers to this or a later one are new enough */
	int64_t began_ns;
};

/* Asks the clients of a pool where that is due. Whether their answers are worth
 * waiting for. */
bool found_wait(struct server *server, const struct pool *pool,
                struct found_ask *ask);

/* An answer. One that nobody asked for is passed over. False if no client that
 * means well sends such. */
bool found_take(struct peer *peer, const struct wire_found *msg);

/* One fault, as far as the tags allow it. */
struct found {
	enum wire_found_kind kind;
	uint32_t client;
	uint32_t cache; /* its id */
	uint32_t owner; /* by the tag; 0: nobody */
	uint64_t off;
};

/* The next fault of a pool after the nth, from 0 on, in the answers to a question;
 * false: there is none. */
bool found_next(const struct server *server, const struct pool *pool,
                const struct found_ask *ask, uint32_t *nth,
                struct found *found);

#endif
