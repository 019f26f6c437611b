/* SPDX-License-Identifier: MIT */
#include "daemon/serve/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/serve/door.h"

static void fault(struct message *message, enum drop drop, const char *text)
{
	message->kind = MESSAGE_FAULT;
	message->drop = drop;
	message->text = text;
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
	{WIRE_NAME, MESSAGE_NAME, sizeof(struct wire_name)},
	{WIRE_WATCH, MESSAGE_WATCH, sizeof(struct wire_watch)},
	{WIRE_ROOT, MESSAGE_ROOT, sizeof(struct wire_root)},
	{WIRE_JOIN, MESSAGE_JOIN, sizeof(struct wire_join)},
	{WIRE_LEAVE, MESSAGE_LEAVE, sizeof(struct wire_leave)},
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
	else if (message->bytes == sizeof(message->as.found) &&
	         head->type == WIRE_FOUND)
		message->kind = MESSAGE_FOUND;
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
	bool cut, brings;
	ssize_t n = door_peek(fd, &message->as, sizeof(message->as), &cut,
	                      &brings);
	message->kind = MESSAGE_NONE;
	if (n == -EAGAIN || n == -EINTR)
		return;
	message->kind = MESSAGE_END;
	if (n <= 0 && !brings)
		return;
	message->bytes = (size_t)n;
	if (brings) {
		/* It stays in the queue, for who may wait to close. */
		fault(message, DROP_DESCRIPTORS, "uninvited descriptors");
		return;
	}
	if (cut)
		fault(message, DROP_OVERSIZED, "over 512 bytes");
	else
		check[from](message);
	if (!message_stays(message))
		message_take(fd);
}

void message_take(int fd)
{
	/* All of it, as it is a packet. */
	recv(fd, NULL, 0, MSG_DONTWAIT);
}
