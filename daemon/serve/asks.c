/* SPDX-License-Identifier: MIT */
#include "daemon/serve/asks.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/death.h"
#include "daemon/serve/peer.h"

void asks_name(struct peer *peer, const struct wire_name *msg,
               struct wire_reply *out)
{
	struct remedy why;
	int r = clients_rename(peer->pool, peer->id, msg->name, &why);
	if (r == 0)
		return;
	out->error = -r;
	remedy_join(out->text, sizeof(out->text), &why, ": ");
}

__attribute__((format(printf, 3, 4))) static int
refuse(struct wire_reply *out, int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(out->text, sizeof(out->text), format, args);
	va_end(args);
	out->error = error;
	return -1;
}

/* Descriptors in flight are counted against slabd's user: true, and an answer, where
 * the client has yet to read what it was told. */
static bool has_unread(const struct peer *peer, struct wire_reply *out)
{
	int unread = 0;
	if (ioctl(peer->sock, SIOCOUTQ, &unread) == 0 && unread == 0)
		return false;
	/* Where that can't be told, to ask again is in vain. */
	out->cache = unread > 0 ? WIRE_UNREAD : 0;
	refuse(out, EAGAIN, "read what slabd has answered before");
	return true;
}

int asks_watch(const struct peer *peer, const struct wire_watch *msg,
               struct wire_reply *out)
{
	const struct pool *pool = peer->pool;
	const struct peer *other;
	if (!view_client_live(&pool->view, msg->id))
		return refuse(out, ESRCH, "pool %s has no client %u",
		              pool->name, msg->id);
	if (msg->epoch != 0 && clients_epoch(pool, msg->id) != msg->epoch)
		return refuse(out, ESRCH,
		              "client %u of pool %s has ended: another one has "
		              "its number", msg->id, pool->name);
	if (has_unread(peer, out))
		return -1;
	other = peer_find(peer->server, pool, msg->id);
	if (other == NULL || other->pidfd < 0)
		return refuse(out, EOPNOTSUPP,
		              "the process of client %u can't be seen by "
		              "slabd, which was started anew: ask "
		              "slabd_client_check", msg->id);
	return other->pidfd;
}

/* Those that follow one that could be had: what can't is not asked for again. */
static int take_more(struct peer *peer, const struct wire_root *msg,
                     struct remedy *why)
{
	struct remedy none;
	int r = roots_take(peer->pool, peer->id, msg->handle, why);
	for (uint32_t i = 0; r == 0 && i < msg->n_more && i < WIRE_ROOT_MORE &&
	                     roots_take(peer->pool, peer->id, msg->more[i],
	                                &none) == 0; i++)
		continue;
	return r;
}

static int ask_root(struct peer *peer, const struct wire_root *msg,
                    struct wire_reply *out, struct remedy *why)
{
	struct pool *pool = peer->pool;
	int r = 0;
	switch (msg->op) {
	case WIRE_ROOT_OPEN:
		r = roots_open(pool, peer->id, msg->name, why);
		out->cache = r > 0 ? (uint32_t)r : 0;
		return r < 0 ? r : 0;
	case WIRE_ROOT_SET:
		return roots_set(pool, peer->id, msg->name, msg->handle,
		                 msg->former, why);
	case WIRE_ROOT_END:
		r = roots_end(pool, peer->id, msg->name, msg->former, why);
		death_end_owners(peer->server, pool);
		return r;
	case WIRE_ROOT_TAKE:
		return roots_take(pool, peer->id, msg->handle, why);
	case WIRE_ROOT_TAKE_MORE:
		return take_more(peer, msg, why);
	default:
		return remedy_set(why, -EOPNOTSUPP, "",
		                  "this slabd does nothing of the kind to roots");
	}
}

/* What one asked that is dead by now, and that its next life may have looked at
 * since: nothing is done for it. */
static bool is_dead(const struct peer *peer)
{
	struct pollfd at = {.fd = peer->pidfd, .events = POLLIN};
	return peer->pidfd >= 0 && poll(&at, 1, 0) == 1;
}

void asks_root(struct peer *peer, const struct wire_root *msg,
               struct wire_reply *out)
{
	bool noted = msg->op != WIRE_ROOT_OPEN;
	struct remedy why;
	int r;
	if (noted && roots_was_asked(peer->pool, peer->id, msg->head.seq,
	                             &out->error)) {
		if (out->error != 0)
			refuse(out, out->error, "as was answered before");
		return;
	}
	r = is_dead(peer) ? remedy_set(&why, -ESRCH, "", "it is dead")
	                  : ask_root(peer, msg, out, &why);
	if (noted)
		roots_note_asked(peer->pool, peer->id, msg->head.seq, -r);
	if (r == 0)
		return;
	out->error = -r;
	remedy_join(out->text, sizeof(out->text), &why, ": ");
}

int asks_join(struct peer *peer, const struct wire_join *msg,
              struct wire_reply *out)
{
	struct remedy why;
	int fd = -1;
	int ix;
	if (has_unread(peer, out))
		return -1;
	ix = channels_join(peer->pool, peer->id, msg->name, msg->capacity, &fd,
	                   &why);
	if (ix < 0) {
		out->error = -ix;
		remedy_join(out->text, sizeof(out->text), &why, ": ");
		return -1;
	}
	out->cache = (uint32_t)ix;
	return fd;
}

static int send_both(const struct peer *peer, const struct wire_reply *msg,
                     int fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
	struct wire_reply copy = *msg;
	struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		struct cmsghdr *c;
		hdr.msg_control = room;
		hdr.msg_controllen = sizeof(room);
		c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(peer->sock, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
	               ? -errno
	               : 0;
}

int asks_reply(const struct peer *peer, const struct wire_reply *msg, int fd)
{
	struct wire_reply sorry = *msg;
	int r = send_both(peer, msg, fd);
	if (r != -ETOOMANYREFS)
		return r;
	refuse(&sorry, EAGAIN, "too many descriptors are on their way to "
	                       "clients that do not read: try again");
	return send_both(peer, &sorry, -1);
}
