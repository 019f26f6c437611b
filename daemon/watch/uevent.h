/* SPDX-License-Identifier: MIT */
/*
 * CPUs and memory that come and go while slabd runs: the kernel tells of them
 * (uevents, over a netlink socket), and what the machine is like then is looked
 * up anew and entered in the pools. Nothing is looked up while nothing happens.
 *
 *   uevent --> a while for the rest of a burst --> changed --> follow_nodes
 *
 * The kernel sends uevents of CPUs and memory to every network namespace of the
 * first user namespace: a private network does not keep them out.
 *
 * One thread, the event loop's.
 */
#ifndef DAEMON_WATCH_UEVENT_H
#define DAEMON_WATCH_UEVENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/pool/pool.h"

/* What a message tells of, as bits. */
enum uevent_what {
	UEVENT_NOTHING = 0,
	UEVENT_CPUS = 1,
	UEVENT_MEMORY = 2,
};

/* Reads a message of the kernel: "ACTION@PATH", then KEY=VALUE, each with a
 * terminating zero. Anything else is nothing. */
enum uevent_what uevent_parse(const char *message, size_t bytes);

struct uevent;

/* changed is called some 100 ms after the first message of a burst. */
struct uevent_request {
	struct event_base *base;
	void (*changed)(void *arg, unsigned what);
	void *arg;
};

/* 0, or -errno: such a socket is not to be had, or -ENOMEM. */
int uevent_open(struct uevent **out, const struct uevent_request *want);
void uevent_close(struct uevent *hotplug); /* NULL is fine */

/*
 * Enters what the machine is like now. A CPU that came counts for the node that
 * it is near; one that went needs nothing. A node whose memory went is out of
 * the policy's reach until it is back. Says all of it in the log. What has
 * changed, as bits.
 */
unsigned follow_nodes(struct pool *pool, const struct topo *now);

/* Looks up where the kernel has up to n pages, from *page on, and follows those
 * that it moved with all their slabs. False once *page is past the last. */
bool follow_pages(struct pool *pool, uint64_t *page, uint64_t n);

#endif
