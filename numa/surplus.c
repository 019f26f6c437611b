/* SPDX-License-Identifier: MIT */
#include "numa/surplus.h"

#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MASK_NODES 4096
#define WORD_BITS (8 * sizeof(unsigned long))
#define OWING_MAX 64u /* nodes with surplus pages that are looked after */

/* Before 6.15. */
static bool is_old_kernel(void)
{
	struct utsname name;
	unsigned major;
	unsigned minor;
	return uname(&name) == 0 &&
	       sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 15));
}

bool surplus_is_elsewhere(const struct hugepool *pool,
                          const struct huge_counts *now)
{
	uint64_t surplus = 0;
	return is_old_kernel() &&
	       hugepool_read(pool->whole, "surplus_hugepages", &surplus) == 0 &&
	       surplus > now->surplus_pages;
}

bool surplus_is_anywhere(const struct hugepool *pool)
{
	uint64_t surplus = 0;
	char path[180];
	snprintf(path, sizeof(path), "%s/nr_hugepages_mempolicy", pool->whole);
	return is_old_kernel() && strcmp(pool->folder, pool->whole) != 0 &&
	       access(path, W_OK) == 0 &&
	       hugepool_read(pool->whole, "surplus_hugepages", &surplus) == 0 &&
	       surplus > 0;
}

/* Moves what lasts on the whole machine by some pages; the thread's memory
 * policy holds the change to the node. */
static int change_whole(const struct hugepool *pool, unsigned os_node,
                        int64_t by)
{
	struct hugepool whole = *pool;
	struct huge_counts now;
	unsigned long mask[MASK_NODES / WORD_BITS] = {0};
	char path[180];
	uint64_t down = by < 0 ? (uint64_t)-by : 0;
	int fd;
	int r;
	snprintf(path, sizeof(path), "%s/nr_hugepages_mempolicy", pool->whole);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	memcpy(whole.folder, pool->whole, sizeof(whole.folder));
	r = hugepool_count(&whole, &now);
	mask[os_node / WORD_BITS] = 1ul << os_node % WORD_BITS;
	if (r == 0 && set_mempolicy(MPOL_BIND, mask, os_node + 2ul) != 0)
		r = -errno;
	if (r == 0) {
		uint64_t is = hugepool_lasting(&now);
		r = hugepool_write(fd, by < 0 ? is - hugepool_less(down, is)
		                              : is + (uint64_t)by);
	}
	close(fd);
	return r;
}

int surplus_change(const struct hugepool *pool, unsigned os_node, int64_t by)
{
	unsigned long saved[MASK_NODES / WORD_BITS] = {0};
	int mode;
	int r;
	if (os_node >= MASK_NODES || strcmp(pool->folder, pool->whole) == 0)
		return -ENOENT;
	if (get_mempolicy(&mode, saved, MASK_NODES, NULL, 0) != 0)
		return -errno;
	r = change_whole(pool, os_node, by);
	(void)set_mempolicy(mode, saved, MASK_NODES);
	return r;
}

struct owing {
	unsigned n;
	unsigned os_node[OWING_MAX];
	uint64_t surplus[OWING_MAX];
};

static void find_owing(const char *sysfs, unsigned page_shift,
                       struct owing *owing)
{
	owing->n = 0;
	for (unsigned i = 0; i < MASK_NODES && owing->n < OWING_MAX; i++) {
		struct huge_counts now;
		struct hugepool pool;
		if (hugepool_find(sysfs, i, page_shift, &pool) < 0 ||
		    strcmp(pool.folder, pool.whole) == 0 ||
		    hugepool_count(&pool, &now) < 0 || now.surplus_pages == 0)
			continue;
		owing->os_node[owing->n] = i;
		owing->surplus[owing->n++] = now.surplus_pages;
	}
}

/* Has all surplus pages last that there are; none is added. */
static int keep_surplus(const struct hugepool *pool)
{
	struct hugepool whole = *pool;
	struct huge_counts now;
	char path[180];
	int fd;
	int r;
	snprintf(path, sizeof(path), "%s/nr_hugepages", pool->whole);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	memcpy(whole.folder, pool->whole, sizeof(whole.folder));
	r = hugepool_count(&whole, &now);
	if (r == 0)
		r = hugepool_write(fd, now.total_pages);
	close(fd);
	return r;
}

int surplus_free(const char *sysfs, const struct hugepool *pool,
                 unsigned os_node, unsigned page_shift, uint64_t n)
{
	struct owing owing;
	int r;
	find_owing(sysfs, page_shift, &owing);
	r = keep_surplus(pool);
	if (r < 0)
		return r;
	r = surplus_change(pool, os_node, -(int64_t)n);
	for (unsigned i = 0; i < owing.n; i++) {
		struct hugepool other;
		if (hugepool_find(sysfs, owing.os_node[i], page_shift,
		                  &other) == 0)
			(void)surplus_change(&other, owing.os_node[i],
			                     -(int64_t)owing.surplus[i]);
	}
	return r;
}
