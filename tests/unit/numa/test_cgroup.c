/* SPDX-License-Identifier: MIT */
/* What control groups leave: trees of files stand for both versions. */
#include "numa/cgroup.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define RESERVE_64 (MIB(6) + MIB(2))

static char root[40];
static char *proc;
static struct cgroup_room room;

/* Writes a file of the tree, and makes the folders it is in. */
__attribute__((format(printf, 2, 3))) static void put(const char *name,
                                                      const char *text, ...)
{
	char path[256];
	va_list args;
	FILE *file;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	file = fopen(path, "w");
	cr_assert(file != NULL, "%s", path);
	va_start(args, text);
	vfprintf(file, text, args);
	va_end(args);
	fclose(file);
}

static void put_mib(const char *name, unsigned mib)
{
	put(name, "%llu\n", (unsigned long long)mib << 20);
}

static void start(void)
{
	snprintf(root, sizeof(root), "/tmp/slabd-cgroup-XXXXXX");
	cr_assert(mkdtemp(root) != NULL);
	proc = root;
}

static int drop(const char *path, const struct stat *st, int what,
                struct FTW *at)
{
	(void)st;
	(void)what;
	(void)at;
	return remove(path);
}

static void end(void)
{
	nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cgroup, .init = start, .fini = end);

/* Our group is /a/b of the second version. */
static void put_second(const char *options)
{
	put("cgroup", "0::/a/b\n");
	put("mountinfo",
	    "20 1 0:19 / /proc rw - proc proc rw\n"
	    "31 23 0:28 / %s/v2 rw,relatime shared:4 - cgroup2 cgroup2 %s\n",
	    root, options);
	put("v2/cgroup.procs", "1\n");
	put("v2/a/memory.max", "max\n");
	put("v2/a/memory.high", "max\n");
	put("v2/a/memory.current", "0\n");
	put("v2/a/b/memory.max", "max\n");
	put("v2/a/b/memory.high", "max\n");
	put("v2/a/b/memory.current", "0\n");
}

static void expect_file(const char *end_of_it)
{
	size_t n = strlen(end_of_it);
	cr_expect(strlen(room.file) > n &&
	                  strcmp(room.file + strlen(room.file) - n,
	                         end_of_it) == 0,
	          "%s", room.file);
}

Test(cgroup, none_is_no_limit)
{
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, UINT64_MAX);
	put_second("rw");
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, UINT64_MAX);
	cr_expect_eq(room.least_bytes, UINT64_MAX);
	cr_expect_str_eq(room.file, "");
}

Test(cgroup, own_limit_of_the_second_version)
{
	put_second("rw");
	put_mib("v2/a/b/memory.max", 64);
	put_mib("v2/a/b/memory.current", 20);
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, MIB(64) - MIB(20) - RESERVE_64);
	cr_expect_eq(room.limit_bytes, MIB(64));
	cr_expect_eq(room.used_bytes, MIB(20));
	expect_file("/v2/a/b/memory.max");
}

Test(cgroup, an_ancestor_may_leave_less)
{
	put_second("rw");
	put_mib("v2/a/b/memory.max", 64);
	put_mib("v2/a/b/memory.current", 20);
	put_mib("v2/a/memory.max", 256);
	put_mib("v2/a/memory.current", 240);
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, MIB(256) - MIB(240) - MIB(6) - MIB(8));
	expect_file("/v2/a/memory.max");
	cr_expect_eq(room.least_bytes, MIB(64), "the share is of the lowest");
	put_mib("v2/a/memory.max", 1024);
	cgroup_look(proc, CGROUP_MEMORY, &room);
	expect_file("/v2/a/b/memory.max");
}

Test(cgroup, high_limits_as_max_does)
{
	put_second("rw");
	put_mib("v2/a/b/memory.max", 640);
	put_mib("v2/a/b/memory.high", 64);
	put_mib("v2/a/b/memory.current", 60);
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, 0);
	expect_file("/v2/a/b/memory.high");
}

Test(cgroup, clean_page_cache_is_no_use)
{
	put_second("rw");
	put_mib("v2/a/b/memory.max", 64);
	put_mib("v2/a/b/memory.current", 62);
	put("v2/a/b/memory.stat",
	    "anon 4096\nfile 52428800\nshmem 31457280\nfile_dirty 1048576\n"
	    "file_writeback 1048576\ninactive_anon 31457280\n"
	    "inactive_file 10485760\nactive_file 12582912\n");
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.used_bytes, MIB(62) - MIB(20));
	cr_expect_eq(room.room_bytes, MIB(64) - MIB(42) - RESERVE_64);
}

