/* SPDX-License-Identifier: MIT */
#include "daemon/serve/hello.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/clients.h"
#include "daemon/serve/death.h"
#include "daemon/serve/door.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/files.h"
#include "daemon/serve/limits.h"
#include "daemon/serve/overdue.h"

/* False when it was not taken. The client reads nothing else first: a full
 * socket is its fault, and it sees the connection close. */
static bool answer(struct peer *peer, struct wire_welcome *msg, int *fds,
                   unsigned n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(WIRE_FDS_MAX *
	                                              sizeof(int))];
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	msg->magic = WIRE_MAGIC;
	msg->abi = WIRE_ABI;
	msg->type = WIRE_WELCOME;
	msg->bytes = sizeof(*msg);
	msg->layout_version = LAYOUT_VERSION;
	if (n > 0) {
		struct cmsghdr *c;
		memset(room, 0, sizeof(room));
		hdr.msg_control = room;
		hdr.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	if (sendmsg(peer->sock, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	log_debug("pid %d: the welcome was not taken: %s", peer->pid,
	          strerror(errno));
	return false;
}

__attribute__((format(printf, 4, 5))) static int
refuse(struct peer *peer, enum drop drop, int error, const char *format, ...)
{
	struct wire_welcome msg = {.error = error};
	va_list args;
	va_start(args, format);
	vsnprintf(msg.text, sizeof(msg.text), format, args);
	va_end(args);
	answer(peer, &msg, NULL, 0);
	drops_count(&peer->server->drops, drop, peer->pid, msg.text);
	return -error;
}

/* ---- who may come in ---------------------------------------------------- */

/* The groups of a process may be 65,536, as with directories of users. */
static gid_t *read_groups(const struct peer *peer, unsigned *n)
{
	socklen_t bytes = 0;
	gid_t *groups = NULL;
	int r = getsockopt(peer->sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes);
	if (r < 0 && errno == ERANGE)
		groups = malloc(bytes);
	if (groups != NULL && getsockopt(peer->sock, SOL_SOCKET, SO_PEERGROUPS,
	                                 groups, &bytes) < 0)
		bytes = 0;
	*n = groups != NULL ? bytes / (socklen_t)sizeof(gid_t) : 0;
	return groups;
}

static bool has_group(const struct config_pool *c, gid_t gid)
{
	for (unsigned i = 0; i < c->groups.n; i++)
		if (c->groups.id[i] == gid)
			return true;
	return false;
}

static bool is_allowed(const struct peer *peer, const struct config_pool *c)
{
	gid_t *groups;
	unsigned n;
	bool is;
	if (c->users.n == 0 && c->groups.n == 0)
		return true;
	for (unsigned i = 0; i < c->users.n; i++)
		if (c->users.id[i] == peer->uid)
			return true;
	if (c->groups.n == 0 || has_group(c, peer->gid))
		return c->groups.n != 0;
	groups = read_groups(peer, &n);
	is = false;
	for (unsigned i = 0; i < n && !is; i++)
		is = has_group(c, groups[i]);
	free(groups);
	return is;
}

static struct pool *find_pool(struct server *server, const char *name)
{
	for (unsigned i = 0; i < server->n_pools; i++)
		if (strcmp(server->pools[i].name, name) == 0)
			return &server->pools[i];
	return NULL;
}

/* ---- the process -------------------------------------------------------- */

static bool is_closed(const struct peer *peer)
{
	char byte;
	return recv(peer->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/*
 * A descriptor of the process at the other end. Older kernels know it by
 * number only, which may have passed on: if the connection still stands after
 * the descriptor was made, the number was the right one.
 */
static int open_pidfd(const struct peer *peer)
{
	int fd = proc_of_peer(peer->sock);
	if (fd != -ENOPROTOOPT)
		return fd;
	fd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	if (fd < 0)
		return -errno;
	if (is_closed(peer)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

/* ---- in ----------------------------------------------------------------- */

static int refuse_fds(struct peer *peer, int error)
{
	return refuse(peer, DROP_LIMIT, error,
	              "slabd has no descriptors left: raise its LimitNOFILE");
}

/* A new event pair. 0; or -errno, and it is refused. */
static int open_events(struct peer *peer, int *ours, int *theirs)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               0, pair) < 0)
		return refuse_fds(peer, errno);
	door_refuse(pair[0]);
	*ours = pair[0];
	*theirs = pair[1];
	return 0;
}

static struct wire_welcome welcome_of(const struct peer *peer)
{
	const struct layout_geometry *geo = &peer->pool->view.geo;
	return (struct wire_welcome){
		.id = peer->id,
		.epoch = clients_epoch(peer->pool, peer->id),
		.n_nodes = geo->n_nodes,
		.control_bytes = geo->control_bytes,
		.shared_bytes = geo->shared_bytes,
	};
}

/* Gets a newcomer all that a client has but its welcome: an id and the event
 * pair, of which the other end is in *theirs. 0; or -errno, and it is
 * refused. */
static int take_id(struct peer *peer, struct pool *pool, int *theirs)
{
	char why[LIMITS_TEXT];
	int r = peer->pidfd = open_pidfd(peer);
	if (r < 0)
		return refuse_fds(peer, -r);
	if (!limits_allow(peer, pool, why))
		return refuse(peer, DROP_LIMIT, EAGAIN, "%s", why);
	r = open_events(peer, &peer->events, theirs);
	if (r < 0)
		return r;
	if (peer->pid == 0)
		strcpy(peer->comm, "unseen");
	else /* Nor may slabd look at all of others, with hidepid=. */
		snprintf(peer->comm, sizeof(peer->comm), "pid %d", peer->pid);
	proc_name(peer->pid, peer->comm, sizeof(peer->comm));
	r = clients_take(pool, peer->pid, peer->uid, peer->comm);
	if (r < 0) {
		close(*theirs);
		return refuse(peer, DROP_LIMIT, EAGAIN,
		              "all ids of clients that ended rest for a "
		              "second: try again");
	}
	peer->pool = pool;
	peer->id = (uint32_t)r;
	return 0;
}

static void close_own(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int welcome(struct peer *peer, int theirs, const char *name,
                   event_callback_fn on_message)
{
	struct pool *pool = peer->pool;
	struct wire_welcome msg = welcome_of(peer);
	int own = clients_lend_shared(pool, peer->id);
	int fds[WIRE_FDS_MAX] = {theirs, pool->control_ro_fd,
	                         own >= 0 ? own : pool->shared_fd};
	bool good;
	for (unsigned node = 0; node < pool->backing.n_nodes; node++)
		fds[3 + node] = pool->backing.node[node].fd;
	peer->lent = own >= 0;
	if (peer_watch(peer, &peer->on_events, peer->events, on_message) < 0 ||
	    death_watch(peer) < 0) {
		close_own(own);
		return -ENOMEM;
	}
	/* From the welcome on the client may own objects: the descriptor store
	 * has its process before, and a slabd that is started again knows of
	 * its death. */
	fdstore_put(name, peer->pidfd);
	good = answer(peer, &msg, fds, 3 + pool->backing.n_nodes);
	close_own(own);
	if (!good)
		return -ENOTCONN;
	peer_enter(peer, PEER_LIVE);
	/* Not before it was answered: it would wait for that in vain. */
	peer_keep(peer);
	evtimer_del(peer->timer);
	files_look(peer->server, FILES_NS);
	overdue_watch(peer->server);
	log_debug("pool %s: client %u (%s, pid %d) joins, one of %u",
	          pool->name, peer->id, peer->comm, peer->pid,
	          pool->n_clients);
	return 0;
}

static int admit(struct peer *peer, struct pool *pool,
                 event_callback_fn on_message)
{
	char name[PEER_FDSTORE_NAME];
	int theirs = -1;
	int r = take_id(peer, pool, &theirs);
	if (r < 0)
		return r;
	peer_fdstore_name(name, pool, peer->id);
	r = welcome(peer, theirs, name, on_message);
	close(theirs);
	if (r == 0)
		return 0;
	/* It never was in, and has no id to keep until its end. */
	fdstore_drop(name);
	clients_reap(pool, peer->id);
	clients_free(pool, peer->id);
	peer->id = 0;
	return r;
}

/* ---- back --------------------------------------------------------------- */

/* Whether the process at the other end is the client's, and lives: 1 it is, 0 it
 * is not, or nothing tells, or -errno. */
static int is_same(const struct peer *peer, const struct peer *client)
{
	struct pollfd ends[2] = {{.events = POLLIN}, {.events = POLLIN}};
	bool same;
	int fd;
	if (client->pidfd < 0)
		return 0;
	fd = open_pidfd(peer);
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	ends[0].fd = fd;
	ends[1].fd = client->pidfd;
	same = proc_is_same(fd, client->pidfd) == 1 && poll(ends, 2, 0) == 0;
	close(fd);
	return same;
}

static bool is_of_pool(const struct pool *pool, const struct wire_hello *hello)
{
	return hello->instance == pool->head->instance &&
	       view_client_live(&pool->view, hello->id) &&
	       clients_epoch(pool, hello->id) == hello->epoch;
}

/*
 * A client that lost its connection. The access list is not asked: it has the
 * pool's memory and keeps it, and may have given up its rights since it came.
 */
static int judge_resume(struct peer *peer, struct pool *pool,
                        const struct wire_hello *hello, struct peer **out)
{
	struct peer *client;
	int same;
	/* It gave the try up: a later one of its own may have come before. */
	if (is_closed(peer))
		return -ENOTCONN;
	if (!is_of_pool(pool, hello))
		return refuse(peer, DROP_REFUSED, ESTALE,
		              "slabd was started anew, or this client has "
		              "ended: close the pool and open it again");
	client = peer_find(peer->server, pool, hello->id);
	same = client != NULL ? is_same(peer, client) : 0;
	if (same < 0)
		return refuse_fds(peer, -same);
	if (same == 0)
		return refuse(peer, DROP_REFUSED, EPERM,
		              "this client is another process: close the "
		              "pool and open it again");
	if (clients_is_banned(pool, hello->id))
		return refuse(peer, DROP_REFUSED, EACCES,
		              "slabd dropped this client for a fault, which "
		              "its log names, or slabctl evicted it: close the "
		              "pool and open it again");
	*out = client;
	return 0;
}

/* The tokens are the client's: who comes back again and again is slowed. */
static void take_back(struct peer *client, struct peer *pending,
                      event_callback_fn on_message)
{
	struct wire_welcome msg = welcome_of(client);
	int theirs = -1;
	int ours = -1;
	if (open_events(pending, &ours, &theirs) < 0)
		return;
	peer_hand_over(client, pending, ours);
	peer_take_token(client);
	if (peer_watch(client, &client->on_sock, client->sock, on_message) ||
	    peer_watch(client, &client->on_events, ours, on_message)) {
		peer_disconnect(client);
	} else {
		log_info("pool %s: client %u (%s, pid %d) is back",
		         client->pool->name, client->id, client->comm,
		         client->pid);
		if (!answer(client, &msg, &theirs, 1))
			shutdown(client->sock, SHUT_RDWR);
		else
			peer_keep(client);
		/* It may have raised a want while nobody heard it ring. */
		duty_serve_pool(client->server, client->pool);
	}
	close(theirs);
}

/* ---- a hello ------------------------------------------------------------ */

static int refuse_pool(struct peer *peer, const char *name)
{
	const struct server *server = peer->server;
	for (unsigned i = 0; i < server->n_left; i++)
		if (strcmp(server->left[i], name) == 0)
			return refuse(peer, DROP_REFUSED, EUCLEAN,
			              "pool %s could not be taken over and is "
			              "left as it was: slabd's log says why",
			              name);
	return refuse(peer, DROP_REFUSED, ENOENT,
	              "there is no pool %s: see slabctl status", name);
}

/* Which pool it asks for, and which client is back; NULL: a newcomer. 0, or
 * -errno: it is refused, or was given up. */
static int judge(struct peer *peer, const struct wire_hello *hello,
                 struct pool **pool, struct peer **client)
{
	char name[NAME_BYTES];
	if (hello->abi != WIRE_ABI)
		return refuse(peer, DROP_VERSION, EPROTO,
		              "slabd speaks ABI %u, the client's library ABI "
		              "%u: install the same version of both",
		              WIRE_ABI, hello->abi);
	memcpy(name, hello->pool, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	*pool = find_pool(peer->server, name);
	if (*pool == NULL)
		return refuse_pool(peer, name);
	if (hello->id != 0)
		return judge_resume(peer, *pool, hello, client);
	if ((*pool)->config->leaving)
		return refuse(peer, DROP_REFUSED, ENOENT,
		              "pool %s is no longer in slabd.conf: it goes on "
		              "for its clients, and lets nobody new in", name);
	if ((*pool)->head->aside != 0)
		return refuse(peer, DROP_REFUSED, EUCLEAN,
		              "pool %s is set aside, as a client took memory of "
		              "its owner tags away: end its clients, and it "
		              "is as new",
		              name);
	if (!is_allowed(peer, (*pool)->config))
		return refuse(peer, DROP_REFUSED, EACCES,
		              "user %u may not use pool %s: add it to users or "
		              "groups in slabd.conf", peer->uid, name);
	return 0;
}

bool hello_serve(struct peer *peer, const struct wire_hello *hello,
                 event_callback_fn on_message)
{
	struct pool *pool = NULL;
	struct peer *client = NULL;
	int r = judge(peer, hello, &pool, &client);
	if (r == 0 && client == NULL) {
		r = admit(peer, pool, on_message);
		if (r == 0)
			return true;
	} else if (r == 0) {
		take_back(client, peer, on_message);
	}
	peer_disconnect(peer);
	return false;
}
