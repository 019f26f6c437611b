/* SPDX-License-Identifier: MIT */
/*
 * Whether the kernel is short of memory, told without polling:
 *
 *   pressure stall information   triggers on /proc/pressure/memory and on the
 *                                memory.pressure of our own cgroup: those who
 *                                want memory stood still for so long in a second
 *   memory.events                of our own cgroup: its limits were met
 *
 *   CALM -> SOME   stalls of some, or memory.high or memory.max was met
 *   any  -> FULL   stalls of all at once, or the kernel killed somebody
 *   back           PRESSURE_STAYS_MS after the last event of the level
 *
 * There is no wake-up while nothing happens. What can't be watched is said once
 * in the log and left out. One thread, the event loop's.
 */
#ifndef DAEMON_WATCH_PSI_H
#define DAEMON_WATCH_PSI_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/plan/snapshot.h"

#define PRESSURE_STAYS_MS 5000
#define PRESSURE_PATH 512

/* Where it is to be seen; tests have places of their own. */
struct pressure_places {
	char psi[PRESSURE_PATH];    /* a file as /proc/pressure/memory */
	char cgroup[PRESSURE_PATH]; /* our cgroup's folder, "": there is none */
};

/* Those of this process. */
void pressure_find(struct pressure_places *places);

/* The folder of a cgroup: from the text of /proc/self/cgroup and where the
 * second version is mounted. "" if it is in none. */
void pressure_cgroup(char folder[PRESSURE_PATH], const char *text,
                     const char *mount);

/* When a level ends; all zero: CALM. */
struct pressure_state {
	int64_t until_ms[POLICY_FULL + 1];
};

/* A level was met and stays until then. */
void pressure_note(struct pressure_state *state, enum policy_pressure level,
                   int64_t until_ms);
/* *left_ms: until it may be another, -1: it stays. */
enum policy_pressure pressure_at(const struct pressure_state *state,
                                 int64_t now_ms, int *left_ms);

/* What memory.events says of limits met (SOME) and of kills (FULL); 0 where a
 * key is missing. */
void pressure_counts(const char *text, uint64_t counts[POLICY_FULL + 1]);

struct pressure;

/* changed is called with each other level than before. */
struct pressure_request {
	struct event_base *base;
	const struct pressure_places *places;
	unsigned stall_ms; /* 1..1000, in a second */
	int stays_ms;      /* 0: PRESSURE_STAYS_MS */
	void (*changed)(void *arg, enum policy_pressure level);
	void *arg;
};

/* 0, also where nothing can be watched; or -ENOMEM, -EMFILE. */
int pressure_open(struct pressure **out, const struct pressure_request *want);
void pressure_close(struct pressure *pressure); /* NULL is fine */

/* Watches one more descriptor that is readable out of band (POLLPRI) when the
 * level is met. It is ours to close, after a failure as well. 0 or -errno. */
int pressure_add(struct pressure *pressure, int fd,
                 enum policy_pressure level);

enum policy_pressure pressure_level(const struct pressure *pressure);

/* Why the machine's or the cgroup's is not watched, and what changes that; ""
 * if both are. */
const char *pressure_reason(const struct pressure *pressure);
const char *pressure_remedy(const struct pressure *pressure);

#endif
