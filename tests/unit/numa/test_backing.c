/* SPDX-License-Identifier: MIT */
/* The ladder, what comes after it, and what is refused. */
#include "numa/backing.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numa/huge.h"
#include "numa/memfile.h"
#include "tests/lib/backing_fixture.h"

TestSuite(backing, .init = setup, .fini = teardown);

Test(backing, real_hugepages)
{
	open_real_2m(MIB(512) + 1, MIB(64));
	struct backing_node *node = &backing.node[0];
	cr_assert_eq(backing.page_shift, 21);
	cr_assert_eq(node->kind, BACKING_2M);
	cr_assert_eq(node->file_bytes, MIB(514));
	cr_assert_eq(node->ready_pages, 32);
	cr_assert_gt(node->populate_ns, 0);
	cr_assert_str_eq(node->reason, "");
	cr_assert_not(is_in_file("/proc/self/maps", "slabd-test"),
	              "the window stayed mapped");
	for (unsigned i = 0; i < backing.n_nodes; i++) {
		check_file(&backing.node[i]);
		check_pages(i, "KernelPageSize:     2048 kB");
		cr_assert(backing.node[i].bound || *backing.node[i].note);
	}
	backing_close(&backing);
}

Test(backing, real_grow_and_shrink)
{
	uint64_t got = 0;
	open_real_2m(MIB(512), MIB(16));
	struct backing_node *node = &backing.node[0];
	uint64_t reserved = node->reserved_pages;
	int r = backing_grow(&backing, 0, 100, 10, 0, &got);
	cr_assert(r == 0, "%s", node->reason);
	cr_assert_eq(got, 10);
	cr_assert_eq(node->ready_pages, 18);
	cr_assert_eq(held_pages(node->fd), 18);
	cr_assert_leq(node->reserved_pages, reserved + 10);
	reserved = node->reserved_pages;
	cr_assert_eq(backing_shrink(&backing, 0, 4, 100, 0), 0);
	cr_assert_eq(node->ready_pages, 10);
	cr_assert_eq(held_pages(node->fd), 10);
	if (reserved >= 8)
		cr_assert_lt(node->reserved_pages, reserved);
	/* A page that is ready already takes no hugepage more. */
	reserved = node->reserved_pages;
	cr_assert_eq(backing_grow(&backing, 0, 0, 4, 0, &got), 0);
	cr_assert_eq(got, 4);
	cr_assert_eq(node->reserved_pages, reserved);
	backing_close(&backing);
}

/* Programs that reserve hugepages in the tests take turns: see run_one.sh. */
Test(backing, real_close_gives_back)
{
	struct huge_counts before;
	struct huge_counts after;
	cr_assert_eq(huge_count(NULL, 0, 21, &before), 0);
	open_real_2m(MIB(128), MIB(16));
	backing_close(&backing);
	cr_assert_eq(backing.node[0].reserved_pages, 0);
	cr_assert_eq(huge_count(NULL, 0, 21, &after), 0);
	cr_assert_eq(after.total_pages, before.total_pages);
}

Test(backing, clients_outlive_close)
{
	struct huge_counts c;
	open_real_2m(MIB(16), MIB(16));
	uint64_t reserved = backing.node[0].reserved_pages;
	char *at = map(backing.node[0].fd, MIB(16));
	at[MIB(5)] = 7;
	backing_close(&backing);
	cr_assert_eq(at[MIB(5)], 7);
	at[MIB(15)] = 1;
	/* Ours are on loan now: the kernel takes them back when we let go. */
	cr_assert_eq(huge_count(NULL, 0, 21, &c), 0);
	if (reserved == 8)
		cr_assert_gt(c.surplus_pages, 0);
	munmap(at, MIB(16));
}

Test(backing, steps_have_reason_and_remedy)
{
	put_pool(2048, 3);
	cr_assert_eq(open_it("node:1 pu:1", BACKING_1G, false, MIB(256),
	                     MIB(64), root),
	             0);
	cr_assert_eq(backing.n_steps, 3);
	cr_assert_eq(backing.steps[0].kind, BACKING_1G);
	cr_assert_str_eq(backing.steps[0].reason,
	                 "this kernel has no 1 GiB hugepages");
	cr_assert_str_eq(backing.steps[1].reason,
	                 "node 0 has 3 free 2 MiB hugepages and 32 are "
	                 "wanted, and we may not reserve more");
	cr_assert(strncmp(backing.steps[1].remedy, "echo 128 > /", 12) == 0);
	cr_assert(strstr(backing.steps[1].remedy,
	                 "hugepages-2048kB/nr_hugepages") != NULL);
	cr_assert_eq(backing.steps[2].kind, BACKING_THP);
	cr_assert(strstr(backing.steps[2].reason, "is never") != NULL);
	cr_assert(strncmp(backing.steps[2].remedy, "echo advise > /", 15) == 0);
	cr_assert_eq(backing.node[0].kind, BACKING_4K);
	cr_assert_eq(backing.page_shift, 21);
	cr_assert_str_eq(backing.node[0].reason, backing.steps[1].reason);
	cr_assert_str_eq(backing.node[0].remedy, backing.steps[1].remedy);
	check_file(&backing.node[0]);
	check_pages(0, NULL);
	backing_close(&backing);
}

