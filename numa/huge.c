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

/* The pool, found and locked against others who count as we do. Returns the
 * descriptor of nr_hugepages, whose close ends the lock. */
static int lock_pool(const char *sysfs, unsigned os_node, unsigned page_shift,
                     struct hugepool *pool, struct huge_counts *now)
{
	int r = hugepool_find(sysfs, os_node, page_shift, pool);
	char path[180];
	int fd;
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/nr_hugepages", pool->folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == EPERM || errno == EROFS ? -EACCES : -errno;
	hugepool_lock(fd);
	r = hugepool_count(pool, now);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Has that many pages of the node last. fd is its nr_hugepages, locked. */
static int set_lasting(const struct hugepool *pool, int fd, unsigned os_node,
                       const struct huge_counts *now, uint64_t want)
{
	if (surplus_is_elsewhere(pool, now) &&
	    surplus_change(pool, os_node,
	                   (int64_t)(want - hugepool_lasting(now))) == 0)
		return 0;
	return hugepool_write(fd, want);
}

int huge_reserve(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *got)
{
	struct hugepool pool;
	struct huge_counts now;
	struct huge_counts after;
	int r;
	int fd = lock_pool(sysfs, os_node, page_shift, &pool, &now);
	*got = 0;
	if (fd < 0)
		return fd;
	/* Surplus pages are made lasting before any new one is added. */
	r = set_lasting(&pool, fd, os_node, &now, now.total_pages + n);
	if (r == 0)
		r = hugepool_count(&pool, &after);
	if (r == 0 && hugepool_lasting(&after) > hugepool_lasting(&now))
		*got = hugepool_less(hugepool_lasting(&after) -
		                             hugepool_lasting(&now),
		                     n + now.surplus_pages);
	close(fd);
	return r;
}

static int lower(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, bool in_use_too, uint64_t *gone)
{
	struct hugepool pool;
	struct huge_counts now;
	int r = 0;
	int fd = lock_pool(sysfs, os_node, page_shift, &pool, &now);
	*gone = 0;
	if (fd < 0)
		return fd;
	n = hugepool_less(n, in_use_too ? hugepool_lasting(&now)
	                                : now.spare_pages);
	n = hugepool_less(n, hugepool_lasting(&now));
	if (n > 0 && !in_use_too && surplus_is_anywhere(&pool))
		r = surplus_free(sysfs, &pool, os_node, page_shift, n);
	else if (n > 0)
		r = set_lasting(&pool, fd, os_node, &now,
		                hugepool_lasting(&now) - n);
	if (r == 0)
		*gone = n;
	close(fd);
	return r;
}

int huge_release(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *gone)
{
	return lower(sysfs, os_node, page_shift, n, false, gone);
}

int huge_owe(const char *sysfs, unsigned os_node, unsigned page_shift,
             uint64_t n)
{
	struct hugepool pool;
	struct huge_counts now;
	uint64_t gone;
	int r = hugepool_find(sysfs, os_node, page_shift, &pool);
	if (r == 0)
		r = hugepool_count(&pool, &now);
	if (r == 0)
		r = surplus_change(
			&pool, os_node,
			-(int64_t)hugepool_less(n, hugepool_lasting(&now)));
	if (r == 0)
		return 0;
	return lower(sysfs, os_node, page_shift, n, true, &gone);
}
