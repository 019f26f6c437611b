/* SPDX-License-Identifier: MIT */
#include "daemon/serve/users.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/serve/share.h"
#include "tests/lib/clock.h"

#define PEERS 6u
#define BY_ONE 4u /* the others are another user's */

static struct server server;
static struct peer *peers[PEERS];
static int theirs[PEERS];
static struct peer *read_of[64]; /* in order */
static int read_fd[64];
static unsigned n_reads;
static unsigned most; /* that the last was allowed to read */
static int64_t costs_ns;
static struct peer *frees;

/* A message that came is left there: it comes again, as many do. */
static void read_note(struct peer *peer, int fd, unsigned n)
{
	cr_assert_lt(n_reads, 64);
	read_of[n_reads] = peer;
	read_fd[n_reads++] = fd;
	most = n;
	test_clock_advance(costs_ns);
	if (peer == frees)
		peer_free(peer);
}

static void on_message(evutil_socket_t fd, UNUSED short what, void *arg)
{
	users_serve(arg, fd);
}

static void begin(void)
{
	test_clock_set(CLOCK_S);
	server.base = event_base_new();
	cr_assert_eq(share_open(&server), 0);
	cr_assert_eq(users_open(&server, read_note), 0);
	for (unsigned i = 0; i < PEERS; i++) {
		int pair[2];
		struct peer *peer = peers[i] = peer_new(&server, PEER_PENDING);
		cr_assert_not_null(peer);
		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		peer->sock = pair[0];
		theirs[i] = pair[1];
		peer->uid = i < BY_ONE ? 1000 : 2000;
		cr_assert_eq(peer_watch(peer, &peer->on_sock, peer->sock,
		                        on_message),
		             0);
	}
	costs_ns = CLOCK_MS;
}

static void end(void)
{
	while (server.peers != NULL)
		peer_free(server.peers);
	for (unsigned i = 0; i < PEERS; i++)
		close(theirs[i]);
	users_close(&server);
	share_close(&server);
	event_base_free(server.base);
}

TestSuite(users, .init = begin, .fini = end, .timeout = 300);

static void turn(void)
{
	n_reads = 0;
	event_base_loop(server.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

/* Something comes of so many, and is not read before the turn. */
static void come(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(send(theirs[i], "x", 1, 0), 1);
}

Test(users, few_are_read_as_they_come)
{
	costs_ns = CLOCK_MS / 8;
	come(BY_ONE);
	for (int i = 0; i < 3; i++) {
		turn();
		cr_expect_eq(n_reads, BY_ONE);
		cr_expect_eq(most, 32);
		cr_expect_not(evtimer_pending(server.users_wait, NULL));
	}
}

/* Where nobody else is there, a share that is used up costs a turn in which
 * nothing else is done. */
Test(users, one_alone_goes_on)
{
	unsigned reads = 0;
	come(1);
	for (unsigned i = 0; i < 20; i++) {
		turn();
		reads += n_reads;
	}
	cr_expect_geq(reads, 12);
}

/* Those that have waited come before those that were served. */
Test(users, many_of_one_user_take_turns)
{
	unsigned served[BY_ONE] = {0};
	come(BY_ONE);
	for (unsigned i = 0; i < 12; i++) {
		turn();
		cr_expect_eq(n_reads, 2, "two milliseconds' worth");
		for (unsigned k = 0; k < n_reads; k++)
			for (unsigned p = 0; p < BY_ONE; p++)
				served[p] += read_of[k] == peers[p];
	}
	cr_expect_eq(most, 8, "and little at a time");
	for (unsigned p = 0; p < BY_ONE; p++)
		cr_expect(served[p] >= 5 && served[p] <= 7, "%u: %u", p,
		          served[p]);
}

Test(users, another_user_is_read_at_once)
{
	come(PEERS);
	for (unsigned i = 0; i < 5; i++) {
		unsigned others = 0;
		turn();
		for (unsigned k = 0; k < n_reads; k++)
			others += read_of[k]->uid == 2000;
		cr_expect_eq(others, 2);
		cr_expect_eq(n_reads, 4);
	}
}

/* By whichever descriptor something came, it is read some time. */
Test(users, both_descriptors_are_read)
{
	int pair[2];
	bool seen[2] = {false, false};
	struct peer *last = peers[BY_ONE - 1];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	last->events = pair[0];
	cr_assert_eq(peer_watch(last, &last->on_events, pair[0], on_message),
	             0);
	cr_assert_eq(send(pair[1], "x", 1, 0), 1);
	come(BY_ONE);
	for (unsigned i = 0; i < 8; i++) {
		turn();
		for (unsigned k = 0; k < n_reads; k++) {
			seen[0] |= read_fd[k] == last->sock;
			seen[1] |= read_fd[k] == last->events;
		}
	}
	cr_expect(seen[0] && seen[1]);
	close(pair[1]);
}

Test(users, who_goes_leaves_the_line)
{
	come(BY_ONE);
	turn();
	for (unsigned p = 0; p < BY_ONE; p++)
		if (peers[p]->line.link != NULL) {
			peer_free(peers[p]);
			peers[p] = NULL;
			break;
		}
	frees = peers[0];
	for (unsigned i = 0; i < 4; i++)
		turn();
	for (unsigned k = 0; k < n_reads; k++)
		cr_expect_neq(read_of[k], frees);
	cr_expect_gt(n_reads, 0);
}

/* A slabd that is stopped at each step has no time left at any look at the clock. */
Test(users, who_waits_has_his_turn_whatever_the_clock_says)
{
	unsigned served[BY_ONE] = {0};
	test_clock_jump(10 * CLOCK_S);
	come(BY_ONE);
	for (unsigned i = 0; i < 24; i++) {
		turn();
		for (unsigned k = 0; k < n_reads; k++)
			for (unsigned p = 0; p < BY_ONE; p++)
				served[p] += read_of[k] == peers[p];
	}
	for (unsigned p = 0; p < BY_ONE; p++)
		cr_expect_gt(served[p], 0, "%u", p);
	test_clock_jump(0);
}
