/* SPDX-License-Identifier: MIT */
#include "daemon/serve/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/wants.h"
#include "daemon/base/log.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/holes.h"
#include "daemon/serve/asks.h"
#include "daemon/serve/death.h"
#include "daemon/serve/door.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/found.h"
#include "daemon/serve/held.h"
#include "daemon/serve/hello.h"
#include "daemon/serve/kept.h"
#include "daemon/serve/message.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/users.h"
#include "daemon/watch/wake.h"
#include "shm/abandon.h"

#define REQUEST_NS CLOCK_MS /* for a slice of a request */
#define UNREAD_MAX 65536  /* bytes, with what the kernel adds */
#define PEERS_PENDING 128 /* connections before their hello */

static void on_message(evutil_socket_t fd, short what, void *arg);

static void reply_with(struct peer *peer, const struct wire_head *to,
                       struct wire_reply *msg, int fd)
{
	int error;
	msg->head.type = WIRE_REPLY;
	msg->head.bytes = sizeof(*msg);
	msg->head.seq = to->seq;
	error = -asks_reply(peer, msg, fd);
	if (error == 0)
		return;
	log_debug("client %u: a reply was not taken: %s", peer->id,
	          strerror(error));
	/* A client that does not read gets no answer. One that does would wait
	 * for it: it sees the end instead, comes back and asks again. */
	if (error != EAGAIN)
		shutdown(peer->sock, SHUT_RDWR);
}

static void reply(struct peer *peer, const struct wire_head *to,
                  struct wire_reply *msg)
{
	reply_with(peer, to, msg, -1);
}

/* Its request is answered, or it has none any longer. */
static void end_job(struct peer *peer)
{
	message_take(peer->sock);
	free(peer->job);
	peer->job = NULL;
}

/* What came of a request so far. True if it is answered: an error is. */
static bool answered(struct peer *peer, const struct wire_head *to, int r,
                     struct wire_reply *out, const struct remedy *why)
{
	if (r > 0)
		return false;
	if (r < 0) {
		out->error = -r;
		remedy_join(out->text, sizeof(out->text), why, ": ");
	}
	end_job(peer);
	reply(peer, to, out);
	return true;
}

/* What a cache begins with. */
static void serve_made(struct peer *peer, uint32_t cache, uint32_t node)
{
	/* Before it hears of it: no row is another cache's while it may
	 * use this one. */
	caches_open(peer->pool, peer->id, cache);
	balance_forget(peer->pool);
	if (node < peer->pool->view.geo.n_nodes && holes_guard(peer->pool))
		wants_relieve_some(peer->pool, cache, node,
		                   clock_ns() + REQUEST_NS);
	/* It may have borrowed, or been denied something. */
	duty_soon(peer->server, DUTY_SOON_NS);
	duty_serve_pool(peer->server, peer->pool);
}

static bool serve_create(struct peer *peer, const struct wire_create *msg)
{
	const struct caches_want want = {msg->name, msg->size, msg->align,
	                                 msg->flags};
	struct wire_reply out = {.error = 0};
	struct remedy why;
	int r = caches_create_some(peer->pool, &want, peer->job,
	                           clock_ns() + REQUEST_NS, &why);
	if (r == 0) {
		out.cache = peer->job->cache;
		serve_made(peer, out.cache, msg->node);
	}
	return answered(peer, &msg->head, r, &out, &why);
}

static void serve_close(struct peer *peer, const struct wire_close *msg)
{
	/* One for each that it opened costs it nothing. */
	if (!caches_close(peer->pool, peer->id, msg->cache))
		return;
	peer->tokens++;
	duty_tidy(peer->server, peer->pool);
	if (peer->pool->superseded)
		duty_soon(peer->server, DUTY_SOON_NS);
}

