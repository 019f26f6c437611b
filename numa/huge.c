/* SPDX-License-Identifier: MIT */
#include "numa/huge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/hugepool.h"
#include "numa/surplus.h"

int huge_count(const char *sysfs, unsigned os_node, unsigned page_shift,
               struct huge_counts *out)
{
	struct hugepool pool;
	int r = hugepool_find(sysfs, os_node, page_shift, &pool);
	memset(out, 0, sizeof(*out));
	return r < 0 ? r : hugepool_count(&pool, out);
}

/* A pool that is about to be changed. */
struct opened {
	struct hugepool pool;
	struct huge_counts now;
	int fd;   /* of its nr_hugepages */
	int lock; /* as hugepool_lock gives it */
};

static void close_pool(struct opened *at)
{
	if (at->fd >= 0)
		close(at->fd);
	if (at->lock >= 0)
		close(at->lock);
}

/* Found, locked against other slabds, counted. */
static int open_pool(const char *sysfs, unsigned os_node, unsigned page_shift,
                     struct opened *at)
{
	int r = hugepool_find(sysfs, os_node, page_shift, &at->pool);
	char path[180];
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/nr_hugepages", at->pool.folder);
	at->fd = open(path, O_RDWR | O_CLOEXEC);
	if (at->fd < 0)
		return errno == EPERM || errno == EROFS ? -EACCES : -errno;
	at->lock = hugepool_lock();
	r = at->lock == -EAGAIN ? -EAGAIN
	                        : hugepool_count(&at->pool, &at->now);
	if (r < 0)
		close_pool(at);
	return r;
}

/* Has that many pages of the node last. */
static int set_lasting(const struct opened *at, unsigned os_node, uint64_t want)
{
	if (surplus_is_elsewhere(&at->pool, &at->now) &&
	    surplus_change(&at->pool, os_node,
	                   (int64_t)(want - hugepool_lasting(&at->now))) == 0)
		return 0;
	return hugepool_write(at->fd, want);
}

int huge_reserve(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *got)
{
	struct opened at;
	struct huge_counts after;
	int r = open_pool(sysfs, os_node, page_shift, &at);
	*got = 0;
	if (r < 0)
		return r;
	/* Surplus pages are made lasting before any new one is added. */
	r = set_lasting(&at, os_node, at.now.total_pages + n);
	if (r == 0)
		r = hugepool_count(&at.pool, &after);
	if (r == 0 && hugepool_lasting(&after) > hugepool_lasting(&at.now))
		*got = hugepool_less(hugepool_lasting(&after) -
		                             hugepool_lasting(&at.now),
		                     n + at.now.surplus_pages);
	close_pool(&at);
	return r;
}

int huge_release(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *gone)
{
	struct opened at;
	int r = open_pool(sysfs, os_node, page_shift, &at);
	*gone = 0;
	if (r < 0)
		return r;
	n = hugepool_less(n, at.now.spare_pages);
	n = hugepool_less(n, hugepool_lasting(&at.now));
	if (n > 0 && surplus_is_anywhere(&at.pool))
		r = surplus_free(sysfs, &at.pool, os_node, page_shift, n);
	else if (n > 0)
		r = set_lasting(&at, os_node, hugepool_lasting(&at.now) - n);
	if (r == 0)
		*gone = n;
	close_pool(&at);
	return r;
}

int huge_owe(const char *sysfs, unsigned os_node, unsigned page_shift,
             uint64_t n)
{
	struct opened at;
	int r = open_pool(sysfs, os_node, page_shift, &at);
	if (r < 0)
		return r;
	n = hugepool_less(n, hugepool_lasting(&at.now));
	if (n > 0 && surplus_change(&at.pool, os_node, -(int64_t)n) < 0)
		r = set_lasting(&at, os_node, hugepool_lasting(&at.now) - n);
	close_pool(&at);
	return r;
}
