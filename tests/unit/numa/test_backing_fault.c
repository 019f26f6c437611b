/* SPDX-License-Identifier: MIT */
/* Every way in which the kernel can refuse, and old kernels. */
#include "numa/backing.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "numa/huge.h"
#include "tests/lib/backing_fixture.h"

TestSuite(backing_fault, .init = setup, .fini = teardown);

Test(backing_fault, kernel_has_fewer_than_wanted)
{
	put_pool(2048, 3);
	cr_assert_eq(open_it("node:1 pu:1", BACKING_2M, true, MIB(64), MIB(64),
	                     root),
	             0);
	cr_assert_eq(backing.node[0].kind, BACKING_4K);
	cr_assert_eq(backing.node[0].reserved_pages, 0);
	cr_assert(strstr(backing.node[0].reason, "the kernel found no more") !=
	          NULL);
	cr_assert(strstr(backing.node[0].remedy, "compact_memory") != NULL);
	backing_close(&backing);
	/* What it had raised the pool's number by is taken off again. */
	char path[120];
	snprintf(path, sizeof(path),
	         "%s/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", root);
	cr_assert(is_in_file(path, "3\n"));
	cr_assert_not(is_in_file(path, "32"));
}

/* The tree promises more than comes: the first 64 MiB do, the second don't, nor
 * do they page by page. */
Test(backing_fault, runs_out_midway)
{
	int r;
	put_pool(2048, 4000);
	r = huge_reserve(NULL, HUGE_ANY_NODE, 21, 40, &lent_pages);
	if (r != 0 || lent_pages < 40)
		cr_skip("2 MiB hugepages can't be reserved here");
	populate_fault = (struct fault){2, EFAULT, true};
	r = open_it("node:1 pu:1", BACKING_2M, false, MIB(256), MIB(160), root);
	cr_assert_eq(r, -ENOMEM);
	cr_assert_eq(backing.steps[0].kind, BACKING_2M);
	cr_assert(strstr(backing.steps[0].reason, "only 32 of 80 pages") != NULL,
	          "%s", backing.steps[0].reason);
	cr_assert(strstr(backing.error, "only 0 of 80 pages") != NULL, "%s",
	          backing.error);
}

Test(backing_fault, no_memory_at_all)
{
	put("devices/system/node/has_memory", "0-1\n");
	put("devices/system/node/node0/meminfo",
	    "Node 0 MemTotal:  999999 kB\nNode 0 MemFree:  65536 kB\n"
	    "Node 0 Inactive(file):  1024 kB\n");
	unsigned files = open_files();
	unsetenv("HWLOC_SYNTHETIC");
	int r = open_it(NULL, BACKING_4K, false, MIB(64), MIB(64), root);
	cr_assert_eq(r, -ENOMEM);
	cr_assert(strstr(backing.error, "33 MiB to give and 64 MiB") != NULL,
	          "%s", backing.error);
	cr_assert_eq(open_files(), files);
}

Test(backing_fault, grow_in_part)
{
	uint64_t got;
	cr_assert_eq(
		open_it("node:1 pu:1", BACKING_4K, false, MIB(512), PAGE, root),
		0);
	struct backing_node *node = &backing.node[0];
	/* A chunk that fails is tried again page by page. */
	populate_fault = (struct fault){2, ENOMEM, false};
	int r = backing_grow(&backing, 0, 10, 40, 0, &got);
	cr_assert_eq(r, 0);
	cr_assert_eq(got, 40);
	/* A page that fails when it is there by half is a hole again. */
	populate_fault.nth = 0;
	memory_left = PAGE / 2;
	r = backing_grow(&backing, 0, 100, 40, 0, &got);
	cr_assert_eq(r, -ENOMEM);
	cr_assert_eq(got, 0);
	cr_assert_eq(held_pages(node->fd), 41);
	cr_assert_eq(node->ready_pages, 41);
	cr_assert(strstr(node->reason, "gave only 0 of 40") != NULL, "%s",
	          node->reason);
	/* The next success has its reason forgotten. */
	memory_left = UINT64_MAX;
	cr_assert_eq(backing_grow(&backing, 0, 100, 1, 0, &got), 0);
	cr_assert_str_eq(node->reason, "");
	backing_close(&backing);
}

