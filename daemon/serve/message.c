/* SPDX-License-Identifier: MIT */
#include "daemon/serve/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fault(struct message *message, enum drop drop, const char *text)
{
	message->kind = MESSAGE_FAULT;
	message->drop = drop;
	message->text = text;
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

static void check_hello(struct message *message)
{
	const struct wire_hello *hello = &message->as.hello;
	if (message->bytes < offsetof(struct wire_hello, pool))
		fault(message, DROP_SHORT, "cut message");
	else if (hello->magic != WIRE_MAGIC || hello->type != WIRE_HELLO)
		fault(message, DROP_GARBAGE, "no hello");
	else if (hello->abi == WIRE_ABI && message->bytes != sizeof(*hello))
		fault(message,
		      message->bytes < sizeof(*hello) ? DROP_SHORT
		                                      : DROP_OVERSIZED,
		      "hello of another length");
	else
		message->kind = MESSAGE_HELLO;
}

static const struct request {
	uint32_t type;
	enum message_kind kind;
	size_t bytes;
} requests[] = {
	{WIRE_CREATE, MESSAGE_CREATE, sizeof(struct wire_create)},
	{WIRE_CLOSE, MESSAGE_CLOSE, sizeof(struct wire_close)},
	{WIRE_REMOVE, MESSAGE_REMOVE, sizeof(struct wire_remove)},
	{WIRE_BYE, MESSAGE_BYE, sizeof(struct wire_head)},
};

static const struct request *find_request(uint32_t type)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].type == type)
			return &requests[i];
	return NULL;
}

static void check_request(struct message *message)
{
	const struct wire_head *head = &message->as.head;
	const struct request *is = message->bytes < sizeof(*head)
	                                   ? NULL
	                                   : find_request(head->type);
	if (message->bytes < sizeof(*head))
		fault(message, DROP_SHORT, "cut message");
	else if (is == NULL)
		fault(message, DROP_GARBAGE, "unknown message");
	else if (message->bytes != is->bytes || head->bytes != is->bytes)
		fault(message,
		      message->bytes < is->bytes ? DROP_SHORT : DROP_OVERSIZED,
		      "message of another length");
	else
		message->kind = is->kind;
}

static void check_event(struct message *message)
{
	const struct wire_head *head = &message->as.head;
	if (message->bytes == sizeof(*head) && head->type == WIRE_RING)
		message->kind = MESSAGE_RING;
	else if (message->bytes == sizeof(message->as.held) &&
	         head->type == WIRE_HELD)
		message->kind = MESSAGE_HELD;
	else
		fault(message, DROP_GARBAGE, "unknown event");
}

void message_read(int fd, enum message_from from, struct message *message)
{
	static void (*const check[])(struct message *) = {
		[MESSAGE_FROM_PENDING] = check_hello,
		[MESSAGE_FROM_CLIENT] = check_request,
		[MESSAGE_FROM_EVENTS] = check_event,
	};
	_Alignas(struct cmsghdr) char extra[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = {.iov_base = &message->as,
	                    .iov_len = sizeof(message->as)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = extra,
	                     .msg_controllen = sizeof(extra)};
	ssize_t n = recvmsg(fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	message->kind = MESSAGE_NONE;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	message->kind = MESSAGE_END;
	if (n <= 0)
		return;
	message->bytes = (size_t)n;
	if (close_extra(&hdr))
		fault(message, DROP_DESCRIPTORS, "uninvited descriptors");
	else if (hdr.msg_flags & MSG_TRUNC)
		fault(message, DROP_OVERSIZED, "over 512 bytes");
	else
		check[from](message);
}
