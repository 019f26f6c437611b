/* SPDX-License-Identifier: MIT */
/*
 * Against a tree of files that stands for sysfs, with pwrite wrapped (see
 * local.mk) to play the kernel: it moves free with nr, clamps, and refuses.
 * One test goes to the real kernel.
 */
#include "numa/huge.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_pwrite(int fd, const void *buf, size_t len, off_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t off);
int __wrap_usleep(useconds_t us);

static struct {
	bool on;
	int error;               /* refuse with this */
	unsigned long long most; /* lasting pages that this kernel can find */
	unsigned long long total, free, surplus, promised;
	char root[40];
	unsigned writes;
	unsigned waits;
} fake;

int __wrap_usleep(useconds_t us)
{
	fake.waits += us > 0;
	return 0;
}

static void put(const char *name, unsigned long long number)
{
	char path[200];
	FILE *file;
	static const char *const folders[] = {
		"devices/system/node/node3/hugepages/hugepages-2048kB",
		"kernel/mm/hugepages/hugepages-2048kB"};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", fake.root, folders[i],
		         name);
		/* In place: whoever has it open goes on reading it. */
		file = fopen(path, "r+e");
		if (!file)
			file = fopen(path, "we");
		cr_assert(file != NULL, "%s", path);
		fprintf(file, "%llu\n", number);
		cr_assert_eq(ftruncate(fileno(file), ftell(file)), 0);
		fclose(file);
	}
}

static void put_all(void)
{
	put("nr_hugepages", fake.total);
	put("free_hugepages", fake.free);
	put("surplus_hugepages", fake.surplus);
	put("resv_hugepages", fake.promised);
	put("nr_overcommit_hugepages", 0);
}

/* What set_max_huge_pages of the kernel does. */
ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	unsigned long long want;
	if (!fake.on)
		return __real_pwrite(fd, buf, len, off);
	fake.writes++;
	if (fake.error) {
		errno = fake.error;
		return -1;
	}
	want = strtoull(buf, NULL, 10);
	while (fake.surplus > 0 && want > fake.total - fake.surplus)
		fake.surplus--;
	while (want > fake.total && fake.total < fake.most) {
		fake.total++;
		fake.free++;
	}
	while (want < fake.total - fake.surplus && fake.free > fake.promised) {
		fake.total--;
		fake.free--;
	}
	while (want < fake.total - fake.surplus)
		fake.surplus++;
	put_all();
	return (ssize_t)len;
}

static void make_folders(const char *rest)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", fake.root, rest);
	for (char *at = path + strlen(fake.root) + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	mkdir(path, 0700);
}

static void setup(void)
{
	strcpy(fake.root, "/tmp/slabd-huge-XXXXXX");
	cr_assert(mkdtemp(fake.root) != NULL);
	make_folders("devices/system/node/node3/hugepages/hugepages-2048kB");
	make_folders("kernel/mm/hugepages/hugepages-2048kB");
	fake.on = true;
	fake.most = 1000;
	put_all();
}

static void teardown(void)
{
	char command[80];
	snprintf(command, sizeof(command), "rm -rf %s", fake.root);
	cr_assert_eq(system(command), 0);
}

TestSuite(huge, .init = setup, .fini = teardown);

Test(huge, counts)
{
	struct huge_counts c;
	fake.total = 20;
	fake.free = 9;
	fake.surplus = 2;
	fake.promised = 4;
	put_all();
	cr_assert_eq(huge_count(fake.root, 3, 21, &c), 0);
	cr_assert_eq(c.total_pages, 20);
	cr_assert_eq(c.free_pages, 9);
	cr_assert_eq(c.surplus_pages, 2);
	cr_assert_eq(c.spare_pages, 5);
	cr_assert(strstr(c.file, "/node3/hugepages/hugepages-2048kB/nr_") !=
	          NULL);
	cr_assert_eq(access(c.file, F_OK), 0);
}

Test(huge, loans)
{
	struct huge_counts c;
	put("nr_overcommit_hugepages", 12);
	put("surplus_hugepages", 5);
	cr_assert_eq(huge_count(fake.root, 3, 21, &c), 0);
	cr_assert_eq(c.loan_pages, 7);
}

