/* SPDX-License-Identifier: MIT */
/*
 * The cache table of a pool: caches are made at run time, and end.
 *
 *   NONE --create--> LIVE --remove, retire, or its row is needed--> GONE
 *                      ^------------------- create ------------------'
 *
 * A cache ends once no client has it open and nothing in it is in use; its
 * slabs are empty then and are reclaimed. Who has it open is noted in the
 * control file, before the client hears of the cache, until it tells that it
 * closed it or has ended: so the next slabd knows, too, and no row is another
 * cache's while a client may still use it by its id. A row that is free is used
 * again as late as possible.
 *
 * There may be several caches of one name, versions that differ in size,
 * alignment or flags. Those that are not the newest retire by themselves.
 */
#ifndef DAEMON_POOL_CACHES_H
#define DAEMON_POOL_CACHES_H

#include "daemon/base/remedy.h"
#include "daemon/pool/ends.h"

#define CACHES_E_LATER 1

/* What a request is about, from its first call to the last; all 0 before. It may
 * be forgotten at any time. */
struct caches_job {
	uint32_t cache; /* that was made or found */
	uint32_t removed, left;
	bool began;
	uint32_t at; /* the next row */
	struct ends ends;
	struct ends_search search;
	struct remedy why; /* the first that is left is */
};

/* What a client asks for; name need not end in zero. */
struct caches_want {
	const char *name;
	uint64_t size, align;
	uint32_t flags;
};

/* Finds the cache, or makes it, as the CACHE_* of a request say. One of that
 * name and another shape is replaced if it can end. 0, with its id in the job;
 * CACHES_E_LATER, caches have to end first, and there was no time for that: call
 * it again with the same job; or -errno with the reason and the remedy in why:
 * EINVAL, EEXIST, ENOENT, ENOSPC, ENOMEM. */
int caches_create_some(struct pool *pool, const struct caches_want *want,
                       struct caches_job *job, int64_t until_ns,
                       struct remedy *why);

/* The same at one time. Its id, or -errno. */
int caches_create(struct pool *pool, const char name[NAME_BYTES], uint64_t size,
                  uint64_t align, uint32_t flags, struct remedy *why);

/* The id of the newest cache of a name, or 0. */
uint32_t caches_find(const struct pool *pool, const char *name);

/* A live client has it open from now on, or no longer. close: false if it had
 * not, or there is no such cache. */
void caches_open(struct pool *pool, uint32_t id, uint32_t cache);
bool caches_close(struct pool *pool, uint32_t id, uint32_t cache);

/* The client has ended: it has none open. */
void caches_leave(struct pool *pool, uint32_t id);

/* Removes all versions of a name that are unused. 0, with how many in the job;
 * CACHES_E_LATER, as above; or -EBUSY, one is left, or -ENOENT, with why set. And
 * the same at one time: how many, or -errno. */
int caches_remove_some(struct pool *pool, const char *name,
                       struct caches_job *job, int64_t until_ns,
                       struct remedy *why);
int caches_remove(struct pool *pool, const char *name, struct remedy *why);

/* Ends older versions that are unused by now. False: there was no time for all.
 * And the same at one time: whether some are left. */
bool caches_tidy_some(struct pool *pool, struct caches_job *job,
                      int64_t until_ns);
bool caches_tidy(struct pool *pool);

/* How many caches there are. */
uint32_t caches_count(const struct pool *pool);

/* Counts who has what open, of a pool that is taken over. */
void caches_adopt(struct pool *pool);

#endif
