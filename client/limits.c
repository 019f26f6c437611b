/* SPDX-License-Identifier: MIT */
#include "client/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/error.h"

#define GIB (UINT64_C(1) << 30)
/* What user space has where nothing more is asked for by address. */
#define SPACE_BYTES (UINT64_C(1) << 47)
#define GAPS_BYTES (SPACE_BYTES / 16) /* too short for a pool, between maps */

/* The number at the head of a file, 0 if there is none. */
static uint64_t read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 ? strtoull(text, NULL, 10) : 0;
}

/* The kernel counts address space as locked, whether there is memory or not. */
static void say_locked(int error)
{
	struct rlimit lock;
	if (getrlimit(RLIMIT_MEMLOCK, &lock) < 0)
		lock.rlim_cur = 0;
	error_set(error,
	          "can't map the pool: this process has all its memory locked "
	          "(mlockall), of which it may have %llu KiB, and a pool's "
	          "address space counts: lift RLIMIT_MEMLOCK (ulimit -l "
	          "unlimited, LimitMEMLOCK=infinity), or lock less",
	          (unsigned long long)lock.rlim_cur >> 10);
}

void limits_say_map(int error, uint64_t bytes)
{
	struct rlimit space;
	uint64_t has = read_number("/proc/self/statm") *
	               (uint64_t)sysconf(_SC_PAGESIZE);
	if (error == EAGAIN)
		say_locked(error);
	else if (error == ENOMEM && getrlimit(RLIMIT_AS, &space) == 0 &&
	         space.rlim_cur != RLIM_INFINITY &&
	         space.rlim_cur < has + bytes)
		error_set(error,
		          "can't map the pool: it takes %llu GiB of address "
		          "space, and this process may have %llu GiB in all: "
		          "lift RLIMIT_AS (ulimit -v unlimited, "
		          "LimitAS=infinity)",
		          (unsigned long long)((bytes + GIB - 1) / GIB),
		          (unsigned long long)(space.rlim_cur / GIB));
	else if (error == ENOMEM && has + bytes > SPACE_BYTES - GAPS_BYTES)
		error_set(error,
		          "can't map the pool: it takes %llu GiB of address "
		          "space, and this process has used %llu GiB of the "
		          "%llu GiB there are: map less beside it, or lower "
		          "max in the pool's section of slabd.conf",
		          (unsigned long long)((bytes + GIB - 1) / GIB),
		          (unsigned long long)(has / GIB),
		          (unsigned long long)(SPACE_BYTES / GIB));
	else if (error == ENOMEM &&
	         read_number("/proc/sys/vm/overcommit_memory") == 2)
		error_set(error,
		          "can't map the pool: no memory may be committed any "
		          "more (CommitLimit in /proc/meminfo): raise "
		          "vm.overcommit_ratio, or set vm.overcommit_memory "
		          "to 0");
	else
		error_set(error, "can't map the pool: %s", strerror(error));
}

void limits_say_thread(int error)
{
	if (error == EAGAIN)
		error_set(
			error,
			"can't start the helper thread: no more threads may "
			"be made; raise RLIMIT_NPROC (ulimit -u, LimitNPROC=) "
			"or pids.max of the control group (TasksMax=), or "
			"open with SLABD_NO_HELPER");
	else if (error == EMFILE)
		error_set(error,
		          "can't start the helper thread: this process has all "
		          "the descriptors it may have: raise RLIMIT_NOFILE "
		          "(ulimit -n, LimitNOFILE=), or open with "
		          "SLABD_NO_HELPER");
	else
		error_set(error,
		          "can't start the helper thread: %s; open with "
		          "SLABD_NO_HELPER to do without",
		          strerror(error));
}

void limits_say_start(int error)
{
	if (error == EINVAL || error == ENOSYS)
		error_set(ENOSYS,
		          "this kernel or sandbox has no madvise "
		          "MADV_WIPEONFORK, without which a forked child can't "
		          "be told from its parent");
	else
		error_set(error, "no memory for a pool: %s", strerror(error));
}