Test(backing_fault, old_kernels)
{
	uint64_t got;
	old_kernel = true;
	unsetenv("HWLOC_SYNTHETIC");
	cr_assert_eq(open_it(NULL, BACKING_4K, false, MIB(64), MIB(32), root),
	             0);
	check_file(&backing.node[0]);
	check_pages(0, NULL);
	cr_assert_eq(backing_grow(&backing, 0, 20, 2, 0, &got), 0);
	cr_assert_eq(backing.node[0].ready_pages, 18);
	backing_close(&backing);
	open_real_2m(MIB(64), MIB(32));
	check_file(&backing.node[0]);
	check_pages(0, "KernelPageSize:     2048 kB");
	int mode;
	cr_assert_eq(get_mempolicy(&mode, NULL, 0, NULL, 0), 0);
	cr_assert_eq(mode, 0, "the thread's policy was not put back");
	backing_close(&backing);
}

Test(backing_fault, mbind_is_not_to_be_had)
{
	static const int errors[] = {ENOSYS, EPERM};
	for (unsigned i = 0; i < 2; i++) {
		mbind_fault = (struct fault){1, errors[i], false};
		cr_assert_eq(
			open_it(NULL, BACKING_4K, false, MIB(8), MIB(8), root),
			0);
		cr_assert_not(backing.node[0].bound);
		cr_assert(strstr(backing.node[0].note, "mbind") != NULL);
		backing_close(&backing);
	}
	mbind_fault = (struct fault){1, EINVAL, false};
	unsigned files = open_files();
	cr_assert_eq(open_it(NULL, BACKING_4K, false, MIB(8), MIB(8), root),
	             -EINVAL);
	cr_assert_eq(open_files(), files);
	mbind_fault.nth = 0;
}

Test(backing_fault, each_memfd)
{
	unsigned files = open_files();
	int r = -1;
	int n = 0;
	put_pool(2048, 0);
	while (r != 0) {
		memfd_fault = (struct fault){++n, ENFILE, false};
		r = open_it("node:3 pu:1", BACKING_2M, false, PAGE, PAGE, root);
		if (r == 0)
			break;
		cr_assert_eq(r, -ENFILE);
		cr_assert_neq(*backing.error, '\0');
		cr_assert_eq(open_files(), files);
		cr_assert_lt(n, 20);
	}
	/* Three at 2 MiB and three at 4 KiB, then none failed. */
	cr_assert_eq(n, 7);
	memfd_fault.nth = 0;
	backing_close(&backing);
	cr_assert_eq(open_files(), files);
}

