/* SPDX-License-Identifier: MIT */
/* Who sleeps is not asked again what it holds; who ran, was told something, or has
 * objects in pages that moved is. The client is a process with a helper, which does
 * as it is told. */
#include "daemon/serve/asleep.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/ran.h"
#include "daemon/serve/held.h"
#include "daemon/serve/peer.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

#define TRIES 2000 /* on a machine that interrupts the helper again and again */

static struct pool_fixture fixture;
static struct server server;
static struct pool *const pool = &server.pools[0];
static struct peer *peer;
static int end; /* the client's */
static int to_main[2], to_helper[2], from[2];
static pid_t child;
static uint32_t helper;

/* Tells its number, and then a byte for each that it gets. */
static void *echo(void *arg)
{
	const int *ask = arg;
	int32_t tid = (int32_t)syscall(SYS_gettid);
	char byte;
	if (write(from[1], &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	while (read(*ask, &byte, 1) == 1 && write(from[1], &byte, 1) == 1)
		continue;
	_exit(0);
}

static int32_t heard(void)
{
	int32_t tid = 0;
	cr_assert_eq(read(from[0], &tid, sizeof(tid)), sizeof(tid));
	return tid;
}

static void make_client(void)
{
	int32_t tid;
	cr_assert_eq(pipe(to_main), 0);
	cr_assert_eq(pipe(to_helper), 0);
	cr_assert_eq(pipe(from), 0);
	child = fork();
	if (child == 0) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, echo, &to_helper[0]) != 0)
			_exit(1);
		echo(&to_main[0]);
	}
	tid = heard();
	helper = (uint32_t)(tid == child ? heard() : tid);
	if (tid != child)
		heard();
}

static void start(void)
{
	int pair[2];
	uint32_t cache;
	if (ran_tick_ns() == 0)
		cr_skip_test("CPUs without a tick");
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 8);
	make_client();
	test_clock_set(CLOCK_S);
	cache = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	pool_client(&fixture.pool, 1)->word = UINT64_C(1) << 8 | CLIENT_LIVE;
	pool_fixture_use_up(&fixture, cache, 0);
	server.pools[0] = fixture.pool;
	server.n_pools = 1;
	server.base = event_base_new();
	peer = peer_new(&server, PEER_PENDING);
	peer_enter(peer, PEER_LIVE);
	peer->pool = pool;
	peer->id = 1;
	peer->pid = child;
	cr_assert_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair),
		0);
	peer->events = pair[0];
	end = pair[1];
}

static void finish(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (server.peers != NULL)
		peer_free(server.peers);
	close(end);
	event_base_free(server.base);
	pool_fixture_stop(&fixture);
}

TestSuite(asleep, .init = start, .fini = finish, .timeout = 120);

/* The client is asleep again, whatever it did. */
static void settle(void)
{
	int64_t last = -1;
	int64_t ns = ran_ns(child);
	while (ns != last) {
		usleep((useconds_t)(ran_tick_ns() / 1000));
		last = ns;
		ns = ran_ns(child);
	}
}

static void poke(const int *ask)
{
	char byte = 1;
	cr_assert_eq(write(ask[1], &byte, 1), 1);
	cr_assert_eq(read(from[0], &byte, 1), 1);
	settle();
}

/* The seq of the question that the client finds, 0: none. */
static uint32_t question(void)
{
	struct wire_head head;
	while (recv(end, &head, sizeof(head), 0) == sizeof(head))
		if (head.type == WIRE_COUNT)
			return head.seq;
	return 0;
}

static void answer(uint32_t seq, uint32_t last)
{
	const struct wire_held msg = {
		.head = {.type = WIRE_HELD, .bytes = sizeof(msg), .seq = seq},
		.n = 1,
		.last = last,
		.rows = {{1, 0, 100}},
	};
	cr_assert(held_take(peer, &msg));
}

/* Somebody wants to know. Whether the client was asked; it has answered then, by its
 * helper, or as a client does that has none. */
static bool is_asked_by(uint32_t last)
{
	struct survey ask = {0};
	uint32_t seq = 0;
	bool waits = survey_wait(&server, pool, SURVEY_HELD, &ask);
	settle();
	test_clock_advance(ran_tick_ns());
	if (waits)
		waits = survey_wait(&server, pool, SURVEY_HELD, &ask);
	seq = question();
	cr_expect_eq(waits, seq != 0);
	if (seq != 0) {
		poke(to_helper);
		answer(seq, last);
		cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	}
	cr_expect(survey_knows(peer, SURVEY_HELD, &ask));
	cr_expect_eq(peer->held.n, 1);
	return seq != 0;
}

static bool is_asked(void)
{
	return is_asked_by(helper);
}

/* Until it is known to be asleep. */
static void fall_asleep(void)
{
	unsigned n = 0;
	while (is_asked())
		cr_assert_lt(n++, TRIES);
}

Test(asleep, who_sleeps_is_asked_no_more)
{
	cr_expect(is_asked());
	cr_expect(is_asked(), "nobody looked before the first question");
	fall_asleep();
	for (int i = 0; i < 10; i++)
		cr_expect_not(is_asked());
}

Test(asleep, who_ran_is_asked)
{
	fall_asleep();
	poke(to_main);
	cr_expect(is_asked());
	fall_asleep();
	poke(to_helper);
	cr_expect(is_asked(), "a helper may have given things back");
}

/* Between the look before the question and the one after the answer. */
Test(asleep, who_ran_meanwhile_is_asked)
{
	fall_asleep();
	for (int i = 0; i < 5; i++) {
		poke(to_main);
		cr_expect(is_asked());
		poke(i % 2 ? to_main : to_helper);
		cr_expect(is_asked(), "%d", i);
	}
}

Test(asleep, who_was_told_something_is_asked)
{
	fall_asleep();
	cr_expect(peer_ask_trim(peer));
	cr_expect(is_asked(), "though it has not heard it yet");
	fall_asleep();
	peer_drops(&server, pool);
	cr_expect(is_asked());
	fall_asleep();
	asleep_end(peer);
	cr_expect(is_asked());
}

Test(asleep, whose_pages_moved_is_asked)
{
	fall_asleep();
	pool->moves++;
	cr_expect(is_asked());
}

/* Not yet: a thread that runs may have had no tick. */
Test(asleep, nobody_is_known_to_sleep_at_once)
{
	struct survey ask = {0};
	fall_asleep();
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &ask));
	test_clock_advance(ran_tick_ns() - 1);
	cr_expect(survey_wait(&server, pool, SURVEY_HELD, &ask));
	cr_expect_eq(question(), 0);
	test_clock_advance(1);
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	cr_expect_eq(question(), 0);
	/* But where that was asked for a while ago. */
	ask = (struct survey){.since_ns = clock_ns() - ran_tick_ns()};
	cr_expect_not(survey_wait(&server, pool, SURVEY_HELD, &ask));
	cr_expect_eq(question(), 0);
}

/* Its own thread answers between its calls; or a number that is none of its threads,
 * or is another one's. */
Test(asleep, who_answers_otherwise_is_asked)
{
	const uint32_t last[] = {WIRE_HELD_ALL, (uint32_t)child,
	                         (uint32_t)getpid(), UINT32_MAX, 1u << 31};
	for (unsigned i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		for (unsigned n = 0; n < 6; n++)
			cr_expect(is_asked_by(last[i]), "%u", last[i]);
}

Test(asleep, who_says_too_much_is_asked)
{
	fall_asleep();
	peer->held.cut = true;
	cr_expect(is_asked());
}
