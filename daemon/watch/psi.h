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
 *   any  -> FULL   stalls of all at once, or the kernel killed somebody; of the
 *                  machine it is SOME while that has an eighth of its memory to
 *                  spare: who stalls then has met a limit of his own
 *   back           PSI_STAYS_NS after the last event of the level
 *
 * There is no wake-up while nothing happens. What can't be watched is said once
 * in the log and left out. One thread, the event loop's.
 */
#ifndef DAEMON_WATCH_PSI_H
#define DAEMON_WATCH_PSI_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/remedy.h"
#include "daemon/plan/snapshot.h"

#define PSI_STAYS_NS INT64_C(5000000000)
#define PSI_PATH 512

/* Where it is to be seen; tests have places of their own. */
struct psi_places {
	char psi[PSI_PATH];    /* a file as /proc/pressure/memory */
	char cgroup[PSI_PATH]; /* our cgroup's folder, "": there is none */
	char meminfo[PSI_PATH]; /* a file as /proc/meminfo */
};

/* Those of this process. */
void psi_find(struct psi_places *places);

/* The folder of a cgroup: from the text of /proc/self/cgroup and where the
 * second version is mounted. "" if it is in none. */
void psi_cgroup(char folder[PSI_PATH], const char *text, const char *mount);

/* When a level ends; all zero: CALM. */
struct psi_state {
	int64_t until_ns[PLAN_FULL + 1]; /* by clock_ns */
};

/* A level was met and stays until then. */
void psi_note(struct psi_state *state, enum plan_pressure level,
              int64_t until_ns);
/* *left_ns: until it may be another, -1: it stays. */
enum plan_pressure psi_at(const struct psi_state *state, int64_t now_ns,
                          int64_t *left_ns);

/* What memory.events says of limits met (SOME) and of kills (FULL); 0 where a
 * key is missing. */
void psi_counts(const char *text, uint64_t counts[PLAN_FULL + 1]);

/* How long those of a kind, "some" or "full", have stalled by a text as
 * /proc/pressure/memory, in microseconds; 0 where it does not say. */
uint64_t psi_total_us(const char *text, const char *kind);

/* The level that a stall of the machine's is, by a text as /proc/meminfo: where that
 * does not say what is to spare, the same. */
enum plan_pressure psi_of_machine(enum plan_pressure level, const char *meminfo);

struct psi;

/* changed is called with each other level than before. */
struct psi_request {
	struct event_base *base;
	const struct psi_places *places;
	unsigned stall_ms; /* 1..1000, in a second */
	int64_t stays_ns;  /* 0: PSI_STAYS_NS */
	void (*changed)(void *arg, enum plan_pressure level);
	void *arg;
};

/* 0, also where nothing can be watched; or -ENOMEM, -EMFILE. */
int psi_open(struct psi **out, const struct psi_request *want);
void psi_close(struct psi *pressure); /* NULL is fine */

/* Watches one more descriptor that is readable out of band (POLLPRI) when the
 * level is met. It is ours to close, after a failure as well. 0 or -errno. */
int psi_add(struct psi *pressure, int fd, enum plan_pressure level);

/* Why the machine's or the cgroup's is not watched, and what changes that;
 * empty if both are. */
const struct remedy *psi_lack(const struct psi *pressure);

#endif