Test(huge, no_node_folder)
{
	struct huge_counts c;
	cr_assert_eq(huge_count(fake.root, 4, 21, &c), 0);
	cr_assert(strstr(c.file, "/kernel/mm/") != NULL);
	cr_assert_eq(huge_count(fake.root, HUGE_ANY_NODE, 21, &c), 0);
	cr_assert(strstr(c.file, "/kernel/mm/") != NULL);
}

Test(huge, no_such_size)
{
	struct huge_counts c;
	uint64_t n = 99;
	cr_assert_eq(huge_count(fake.root, 3, 30, &c), -ENOENT);
	cr_assert_eq(huge_reserve(fake.root, 3, 30, 1, &n), -ENOENT);
	cr_assert_eq(n, 0);
	cr_assert_eq(huge_release(fake.root, 3, 30, 1, &n), -ENOENT);
}

Test(huge, reserve_and_release)
{
	uint64_t n;
	fake.total = 5;
	put_all();
	cr_assert_eq(huge_reserve(fake.root, 3, 21, 32, &n), 0);
	cr_assert_eq(n, 32);
	cr_assert_eq(fake.total, 37);
	cr_assert_eq(huge_release(fake.root, 3, 21, 32, &n), 0);
	cr_assert_eq(n, 32);
	cr_assert_eq(fake.total, 5);
}

Test(huge, kernel_finds_fewer)
{
	uint64_t n;
	fake.most = 10;
	cr_assert_eq(huge_reserve(fake.root, 3, 21, 32, &n), 0);
	cr_assert_eq(n, 10);
	cr_assert_eq(huge_reserve(fake.root, 3, 21, 32, &n), 0);
	cr_assert_eq(n, 0);
}

Test(huge, surplus_is_put_back_as_it_was)
{
	uint64_t n;
	uint64_t gone;
	fake.total = 10;
	fake.surplus = 4;
	put_all();
	cr_assert_eq(huge_reserve(fake.root, 3, 21, 5, &n), 0);
	cr_assert_eq(n, 9);
	cr_assert_eq(fake.total, 15);
	cr_assert_eq(fake.surplus, 0);
	cr_assert_eq(huge_release(fake.root, 3, 21, n, &gone), 0);
	cr_assert_eq(gone, 5);
	cr_assert_eq(huge_owe(fake.root, 3, 21, n - gone), 0);
	cr_assert_eq(fake.total, 10);
	cr_assert_eq(fake.surplus, 4);
}

Test(huge, release_never_takes_what_is_in_use)
{
	uint64_t n;
	fake.total = 40;
	fake.free = 12;
	fake.promised = 4;
	put_all();
	cr_assert_eq(huge_release(fake.root, 3, 21, 32, &n), 0);
	cr_assert_eq(n, 8);
	cr_assert_eq(fake.total, 32);
	cr_assert_eq(fake.surplus, 0);
	fake.writes = 0;
	cr_assert_eq(huge_release(fake.root, 3, 21, 32, &n), 0);
	cr_assert_eq(n, 0);
	cr_assert_eq(fake.writes, 0);
}

Test(huge, owed_pages_go_when_freed)
{
	fake.total = 40;
	put_all();
	cr_assert_eq(huge_owe(fake.root, 3, 21, 32), 0);
	cr_assert_eq(fake.total, 40);
	cr_assert_eq(fake.surplus, 32);
	cr_assert_eq(huge_owe(fake.root, 3, 21, 32), 0);
	cr_assert_eq(fake.surplus, 40);
}

Test(huge, refused)
{
	static const int errors[][2] = {{EACCES, -EACCES},
	                                {EPERM, -EACCES},
	                                {EROFS, -EACCES},
	                                {EINVAL, -EINVAL},
	                                {ENOMEM, -ENOMEM}};
	uint64_t n = 99;
	fake.total = fake.free = 8;
	put_all();
	for (unsigned i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		fake.error = errors[i][0];
		cr_assert_eq(huge_reserve(fake.root, 3, 21, 1, &n),
		             errors[i][1]);
		cr_assert_eq(n, 0);
		cr_assert_eq(huge_release(fake.root, 3, 21, 1, &n),
		             errors[i][1]);
		cr_assert_eq(n, 0);
	}
}

