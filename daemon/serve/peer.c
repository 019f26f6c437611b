/* SPDX-License-Identifier: MIT */
#include "daemon/serve/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/pool/caches.h"
#include "daemon/balance/wants.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/marks.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"

#define HELLO_SECONDS 5
#define SECOND_SWEEP_MS 500
#define RELIST_MS 100        /* after a hang-up, should no death follow it */
#define TOKENS_A_SECOND 4096u /* a client that opens 1,000 caches needs 1,000 */
#define MESSAGES_A_TURN 32    /* then other peers have theirs */

/* ---- coming and going --------------------------------------------------- */

static void drop_event(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void disconnect(struct peer *peer)
{
	drop_event(&peer->on_sock);
	drop_event(&peer->on_events);
	close_fd(&peer->sock);
	close_fd(&peer->events);
}

static void peer_free(struct peer *peer)
{
	disconnect(peer);
	drop_event(&peer->on_death);
	drop_event(&peer->timer);
	close_fd(&peer->pidfd);
	*peer->link = peer->next;
	if (peer->next != NULL)
		peer->next->link = peer->link;
	peer->server->n_peers--;
	free(peer);
}

void peer_drop_all(struct server *server)
{
	while (server->peers != NULL)
		peer_free(server->peers);
}

/* Without a connection: gone, unless a client whose process may still run. */
static void mute(struct peer *peer)
{
	disconnect(peer);
	if (peer->id == 0)
		peer_free(peer);
}

void peer_fault(struct peer *peer, enum drop drop, const char *text)
{
	server_count_drop(peer->server, drop, peer->pid, text);
	if (peer->id != 0)
		clients_ban(peer->pool, peer->id);
	mute(peer);
}

static void start_timer(struct peer *peer, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000,
	                     .tv_usec = ms % 1000 * 1000};
	evtimer_add(peer->timer, &tv);
}

/* It hung up and lives on: it may have become another program, which sets no
 * bit that one of its threads was about to set, and sends no ring. */
static void look_after(struct peer *peer)
{
	if (!clients_relist(peer->pool))
		start_timer(peer, RELIST_MS);
	else
		server_serve_pool(peer->server, peer->pool);
}

/* The hello did not come, a client hung up, or the second sweep is due. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	char name[PEER_FDSTORE_NAME];
	(void)fd;
	(void)what;
	if (peer->id == 0) {
		peer_fault(peer, DROP_TIMEOUT, "no hello in time");
		return;
	}
	if (view_client_live(&peer->pool->view, peer->id)) {
		look_after(peer);
		return;
	}
	peer_fdstore_name(name, peer->pool, peer->id);
	fdstore_drop(name);
	clients_free(peer->pool, peer->id);
	peer_free(peer);
}

/* Frees all that the client had; its id rests until the second sweep. */
static void sweep(struct peer *peer)
{
	struct pool *pool = peer->pool;
	uint64_t before = pool->counts.swept_objects;
	clients_reap(pool, peer->id);
	log_info("pool %s: client %u (%s, pid %d) ended: %llu objects came "
	         "back, %.2f ms", pool->name, peer->id, peer->comm, peer->pid,
	         (unsigned long long)(pool->counts.swept_objects - before),
	         (double)pool->counts.last_sweep_ns / (double)CLOCK_MS);
	drop_event(&peer->on_death);
	close_fd(&peer->pidfd);
	start_timer(peer, SECOND_SWEEP_MS);
}

static void reap(struct peer *peer)
{
	sweep(peer);
	/* What was refused so far may be to be had now; and it may have raised
	 * a want and died before it rang. */
	marks_clear_denied(peer->pool);
	server_serve_pool(peer->server, peer->pool);
	duty_soon(peer->server, SERVER_BALANCE_MS);
}

static void on_death(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	(void)fd;
	(void)what;
	disconnect(peer);
	peer->pool->counts.deaths++;
	reap(peer);
}

/* ---- messages ----------------------------------------------------------- */

static bool has_token(struct peer *peer)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != peer->second) {
		peer->second = now.tv_sec;
		peer->tokens = TOKENS_A_SECOND;
	}
	if (peer->tokens == 0)
		return false;
	peer->tokens--;
	return true;
}

static void reply(struct peer *peer, const struct wire_head *to,
                  struct wire_reply *msg)
{
	int error;
	msg->head.type = WIRE_REPLY;
	msg->head.bytes = sizeof(*msg);
	msg->head.seq = to->seq;
	if (send(peer->sock, msg, sizeof(*msg), MSG_NOSIGNAL | MSG_DONTWAIT) >=
	    0)
		return;
	error = errno;
	log_debug("client %u: a reply was not taken: %s", peer->id,
	          strerror(error));
	/* Who does not read has no right to an answer; who does would wait for
	 * it, and now sees the end, comes back and asks again. */
	if (error != EAGAIN)
		shutdown(peer->sock, SHUT_RDWR);
}