Test(backing, one_gib_is_for_all_or_none)
{
	int fd = memfile_create("slabd-test", BACKING_1G, MIB(1024));
	bool has_1g = fd >= 0;
	close(fd);
	put_pool(1048576, 1);
	put_pool(2048, 0);
	cr_assert_eq(open_it("node:3(indexes=4,2,8) pu:1", BACKING_1G, false,
	                     MIB(64), MIB(8), root),
	             0);
	cr_assert_eq(backing.page_shift, 21);
	cr_assert_eq(backing.n_steps, 9);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(backing.steps[i].kind, BACKING_1G);
		cr_assert_neq(*backing.steps[i].reason, '\0');
		cr_assert_eq(backing.node[i].kind, BACKING_4K);
		cr_assert_eq(backing.node[i].file_bytes, MIB(64));
	}
	/* The pool above is a tree of files; not every CPU has such pages. */
	cr_assert(strstr(backing.steps[0].reason,
	                 has_1g ? "another node" : "no 1 GiB") != NULL,
	          "%s", backing.steps[0].reason);
	cr_assert(strstr(backing.steps[1].reason,
	                 has_1g ? "node 4 has 0 free" : "no 1 GiB") != NULL,
	          "%s", backing.steps[1].reason);
	backing_close(&backing);
}

Test(backing, transparent_hugepages)
{
	static const char *const willing[] = {"always", "within_size", "advise",
	                                      "force"};
	static const char *const unwilling[] = {"never", "deny"};
	char text[80];
	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "some [%s] others\n", willing[i]);
		put("kernel/mm/transparent_hugepage/shmem_enabled", text);
		cr_assert_eq(open_it("node:1 pu:1", BACKING_THP, false, PAGE,
		                     PAGE, root),
		             0);
		cr_assert_eq(backing.node[0].kind, BACKING_THP);
		cr_assert_eq(backing.n_steps, 0);
		check_file(&backing.node[0]);
		backing_close(&backing);
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "[%s]\n", unwilling[i]);
		put("kernel/mm/transparent_hugepage/shmem_enabled", text);
		cr_assert_eq(open_it("node:1 pu:1", BACKING_THP, false, PAGE,
		                     PAGE, root),
		             0);
		cr_assert_eq(backing.node[0].kind, BACKING_4K);
		cr_assert(strstr(backing.node[0].reason, unwilling[i]) != NULL);
		backing_close(&backing);
	}
}

static void check_thp(const char *whole, const char *sized, bool willing,
                      const char *cure)
{
	char text[80];
	snprintf(text, sizeof(text), "[%s]\n", whole);
	put("kernel/mm/transparent_hugepage/shmem_enabled", text);
	snprintf(text, sizeof(text), "[%s]\n", sized);
	put("kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled",
	    text);
	cr_assert_eq(open_it("node:1 pu:1", BACKING_THP, false, PAGE, 0, root),
	             0);
	cr_assert_eq(backing.node[0].kind, willing ? BACKING_THP : BACKING_4K,
	             "%s/%s", whole, sized);
	if (!willing)
		cr_assert(strncmp(backing.node[0].remedy, cure, strlen(cure)) ==
		                  0,
		          "%s", backing.node[0].remedy);
	backing_close(&backing);
}

/* As seen on Linux 6.18, all pairs of them. */
Test(backing, transparent_hugepages_by_size)
{
	check_thp("never", "inherit", false, "echo advise > ");
	check_thp("never", "advise", true, "");
	check_thp("advise", "inherit", true, "");
	check_thp("advise", "never", false, "echo advise > ");
	check_thp("deny", "always", false, "echo advise > ");
	check_thp("force", "inherit", true, "");
	check_thp("force", "always", false, "echo inherit > ");
}

