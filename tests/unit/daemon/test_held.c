/* SPDX-License-Identifier: MIT */
/* What clients hold: asked once for all who want to know, believed as far as
 * their tags go, and unknown where they do not say. */
#include "daemon/serve/held.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/serve/peer.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct server server;
static struct pool *const pool = &server.pools[0];
static struct peer *peer;
static int end; /* the client's */
static uint32_t cache;
static struct usage usage;

/* A client with the objects of two slabs, one on each node. */
static void start(void)
{
	int pair[2];
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 8);
	test_clock_set(CLOCK_S);
	cache = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	pool_client(&fixture.pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	pool_fixture_use_up(&fixture, cache, 0);
	pool_fixture_use_up(&fixture, cache, 1);
	server.pools[0] = fixture.pool;
	server.n_pools = 1;
	server.base = event_base_new();
	peer = peer_new(&server, PEER_PENDING);
	peer_enter(peer, PEER_LIVE);
	peer->pool = pool;
	peer->id = 1;
	cr_assert_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair),
		0);
	peer->events = pair[0];
	end = pair[1];
}

static void finish(void)
{
	while (server.peers != NULL)
		peer_free(server.peers);
	close(end);
	event_base_free(server.base);
	pool_fixture_stop(&fixture);
}

TestSuite(held, .init = start, .fini = finish);

/* The seq of the question that the client finds, 0: none. */
static uint32_t question(void)
{
	struct wire_head head;
	if (recv(end, &head, sizeof(head), 0) != sizeof(head))
		return 0;
	cr_expect_eq(head.type, WIRE_COUNT);
	return head.seq;
}

static bool answer(uint32_t seq, uint32_t of, uint32_t node, uint32_t objects,
                   bool last)
{
	struct wire_held msg = {
		.head = {.type = WIRE_HELD, .bytes = sizeof(msg), .seq = seq},
		.n = 1,
		.last = last,
		.rows = {{of, node, objects}},
	};
	return held_take(peer, &msg);
}

static void count(const struct survey *ask)
{
	cr_assert_eq(usage_take(&usage, pool), 0);
	held_fill(&server, pool, ask, &usage);
}

Test(held, what_is_told_is_not_in_use)
{
	struct survey ask = {0};
	uint32_t seq;
	cr_assert(survey_wait(&server, pool, SURVEY_HELD, &ask));
	seq = question();
	cr_assert_neq(seq, 0);
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &ask),
	          "it has not answered");
	cr_expect_eq(question(), 0, "and is not asked again");
	cr_expect(answer(seq, cache, 0, 100, false));
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &ask),
	          "there is more to come");
	cr_expect(answer(seq, cache, 1, 30, true));
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	count(&ask);
	cr_expect_eq(usage_cell(&usage, cache, 0)->held, 100);
	cr_expect_eq(usage_cell(&usage, cache, 1)->held, 30);
	cr_expect_eq(usage_used(usage_cell(&usage, cache, 1)),
	             usage_cell(&usage, cache, 1)->objects - 30);
	cr_expect(usage.client[1].known);
	cr_expect_eq(usage.client[1].held, 130);
	cr_expect_eq(usage.client[1].held_bytes, 130 * 64);
	cr_expect_eq(usage.unknown, 0);
	usage_done(&usage);
}

/* Who wants to know while an answer is on its way gets a later one. */
Test(held, one_question_at_a_time)
{
	struct survey a = {0};
	struct survey b = {0};
	struct survey c = {0};
	uint32_t seq;
	survey_wait(&server, pool, SURVEY_HELD, &a);
	seq = question();
	survey_wait(&server, pool, SURVEY_HELD, &b);
	survey_wait(&server, pool, SURVEY_HELD, &c);
	cr_expect_eq(question(), 0);
	answer(seq, cache, 0, 1, true);
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &a));
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &b));
	seq = question();
	cr_expect_neq(seq, 0);
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &c));
	cr_expect_eq(question(), 0, "that is for both");
	answer(seq, cache, 0, 2, true);
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &b));
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &c));
	count(&c);
	cr_expect_eq(usage_cell(&usage, cache, 0)->held, 2);
	usage_done(&usage);
}

