/* SPDX-License-Identifier: MIT */
/*
 * What a pool's files hold, by the kernel's count, against slabd's books.
 *
 * Clients can write to the data and to the shared file, so they can add memory
 * (a debugger's read of a hole, a touch of all of it) and take some away (a
 * hole punched). Neither is what a client does by ordinary means, and slabd
 * puts both right when it looks: memory that is no page goes back, and pages
 * that lack memory get it again, zeroed, since who touches them otherwise takes
 * SIGBUS. Where owner tags are gone nobody knows any longer which objects are
 * in use: then the pool is set aside, and nobody new comes in.
 *
 * A look costs an fstat a file as long as all is as it should be. What differs is
 * put right by jobs of some milliseconds (work.h): a call of a client's may hold
 * the file, and with it whoever punches it, as long as it likes.
 */
#ifndef DAEMON_POOL_HOLES_H
#define DAEMON_POOL_HOLES_H

#include "daemon/pool/pool.h"
#include "shm/audit.h"

/* The data file of each node by its index, then the shared file. */
static inline unsigned holes_files(const struct pool *pool)
{
	return pool->view.geo.n_nodes + 1;
}

struct holes_count {
	uint64_t held_bytes;
	uint64_t due_bytes;
};

/* 0 or -errno. */
int holes_count(const struct pool *pool, unsigned file,
                struct holes_count *out);

/* Compares, and has what differs put right beside the loop. Whether there is more
 * to be done at once. */
bool holes_look(struct pool *pool);

/* Whether a file has more memory or less than it should, after a look: whoever
 * added to it may have ended before the look was over. */
bool holes_differ(const struct pool *pool);

/* Whether something was done beside the loop since the last time, and there is
 * more. */
bool holes_take_more(struct pool *pool);

/* The same if the shared file lacks memory: before slabd reads tags, as that
 * would fault in what is gone. False: it still does, and no tag is to be read;
 * each call does some of what is to be done. */
bool holes_guard(struct pool *pool);

/* Whether a file differs that is being put right just now. */
bool holes_is_mending(const struct pool *pool);

/* Compares alone: a fault for each file that differs. */
void holes_audit(const struct pool *pool, struct audit *audit);

#endif
