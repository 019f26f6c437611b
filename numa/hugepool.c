/* SPDX-License-Identifier: MIT */
#include "numa/hugepool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opened by root alone, there wherever memory can be compacted, and nothing
 * happens to it as long as nobody writes. */
#define LOCK_FILE "/proc/sys/vm/compact_memory"
#define LOCK_TRIES 5000
#define LOCK_WAIT_US 1000

static _Thread_local bool is_hurried;

static int folder_is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? 0 : -errno;
}

int hugepool_find(const char *sysfs, unsigned os_node, unsigned page_shift,
                  struct hugepool *pool)
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

int hugepool_read(const char *folder, const char *name, uint64_t *out)
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

/* Promises are counted for the whole machine alone: all of them might fall
 * on this node, yet not more than the machine's free pages can't serve. */
static uint64_t spare_of(const struct hugepool *pool, uint64_t free_pages)
{
	uint64_t all_free = 0;
	uint64_t promised = 0;
	if (hugepool_read(pool->whole, "free_hugepages", &all_free) < 0 ||
	    hugepool_read(pool->whole, "resv_hugepages", &promised) < 0)
		return free_pages;
	return hugepool_less(free_pages,
	                     all_free > promised ? all_free - promised : 0);
}

static uint64_t loan_of(const struct hugepool *pool)
{
	uint64_t most = 0;
	uint64_t surplus = 0;
	if (hugepool_read(pool->whole, "nr_overcommit_hugepages", &most) < 0 ||
	    hugepool_read(pool->whole, "surplus_hugepages", &surplus) < 0)
		return 0;
	return most > surplus ? most - surplus : 0;
}

int hugepool_count(const struct hugepool *pool, struct huge_counts *out)
{
	int r;
	memset(out, 0, sizeof(*out));
	snprintf(out->file, sizeof(out->file), "%s/nr_hugepages", pool->folder);
	r = hugepool_read(pool->folder, "nr_hugepages", &out->total_pages);
	if (r == 0)
		r = hugepool_read(pool->folder, "free_hugepages",
		                  &out->free_pages);
	if (r == 0)
		r = hugepool_read(pool->folder, "surplus_hugepages",
		                  &out->surplus_pages);
	if (r == 0)
		out->spare_pages = spare_of(pool, out->free_pages);
	if (r == 0)
		out->loan_pages = loan_of(pool);
	return r;
}

bool hugepool_is_hurried(void)
{
	return is_hurried;
}

void hugepool_hurry(bool hurry)
{
	is_hurried = hurry;
}

int hugepool_lock(void)
{
	int fd = open(LOCK_FILE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return HUGEPOOL_UNLOCKED;
	for (unsigned tries = 1;; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK && errno != EINTR) {
			close(fd);
			return HUGEPOOL_UNLOCKED;
		}
		if (is_hurried || tries == LOCK_TRIES)
			break;
		usleep(LOCK_WAIT_US);
	}
	close(fd);
	return -EAGAIN;
}

int hugepool_write(int fd, uint64_t number)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);
	if (pwrite(fd, text, (size_t)len, 0) == len)
		return 0;
	return errno == EPERM || errno == EROFS ? -EACCES : -errno;
}
