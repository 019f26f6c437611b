/* SPDX-License-Identifier: MIT */
/*
 * Pools of slabds that are gone, whose memory lives on in processes that have it
 * mapped: looked for in /proc when asked for, by a thread, as the kernel answers
 * some of that when it likes: a process that starts another program, or maps
 * much, has its maps to itself meanwhile.
 *
 *   asked -> maps of all processes -> if some have a control file that is not
 *   ours: files open in all processes -> those that nobody keeps are orphans
 *
 * A control file that somebody has mapped for writing is a living slabd's; one
 * that somebody has open is kept for a slabd to come.
 */
#ifndef DAEMON_WATCH_ORPHANS_H
#define DAEMON_WATCH_ORPHANS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ORPHANS_MAX 32u    /* pools, ours among them */
#define ORPHANS_PIDS 8u    /* named of each */
#define ORPHANS_FILES 132u /* of a pool, and of another with its name */

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
	struct {
		dev_t dev;
		ino_t ino;
		uint64_t bytes;
	} file[ORPHANS_FILES];
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

/* All of these are the loop's, and all callbacks come from it. 0 or -errno. */
int orphans_open(struct orphans **out, const struct orphans_request *want);

/* Waits for a scan that is under way, a second at most. NULL is fine. */
void orphans_close(struct orphans *orphans);

/* Begins a scan unless one is under way, or ended less than so long ago. */
void orphans_scan(struct orphans *orphans, int64_t age_ns);

/* What the last scan found, and how many. */
const struct orphan *orphans_found(const struct orphans *orphans, unsigned *n);

#endif