static void serve_create(struct peer *peer, const struct wire_create *msg)
{
	struct wire_reply out = {.error = 0};
	int r = caches_create(peer->pool, msg->name, msg->size, msg->align,
	                        msg->flags, out.text, sizeof(out.text));
	if (r < 0) {
		out.error = -r;
	} else {
		out.cache = (uint32_t)r;
		if (msg->node < peer->pool->view.geo.n_nodes)
			wants_relieve(peer->pool, out.cache, msg->node);
		/* It may have borrowed, or been denied something. */
		duty_soon(peer->server, SERVER_BALANCE_MS);
		server_serve_pool(peer->server, peer->pool);
	}
	reply(peer, &msg->head, &out);
}

static void serve_bye(struct peer *peer, const struct wire_head *msg)
{
	struct wire_reply out = {.error = 0};
	peer->pool->counts.goodbyes++;
	reap(peer);
	reply(peer, msg, &out);
	disconnect(peer);
}

/* One message of n bytes. False when the peer is gone. */
static bool serve(struct peer *peer, const void *room, size_t n)
{
	const struct wire_hello *hello = room;
	const struct wire_head *head = room;
	bool first = peer->id == 0;
	size_t due = head->type == WIRE_CREATE ? sizeof(struct wire_create)
	                                       : sizeof(struct wire_head);
	if (n < (first ? offsetof(struct wire_hello, pool) : sizeof(*head)))
		return peer_fault(peer, DROP_SHORT, "cut message"), false;
	if (first && (hello->magic != WIRE_MAGIC || hello->type != WIRE_HELLO))
		return peer_fault(peer, DROP_GARBAGE, "no hello"), false;
	if (first && hello->abi == WIRE_ABI && n != sizeof(*hello))
		return peer_fault(peer, n < sizeof(*hello) ? DROP_SHORT
		                                           : DROP_OVERSIZED,
		                  "hello of another length"), false;
	if (first) {
		if (hello_answer(peer, hello) == 0)
			return true;
		mute(peer);
		return false;
	}
	if (head->type != WIRE_CREATE && head->type != WIRE_BYE)
		return peer_fault(peer, DROP_GARBAGE, "unknown message"), false;
	if (n != due || head->bytes != due)
		return peer_fault(peer, n < due ? DROP_SHORT : DROP_OVERSIZED,
		                  "message of another length"), false;
	if (head->type == WIRE_CREATE)
		serve_create(peer, room);
	else
		serve_bye(peer, head);
	return head->type != WIRE_BYE;
}

/* Closes what came along uninvited. True if something did. */
static bool close_extra(struct msghdr *hdr)
{
	bool any = (hdr->msg_flags & MSG_CTRUNC) != 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c != NULL;
	     c = CMSG_NXTHDR(hdr, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			close(fd);
			any = true;
		}
	}
	return any;
}

static void hung_up(struct peer *peer)
{
	if (peer->id != 0)
		start_timer(peer, RELIST_MS);
	mute(peer);
}

