/* SPDX-License-Identifier: MIT */
#include "daemon/serve/survey.h"

#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/serve/asleep.h"
#include "daemon/serve/peer.h"
#include "shm/wire.h"

#define MUTE_NS CLOCK_S
#define ASKED_AT_ONCE 256u /* clients: a millisecond, as a rule ... */
#define AT_ONCE_NS CLOCK_MS /* ... but for those with threads by the thousand */

static const struct {
	uint32_t message;
	int64_t wait_ns;
} of_kind[SURVEY_KINDS] = {
	[SURVEY_HELD] = {WIRE_COUNT, 50 * CLOCK_MS},
	[SURVEY_FOUND] = {WIRE_LOOK, 250 * CLOCK_MS},
};

static void send_question(struct peer *peer, enum survey_kind kind,
                          uint32_t seq, int64_t now_ns)
{
	struct wire_head msg = {.type = of_kind[kind].message,
	                        .bytes = sizeof(msg),
	                        .seq = seq};
	if (kind == SURVEY_HELD)
		asleep_ask(peer);
	else
		asleep_end(peer);
	if (send(peer->events, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) <
	    0)
		return;
	peer->survey[kind] = (struct peer_survey){
		.asked = true, .seq = seq, .asked_ns = now_ns};
	/* What it answered before is void. */
	if (kind == SURVEY_HELD) {
		peer->held.n = 0;
		peer->held.cut = false;
	} else {
		peer->found.n = 0;
	}
}

/* What a client has said of what it holds is true of the survey, too, if it sleeps.
 * SAID_LATER: that can't be told yet. */
static enum said { SAID_NO, SAID_LATER, SAID_STILL }
still_says(struct peer *peer, const struct survey *survey, int64_t now_ns)
{
	struct peer_survey *of = &peer->survey[SURVEY_HELD];
	int64_t look_ns = asleep_look_ns(peer, survey->since_ns);
	if (!of->heard || peer->held.cut || look_ns == 0)
		return SAID_NO;
	if (now_ns < look_ns)
		return SAID_LATER;
	if (!asleep_is(peer))
		return SAID_NO;
	of->seq = survey->seq;
	return SAID_STILL;
}

bool survey_wait(struct server *server, const struct pool *pool,
                 enum survey_kind kind, struct survey *survey)
{
	uint32_t *seq = &server->survey_seq[kind];
	int64_t now_ns = clock_ns();
	unsigned n = 0;
	bool wait = false;
	if (survey->seq == 0) {
		*seq += *seq == UINT32_MAX ? 2 : 1;
		survey->seq = *seq;
		survey->began_ns = now_ns;
		if (survey->since_ns == 0)
			survey->since_ns = now_ns;
	}
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		const struct peer_survey *of = &peer->survey[kind];
		enum said said = SAID_NO;
		if (peer->pool != pool || peer->state != PEER_LIVE ||
		    peer->events < 0 || survey_knows(peer, kind, survey))
			continue;
		/* The others are asked the next time. */
		if (!of->asked && n++ < ASKED_AT_ONCE) {
			if (clock_ns() - now_ns > AT_ONCE_NS)
				n = ASKED_AT_ONCE;
			if (kind == SURVEY_HELD)
				said = still_says(peer, survey, now_ns);
			if (said == SAID_NO)
				send_question(peer, kind, *seq, now_ns);
		}
		wait |= n > ASKED_AT_ONCE || said == SAID_LATER;
		wait |= of->asked && now_ns - of->asked_ns < MUTE_NS;
	}
	return wait && now_ns - survey->began_ns < of_kind[kind].wait_ns;
}

bool survey_expects(const struct peer *peer, enum survey_kind kind,
                    uint32_t seq)
{
	return peer->survey[kind].asked && peer->survey[kind].seq == seq;
}

void survey_hear(struct peer *peer, enum survey_kind kind)
{
	peer->survey[kind].asked = false;
	peer->survey[kind].heard = true;
}

/* Sequence numbers wrap. */
bool survey_knows(const struct peer *peer, enum survey_kind kind,
                  const struct survey *survey)
{
	const struct peer_survey *of = &peer->survey[kind];
	return of->heard && (int32_t)(of->seq - survey->seq) >= 0;
}
