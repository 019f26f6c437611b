/* SPDX-License-Identifier: MIT */
#include "daemon/serve/asks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/pool/clients.h"
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

int asks_watch(const struct peer *peer, const struct wire_watch *msg,
               struct wire_reply *out)
{
	const struct pool *pool = peer->pool;
	const struct peer *other;
	int unread = 0;
	if (!view_client_live(&pool->view, msg->id))
		return refuse(out, ESRCH, "pool %s has no client %u",
		              pool->name, msg->id);
	if (msg->epoch != 0 && clients_epoch(pool, msg->id) != msg->epoch)
		return refuse(out, ESRCH,
		              "client %u of pool %s has ended: another one has "
		              "its number", msg->id, pool->name);
	/* Descriptors in flight are counted against slabd's user. */
	if (ioctl(peer->sock, SIOCOUTQ, &unread) < 0 || unread > 0)
		return refuse(out, EAGAIN,
		              "read what slabd has answered before");
	other = peer_find(peer->server, pool, msg->id);
	if (other == NULL || other->pidfd < 0)
		return refuse(out, EOPNOTSUPP,
		              "the process of client %u can't be seen by "
		              "slabd, which was started anew: ask "
		              "slabd_client_check", msg->id);
	return other->pidfd;
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
