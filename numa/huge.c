/* SPDX-License-Identifier: MIT */
#include "numa/huge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <numaif.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MASK_NODES 4096
#define WORD_BITS (8 * sizeof(unsigned long))

#define LOCK_TRIES 40
#define LOCK_WAIT_US 5000

struct pool {
	char folder[140]; /* of this node and size */
	char whole[140];  /* of the whole machine and size */
};

static int folder_is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? 0 : -errno;
}

static int find_pool(const char *sysfs, unsigned os_node, unsigned page_shift,
                     struct pool *pool)
{
	unsigned long kb = (1ul << page_shift) >> 10;
	if (!sysfs)
		sysfs = "/sys";
	if (strlen(sysfs) > 48)
		return -ENAMETOOLONG;
	snprintf(pool->whole, sizeof(pool->whole),
	         "%s/kernel/mm/hugepages/hugepages-%lukB", sysfs, kb);
	snprintf(pool->folder, sizeof(pool->folder),
	         "%s/devices/system/node/node%u/hugepages/hugepages-%lukB",
	         sysfs, os_node, kb);
	if (os_node == HUGE_ANY_NODE || folder_is_there(pool->folder) < 0)
		memcpy(pool->folder, pool->whole, sizeof(pool->folder));
	return folder_is_there(pool->folder);
}

static int read_number(int fd, uint64_t *out)
{
	char text[32];
	char *end;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	*out = strtoull(text, &end, 10);
	return end == text ? -EIO : 0;
}

static int read_file(const char *folder, const char *name, uint64_t *out)
{
	char path[180];
	int fd;
	int r;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_number(fd, out);
	close(fd);
	return r;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Promises are counted for the whole machine alone: all of them might fall
 * on this node, yet not more than the machine's free pages can't serve. */
static uint64_t spare_of(const struct pool *pool, uint64_t free_pages)
{
	uint64_t all_free = 0;
	uint64_t promised = 0;
	if (read_file(pool->whole, "free_hugepages", &all_free) < 0 ||
	    read_file(pool->whole, "resv_hugepages", &promised) < 0)
		return free_pages;
	return less(free_pages, all_free > promised ? all_free - promised : 0);
}

static uint64_t loan_of(const struct pool *pool)
{
	uint64_t most = 0;
	uint64_t surplus = 0;
	if (read_file(pool->whole, "nr_overcommit_hugepages", &most) < 0 ||
	    read_file(pool->whole, "surplus_hugepages", &surplus) < 0)
		return 0;
	return most > surplus ? most - surplus : 0;
}

static int count_pool(const struct pool *pool, struct huge_counts *out)
{
	int r;
	memset(out, 0, sizeof(*out));
	snprintf(out->file, sizeof(out->file), "%s/nr_hugepages", pool->folder);
	r = read_file(pool->folder, "nr_hugepages", &out->total_pages);
	if (r == 0)
		r = read_file(pool->folder, "free_hugepages", &out->free_pages);
	if (r == 0)
		r = read_file(pool->folder, "surplus_hugepages",
		              &out->surplus_pages);
	if (r == 0)
		out->spare_pages = spare_of(pool, out->free_pages);
	if (r == 0)
		out->loan_pages = loan_of(pool);
	return r;
}

int huge_count(const char *sysfs, unsigned os_node, unsigned page_shift,
               struct huge_counts *out)
{
	struct pool pool;
	int r = find_pool(sysfs, os_node, page_shift, &pool);
	memset(out, 0, sizeof(*out));
	return r < 0 ? r : count_pool(&pool, out);
}

/* Anybody who may read the file may lock it: so nobody is waited for long. */
static void lock_a_while(int fd)
{
	for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return;
		usleep(LOCK_WAIT_US);
	}
}

/* The pool, found and locked against others who count as we do. Returns the
 * descriptor of nr_hugepages, whose close ends the lock. */
static int lock_pool(const char *sysfs, unsigned os_node, unsigned page_shift,
                     struct pool *pool, struct huge_counts *now)
{
	int r = find_pool(sysfs, os_node, page_shift, pool);
	char path[180];
	int fd;
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/nr_hugepages", pool->folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == EPERM || errno == EROFS ? -EACCES : -errno;
	lock_a_while(fd);
	r = count_pool(pool, now);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int write_number(int fd, uint64_t number)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);
	if (pwrite(fd, text, (size_t)len, 0) == len)
		return 0;
	return errno == EPERM || errno == EROFS ? -EACCES : -errno;
}

/* How many pages last, that is, aren't surplus. */
static uint64_t lasting(const struct huge_counts *now)
{
	return now->total_pages - less(now->surplus_pages, now->total_pages);
}

/* Moves what lasts on the whole machine by some pages; the thread's memory
 * policy holds the change to the node. */
static int change_whole(const struct pool *pool, unsigned os_node, int64_t by)
{
	struct pool whole = *pool;
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
	lock_a_while(fd);
	memcpy(whole.folder, pool->whole, sizeof(whole.folder));
	r = count_pool(&whole, &now);
	mask[os_node / WORD_BITS] = 1ul << os_node % WORD_BITS;
	if (r == 0 && set_mempolicy(MPOL_BIND, mask, os_node + 2ul) != 0)
		r = -errno;
	if (r == 0)
		r = write_number(fd, by < 0 ? lasting(&now) -
		                                      less(down, lasting(&now))
		                            : lasting(&now) + (uint64_t)by);
	close(fd);
	return r;
}

