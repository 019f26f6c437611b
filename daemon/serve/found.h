/* SPDX-License-Identifier: MIT */
/*
 * What clients find among that which they hold free and should not (client/look.h),
 * asked of them (serve/survey.h) for an audit: what lies in a magazine no tag tells.
 *
 * Of what a client says slabd shows what the tags allow, as that client's fault: a
 * lie makes nobody's but its own, and takes nobody's place: each client's first fault
 * is shown before any client's second one.
 */
#ifndef DAEMON_SERVE_FOUND_H
#define DAEMON_SERVE_FOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/serve/survey.h"
#include "shm/wire.h"

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

/* How far one has looked, all zero to begin with; good for this turn of the loop. */
struct found_at {
	struct peer *peer; /* the next is behind it */
	uint32_t round;    /* so many of each client's came already */
	bool any;          /* one in this round */
};

/* The next fault in the answers of a pool's clients; false: there is none. */
bool found_next(struct server *server, const struct pool *pool,
                const struct survey *survey, struct found_at *at,
                struct found *found);

#endif