static bool serve_remove(struct peer *peer, const struct wire_remove *msg)
{
	struct wire_reply out = {.error = 0};
	char name[NAME_BYTES];
	struct remedy why;
	int r;
	memcpy(name, msg->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	r = caches_remove_some(peer->pool, name, peer->job,
	                       clock_ns() + REQUEST_NS, &why);
	if (r == 0)
		duty_serve_pool(peer->server, peer->pool);
	return answered(peer, &msg->head, r, &out, &why);
}

/* A slice of a request that may take several: it is read again for the next. */
static bool serve_job(struct peer *peer, const struct message *message)
{
	bool done = message->kind == MESSAGE_CREATE
	                    ? serve_create(peer, &message->as.create)
	                    : serve_remove(peer, &message->as.remove);
	if (!done)
		abandon_pause_srv(&peer->pool->view, peer->id,
		                  message->as.head.seq);
	return done;
}

static void serve_name(struct peer *peer, const struct wire_name *msg)
{
	struct wire_reply out = {.error = 0};
	asks_name(peer, msg, &out);
	reply(peer, &msg->head, &out);
}

static void serve_watch(struct peer *peer, const struct wire_watch *msg)
{
	struct wire_reply out = {.error = 0};
	int fd = asks_watch(peer, msg, &out);
	reply_with(peer, &msg->head, &out, fd);
}

static void serve_root(struct peer *peer, const struct wire_root *msg)
{
	struct wire_reply out = {.error = 0};
	asks_root(peer, msg, &out);
	reply(peer, &msg->head, &out);
}

static void serve_join(struct peer *peer, const struct wire_join *msg)
{
	struct wire_reply out = {.error = 0};
	int fd = asks_join(peer, msg, &out);
	reply_with(peer, &msg->head, &out, fd);
}

static void serve_leave(struct peer *peer, const struct wire_leave *msg)
{
	struct wire_reply out = {.error = 0};
	channels_leave(peer->pool, peer->id, msg->ix, false);
	death_end_owners(peer->server, peer->pool);
	reply(peer, &msg->head, &out);
}

static void farewell(struct peer *peer)
{
	struct wire_head bye = {.seq = peer->farewell_seq};
	struct wire_reply out = {.error = 0};
	reply(peer, &bye, &out);
}

static void serve_bye(struct peer *peer, const struct wire_head *msg)
{
	peer->farewell_seq = msg->seq;
	death_goodbye(peer, farewell);
}

/* Whether who asked waits for it no more, and takes it as not done. What ends or closes
 * something is done all the same. */
static bool is_given_up(struct peer *peer, const struct message *message)
{
	const struct wire_head *head = &message->as.head;
	struct wire_reply out = {.error = ECANCELED};
	switch (message->kind) {
	case MESSAGE_CREATE:
	case MESSAGE_REMOVE:
	case MESSAGE_NAME:
	case MESSAGE_WATCH:
	case MESSAGE_ROOT:
	case MESSAGE_JOIN:
		break;
	default:
		return false;
	}
	if (abandon_begin_srv(&peer->pool->view, peer->id, head->seq))
		return false;
	if (message_stays(message))
		end_job(peer);
	reply(peer, head, &out);
	return true;
}

/* False when nothing more is to be read now: the peer may be gone. */
static bool serve(struct peer *peer, const struct message *message)
{
	if (is_given_up(peer, message))
		return true;
	switch (message->kind) {
	case MESSAGE_HELLO:
		return hello_serve(peer, &message->as.hello, on_message);
	case MESSAGE_CREATE:
	case MESSAGE_REMOVE:
		return serve_job(peer, message);
	case MESSAGE_CLOSE:
		serve_close(peer, &message->as.close);
		return true;
	case MESSAGE_NAME:
		serve_name(peer, &message->as.name);
		return true;
	case MESSAGE_WATCH:
		serve_watch(peer, &message->as.watch);
		return true;
	case MESSAGE_ROOT:
		serve_root(peer, &message->as.root);
		return true;
	case MESSAGE_JOIN:
		serve_join(peer, &message->as.join);
		return true;
	case MESSAGE_LEAVE:
		serve_leave(peer, &message->as.leave);
		return true;
	case MESSAGE_BYE:
		serve_bye(peer, &message->as.head);
		return false;
	case MESSAGE_RING:
		peer->pool->counts.rings++;
		duty_serve_pool(peer->server, peer->pool);
		return true;
	case MESSAGE_HELD:
		if (held_take(peer, &message->as.held))
			return true;
		peer_fault(peer, DROP_GARBAGE,
		           "more rows held than there are lists");
		return false;
	case MESSAGE_FOUND:
		if (found_take(peer, &message->as.found))
			return true;
		peer_fault(peer, DROP_GARBAGE,
		           "more found than there is room for");
		return false;
	case MESSAGE_FAULT:
		peer_fault(peer, message->drop, message->text);
		return false;
	case MESSAGE_END:
		death_hung_up(peer);
		return false;
	case MESSAGE_NONE:
		break;
	}
	return false;
}

static enum message_from from_of(const struct peer *peer, int fd)
{
	if (fd == peer->events)
		return MESSAGE_FROM_EVENTS;
	return peer->state == PEER_PENDING ? MESSAGE_FROM_PENDING
	                                   : MESSAGE_FROM_CLIENT;
}

/* False: there is no memory for it. */
static bool begin_job(struct peer *peer, bool *goes_on)
{
	*goes_on = peer->job != NULL;
	if (peer->job == NULL)
		peer->job = calloc(1, sizeof(*peer->job));
	return peer->job != NULL;
}

static bool receive(struct peer *peer, int fd)
{
	struct message message;
	bool goes_on = false;
	if (peer->job == NULL && !users_may(peer)) {
		users_slow(peer);
		return false;
	}
	message_read(fd, from_of(peer, fd), &message);
	/* A goodbye may still be on its way by the other. */
	if (message.kind == MESSAGE_END && fd == peer->events) {
		peer_close_events(peer);
		return false;
	}
	if (message_stays(&message) && !begin_job(peer, &goes_on)) {
		peer_disconnect(peer);
		return false;
	}
	if (message.kind > MESSAGE_END && !goes_on)
		users_charge(peer);
	return serve(peer, &message);
}

static void on_message(evutil_socket_t fd, UNUSED short what, void *arg)
{
	users_serve(arg, fd);
}

void dispatch_read(struct peer *peer, int fd, unsigned n)
{
	bool more = true;
	while (n-- > 0 && more)
		more = receive(peer, fd);
}

/* Those that may come, those that are there where that is more, as max_clients
 * was lowered, and some that are pending: who lost its connection comes back. */
static unsigned max_peers(const struct server *server)
{
	unsigned max = PEERS_PENDING;
	for (unsigned i = 0; i < server->n_pools; i++) {
		const struct pool *pool = &server->pools[i];
		max += pool->n_clients > pool->config->max_clients
		               ? pool->n_clients
		               : pool->config->max_clients;
	}
	return max;
}

/* Who makes room where there is none for a newcomer: that one where half of those
 * who have said nothing yet are its user's, else the first to come of others'. */
static struct peer *who_goes(const struct server *server, struct peer *newcomer)
{
	struct peer *first = newcomer;
	unsigned n = 0;
	unsigned n_own = 0;
	/* The last of the list has been there for longest. */
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next) {
		if (peer->state != PEER_PENDING)
			continue;
		n++;
		if (peer->uid == newcomer->uid)
			n_own++;
		else
			first = peer;
	}
	return n_own >= (n + 1) / 2 ? newcomer : first;
}