/* Receives one message. True when the caller may go on to the next. */
static bool receive(struct peer *peer, int fd, bool is_event)
{
	_Alignas(16) char room[WIRE_BYTES_MAX];
	_Alignas(struct cmsghdr) char extra[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = {.iov_base = room, .iov_len = sizeof(room)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = extra,
	                     .msg_controllen = sizeof(extra)};
	ssize_t n = recvmsg(fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct wire_head *head = (const void *)room;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* A goodbye may still be on its way by the other. */
	if (n <= 0 && is_event) {
		drop_event(&peer->on_events);
		close_fd(&peer->events);
		return false;
	}
	if (n <= 0)
		return hung_up(peer), false;
	if (close_extra(&hdr))
		return peer_fault(peer, DROP_DESCRIPTORS, "uninvited "
		                  "descriptors"), false;
	if (hdr.msg_flags & MSG_TRUNC)
		return peer_fault(peer, DROP_OVERSIZED, "over 512 bytes"),
		       false;
	if (!has_token(peer))
		return peer_fault(peer, DROP_FLOOD, "over 4096 messages in a "
		                  "second"), false;
	if (!is_event)
		return serve(peer, room, (size_t)n);
	if ((size_t)n != sizeof(*head) || head->type != WIRE_RING)
		return peer_fault(peer, DROP_GARBAGE, "unknown event"), false;
	peer->pool->counts.rings++;
	server_serve_pool(peer->server, peer->pool);
	return true;
}

static void on_sock(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	for (int i = 0; i < MESSAGES_A_TURN && receive(arg, fd, false); i++)
		continue;
}

static void on_events(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	for (int i = 0; i < MESSAGES_A_TURN && receive(arg, fd, true); i++)
		continue;
}

static int watch(struct peer *peer, struct event **event, int fd,
                 event_callback_fn call)
{
	*event = event_new(peer->server->base, fd, EV_READ | EV_PERSIST, call,
	                   peer);
	if (*event == NULL || event_add(*event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int peer_watch(struct peer *peer)
{
	int r = watch(peer, &peer->on_events, peer->events, on_events);
	if (r == 0)
		r = watch(peer, &peer->on_death, peer->pidfd, on_death);
	if (r == 0)
		evtimer_del(peer->timer);
	return r;
}

/* ---- back --------------------------------------------------------------- */

struct peer *peer_find(const struct server *server, const struct pool *pool,
                       uint32_t id)
{
	struct peer *peer = server->peers;
	while (peer != NULL && (peer->pool != pool || peer->id != id))
		peer = peer->next;
	return peer;
}

/* The tokens are the client's: who comes back again and again has fewer. */
int peer_resume(struct peer *client, struct peer *door, int events)
{
	int r;
	drop_event(&door->on_sock);
	disconnect(client);
	client->sock = door->sock;
	client->events = events;
	door->sock = -1;
	if (!has_token(client)) {
		peer_fault(client, DROP_FLOOD, "comes back too often");
		return -EACCES;
	}
	r = watch(client, &client->on_sock, client->sock, on_sock);
	if (r == 0)
		r = watch(client, &client->on_events, events, on_events);
	if (r < 0)
		disconnect(client);
	return r;
}

void peer_fdstore_name(char name[PEER_FDSTORE_NAME], const struct pool *pool,
                     uint32_t id)
{
	snprintf(name, PEER_FDSTORE_NAME, "slabd.pool.%s.client.%u.%u",
	         pool->name, id, clients_epoch(pool, id));
}

/* ---- start -------------------------------------------------------------- */

static void enlist(struct server *server, struct peer *peer)
{
	peer->server = server;
	peer->next = server->peers;
	peer->link = &server->peers;
	if (peer->next != NULL)
		peer->next->link = &peer->next;
	server->peers = peer;
	server->n_peers++;
}

void peer_accept(struct server *server, int sock)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	struct ucred cred = {0};
	socklen_t bytes = sizeof(cred);
	if (peer == NULL) {
		close(sock);
		return;
	}
	peer->sock = sock;
	peer->events = peer->pidfd = -1;
	enlist(server, peer);
	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &bytes);
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	if (server->n_peers > server->max_peers) {
		peer_fault(peer, DROP_LIMIT, "all clients' places are taken");
		return;
	}
	peer->timer = evtimer_new(server->base, on_timer, peer);
	if (peer->timer == NULL ||
	    watch(peer, &peer->on_sock, sock, on_sock) < 0) {
		peer_free(peer);
		return;
	}
	start_timer(peer, HELLO_SECONDS * 1000);
}

/* A peer of a client by its row; NULL without memory. */
static struct peer *adopt(struct server *server, struct pool *pool, uint32_t id)
{
	const struct layout_client *row = &pool->view.clients[id];
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	peer->sock = peer->events = peer->pidfd = -1;
	enlist(server, peer);
	peer->pool = pool;
	peer->id = id;
	peer->pid = row->pid;
	peer->uid = row->uid;
	memcpy(peer->comm, row->comm, sizeof(peer->comm));
	peer->timer = evtimer_new(server->base, on_timer, peer);
	if (peer->timer != NULL)
		return peer;
	peer_free(peer);
	return NULL;
}

int peer_adopt(struct server *server, struct pool *pool, uint32_t id, int pidfd)
{
	struct peer *peer = adopt(server, pool, id);
	if (peer == NULL) {
		close(pidfd);
		return -ENOMEM;
	}
	peer->pidfd = pidfd;
	if (watch(peer, &peer->on_death, pidfd, on_death) == 0)
		return 0;
	peer_free(peer);
	return -ENOMEM;
}

int peer_adopt_dead(struct server *server, struct pool *pool, uint32_t id)
{
	bool died = view_client_live(&pool->view, id);
	struct peer *peer = adopt(server, pool, id);
	if (peer == NULL)
		return -ENOMEM;
	pool->counts.deaths += died;
	sweep(peer);
	return 0;
}
