/* SPDX-License-Identifier: MIT */
/* What clients find among what they hold: asked once for all who want to know, shown
 * as far as the tags allow, and unknown where they do not say. */
#include "daemon/serve/found.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/serve/peer.h"
#include "shm/slab.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct server server;
static struct pool *const pool = &server.pools[0];
static struct peer *peer;
static int end; /* the client's */
static struct survey ask;
static struct wire_found answer;
static struct found found;
static uint64_t start_off; /* of the first object */
static uint16_t *tags;

static void start(void)
{
	int pair[2];
	uint32_t cache;
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 1, 8);
	test_clock_set(CLOCK_S);
	cache = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	pool_client(&fixture.pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	pool_client(&fixture.pool, 2)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	pool_fixture_use_up(&fixture, cache, 0);
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
	start_off = slab_colour(&pool->view.caches[cache - 1], 0);
	tags = slab_tags(&pool->view, 0);
	ask = (struct survey){0};
	answer = (struct wire_found){
		.head = {.type = WIRE_FOUND, .bytes = sizeof(answer)}};
}

static void finish(void)
{
	while (server.peers != NULL)
		peer_free(server.peers);
	close(end);
	event_base_free(server.base);
	pool_fixture_stop(&fixture);
}

TestSuite(found, .init = start, .fini = finish);

/* The seq of the question that the client finds, 0: none. */
static uint32_t question(void)
{
	struct wire_head head;
	if (recv(end, &head, sizeof(head), 0) != sizeof(head))
		return 0;
	cr_expect_eq(head.type, WIRE_LOOK);
	return head.seq;
}

/* Answers with one row: whether that is shown. */
static bool shows(enum wire_found_kind kind, uint64_t off)
{
	struct found_at at = {0};
	bool shown;
	ask.seq = 0;
	cr_assert(survey_wait(&server, pool, SURVEY_FOUND, &ask));
	answer.head.seq = question();
	answer.n = 1;
	answer.rows[0] = (struct wire_found_row){.off = off, .kind = kind};
	cr_assert(found_take(peer, &answer));
	cr_assert_not(survey_wait(&server, pool, SURVEY_FOUND, &ask));
	shown = found_next(&server, pool, &ask, &at, &found);
	cr_expect_not(found_next(&server, pool, &ask, &at, &found));
	return shown;
}

Test(found, shows_what_tags_allow)
{
	cr_assert_eq(tags[0], 1, "all are the client's");
	tags[1] = TAG_FREE;
	tags[2] = 2;
	cr_expect(shows(FOUND_TWICE, start_off));
	cr_expect_eq(found.client, 1);
	cr_expect_eq(found.cache, 1);
	cr_expect_eq(found.off, start_off);
	cr_expect_not(shows(FOUND_TWICE, start_off + 64), "it is free");
	cr_expect_not(shows(FOUND_TWICE, start_off + 128), "another's");
	cr_expect_not(shows(FOUND_TWICE, start_off + 8), "no object");
	cr_expect(shows(FOUND_NOT_OWN, start_off + 64));
	cr_expect_eq(found.owner, 0);
	cr_expect(shows(FOUND_NOT_OWN, start_off + 128));
	cr_expect_eq(found.owner, 2);
	cr_expect_not(shows(FOUND_NOT_OWN, start_off), "its own");
	cr_expect(shows(FOUND_INSIDE, start_off + 8));
	cr_expect_not(shows(FOUND_INSIDE, start_off));
}

Test(found, believes_nothing_else)
{
	cr_expect_not(shows(FOUND_KINDS, start_off));
	cr_expect_not(shows(0, start_off));
	cr_expect_not(shows(FOUND_INSIDE, UINT64_MAX));
	cr_expect_not(shows(FOUND_TWICE, pool->view.geo.n_units << UNIT_SHIFT));
	cr_expect_not(
		shows(FOUND_INSIDE, (pool->view.geo.n_units - 1) << UNIT_SHIFT),
		"no slab is there");
	ask.seq = 0;
	cr_assert(survey_wait(&server, pool, SURVEY_FOUND, &ask));
	answer.head.seq = question();
	answer.n = WIRE_FOUND_ROWS + 1;
	cr_expect_not(found_take(peer, &answer), "more rows than there are");
	answer.head.seq++;
	cr_expect(found_take(peer, &answer), "nobody asked: passed over");
}

Test(found, waits_for_a_while)
{
	struct found_at at = {0};
	cr_expect(survey_wait(&server, pool, SURVEY_FOUND, &ask));
	cr_expect_neq(question(), 0);
	cr_expect(survey_wait(&server, pool, SURVEY_FOUND, &ask));
	cr_expect_eq(question(), 0, "it is asked once");
	test_clock_advance(CLOCK_S / 2);
	cr_expect_not(survey_wait(&server, pool, SURVEY_FOUND, &ask),
	              "no longer than that");
	cr_expect_not(found_next(&server, pool, &ask, &at, &found));
	test_clock_advance(CLOCK_S);
	ask = (struct survey){0};
	cr_expect_not(survey_wait(&server, pool, SURVEY_FOUND, &ask),
	              "not for who is mute");
}

Test(found, passes_over_who_is_gone)
{
	peer_close_events(peer);
	cr_expect_not(survey_wait(&server, pool, SURVEY_FOUND, &ask));
}