Test(huge, not_permitted_to_open)
{
	struct huge_counts c;
	char command[80];
	uint64_t n;
	if (geteuid() != 0)
		cr_skip("needs root to become somebody else");
	snprintf(command, sizeof(command), "chmod -R a+rX %s", fake.root);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(seteuid(65534), 0);
	int count = huge_count(fake.root, 3, 21, &c);
	int reserve = huge_reserve(fake.root, 3, 21, 1, &n);
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(count, 0);
	cr_assert_eq(reserve, -EACCES);
}

/* Anybody may lock what anybody may read. */
Test(huge, a_lock_of_a_stranger_is_not_waited_for)
{
	struct huge_counts c;
	uint64_t n;
	cr_assert_eq(huge_count(fake.root, 3, 21, &c), 0);
	int fd = open(c.file, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
	cr_assert_eq(huge_reserve(fake.root, 3, 21, 2, &n), 0);
	cr_assert_eq(n, 2);
	cr_assert_eq(huge_release(fake.root, 3, 21, 1, &n), 0);
	cr_assert_eq(n, 1);
	cr_assert_eq(huge_owe(fake.root, 3, 21, 1), 0);
	cr_expect_eq(fake.waits, 0);
	close(fd);
}

/* Sums of both would be wrong otherwise. */
Test(huge, nothing_is_changed_while_another_slabd_does)
{
	uint64_t n = 9;
	int lock = hugepool_lock();
	if (lock < 0)
		cr_skip_test("only root has a lock");
	fake.total = fake.free = 4;
	put_all();
	cr_expect_eq(huge_reserve(fake.root, 3, 21, 2, &n), -EAGAIN);
	cr_expect_gt(fake.waits, 0, "it was waited for");
	hugepool_hurry(true);
	fake.waits = 0;
	cr_expect_eq(huge_reserve(fake.root, 3, 21, 2, &n), -EAGAIN);
	cr_expect_eq(n, 0);
	cr_expect_eq(huge_release(fake.root, 3, 21, 2, &n), -EAGAIN);
	cr_expect_eq(n, 0);
	cr_expect_eq(huge_owe(fake.root, 3, 21, 2), -EAGAIN);
	cr_expect_eq(fake.writes, 0);
	cr_expect_eq(fake.waits, 0, "who is in a hurry waits for nobody");
	close(lock);
	cr_expect_eq(huge_reserve(fake.root, 3, 21, 2, &n), 0);
	cr_expect_eq(n, 2);
}

Test(huge, garbage_in_a_file)
{
	struct huge_counts c;
	cr_assert_eq(huge_count(fake.root, 3, 21, &c), 0);
	FILE *file = fopen(c.file, "we");
	fputs("many\n", file);
	fclose(file);
	cr_assert_eq(huge_count(fake.root, 3, 21, &c), -EIO);
}

Test(huge, root_too_long)
{
	struct huge_counts c;
	char root[80];
	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	cr_assert_eq(huge_count(root, 3, 21, &c), -ENAMETOOLONG);
}

Test(huge, real_kernel)
{
	struct huge_counts before;
	struct huge_counts c;
	uint64_t n = 0;
	uint64_t gone = 0;
	fake.on = false;
	if (huge_count(NULL, 0, 21, &before) != 0)
		cr_skip("this kernel has no 2 MiB hugepages");
	int r = huge_reserve(NULL, 0, 21, 4, &n);
	if (r < 0 || n < 4)
		cr_skip("4 hugepages can't be reserved here");
	cr_assert_eq(huge_count(NULL, 0, 21, &c), 0);
	cr_assert_geq(c.total_pages, 4);
	cr_assert_eq(huge_release(NULL, 0, 21, n, &gone), 0);
	cr_assert_eq(gone, 4);
}
