/* SPDX-License-Identifier: MIT */
#include "daemon/serve/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "shm/wire.h"
#include "tests/lib/clock.h"

static struct server server;
static struct peer *first;
static struct peer *second;

static void begin(void)
{
	test_clock_set(CLOCK_S);
	server.base = event_base_new();
	cr_assert_eq(drops_open(&server.drops, server.base), 0);
	first = peer_new(&server, PEER_PENDING);
	second = peer_new(&server, PEER_PENDING);
	cr_assert(first != NULL && second != NULL);
}

static void end(void)
{
	while (server.peers != NULL)
		peer_free(server.peers);
	while (server.dead != NULL)
		peer_free(server.dead);
	cr_expect_eq(server.n_peers, 0);
	cr_expect_null(server.peers);
	drops_close(&server.drops);
	event_base_free(server.base);
}

TestSuite(peer, .init = begin, .fini = end, .timeout = 300);

/* ---- states ------------------------------------------------------------- */

Test(peer, from_state_to_state)
{
	peer_enter(first, PEER_LIVE);
	peer_enter(first, PEER_DISCONNECTED);
	peer_enter(first, PEER_LIVE);
	peer_enter(first, PEER_DEAD);
	peer_enter(first, PEER_SWEPT);
	peer_enter(second, PEER_LIVE);
	peer_enter(second, PEER_DISCONNECTED);
	peer_enter(second, PEER_DEAD);
}

/* Nobody else is refused a place for them. */
Test(peer, the_dead_have_no_place)
{
	peer_enter(first, PEER_LIVE);
	peer_enter(first, PEER_DEAD);
	cr_expect_eq(server.n_peers, 1);
	cr_expect_eq(server.peers, second);
	cr_expect_eq(server.dead, first);
	peer_enter(first, PEER_SWEPT);
	peer_enter(second, PEER_LIVE);
	peer_enter(second, PEER_DEAD);
	cr_expect_eq(server.n_peers, 0);
	peer_free(first);
	cr_expect_eq(server.n_peers, 0);
	cr_expect_eq(server.dead, second);
}

Test(peer, a_pending_peer_is_not_swept, .signal = SIGABRT)
{
	peer_enter(first, PEER_DEAD);
}

Test(peer, the_first_sweep_is_not_left_out, .signal = SIGABRT)
{
	peer_enter(first, PEER_LIVE);
	peer_enter(first, PEER_SWEPT);
}

Test(peer, a_dead_peer_does_not_come_back, .signal = SIGABRT)
{
	peer_enter(first, PEER_LIVE);
	peer_enter(first, PEER_DEAD);
	peer_enter(first, PEER_LIVE);
}

Test(peer, without_a_connection_a_client_stays_and_a_pending_peer_does_not)
{
	int fds[2];
	cr_assert_eq(pipe(fds), 0);
	first->sock = fds[0];
	second->sock = fds[1];
	peer_enter(first, PEER_LIVE);
	peer_disconnect(first);
	cr_expect_eq(first->state, PEER_DISCONNECTED);
	cr_expect_eq(first->sock, -1);
	peer_disconnect(second);
	cr_expect_eq(server.n_peers, 1);
	cr_expect_eq(server.peers, first);
	cr_expect_lt(close(fds[0]), 0);
	cr_expect_lt(close(fds[1]), 0);
}

Test(peer, a_fault_of_a_pending_peer_is_counted)
{
	peer_fault(first, DROP_GARBAGE, "noise");
	cr_expect_eq(server.drops.count[DROP_GARBAGE], 1);
	cr_expect_eq(server.n_peers, 1);
}

/* ---- connections -------------------------------------------------------- */

Test(peer, a_client_gets_anothers_connection)
{
	int old[2];
	int new[2];
	cr_assert_eq(pipe(old), 0);
	cr_assert_eq(pipe(new), 0);
	first->sock = old[0];
	first->events = old[1];
	peer_enter(first, PEER_LIVE);
	second->sock = new[0];
	peer_hand_over(first, second, new[1]);
	cr_expect_eq(first->state, PEER_LIVE);
	cr_expect_eq(first->sock, new[0]);
	cr_expect_eq(first->events, new[1]);
	cr_expect_lt(close(old[0]), 0);
	cr_expect_lt(close(old[1]), 0);
	/* The other one has nothing left to close. */
	peer_disconnect(second);
	cr_expect_eq(write(new[1], "", 1), 1);
}

Test(peer, the_clients_of_a_pool_are_asked_to_trim)
{
	struct wire_head head;
	int pair[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	first->pool = second->pool = &server.pools[0];
	first->id = 3;
	first->events = pair[0];
	cr_expect_eq(peer_trim(&server, &server.pools[1]), 0);
	cr_expect_eq(peer_trim(&server, &server.pools[0]), 1);
	cr_expect_eq(recv(pair[1], &head, sizeof(head), 0),
	             (ssize_t)sizeof(head));
	cr_expect_eq(head.type, WIRE_TRIM);
	cr_expect_eq(peer_find(&server, &server.pools[0], 3), first);
	cr_expect_null(peer_find(&server, &server.pools[1], 3));
	cr_expect_not(peer_connected(&server, &server.pools[0], 3));
	first->sock = pair[1];
	cr_expect(peer_connected(&server, &server.pools[0], 3));
}

/* ---- messages in a second ----------------------------------------------- */

static unsigned tokens(struct peer *peer)
{
	unsigned n = 0;
	while (n < 10000 && peer_take_token(peer))
		n++;
	return n;
}

Test(peer, so_many_messages_a_second)
{
	cr_expect_eq(tokens(first), 4096);
	cr_expect_eq(tokens(second), 4096);
	test_clock_advance(CLOCK_S - 1);
	cr_expect_eq(tokens(first), 0);
	test_clock_advance(1);
	cr_expect_eq(tokens(first), 4096);
	test_clock_advance(CLOCK_S - 1);
	cr_expect_eq(tokens(first), 0);
}
