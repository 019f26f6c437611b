/* SPDX-License-Identifier: MIT */
/* One message of a client, read and checked. Knows no peer. */
#ifndef DAEMON_SERVE_MESSAGE_H
#define DAEMON_SERVE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/serve/drops.h"
#include "shm/wire_channel.h"
#include "shm/wire_root.h"

/* Where it comes from says what it may be. */
enum message_from {
	MESSAGE_FROM_PENDING, /* a hello */
	MESSAGE_FROM_CLIENT,  /* create, close, remove, name, watch, root,
	                         join, leave, bye */
	MESSAGE_FROM_EVENTS,  /* ring, held, found */
};

enum message_kind {
	MESSAGE_NONE, /* nothing has come */
	MESSAGE_END,  /* nothing will come: the other end is closed */
	MESSAGE_FAULT,
	MESSAGE_HELLO,
	MESSAGE_CREATE,
	MESSAGE_CLOSE,
	MESSAGE_REMOVE,
	MESSAGE_NAME,
	MESSAGE_WATCH,
	MESSAGE_ROOT,
	MESSAGE_JOIN,
	MESSAGE_LEAVE,
	MESSAGE_BYE,
	MESSAGE_RING,
	MESSAGE_HELD,
	MESSAGE_FOUND,
};

struct message {
	enum message_kind kind;
	enum drop drop;   /* of a fault */
	const char *text; /* of a fault */
	size_t bytes;
	union {
		char bytes_max[WIRE_BYTES_MAX];
		struct wire_head head;
		struct wire_hello hello;
		struct wire_create create;
		struct wire_close close;
		struct wire_remove remove;
		struct wire_name name;
		struct wire_watch watch;
		struct wire_root root;
		struct wire_join join;
		struct wire_leave leave;
		struct wire_held held;
		struct wire_found found;
	} as;
};

/* Reads one. All of the struct that its kind is read as has come. One that brings
 * descriptors is a fault and stays unread, for door_close. */
void message_read(int fd, enum message_from from, struct message *message);

/* Whether it is a request that may take long: it stays in the queue until it is
 * answered, and is read again for each slice of that, also by the next slabd. Then
 * it is taken out. */
static inline bool message_stays(const struct message *message)
{
	return message->kind == MESSAGE_CREATE ||
	       message->kind == MESSAGE_REMOVE;
}
void message_take(int fd);

#endif
