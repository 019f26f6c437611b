/* SPDX-License-Identifier: MIT */
/* Pools whose slabd is gone: a tree of files stands for /proc. */
#include "daemon/watch/orphans.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONTROL "slabd-orders-control"
#define SHARED "slabd-orders-shared"
#define NODE "orders-node0"

static char root[40];
static struct event_base *base;
static struct orphans *orphans;
static const char *ours; /* a file of a pool of this slabd */
static unsigned n;
static const struct orphan *found;

static void path_of(char *path, size_t bytes, int pid, const char *name)
{
	if (pid == 0)
		snprintf(path, bytes, "%s/%s", root, name);
	else
		snprintf(path, bytes, "%s/%d/%s", root, pid, name);
}

/* A file of some pool, outside of any process. */
static void put_file(const char *name)
{
	static char block[65536];
	char path[128];
	int fd;
	path_of(path, sizeof(path), 0, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	cr_assert(fd >= 0 && write(fd, block, sizeof(block)) == sizeof(block));
	close(fd);
}

static void put_process(int pid)
{
	static const char *const folders[] = {"", "fd", "map_files"};
	char path[128];
	FILE *file;
	for (unsigned i = 0; i < 3; i++) {
		path_of(path, sizeof(path), pid, folders[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	path_of(path, sizeof(path), pid, "comm");
	file = fopen(path, "w");
	fprintf(file, "worker %d\n", pid);
	fclose(file);
	path_of(path, sizeof(path), pid, "maps");
	file = fopen(path, "w");
	fprintf(file, "55550000-55560000 r-xp 00000000 fe:00 77   /bin/x\n");
	fclose(file);
}

static void link_to(int pid, const char *at, const char *name)
{
	char from[128];
	char to[128];
	path_of(from, sizeof(from), pid, at);
	path_of(to, sizeof(to), 0, name);
	cr_assert_eq(symlink(to, from), 0);
}

/* One more mapping of a process. */
static void put_map(int pid, const char *rights, const char *name)
{
	static unsigned at = 0x1000;
	char range[40];
	char path[128];
	char file_path[128];
	struct stat st;
	FILE *file;
	path_of(file_path, sizeof(file_path), 0, name);
	cr_assert_eq(stat(file_path, &st), 0);
	snprintf(range, sizeof(range), "%x000-%x000", at, at + 1);
	at += 2;
	path_of(path, sizeof(path), pid, "maps");
	file = fopen(path, "a");
	fprintf(file, "%s %s 00000000 %02x:%02x %lu    /memfd:%s (deleted)\n",
	        range, rights, major(st.st_dev), minor(st.st_dev),
	        (unsigned long)st.st_ino, name);
	fclose(file);
	snprintf(path, sizeof(path), "map_files/%s", range);
	link_to(pid, path, name);
}

static bool is_ours(void *arg, dev_t dev, ino_t ino)
{
	char path[128];
	struct stat st;
	(void)arg;
	if (ours == NULL)
		return false;
	path_of(path, sizeof(path), 0, ours);
	return stat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static void done(void *arg)
{
	(void)arg;
	event_base_loopbreak(base);
}

static void start(void)
{
	struct orphans_request want = {
		.proc = root, .is_ours = is_ours, .done = done};
	snprintf(root, sizeof(root), "/tmp/slabd-orphans-XXXXXX");
	cr_assert(mkdtemp(root) != NULL);
	base = want.base = event_base_new();
	cr_assert_eq(orphans_open(&orphans, &want), 0);
	put_file(CONTROL);
	put_file(SHARED);
	put_file(NODE);
	put_process(10);
	put_map(10, "rw-s", NODE);
	put_map(10, "rw-s", SHARED);
	put_map(10, "r--s", CONTROL);
	put_map(10, "r--s", CONTROL);
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
	orphans_close(orphans);
	event_base_free(base);
	nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(orphans, .init = start, .fini = end);

static void scan(void)
{
	orphans_scan(orphans, 0);
	event_base_dispatch(base);
	found = orphans_found(orphans, &n);
}

Test(orphans, what_a_client_has_mapped_alone)
{
	char path[128];
	struct stat st;
	put_process(11);
	put_map(11, "r--s", CONTROL);
	put_map(11, "rw-s", NODE);
	scan();
	cr_assert_eq(n, 1);
	cr_expect_str_eq(found[0].pool, "orders");
	cr_expect_eq(found[0].n_pids, 2);
	cr_expect_eq(found[0].pid[0] + found[0].pid[1], 21);
	cr_expect(strncmp(found[0].name[0], "worker 1", 8) == 0);
	path_of(path, sizeof(path), 0, NODE);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(found[0].bytes, 3 * (uint64_t)st.st_blocks * 512,
	             "each file once");
}

Test(orphans, not_where_a_slabd_writes_it)
{
	put_process(9);
	put_map(9, "rw-s", CONTROL);
	scan();
	cr_expect_eq(n, 0);
}

Test(orphans, not_where_somebody_keeps_it)
{
	put_process(1);
	link_to(1, "fd/7", CONTROL);
	scan();
	cr_expect_eq(n, 0);
}

Test(orphans, not_of_our_own_pools)
{
	ours = CONTROL;
	scan();
	cr_expect_eq(n, 0);
	ours = NULL;
}

/* A client of ours that has a pool of the same name. */
Test(orphans, files_of_ours_do_not_count)
{
	struct stat st;
	char path[128];
	ours = NODE;
	scan();
	ours = NULL;
	path_of(path, sizeof(path), 0, SHARED);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(n, 1);
	cr_expect_eq(found[0].bytes, 2 * (uint64_t)st.st_blocks * 512);
}

Test(orphans, only_who_has_the_control_file)
{
	put_process(12);
	put_map(12, "rw-s", NODE);
	scan();
	cr_assert_eq(n, 1);
	cr_expect_eq(found[0].n_pids, 1);
	cr_expect_eq(found[0].pid[0], 10);
}

Test(orphans, a_young_result_is_kept)
{
	scan();
	cr_assert_eq(n, 1);
	put_process(9);
	put_map(9, "rw-s", CONTROL);
	orphans_scan(orphans, INT64_MAX);
	event_base_loop(base, EVLOOP_NONBLOCK);
	orphans_found(orphans, &n);
	cr_expect_eq(n, 1);
	scan();
	cr_expect_eq(n, 0);
}