/* False: it has no place. */
static bool make_room(struct peer *newcomer)
{
	struct server *server = newcomer->server;
	struct peer *gone;
	if (server->n_peers <= max_peers(server))
		return true;
	gone = who_goes(server, newcomer);
	peer_fault(gone, DROP_LIMIT, "all clients' places are taken");
	return gone != newcomer;
}

void dispatch_accept(struct server *server, int sock)
{
	struct peer *peer = peer_new(server, PEER_PENDING);
	struct ucred cred = {0};
	socklen_t bytes = sizeof(cred);
	/* What came before this it may bring all the same. */
	door_refuse(sock);
	if (peer == NULL) {
		door_close(sock, NULL);
		return;
	}
	peer->sock = sock;
	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &bytes);
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	if (make_room(peer) &&
	    (death_open(peer) < 0 ||
	     peer_watch(peer, &peer->on_sock, sock, on_message) < 0))
		peer_free(peer);
}

/* ---- connections that outlived a slabd ---------------------------------- */

/* A request may have been read, and its answer never sent: the client sends it
 * again when it hears of this. One that has not read so many is told enough. */
static void tell_again(struct peer *peer)
{
	struct wire_head again = {.type = WIRE_AGAIN, .bytes = sizeof(again)};
	int unread = 0;
	if (ioctl(peer->sock, SIOCOUTQ, &unread) == 0 && unread > UNREAD_MAX)
		return;
	if (send(peer->sock, &again, sizeof(again),
	         MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		shutdown(peer->sock, SHUT_RDWR);
}

/* True if its connection goes on. */
static bool take_over(struct peer *peer)
{
	struct kept_pair pair;
	if (kept_take(peer->pool, peer->id, peer->pidfd, &pair) < 0)
		return false;
	peer->sock = pair.sock;
	peer->events = pair.events;
	door_refuse(pair.sock);
	door_refuse(pair.events);
	peer->kept = true;
	peer_enter(peer, PEER_LIVE);
	if (clients_is_banned(peer->pool, peer->id) ||
	    peer_watch(peer, &peer->on_sock, peer->sock, on_message) < 0 ||
	    peer_watch(peer, &peer->on_events, peer->events, on_message) < 0) {
		peer_disconnect(peer);
		return false;
	}
	view_count(&peer->pool->view, peer->id, STAT_RESUMES, 1);
	tell_again(peer);
	return true;
}

void dispatch_take_over(struct server *server)
{
	unsigned n = 0;
	for (struct peer *peer = server->peers; peer != NULL;
	     peer = peer->next)
		if (peer->state == PEER_DISCONNECTED && peer->pidfd >= 0)
			n += take_over(peer);
	if (n > 0)
		log_info(n == 1 ? "%u client's connection goes on"
		                : "%u clients' connections go on", n);
}