Test(backing_fault, out_of_descriptors)
{
	struct rlimit limit;
	unsigned files = open_files();
	int r = -EMFILE;
	unsigned refused = 0;
	put_pool(2048, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(topo_load(&topo, "node:4 pu:1"), 0);
	for (rlim_t n = files; r != 0; n++) {
		struct rlimit low = {n, limit.rlim_max};
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		struct backing_request request = {.topo = &topo,
		                                  .name = "slabd-test",
		                                  .first = BACKING_2M,
		                                  .may_reserve = true,
		                                  .file_bytes = file_bytes,
		                                  .start_bytes = start_bytes,
		                                  .sysfs = root};
		for (unsigned i = 0; i < 4; i++)
			file_bytes[i] = start_bytes[i] = PAGE;
		r = backing_open(&backing, &request);
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		cr_assert(r == 0 || r == -EMFILE, "%d at %d", r, (int)n);
		if (r != 0)
			cr_assert_eq(open_files(), files);
		refused += r != 0;
		cr_assert_lt(n, files + 20);
	}
	cr_assert_geq(refused, 4);
	backing_close(&backing);
	cr_assert_eq(open_files(), files);
}

/* ---- a file that can't be looked at -------------------------------------- */

Test(backing_fault, a_count_that_fails)
{
	uint64_t got = 7;
	cr_assert_eq(open_it("node:2 pu:1", BACKING_4K, false, MIB(32), MIB(4),
	                     root),
	             0);
	struct backing_node *node = &backing.node[0];
	fstat_fault = (struct fault){1, EIO, false};
	cr_expect_eq(backing_grow(&backing, 0, 2, 2, 1, &got), -EIO);
	cr_expect_eq(got, 0);
	fstat_fault.nth = 1;
	cr_expect_eq(backing_shrink(&backing, 0, 0, 1, 0), 0);
	check_file(node);
	cr_expect_eq(node->ready_pages, 1);
	/* Afterwards it is taken to be what it must be. */
	fstat_fault.nth = 2;
	cr_expect_eq(backing_grow(&backing, 0, 2, 2, 1, &got), 0);
	cr_expect_eq(got, 2);
	fstat_fault.nth = 2;
	cr_expect_eq(backing_shrink(&backing, 0, 1, 1, 0), 0);
	cr_expect_eq(node->ready_pages, 2);
	cr_expect_eq(node->resident_pages, 0);
	cr_expect_eq(backing.node[1].resident_pages, 4);
	check_file(node);
}

Test(backing_fault, a_count_that_fails_at_an_adoption)
{
	struct backing_journal journal[2] = {{0}};
	struct backing_kept kept[2];
	struct backing_adoption from = {.topo = &topo,
	                                .sysfs = root,
	                                .journal = journal,
	                                .kept = kept};
	struct backing taken;
	cr_assert_eq(open_it("node:2 pu:1", BACKING_4K, false, MIB(32), MIB(4),
	                     root),
	             0);
	for (unsigned i = 0; i < 2; i++)
		kept[i] = (struct backing_kept){
			.fd = backing.node[i].fd,
			.kind = BACKING_4K,
			.file_bytes = MIB(32),
			.note = ""};
	/* Each file is looked at once to check it and once to count. */
	fstat_fault = (struct fault){4, EIO, false};
	cr_expect_eq(backing_adopt(&taken, &from), -EIO);
	cr_expect(strstr(taken.error, "node 1 can't be looked at: Input/output "
	                              "error") != NULL,
	          "%s", taken.error);
	backing_close(&taken);
	check_file(&backing.node[0]);
	cr_expect_eq(backing_adopt(&taken, &from), 0, "%s", taken.error);
	cr_expect_eq(taken.node[1].resident_pages, 2);
}

/* ---- control groups ------------------------------------------------------- */

static void put_group(unsigned max_mib, unsigned current_mib)
{
	char text[200];
	snprintf(text, sizeof(text),
	         "33 23 0:30 / %s/v2 rw - cgroup2 cgroup2 rw\n", root);
	put("proc/mountinfo", text);
	put("proc/cgroup", "0::/slabd.service\n");
	snprintf(text, sizeof(text), "%u\n", max_mib << 20);
	put("v2/slabd.service/memory.max", text);
	snprintf(text, sizeof(text), "%u\n", current_mib << 20);
	put("v2/slabd.service/memory.current", text);
}

static void grow(uint64_t first, uint64_t n, int want_r, uint64_t want_got)
{
	uint64_t got;
	cr_expect_eq(backing_grow(&backing, 0, first, n, 0, &got), want_r);
	cr_expect_eq(got, want_got, "%u of %u pages", (unsigned)got,
	             (unsigned)n);
}

/* Nothing is left to step down to: what would help is said with why. */
Test(backing_fault, a_group_that_has_no_room_for_the_start)
{
	char proc[64];
	struct backing_request request = {.topo = &topo,
	                                  .name = "slabd-test",
	                                  .first = BACKING_4K,
	                                  .file_bytes = file_bytes,
	                                  .start_bytes = start_bytes,
	                                  .sysfs = root,
	                                  .proc = proc};
	snprintf(proc, sizeof(proc), "%s/proc", root);
	put_group(64, 56);
	cr_assert_eq(topo_load(&topo, "node:1 pu:1"), 0);
	file_bytes[0] = start_bytes[0] = MIB(512);
	cr_assert_eq(backing_open(&backing, &request), -ENOMEM, "%s",
	             backing.error);
	cr_expect(strstr(backing.error, "has 56 MiB in use and keeps 8 MiB back; "
	                                "to repair it: echo ") != NULL,
	          "%s", backing.error);
}

Test(backing_fault, growth_stays_below_the_limit_of_a_group)
{
	char proc[64];
	struct backing_node *node = &backing.node[0];
	snprintf(proc, sizeof(proc), "%s/proc", root);
	put_group(64, 30);
	cr_assert_eq(
		open_it("node:1 pu:1", BACKING_4K, false, MIB(512), 0, root), 0);
	backing.proc = proc;
	backing.node[0].credit_bytes = 0;
	/* 64 less 30 less 8 in reserve, an eighth of it for metadata. */
	grow(0, 40, -ENOMEM, 11);
	cr_expect_eq(node->lack, BACKING_LACK_GROUP);
	cr_expect_str_eq(node->reason,
	                 "control group slabd.service allows slabd 64 MiB, has "
	                 "30 MiB in use and keeps 8 MiB back");
	/* 30 and 512 and an eighth of that, and 6 and a 32nd of all: 632,
	 * rounded up. */
	cr_expect(strncmp(node->remedy, "echo 640M > ", 12) == 0, "%s",
	          node->remedy);
	cr_expect(strstr(node->remedy, "/v2/slabd.service/memory.max, or lower "
	                               "max to 22M") != NULL,
	          "%s", node->remedy);
	put_group(64, 56);
	grow(11, 1, -ENOMEM, 0);
	/* The limit is raised while slabd runs. */
	put_group(128, 56);
	grow(11, 4, 0, 4);
	cr_expect_eq(node->lack, BACKING_LACK_NONE);
	cr_expect_str_eq(node->reason, "");
	backing_close(&backing);
}

Test(backing_fault, max_in_percent_is_of_the_limit)
{
	char proc[64];
	snprintf(proc, sizeof(proc), "%s/proc", root);
	put_group(64, 0);
	cr_assert_eq(
		open_it("node:1 pu:1", BACKING_4K, false, MIB(512), 0, root), 0);
	backing.proc = proc;
	backing.node[0].credit_bytes = 0;
	backing.max_percent = 25;
	grow(0, 16, -ENOMEM, 8);
	cr_expect_eq(backing.node[0].most_bytes, MIB(16));
	cr_expect_str_eq(backing.node[0].reason,
	                 "max is 25 % of the 64 MiB that control group "
	                 "slabd.service allows slabd");
	cr_expect(strncmp(backing.node[0].remedy, "echo 2048M > ", 13) == 0,
	          "%s", backing.node[0].remedy);
	put_group(128, 0);
	grow(8, 8, 0, 8);
	backing_close(&backing);
}

/* ---- hugepages that can't become more -------------------------------------- */

/* Eight are free, and the start takes them all. */
Test(backing_fault, a_pool_that_could_not_grow_takes_a_lesser_kind)
{
	put_pool(2048, 8);
	cr_assert_eq(open_it("node:1 pu:1", BACKING_2M, false, MIB(512),
	                     MIB(16), root),
	             0);
	cr_expect_eq(backing.node[0].kind, BACKING_4K);
	cr_expect_str_eq(backing.steps[0].reason,
	                 "node 0 has 8 free 2 MiB hugepages, beyond which a "
	                 "pool of them could not grow, as we may not reserve "
	                 "more");
	cr_expect(strncmp(backing.steps[0].remedy, "echo 256 > ", 11) == 0);
	cr_expect(strstr(backing.steps[0].remedy, "or lower max to 16M") !=
	                  NULL,
	          "%s", backing.steps[0].remedy);
	grow(8, 40, 0, 40);
	backing_close(&backing);
}
