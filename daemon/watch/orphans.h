/* SPDX-License-Identifier: MIT */
/*
 * Pools of slabds that are gone, whose memory lives on in processes that have it
 * mapped: looked for in /proc when asked for, in slices of a millisecond, so
 * that the loop goes on.
 *
 *   asked -> maps of all processes -> if some have a control file that is not
 *   ours: files open in all processes -> those that nobody keeps are orphans
 *
 * A control file that somebody has mapped for writing is a living slabd's; one
 * that somebody has open is kept for a slabd to come. One thread, the event
 * loop's.
 */
#ifndef DAEMON_WATCH_ORPHANS_H
#define DAEMON_WATCH_ORPHANS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ORPHANS_MAX 16u   /* pools */
#define ORPHANS_PIDS 8u   /* named of each */
#define ORPHANS_FILES 66u /* of a pool */

/* What processes have mapped of one pool. */
struct orphan {
	char pool[64];
	uint64_t bytes; /* that its files hold, as far as it can be seen */
	unsigned n_pids;
	int32_t pid[ORPHANS_PIDS];
	char name[ORPHANS_PIDS][16];
	/* Private to the scan: its control file, and those counted. */
	dev_t dev;
	ino_t control;
	bool kept;
	unsigned n_files;
	ino_t file[ORPHANS_FILES];
};

struct orphans;

struct orphans_request {
	struct event_base *base;
	const char *proc; /* NULL: "/proc" */
	/* Whether a file is one of this slabd's pools. */
	bool (*is_ours)(void *arg, dev_t dev, ino_t ino);
	void (*done)(void *arg); /* after each scan; may be NULL */
	void *arg;
};

/* 0 or -ENOMEM. */
int orphans_open(struct orphans **out, const struct orphans_request *want);
void orphans_close(struct orphans *orphans); /* NULL is fine */

/* Begins a scan unless one is under way, or ended less than so long ago. */
void orphans_scan(struct orphans *orphans, int64_t age_ns);

/* What the last scan found, and how many. */
const struct orphan *orphans_found(const struct orphans *orphans, unsigned *n);

#endif
