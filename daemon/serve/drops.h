/* SPDX-License-Identifier: MIT */
/* Connections that were dropped, by reason. */
#ifndef DAEMON_SERVE_DROPS_H
#define DAEMON_SERVE_DROPS_H

#include <event2/event.h>
#include <stdint.h>

/* Why. Names in drops_name. */
enum drop {
	DROP_GARBAGE,     /* no message of ours */
	DROP_SHORT,       /* cut */
	DROP_OVERSIZED,   /* longer than any message */
	DROP_VERSION,     /* another ABI */
	DROP_DESCRIPTORS, /* descriptors that nobody asked for */
	DROP_FLOOD,       /* of old: who asks too much is slowed now */
	DROP_TIMEOUT,     /* no hello in time */
	DROP_REFUSED,     /* no such pool, or not on its access list */
	DROP_LIMIT,       /* too many clients or descriptors */
	DROPS,
};

struct drops {
	uint64_t count[DROPS];
	struct event *log_sums; /* a flood of them is summed up in the log */
};

/* 0 or -ENOMEM. */
int drops_open(struct drops *drops, struct event_base *base);
void drops_close(struct drops *drops);

/* Counts and logs one. text may come from the client. */
void drops_count(struct drops *drops, enum drop drop, int32_t pid,
                 const char *text);

const char *drops_name(enum drop drop);

#endif
