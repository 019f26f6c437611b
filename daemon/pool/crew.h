/* SPDX-License-Identifier: MIT */
/*
 * Threads that do what the event loop can't wait for, one a node, near its
 * memory, and one more: the kernel clears pages, makes hugepages, moves things
 * together, and a client's call may hold the file. Each pool has a crew of its
 * own, so that its clients keep no other pool waiting.
 *
 *   crew_submit --> run, on the node's thread --> crew_fd is readable
 *                                             --> crew_finish: done, in the loop
 *
 * A thread begins with the first job of its node. Jobs of one node are run in
 * the order in which they came. What a job works on is its own from submit to
 * done. The loop's thread calls all of this.
 */
#ifndef DAEMON_POOL_CREW_H
#define DAEMON_POOL_CREW_H

#include <stdbool.h>
#include <stdint.h>

struct crew;
struct topo;

/* Memory of the caller's, until done was called. */
struct crew_job {
	void (*run)(struct crew_job *job);
	void (*done)(struct crew_job *job);
	struct crew_job *next;
	bool ended; /* under the crew's lock */
};

/* 0 or -errno. */
int crew_open(struct crew **out, const struct topo *topo);

/* Waits until all that was submitted has run, then does what is due. NULL is
 * fine. */
void crew_close(struct crew *crew);

/* Readable when jobs have ended. */
int crew_fd(const struct crew *crew);

/* node_ix TOPO_NODES_MAX is near no node. Where no thread is to be had it runs at
 * once. */
void crew_submit(struct crew *crew, unsigned node_ix, struct crew_job *job);

/* Calls done for all that have ended. */
void crew_finish(struct crew *crew);

/* Waits until a job that was submitted has ended, then the same. False: it had not
 * by that time of clock_ns(). */
bool crew_wait(struct crew *crew, const struct crew_job *job, int64_t until_ns);

#endif
