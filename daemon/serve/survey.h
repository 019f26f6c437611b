/* SPDX-License-Identifier: MIT */
/*
 * Questions that slabd puts to all clients of a pool, for who wants to know: what
 * they hold (serve/held.h), and what of it is wrong (serve/found.h). Who has slept
 * since it said what it holds is not asked that again (serve/asleep.h).
 *
 *   survey_wait -> count or look -> client's helper -> its answer -> survey_hear
 *   survey_wait, until all have answered or it has waited long enough
 *   survey_knows, of each
 *
 * A client is asked again once it has answered: who wants to know meanwhile waits
 * for the next answer, and one serves all. A client that has not answered for a
 * second is waited for no more until it does.
 */
#ifndef DAEMON_SERVE_SURVEY_H
#define DAEMON_SERVE_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/serve/server.h"

struct peer;
struct pool;

/* What one wants to know, all zero to begin with. */
struct survey {
	uint32_t seq; /* answers to this or a later one are new enough */
	int64_t began_ns;
	/* What clients said before is as good, if they have not run since; 0: the
	 * time of the first call. */
	int64_t since_ns;
};

/* Asks the clients of a pool where that is due. Whether their answers are worth
 * waiting for. */
bool survey_wait(struct server *server, const struct pool *pool,
                 enum survey_kind kind, struct survey *survey);

/* Whether this is an answer to what a client was asked last; if not, nobody asked,
 * or over another connection. */
bool survey_expects(const struct peer *peer, enum survey_kind kind,
                    uint32_t seq);

/* That the answer is here to its end. */
void survey_hear(struct peer *peer, enum survey_kind kind);

/* Whether a client has answered this or a later one. */
bool survey_knows(const struct peer *peer, enum survey_kind kind,
                  const struct survey *survey);

#endif