/* It is waited for a little, and no more once it was silent for a second. */
Test(held, who_does_not_say_is_unknown)
{
	struct survey ask = {0};
	struct survey next = {0};
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &ask));
	test_clock_advance(100 * CLOCK_MS);
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	count(&ask);
	cr_expect_eq(usage.unknown, 1);
	cr_expect_not(usage.client[1].known);
	cr_expect_eq(usage_used(usage_cell(&usage, cache, 0)),
	             usage_cell(&usage, cache, 0)->objects);
	usage_done(&usage);
	test_clock_advance(900 * CLOCK_MS);
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &next));
	cr_expect_eq(next.began_ns, clock_ns());
	/* Its answer to the old question is none to the new one. */
	answer(question(), cache, 0, 5, true);
	count(&next);
	cr_expect_eq(usage.unknown, 1);
	usage_done(&usage);
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &next),
	          "but it is there again");
	cr_expect_neq(question(), 0);
}

/* More than it owns, and of what is not there. */
Test(held, lies_are_cut)
{
	struct survey ask = {0};
	uint32_t seq;
	survey_wait(&server, pool, SURVEY_HELD, &ask);
	seq = question();
	cr_expect(answer(seq, 0, 0, 7, false));
	cr_expect(answer(seq, cache + 1, 0, 7, false));
	cr_expect(answer(seq, UINT32_MAX, UINT32_MAX, 7, false));
	cr_expect(answer(seq, cache, 2, 7, false));
	cr_expect(answer(seq, cache, 0, UINT32_MAX, false));
	cr_expect(answer(seq, cache, 0, UINT32_MAX, true));
	count(&ask);
	cr_expect_eq(usage_cell(&usage, cache, 0)->held,
	             usage_cell(&usage, cache, 0)->objects);
	cr_expect_eq(usage_cell(&usage, cache, 1)->held, 0);
	cr_expect_eq(usage_used(usage_cell(&usage, cache, 0)), 0);
	usage_done(&usage);
}

/* What nobody asked for is passed over, as it may come over a new connection;
 * too many rows are a fault. */
Test(held, what_was_not_asked_for)
{
	struct survey ask = {0};
	struct wire_held msg = {.head = {.type = WIRE_HELD}, .n = 1};
	uint64_t most = (uint64_t)pool->view.geo.n_caches * 2;
	uint32_t seq;
	cr_expect(held_take(peer, &msg));
	survey_wait(&server, pool, SURVEY_HELD, &ask);
	seq = question();
	cr_expect(answer(seq + 1, cache, 0, 1, true));
	cr_expect(peer->survey[SURVEY_HELD].asked);
	for (uint64_t i = 0; i < most; i++)
		cr_expect(answer(seq, cache, 0, 1, false));
	cr_expect_not(answer(seq, cache, 0, 1, false));
	msg.head.seq = seq;
	msg.n = WIRE_HELD_ROWS + 1;
	cr_expect_not(held_take(peer, &msg));
	peer_disconnect(peer);
	cr_expect_not(peer->survey[SURVEY_HELD].asked);
	count(&ask);
	cr_expect_eq(usage.unknown, 1);
	usage_done(&usage);
}

/* ---- how much of it is kept ---------------------------------------------- */

/* Who says more than there is room for is one who does not say, and is not asked
 * over and over. */
Test(held, what_is_too_long_is_unknown)
{
	struct survey ask = {0};
	uint32_t seq;
	cr_assert(survey_wait(&server, pool, SURVEY_HELD, &ask));
	seq = question();
	server.held_rows = 1u << 18;
	cr_expect(answer(seq, cache, 0, 5, false));
	server.held_rows = 0;
	cr_expect(answer(seq, cache, 0, 5, true));
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	cr_expect_eq(question(), 0);
	count(&ask);
	cr_expect_eq(usage.unknown, 1);
	usage_done(&usage);
	/* The next question is another one. */
	ask = (struct survey){0};
	cr_assert(survey_wait(&server, pool, SURVEY_HELD, &ask));
	cr_expect(answer(question(), cache, 0, 5, true));
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	count(&ask);
	cr_expect_eq(usage.unknown, 0);
	cr_expect_gt(server.held_rows, 0);
	usage_done(&usage);
	peer_close_events(peer);
	cr_expect_eq(server.held_rows, 0);
}
