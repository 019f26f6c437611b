/* SPDX-License-Identifier: MIT */
#include "daemon/serve/users.h"

#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/serve/share.h"
#include "daemon/watch/wake.h"

#define SHARE_NS (2 * CLOCK_MS) /* one user in one pool */
#define ALL_NS (4 * CLOCK_MS)   /* all that have had to wait, at one time */
#define MESSAGES_A_TURN 32u     /* of a peer; then others have theirs */
#define MESSAGES_IN_LINE 8u
#define USER_TOKENS 16384u /* messages a second, of all a user's clients */
#define OWN_TOKENS 64u     /* of these each client has so many besides */
#define SLOW_NS (100 * CLOCK_MS) /* from one look at who is slowed to the next */

/* Users that fall together have one share. Newcomers have no pool yet. */
static struct user *user_of(const struct peer *peer)
{
	struct server *server = peer->server;
	uint32_t pool = peer->pool == NULL
	                        ? CONFIG_POOLS_MAX
	                        : (uint32_t)(peer->pool - server->pools);
	uint32_t mix =
		(peer->uid * (CONFIG_POOLS_MAX + 1) + pool) * 2654435761u;
	return &server->users[mix >> (32 - USERS_BITS)];
}

/* ---- who is slowed ------------------------------------------------------- */

static uint32_t *tokens_of(struct user *user)
{
	int64_t now_ns = clock_ns();
	if (user->tokens_ns == 0 || now_ns - user->tokens_ns >= CLOCK_S) {
		user->tokens_ns = now_ns;
		user->tokens = USER_TOKENS;
	}
	return &user->tokens;
}

/* Whether the next one is at its user's cost. */
static bool is_shared(struct peer *peer)
{
	return peer->state == PEER_PENDING ||
	       peer_tokens(peer) <= PEER_TOKENS - OWN_TOKENS;
}

bool users_may(struct peer *peer)
{
	return peer_tokens(peer) > 0 &&
	       (!is_shared(peer) || *tokens_of(user_of(peer)) > 0);
}

void users_charge(struct peer *peer)
{
	uint32_t *tokens = tokens_of(user_of(peer));
	if (is_shared(peer) && *tokens > 0)
		(*tokens)--;
	peer_take_token(peer);
}

void users_slow(struct peer *peer)
{
	if (!peer->slowed) {
		peer->server->slowed++;
		log_info("client %u (%s, pid %d) asks more than it can have "
		         "use for: slowed", peer->id, peer->comm, peer->pid);
	}
	peer->slowed = true;
	if (peer->on_sock != NULL)
		event_del(peer->on_sock);
	if (peer->on_events != NULL)
		event_del(peer->on_events);
	wake_start(peer->server->slow, SLOW_NS);
}

static void hear_again(struct peer *peer)
{
	peer->slowed = false;
	if (peer->on_sock != NULL)
		event_add(peer->on_sock, NULL);
	if (peer->on_events != NULL)
		event_add(peer->on_events, NULL);
}

static void on_slow(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool more = false;
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (!peer->slowed)
			continue;
		if (users_may(peer))
			hear_again(peer);
		else
			more = true;
	}
	if (more)
		wake_start(server->slow, SLOW_NS);
}

/* ---- shares ---------------------------------------------------------------- */

static void read_some(struct user *user, struct peer *peer, int fd, unsigned n)
{
	users_read *read = peer->server->read;
	int64_t began_ns = clock_ns();
	read(peer, fd, n);
	share_use(&user->share, began_ns);
}

void users_serve(struct peer *peer, int fd)
{
	struct server *server = peer->server;
	struct user *user = user_of(peer);
	if (peer->line.link == NULL && user->line.first == NULL &&
	    share_left(server, &user->share, SHARE_NS) > 0) {
		read_some(user, peer, fd, MESSAGES_A_TURN);
		return;
	}
	peer->line.sock |= fd == peer->sock;
	peer->line.events |= fd == peer->events;
	if (peer->line.link == NULL)
		peer_line_up(peer, &user->line);
	wake_start(server->users_wait, 0);
}

/* One of the two descriptors that something came by, if it still has it: they
 * take turns. */
static int next_fd(struct peer *peer)
{
	bool events = peer->line.events &&
	              (!peer->line.sock || !peer->line.events_last);
	peer->line.events_last = events;
	if (events) {
		peer->line.events = false;
		return peer->on_events != NULL ? peer->events : -1;
	}
	peer->line.sock = false;
	return peer->on_sock != NULL ? peer->sock : -1;
}

static void serve_first(struct user *user)
{
	struct peer *peer = user->line.first;
	int fd = next_fd(peer);
	peer_line_leave(peer);
	if (peer->line.sock || peer->line.events)
		peer_line_up(peer, &user->line);
	if (fd >= 0)
		read_some(user, peer, fd, MESSAGES_IN_LINE);
}

/* Behind all that came meanwhile: users in turn. */
static void on_users(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	int64_t end_ns = clock_ns() + ALL_NS;
	unsigned first = server->users_turn++;
	bool any = false;
	bool more = false;
	for (unsigned i = 0; i < USERS; i++) {
		struct user *user = &server->users[(first + i) % USERS];
		while (user->line.first != NULL &&
		       share_left(server, &user->share, SHARE_NS) > 0 &&
		       (!any || clock_ns() < end_ns)) {
			serve_first(user);
			any = true;
		}
		more |= user->line.first != NULL;
	}
	if (more)
		wake_start(server->users_wait, 0);
}

int users_open(struct server *server, users_read *read)
{
	server->read = read;
	return wake_timer(&server->users_wait, server->base, on_users, server) <
	                               0 ||
	                       wake_timer(&server->slow, server->base, on_slow,
	                                  server) < 0
	               ? -ENOMEM
	               : 0;
}

void users_close(struct server *server)
{
	wake_free(&server->users_wait);
	wake_free(&server->slow);
}
