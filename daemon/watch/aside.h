/* SPDX-License-Identifier: MIT */
/*
 * What may take long, done by a thread while the loop goes on: one at a time.
 *
 *   aside_start -> run(arg), in a thread -> done(arg), in the loop
 */
#ifndef DAEMON_WATCH_ASIDE_H
#define DAEMON_WATCH_ASIDE_H

#include <event2/event.h>
#include <stdbool.h>

struct aside;

struct aside_request {
	struct event_base *base;
	void (*run)(void *arg);
	void (*done)(void *arg);
	/* What run uses must stay there for as long as slabd does, as aside_close
	 * may leave it running. */
	void *arg;
};

/* All of these are the loop's. 0 or -errno; close is due in any case. */
int aside_open(struct aside **out, const struct aside_request *want);

/* Waits for what runs, a second at most; done is not called. NULL is fine. */
void aside_close(struct aside *aside);

/* 0; -EBUSY something runs, until done was called; or -errno. */
int aside_start(struct aside *aside);

#endif