/*
 * Before Linux 6.15 the kernel takes the surplus of all nodes into account
 * when one node's count is written: once another node owes pages, this one
 * gets as many too much, and can owe none. What is written for the machine,
 * under a memory policy, does what it says.
 */
static int change_by_policy(const struct pool *pool, unsigned os_node,
                            int64_t by)
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

static bool others_owe(const struct pool *pool, const struct huge_counts *now)
{
	uint64_t surplus = 0;
	return read_file(pool->whole, "surplus_hugepages", &surplus) == 0 &&
	       surplus > now->surplus_pages;
}

/* Has that many pages of the node last. fd is its nr_hugepages, locked. */
static int set_lasting(const struct pool *pool, int fd, unsigned os_node,
                       const struct huge_counts *now, uint64_t want)
{
	if (others_owe(pool, now) &&
	    change_by_policy(pool, os_node,
	                     (int64_t)(want - lasting(now))) == 0)
		return 0;
	return write_number(fd, want);
}

int huge_reserve(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, uint64_t *got)
{
	struct pool pool;
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
		r = count_pool(&pool, &after);
	if (r == 0 && lasting(&after) > lasting(&now))
		*got = less(lasting(&after) - lasting(&now),
		            n + now.surplus_pages);
	close(fd);
	return r;
}

/* ---- free pages beside surplus ones ------------------------------------- */

#define OWING_MAX 64u /* nodes with surplus pages that are looked after */

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
		struct pool pool;
		if (find_pool(sysfs, i, page_shift, &pool) < 0 ||
		    strcmp(pool.folder, pool.whole) == 0 ||
		    count_pool(&pool, &now) < 0 || now.surplus_pages == 0)
			continue;
		owing->os_node[owing->n] = i;
		owing->surplus[owing->n++] = now.surplus_pages;
	}
}

/* Has all surplus pages last that there are; none is added. */
static int keep_surplus(const struct pool *pool)
{
	struct pool whole = *pool;
	struct huge_counts now;
	char path[180];
	int fd;
	int r;
	snprintf(path, sizeof(path), "%s/nr_hugepages", pool->whole);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	lock_a_while(fd);
	memcpy(whole.folder, pool->whole, sizeof(whole.folder));
	r = count_pool(&whole, &now);
	if (r == 0)
		r = write_number(fd, now.total_pages);
	close(fd);
	return r;
}

/*
 * The kernel takes no free page away while more pages are in use than last,
 * wherever they are: so all are made to last while n free ones go, and what
 * others owe they owe again. Cut short, that much stays in the pool.
 */
static int free_beside_surplus(const char *sysfs, const struct pool *pool,
                               unsigned os_node, unsigned page_shift,
                               uint64_t n)
{
	struct owing owing;
	int r;
	find_owing(sysfs, page_shift, &owing);
	r = keep_surplus(pool);
	if (r < 0)
		return r;
	r = change_by_policy(pool, os_node, -(int64_t)n);
	for (unsigned i = 0; i < owing.n; i++) {
		struct pool other;
		if (find_pool(sysfs, owing.os_node[i], page_shift, &other) == 0)
			(void)change_by_policy(&other, owing.os_node[i],
			                       -(int64_t)owing.surplus[i]);
	}
	return r;
}

static bool has_surplus(const struct pool *pool)
{
	uint64_t surplus = 0;
	char path[180];
	snprintf(path, sizeof(path), "%s/nr_hugepages_mempolicy", pool->whole);
	return strcmp(pool->folder, pool->whole) != 0 &&
	       access(path, W_OK) == 0 &&
	       read_file(pool->whole, "surplus_hugepages", &surplus) == 0 &&
	       surplus > 0;
}

static int lower(const char *sysfs, unsigned os_node, unsigned page_shift,
                 uint64_t n, bool in_use_too, uint64_t *gone)
{
	struct pool pool;
	struct huge_counts now;
	int r = 0;
	int fd = lock_pool(sysfs, os_node, page_shift, &pool, &now);
	*gone = 0;
	if (fd < 0)
		return fd;
	n = less(n, in_use_too ? lasting(&now) : now.spare_pages);
	n = less(n, lasting(&now));
	if (n > 0 && !in_use_too && has_surplus(&pool))
		r = free_beside_surplus(sysfs, &pool, os_node, page_shift, n);
	else if (n > 0)
		r = set_lasting(&pool, fd, os_node, &now, lasting(&now) - n);
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
	struct pool pool;
	struct huge_counts now;
	uint64_t gone;
	int r = find_pool(sysfs, os_node, page_shift, &pool);
	if (r == 0)
		r = count_pool(&pool, &now);
	if (r == 0)
		r = change_by_policy(&pool, os_node,
		                     -(int64_t)less(n, lasting(&now)));
	if (r == 0)
		return 0;
	return lower(sysfs, os_node, page_shift, n, true, &gone);
}