Test(cgroup, first_version_beside_the_second)
{
	put("cgroup",
	    "9:cpu,cpuacct:/x\n4:memory:/docker/c\n1:name=systemd:/\n0::/\n");
	put("mountinfo",
	    "31 23 0:28 / %s/unified rw - cgroup2 cgroup2 rw\n"
	    "32 23 0:29 / %s/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	    "33 23 0:30 / %s/memory rw - cgroup cgroup rw,memory\n",
	    root, root, root);
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/docker/memory.limit_in_bytes", "9223372036854771712\n");
	put_mib("memory/docker/c/memory.limit_in_bytes", 64);
	put_mib("memory/docker/c/memory.usage_in_bytes", 62);
	put("memory/docker/c/memory.stat",
	    "inactive_file 1\ntotal_inactive_file 8388608\n"
	    "total_active_file 8388608\ntotal_dirty 4194304\n");
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.used_bytes, MIB(62) - MIB(12));
	expect_file("/memory/docker/c/memory.limit_in_bytes");
}

/* A container sees its own group as the root of the mount. */
Test(cgroup, container_sees_its_group_at_the_mount_point)
{
	put("cgroup", "4:memory:/docker/c/in\n0::/\n");
	put("mountinfo",
	    "33 23 0:30 /docker/c %s/memory ro - cgroup cgroup "
	    "rw,memory\n",
	    root);
	put_mib("memory/memory.limit_in_bytes", 64);
	put_mib("memory/memory.usage_in_bytes", 20);
	put("memory/in/memory.limit_in_bytes", "9223372036854771712\n");
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.used_bytes, MIB(20));
	expect_file("/memory/memory.limit_in_bytes");
	put("cgroup", "4:memory:/docker/cc\n0::/\n");
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, UINT64_MAX, "another one's is not ours");
}

/* With a namespace of its own, and a mount from outside of it. */
Test(cgroup, mount_of_a_group_above_the_namespace)
{
	put("cgroup", "0::/\n");
	put("mountinfo", "33 23 0:30 /.. %s/v2\\040x ro - cgroup2 cgroup2 rw\n",
	    root);
	put_mib("v2 x/memory.max", 64);
	put_mib("v2 x/memory.current", 20);
	cgroup_look(proc, CGROUP_MEMORY, &room);
	expect_file("/v2 x/memory.max");
	put("cgroup", "0::/../other\n");
	put("mountinfo", "33 23 0:30 / %s/v2\\040x ro - cgroup2 cgroup2 rw\n",
	    root);
	cgroup_look(proc, CGROUP_MEMORY, &room);
	cr_expect_eq(room.room_bytes, UINT64_MAX, "moved out of what is seen");
}

Test(cgroup, hugepages_have_limits_of_their_own)
{
	put_second("rw");
	put_mib("v2/a/b/memory.max", 8);
	put_mib("v2/a/b/hugetlb.2MB.max", 64);
	put_mib("v2/a/b/hugetlb.2MB.current", 60);
	put_mib("v2/a/hugetlb.1GB.max", 2048);
	put_mib("v2/a/hugetlb.1GB.current", 1024);
	cgroup_look(proc, CGROUP_HUGE_2M, &room);
	cr_expect_eq(room.room_bytes, MIB(4), "without a reserve");
	expect_file("/a/b/hugetlb.2MB.max");
	cgroup_look(proc, CGROUP_HUGE_1G, &room);
	cr_expect_eq(room.room_bytes, MIB(1024));
	expect_file("/a/hugetlb.1GB.max");
}

Test(cgroup, hugepages_may_count_as_memory)
{
	put_second("rw,memory_hugetlb_accounting");
	put_mib("v2/a/b/memory.max", 64);
	put_mib("v2/a/b/memory.current", 40);
	put_mib("v2/a/b/hugetlb.2MB.max", 128);
	put_mib("v2/a/b/hugetlb.2MB.current", 0);
	cgroup_look(proc, CGROUP_HUGE_2M, &room);
	cr_expect_eq(room.room_bytes, MIB(24) - RESERVE_64);
	expect_file("/a/b/memory.max");
}

Test(cgroup, a_limit_that_changes_shows_at_once)
{
	put_second("rw");
	for (unsigned mib = 16; mib <= 64; mib *= 2) {
		put_mib("v2/a/b/memory.max", mib);
		cgroup_look(proc, CGROUP_MEMORY, &room);
		cr_expect_eq(room.limit_bytes, MIB(mib));
	}
}
