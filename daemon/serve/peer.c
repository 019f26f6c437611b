/* SPDX-License-Identifier: MIT */
#include "daemon/serve/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/clients.h"
#include "daemon/serve/door.h"
#include "daemon/serve/kept.h"
#include "daemon/watch/wake.h"
#include "shm/wire.h"

static void close_sock(int *fd)
{
	door_close(*fd, NULL);
	*fd = -1;
}

static void put_on(struct peer *peer, struct peer **list)
{
	peer->next = *list;
	peer->link = list;
	if (peer->next != NULL)
		peer->next->link = &peer->next;
	*list = peer;
}

static void take_off(struct peer *peer)
{
	*peer->link = peer->next;
	if (peer->next != NULL)
		peer->next->link = peer->link;
}

static bool is_dead(const struct peer *peer)
{
	return peer->state == PEER_DEAD || peer->state == PEER_SWEPT;
}

struct peer *peer_new(struct server *server, enum peer_state state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	peer->server = server;
	peer->state = state;
	peer->sock = peer->events = peer->pidfd = -1;
	peer->tokens = PEER_TOKENS;
	peer->tokens_ns = clock_ns();
	put_on(peer, &server->peers);
	server->n_peers++;
	return peer;
}

/* What the manager has, too, is neither the last of its kind nor shut down: the
 * next slabd goes on with it, unless it brings what nobody but us may drop. */
static void leave_sock(int *fd)
{
	char byte;
	bool cut, brings = false;
	if (*fd >= 0)
		door_peek(*fd, &byte, 1, &cut, &brings);
	if (*fd >= 0 && !brings) {
		close(*fd);
		*fd = -1;
	}
}

static void close_connection(struct peer *peer)
{
	wake_free(&peer->on_sock);
	wake_free(&peer->on_events);
	peer->slowed = false;
	if (peer->kept) {
		const struct kept_pair pair = {peer->sock, peer->events};
		kept_drop(peer->pool, peer->id, &pair);
		peer->sock = peer->events = -1;
	}
	peer->kept = false;
	free(peer->job);
	peer->job = NULL;
	close_sock(&peer->sock);
	peer_close_events(peer);
}

void peer_line_up(struct peer *peer, struct peer_line *line)
{
	if (line->first == NULL)
		line->end = &line->first;
	peer->line.next = NULL;
	peer->line.link = line->end;
	peer->line.of = line;
	*line->end = peer;
	line->end = &peer->line.next;
}

void peer_line_leave(struct peer *peer)
{
	if (peer->line.link == NULL)
		return;
	*peer->line.link = peer->line.next;
	if (peer->line.next != NULL)
		peer->line.next->line.link = peer->line.link;
	else
		peer->line.of->end = peer->line.link;
	peer->line.link = NULL;
}

void peer_free(struct peer *peer)
{
	peer_line_leave(peer);
	if (peer->kept) {
		wake_free(&peer->on_sock);
		wake_free(&peer->on_events);
		leave_sock(&peer->sock);
		leave_sock(&peer->events);
	}
	close_connection(peer);
	wake_free(&peer->on_death);
	wake_free(&peer->timer);
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	take_off(peer);
	peer->server->n_peers -= !is_dead(peer);
	free(peer);
}

void peer_enter(struct peer *peer, enum peer_state state)
{
	static const bool may[PEER_SWEPT + 1][PEER_SWEPT + 1] = {
		[PEER_PENDING] = {[PEER_LIVE] = true},
		[PEER_LIVE] = {[PEER_DISCONNECTED] = true, [PEER_DEAD] = true},
		[PEER_DISCONNECTED] = {[PEER_LIVE] = true, [PEER_DEAD] = true},
		[PEER_DEAD] = {[PEER_SWEPT] = true},
	};
	assert(may[peer->state][state]);
	peer->state = state;
	if (state != PEER_DEAD)
		return;
	take_off(peer);
	put_on(peer, &peer->server->dead);
	peer->server->n_peers--;
}

void peer_close_events(struct peer *peer)
{
	wake_free(&peer->on_events);
	/* What the manager has, too, goes with the connection. */
	if (peer->kept)
		shutdown(peer->events, SHUT_RDWR);
	else
		close_sock(&peer->events);
	/* And what was asked over it. */
	peer->server->held_rows -= peer->held.max;
	free(peer->held.rows);
	peer->held = (struct peer_held){.rows = NULL};
	peer->asleep = (struct peer_asleep){.teller = 0};
	peer->found = (struct peer_found){.n = 0};
	memset(peer->survey, 0, sizeof(peer->survey));
}

