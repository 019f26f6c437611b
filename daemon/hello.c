/* SPDX-License-Identifier: MIT */
/* The handshake: who may come in, and the descriptors that they get. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/ident.h"
#include "daemon/log.h"
#include "daemon/peer.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static void answer(struct peer *peer, struct wire_welcome *msg, int *fds,
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
	/* The client reads nothing else first: a full socket is its fault, and
	 * it then sees the connection close. */
	if (sendmsg(peer->sock, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("pid %d: the welcome was not taken: %s", peer->pid,
		          strerror(errno));
}

static int refuse(struct peer *peer, enum drop drop, int error,
                  const char *text)
{
	struct wire_welcome msg = {.error = error};
	snprintf(msg.text, sizeof(msg.text), "%s", text);
	answer(peer, &msg, NULL, 0);
	server_count_drop(peer->server, drop, peer->pid, text);
	return -error;
}

/* ---- who may come in ---------------------------------------------------- */

static bool in_groups(const struct peer *peer, gid_t gid)
{
	gid_t groups[1024];
	socklen_t bytes = sizeof(groups);
	if (peer->gid == gid)
		return true;
	if (getsockopt(peer->sock, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
		return false;
	for (socklen_t i = 0; i < bytes / sizeof(gid_t); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool is_allowed(const struct peer *peer, const struct config_pool *c)
{
	if (c->n_users == 0 && c->n_groups == 0)
		return true;
	for (unsigned i = 0; i < c->n_users; i++)
		if (c->users[i] == peer->uid)
			return true;
	for (unsigned i = 0; i < c->n_groups; i++)
		if (in_groups(peer, c->groups[i]))
			return true;
	return false;
}

static struct pool *find_pool(struct server *server, const char *name)
{
	for (unsigned i = 0; i < server->n_pools; i++)
		if (strcmp(server->pools[i].name, name) == 0)
			return &server->pools[i];
	return NULL;
}

/* ---- the process -------------------------------------------------------- */

/*
 * A descriptor of the process at the other end. Older kernels know it by
 * number only, which may have passed on: if the connection still stands after
 * the descriptor was made, the number was the right one.
 */
static int open_pidfd(const struct peer *peer)
{
	int fd = -1;
	socklen_t bytes = sizeof(fd);
	char byte;
	if (getsockopt(peer->sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &bytes) == 0)
		return fd;
	fd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	if (fd < 0)
		return -errno;
	if (recv(peer->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

static void read_comm(struct peer *peer)
{
	char path[40];
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/comm", peer->pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fgets(peer->comm, sizeof(peer->comm), file) != NULL)
		peer->comm[strcspn(peer->comm, "\n")] = '\0';
	fclose(file);
}

/* ---- in ----------------------------------------------------------------- */

static int open_events(struct peer *peer, int *theirs)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               0, pair) < 0)
		return -errno;
	peer->events = pair[0];
	*theirs = pair[1];
	return 0;
}

static void welcome(struct peer *peer, int theirs)
{
	struct pool *pool = peer->pool;
	struct wire_welcome msg = {
	        .id = peer->id,
	        .epoch = ident_epoch(pool, peer->id),
	        .n_nodes = pool->view.geo.n_nodes,
	        .control_bytes = pool->view.geo.control_bytes,
	        .shared_bytes = pool->view.geo.shared_bytes,
	};
	int fds[WIRE_FDS_MAX] = {theirs, pool->control_ro_fd, pool->shared_fd};
	for (unsigned node = 0; node < pool->backing.n_nodes; node++)
		fds[3 + node] = pool->backing.node[node].fd;
	answer(peer, &msg, fds, 3 + pool->backing.n_nodes);
}

static int let_in(struct peer *peer, struct pool *pool)
{
	int theirs = -1;
	int r = peer->pidfd = open_pidfd(peer);
	if (r >= 0)
		r = open_events(peer, &theirs);
	if (r < 0)
		return refuse(peer, DROP_LIMIT, -r,
		              "slabd has no descriptors left: raise its "
		              "LimitNOFILE");
	read_comm(peer);
	r = ident_take(pool, peer->pid, peer->uid, peer->comm);
	if (r < 0) {
		close(theirs);
		return refuse(peer, DROP_LIMIT, EAGAIN,
		              "the pool has all the clients it may have: "
		              "raise max_clients in slabd.conf");
	}
	peer->pool = pool;
	peer->id = (uint32_t)r;
	r = peer_watch(peer);
	if (r == 0) {
		welcome(peer, theirs);
	} else {
		ident_bury(pool, peer->id);
		ident_free(pool, peer->id);
		peer->id = 0;
	}
	close(theirs);
	return r;
}

int hello_answer(struct peer *peer, const struct wire_hello *hello)
{
	char name[NAME_BYTES];
	char text[WIRE_TEXT];
	struct pool *pool;
	if (hello->abi != WIRE_ABI) {
		snprintf(text, sizeof(text),
		         "slabd speaks ABI %u, the client's library ABI %u: "
		         "install the same version of both", WIRE_ABI, hello->abi);
		return refuse(peer, DROP_VERSION, EPROTO, text);
	}
	memcpy(name, hello->pool, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	pool = find_pool(peer->server, name);
	if (pool == NULL) {
		snprintf(text, sizeof(text),
		         "there is no pool %s: see slabctl status", name);
		return refuse(peer, DROP_REFUSED, ENOENT, text);
	}
	if (!is_allowed(peer, pool->config)) {
		snprintf(text, sizeof(text),
		         "user %u may not use pool %s: add it to users or "
		         "groups in slabd.conf", peer->uid, name);
		return refuse(peer, DROP_REFUSED, EACCES, text);
	}
	return let_in(peer, pool);
}