Test(backing, simulated_nodes)
{
	put_pool(2048, 0);
	cr_assert_eq(open_it("node:4(indexes=9,2,5,30) pu:1", BACKING_2M, false,
	                     MIB(32), MIB(16), root),
	             0);
	cr_assert_eq(backing.n_nodes, 4);
	for (unsigned i = 0; i < 4; i++) {
		check_file(&backing.node[i]);
		cr_assert_eq(backing.node[i].ready_pages, 8);
		cr_assert_not(backing.node[i].bound);
		cr_assert(strstr(backing.node[i].note, "simulated") != NULL);
	}
	backing_close(&backing);
}

struct seen {
	unsigned calls;
	uint64_t done[TOPO_NODES_MAX];
	uint64_t all[TOPO_NODES_MAX];
	bool backwards;
};

static void see(void *arg, unsigned ix, uint64_t done, uint64_t all)
{
	struct seen *seen = arg;
	seen->calls++;
	seen->backwards |= done <= seen->done[ix];
	seen->done[ix] = done;
	seen->all[ix] = all;
}

Test(backing, progress)
{
	struct seen seen = {0};
	struct backing_request request = {.topo = &topo,
	                                  .name = "slabd-test",
	                                  .first = BACKING_4K,
	                                  .file_bytes = file_bytes,
	                                  .start_bytes = start_bytes,
	                                  .progress = see,
	                                  .progress_arg = &seen,
	                                  .sysfs = root};
	cr_assert_eq(topo_load(&topo, "node:3 pu:1"), 0);
	file_bytes[0] = file_bytes[2] = start_bytes[0] = MIB(130);
	cr_assert_eq(backing_open(&backing, &request), 0);
	cr_assert_eq(seen.calls, 3);
	cr_assert_eq(seen.done[0], 65);
	cr_assert_eq(seen.all[0], 65);
	cr_assert_not(seen.backwards);
	/* One that starts empty, and one that has nothing ever. */
	cr_assert_eq(backing.node[2].ready_pages, 0);
	cr_assert_eq(backing.node[1].file_bytes, 0);
	check_file(&backing.node[2]);
	backing_close(&backing);
}

Test(backing, bad_requests)
{
	cr_assert_eq(
		open_it("node:1 pu:1", BACKING_4K, false, PAGE, 2 * PAGE, root),
		-EINVAL);
	cr_assert_neq(*backing.error, '\0');
	cr_assert_eq(
		open_it("node:1 pu:1", BACKING_4K, false, UINT64_MAX, 0, root),
		-EINVAL);
	cr_assert_eq(open_it("node:1 pu:1", BACKING_4K, false, PAGE, 0,
	                     "/a/very/long/way/to/something/that/is/not/"
	                     "the/root/of/sysfs"),
	             -EINVAL);
}

Test(backing, bad_ranges)
{
	uint64_t got;
	cr_assert_eq(
		open_it("node:1 pu:1", BACKING_4K, false, 8 * PAGE, 0, root),
		0);
	cr_assert_eq(backing_grow(&backing, 0, 8, 1, 0, &got), -EINVAL);
	cr_assert_eq(backing_grow(&backing, 0, 1, UINT64_MAX, 0, &got), -EINVAL);
	cr_assert_eq(backing_grow(&backing, 0, UINT64_MAX, 2, 0, &got), -EINVAL);
	cr_assert_eq(backing_grow(&backing, 1, 0, 1, 1, &got), -EINVAL);
	cr_assert_eq(backing_shrink(&backing, 0, 7, 2, 0), -EINVAL);
	cr_assert_eq(backing_shrink(&backing, 9, 0, 1, 9), -EINVAL);
	cr_assert_eq(backing_grow(&backing, 0, 7, 1, 0, &got), 0);
	backing_close(&backing);
}

Test(backing, real_grow_beyond_what_there_is)
{
	uint64_t got = 0;
	open_real_2m(MIB(512), MIB(8));
	struct backing_node *node = &backing.node[0];
	backing.may_reserve = false;
	/* Others may leave some free: the answer is the same. */
	int r = backing_grow(&backing, 0, 4, 252, 0, &got);
	if (r == 0) {
		backing_close(&backing);
		cr_skip("somebody has 252 free hugepages here");
	}
	cr_assert_eq(r, -ENOSPC);
	cr_assert_lt(got, 252);
	cr_assert_eq(node->ready_pages, 4 + got);
	cr_assert_eq(held_pages(node->fd), 4 + got);
	cr_assert(strstr(node->reason, "252 are wanted") != NULL, "%s",
	          node->reason);
	cr_assert(strncmp(node->remedy, "echo ", 5) == 0);
	backing_close(&backing);
}

/* Fails every call once, by what a full machine would answer. */