void peer_keep(struct peer *peer)
{
	const struct kept_pair pair = {peer->sock, peer->events};
	peer->kept = kept_put(peer->pool, peer->id, &pair);
}

void peer_disconnect(struct peer *peer)
{
	close_connection(peer);
	if (peer->state == PEER_LIVE)
		peer_enter(peer, PEER_DISCONNECTED);
	else if (peer->state == PEER_PENDING)
		peer_free(peer);
}

void peer_fault(struct peer *peer, enum drop drop, const char *text)
{
	drops_count(&peer->server->drops, drop, peer->pid, text);
	if (peer->state != PEER_PENDING)
		clients_ban(peer->pool, peer->id);
	peer_disconnect(peer);
}

void peer_hand_over(struct peer *client, struct peer *pending, int events)
{
	peer_disconnect(client);
	wake_free(&pending->on_sock);
	client->sock = pending->sock;
	client->events = events;
	pending->sock = -1;
	peer_enter(client, PEER_LIVE);
}

uint32_t peer_tokens(struct peer *peer)
{
	int64_t now_ns = clock_ns();
	if (now_ns - peer->tokens_ns >= CLOCK_S) {
		peer->tokens_ns = now_ns;
		peer->tokens = PEER_TOKENS;
	}
	return peer->tokens;
}

bool peer_take_token(struct peer *peer)
{
	if (peer_tokens(peer) == 0)
		return false;
	peer->tokens--;
	return true;
}

struct peer *peer_find(const struct server *server, const struct pool *pool,
                       uint32_t id)
{
	struct peer *peer = server->peers;
	while (peer != NULL && (peer->pool != pool || peer->id != id))
		peer = peer->next;
	return peer;
}

bool peer_connected(const struct server *server, const struct pool *pool,
                    uint32_t id)
{
	const struct peer *peer = peer_find(server, pool, id);
	return peer != NULL && peer->sock >= 0;
}

/* ---- what all clients of a pool are told --------------------------------- */

#define TOLD_AT_ONCE 256u /* clients: a millisecond */

static const enum wire_type tells[PEER_TELLS] = {
	[PEER_TELL_TRIM] = WIRE_TRIM,
	[PEER_TELL_DROPS] = WIRE_DROPS,
};

/* True if it was taken. */
static bool tell_one(struct peer *peer, enum wire_type type)
{
	struct wire_head head = {.type = type, .bytes = sizeof(head)};
	peer->told++;
	if (send(peer->events, &head, sizeof(head),
	         MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	log_debug("client %u takes no events: %s", peer->id, strerror(errno));
	return false;
}

bool peer_ask_trim(struct peer *peer)
{
	return peer->events >= 0 && tell_one(peer, WIRE_TRIM);
}

static void on_tell(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	unsigned n = 0;
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		for (unsigned tell = 0; tell < PEER_TELLS; tell++) {
			if ((peer->tells >> tell & 1) == 0)
				continue;
			if (n++ == TOLD_AT_ONCE) {
				wake_start(server->tell, 0);
				return;
			}
			peer->tells &= ~(1u << tell);
			if (peer->events >= 0)
				tell_one(peer, tells[tell]);
		}
	}
}

/* The first of them at once, the others in turns to come. Who comes later knows, or
 * has nothing. */
static unsigned tell_all(struct server *server, const struct pool *pool,
                         enum peer_tell tell)
{
	unsigned n = 0;
	unsigned asked = 0;
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->pool != pool || peer->events < 0)
			continue;
		if (n++ < TOLD_AT_ONCE) {
			peer->tells &= ~(1u << tell);
			asked += tell_one(peer, tells[tell]);
			continue;
		}
		peer->tells |= 1u << tell;
		peer->told++;
		asked++;
	}
	if (n > TOLD_AT_ONCE)
		wake_start(server->tell, 0);
	return asked;
}

int peer_open(struct server *server)
{
	return wake_timer(&server->tell, server->base, on_tell, server) < 0
	               ? -ENOMEM
	               : 0;
}

void peer_close(struct server *server)
{
	wake_free(&server->tell);
}

unsigned peer_trim(struct server *server, const struct pool *pool)
{
	return tell_all(server, pool, PEER_TELL_TRIM);
}

void peer_drops(struct server *server, const struct pool *pool)
{
	tell_all(server, pool, PEER_TELL_DROPS);
}

void peer_fdstore_name(char name[PEER_FDSTORE_NAME], const struct pool *pool,
                       uint32_t id)
{
	snprintf(name, PEER_FDSTORE_NAME, "slabd.pool.%s.client.%u.%u",
	         pool->name, id, clients_epoch(pool, id));
}
