/* SPDX-License-Identifier: MIT */
/* Pages that lie elsewhere than their file, and every way in which a move can
 * fail. What a kernel of several nodes does is tests/guest/migrate.c's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa/backing.h"
#include "numa/migrate.h"
#include "tests/lib/backing_fixture.h"

TestSuite(backing_move, .init = setup, .fini = teardown);

static struct backing_moved how;

/* ---- in the books alone -------------------------------------------------- */

static void expect_here(uint64_t a, uint64_t b, uint64_t c)
{
	cr_expect_eq(backing.node[0].resident_pages, a);
	cr_expect_eq(backing.node[1].resident_pages, b);
	cr_expect_eq(backing.node[2].resident_pages, c);
}

Test(backing_move, a_file_grows_elsewhere)
{
	uint64_t got;
	cr_assert_eq(open_it("node:3 pu:1", BACKING_4K, false, MIB(16), MIB(4),
	                     root),
	             0);
	expect_here(2, 2, 2);
	cr_assert_eq(backing_grow(&backing, 0, 2, 3, 1, &got), 0);
	cr_expect_eq(got, 3);
	expect_here(2, 5, 2);
	cr_expect_eq(backing.node[0].ready_pages, 5);
	cr_expect_eq(backing.node[1].ready_pages, 2);
	check_file(&backing.node[0]);
	/* What there is already comes to nothing. */
	cr_assert_eq(backing_grow(&backing, 0, 4, 2, 1, &got), 0);
	expect_here(2, 6, 2);
	cr_assert_eq(backing_shrink(&backing, 0, 2, 3, 1), 0);
	expect_here(2, 3, 2);
	cr_expect_eq(backing.node[0].ready_pages, 3);
	check_file(&backing.node[0]);
	/* A hole takes nothing away. */
	cr_assert_eq(backing_shrink(&backing, 0, 2, 3, 1), 0);
	expect_here(2, 3, 2);
	cr_expect_eq(backing_grow(&backing, 0, 2, 1, 3, &got), -EINVAL);
	cr_expect_eq(backing_shrink(&backing, 0, 2, 1, 3), -EINVAL);
}

Test(backing_move, simulated_nodes_move_in_the_books)
{
	struct backing_journal journal[3] = {{0}};
	cr_assert_eq(open_it("node:3 pu:1", BACKING_4K, false, MIB(16), MIB(4),
	                     root),
	             0);
	backing.journal = journal;
	backing.node[0].reserved_pages = 2;
	how.ns = 77;
	cr_assert_eq(backing_move(&backing, 0, 1, 0, 2, &how), 0);
	cr_expect_eq(how.ns, 0);
	cr_expect_str_eq(how.reason, "");
	expect_here(1, 2, 3);
	cr_expect_eq(backing.node[0].ready_pages, 2);
	cr_expect_eq(backing.node[0].reserved_pages, 1);
	cr_expect_eq(backing.node[2].reserved_pages, 1);
	cr_expect_eq(journal[0].reserved_pages, 1);
	cr_expect_eq(journal[2].reserved_pages, 1);
	cr_assert_eq(backing_move(&backing, 1, 0, 1, 2, &how), 0);
	expect_here(1, 1, 4);
	cr_expect_eq(backing.node[2].reserved_pages, 1,
	             "node 1 had added none");
	backing.node[0].reserved_pages = backing.node[2].reserved_pages = 0;
	backing.journal = NULL;
}

Test(backing_move, bad_requests)
{
	unsigned node;
	cr_assert_eq(open_it("node:3 pu:1", BACKING_4K, false, MIB(16), MIB(4),
	                     root),
	             0);
	static const unsigned bad[][4] = {{3, 0, 0, 1}, {0, 0, 3, 1},
	                                  {0, 0, 0, 3}, {0, 0, 1, 1},
	                                  {0, 8, 0, 1}};
	for (unsigned i = 0; i < 5; i++) {
		cr_expect_eq(backing_move(&backing, bad[i][0], bad[i][1],
		                          bad[i][2], bad[i][3], &how),
		             -EINVAL, "case %u", i);
		cr_expect_neq(*how.reason, '\0');
	}
	expect_here(2, 2, 2);
	cr_expect_eq(backing_where(&backing, 3, 0, &node), -EINVAL);
	cr_expect_eq(backing_where(&backing, 0, 8, &node), -EINVAL);
	cr_expect_eq(backing_where(&backing, 0, 0, &node), -EOPNOTSUPP);
}

/* ---- the kernel that is here --------------------------------------------- */

Test(backing_move, real_page_is_found)
{
	unsigned node = 9;
	open_real_2m(MIB(16), MIB(4));
	if (!backing.node[0].bound)
		cr_skip("this kernel binds no memory");
	uint64_t held = held_pages(backing.node[0].fd);
	cr_assert_eq(backing_where(&backing, 0, 1, &node), 0);
	cr_expect_eq(node, 0);
	cr_expect_eq(held_pages(backing.node[0].fd), held);
	cr_expect_not(is_in_file("/proc/self/maps", "slabd-test"),
	              "the window stayed mapped");
}

/* To a node that the kernel does not have. */
Test(backing_move, real_page_stays_where_it_is)
{
	unsigned node = 9;
	open_real_2m(MIB(16), MIB(8));
	if (!backing.node[0].bound)
		cr_skip("this kernel binds no memory");
	uint64_t held = held_pages(backing.node[0].fd);
	char *at = map(backing.node[0].fd, MIB(8));
	memset(at, 7, MIB(8));
	topo.node[1] = topo.node[0];
	topo.node[1].os_id = 60;
	topo.n_nodes = backing.n_nodes = 2;
	uint64_t reserved = backing.node[0].reserved_pages;
	int r = backing_move(&backing, 0, 2, 0, 1, &how);
	/* Both nodes read this machine's one pool: one page that was added for
	 * the move may still count, on either. */
	backing.node[0].reserved_pages += backing.node[1].reserved_pages;
	backing.node[1].reserved_pages = 0;
	if (r == -ENOSPC)
		cr_skip("others took the hugepages: %s", how.reason);
	cr_expect_eq(r, -EINVAL, "%d: %s", r, how.reason);
	cr_expect(strstr(how.reason, "page 2 of node 0's file can't go from "
	                             "node 0 to 60") != NULL,
	          "%s", how.reason);
	cr_expect_leq(backing.node[0].reserved_pages, reserved + 1);
	cr_expect_eq(backing.node[0].resident_pages, 4);
	cr_expect_eq(held_pages(backing.node[0].fd), held);
	cr_expect_eq(backing_where(&backing, 0, 2, &node), 0);
	cr_expect_eq(node, 0);
	for (uint64_t i = 0; i < MIB(8); i += 512)
		cr_assert_eq(at[i], 7);
	munmap(at, MIB(8));
	backing.node[1].fd = -1;
}

/* ---- a kernel of two nodes ----------------------------------------------- */

/* Hugepages: two pages of ours on node 0, both of them added by us; on node 1
 * some that are free. */
static void two_nodes(unsigned free_pages)
{
	static struct backing_journal journal[2];
	open_fake(BACKING_2M, MIB(16));
	put_node_pool(0, 2, 0);
	put_node_pool(1, free_pages, free_pages);
	backing_set_resident(&backing, 0, 2);
	memset(journal, 0, sizeof(journal));
	backing.journal = journal;
	backing.node[0].reserved_pages = journal[0].reserved_pages = 2;
}

static void expect_unmoved(void)
{
	cr_expect_eq(fake.at, 0);
	cr_expect_eq(fake.half_at, 0);
	cr_expect_eq(backing.node[0].resident_pages, 2);
	cr_expect_eq(backing.node[1].resident_pages, 0);
	cr_expect_eq(backing.node[0].reserved_pages, 2);
	cr_expect_eq(backing.node[1].reserved_pages, 0);
	cr_expect_eq(pool_pages(0, "nr"), 2);
	cr_expect_eq(backing.journal[0].reserved_pages, 2);
	cr_expect_eq(backing.journal[0].change_pages, 0);
	cr_expect_eq(backing.journal[1].change_pages, 0);
	cr_expect_neq(*how.reason, '\0');
}

/* Its memory was taken offline, and the kernel has moved the page by itself. */
static void was_moved(unsigned seen, unsigned pages, unsigned free_pages)
{
	two_nodes(0);
	put_node_pool(0, 1, 0);
	put_node_pool(1, pages, free_pages);
	backing.node[0].seen_pages = 2;
	backing.node[1].seen_pages = seen;
	fake.at = 1;
	cr_assert_eq(backing_move(&backing, 0, 1, 0, 1, &how), 0, "%s",
	             how.reason);
	cr_expect_eq(fake.asks, 0);
	cr_expect_eq(backing.node[0].resident_pages, 1);
	cr_expect_eq(backing.node[1].resident_pages, 1);
	cr_expect_eq(pool_pages(0, "nr"), 1);
	cr_expect_eq(pool_pages(1, "nr"), pages);
}

Test(backing_move, the_hugepage_that_the_kernel_made_is_ours)
{
	was_moved(4, 5, 0);
	cr_expect_eq(backing.node[0].reserved_pages, 1);
	cr_expect_eq(backing.node[1].reserved_pages, 1);
	cr_expect_eq(backing.journal[0].reserved_pages, 1);
	cr_expect_eq(backing.journal[1].reserved_pages, 1);
	cr_expect_eq(backing.node[1].seen_pages, 5);
}

Test(backing_move, the_hugepage_that_the_kernel_took_is_others)
{
	was_moved(5, 5, 0);
	cr_expect_eq(backing.node[1].reserved_pages, 0);
}

Test(backing_move, others_have_added_some_meanwhile)
{
	was_moved(4, 6, 1);
	cr_expect_eq(backing.node[1].reserved_pages, 0);
}

Test(backing_move, where_we_never_looked_none_is_ours)
{
	was_moved(0, 5, 0);
	cr_expect_eq(backing.node[1].reserved_pages, 0);
}

Test(backing_move, ours_goes_back_where_another_is_free)
{
	unsigned file;
	uint64_t page;
	two_nodes(3);
	cr_assert_eq(backing_move(&backing, 0, 1, 0, 1, &how), 0, "%s",
	             how.reason);
	cr_expect_eq(fake.at, 1);
	cr_expect_eq(fake.asks, 1);
	cr_expect_eq(backing.node[0].resident_pages, 1);
	cr_expect_eq(backing.node[1].resident_pages, 1);
	cr_expect_eq(backing.node[0].reserved_pages, 1);
	cr_expect_eq(backing.node[1].reserved_pages, 0);
	cr_expect_eq(pool_pages(0, "nr"), 1, "one is given back");
	cr_expect_eq(pool_pages(1, "nr"), 3);
	cr_expect_eq(backing.journal[0].reserved_pages, 1);
	/* The next slabd can know which page that was. */
	cr_expect(migrate_last(&backing, 1, &file, &page));
	cr_expect_eq(file, 0);
	cr_expect_eq(page, 1);
	cr_expect_not(migrate_last(&backing, 0, &file, &page));
	cr_expect_not(migrate_last(&backing, 2, &file, &page));
	backing.journal[0].moving = UINT32_MAX;
	cr_expect_not(migrate_last(&backing, 0, &file, &page));
	backing.journal = NULL;
	cr_expect_not(migrate_last(&backing, 1, &file, &page));
}

Test(backing_move, no_free_hugepage)
{
	two_nodes(0);
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -ENOSPC);
	cr_expect_eq(fake.asks, 0, "the kernel is not asked");
	cr_expect(strstr(how.reason, "node 1 has 0 free 2 MiB hugepages and 1 "
	                             "is wanted") != NULL,
	          "%s", how.reason);
	cr_expect(strncmp(how.remedy, "echo 8 > ", 9) == 0,
	          "all that the node may have: %s", how.remedy);
	expect_unmoved();
	/* What the kernel would lend does not last, and is not ours to take. */
	put("kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages",
	    "9\n");
	put("kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages", "0\n");
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -ENOSPC);
	expect_unmoved();
}

Test(backing_move, the_kernel_refuses)
{
	static const struct {
		int error, want;
		const char *say;
	} cases[] = {
		{EPERM, -EPERM, "does not let slabd move pages"},
		{EINVAL, -EINVAL, "Invalid argument"},
		{ENOMEM, -ENOSPC, "No space left"},
		{EFAULT, -EFAULT, "Bad address"},
	};
	two_nodes(3);
	for (unsigned i = 0; i < 4; i++) {
		fake.move_fault = (struct fault){1, cases[i].error, false};
		cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how),
		             cases[i].want, "case %u", i);
		if (i > 0 || geteuid() == 0)
			cr_expect(strstr(how.reason, cases[i].say) != NULL,
			          "%s", how.reason);
		cr_expect_eq(fake.asks, 2 * i + 2, "and asked to put it back");
		expect_unmoved();
	}
}

Test(backing_move, without_the_capability)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	char reason[200];
	char remedy[200];
	two_nodes(3);
	cr_assert_eq(syscall(SYS_capget, &head, data), 0);
	data[0].effective &= ~(1u << CAP_SYS_NICE);
	cr_assert_eq(syscall(SYS_capset, &head, data), 0);
	cr_expect_not(backing_may_move(reason, sizeof(reason), remedy,
	                               sizeof(remedy)));
	cr_expect(strstr(reason, "lacks CAP_SYS_NICE") != NULL);
	cr_expect(strstr(remedy, "AmbientCapabilities=") != NULL);
	cr_expect(strstr(remedy, "CapabilityBoundingSet=") != NULL);
	cr_expect(strstr(remedy, "slabctl") == NULL && strlen(remedy) < 199);
	fake.move_fault = (struct fault){1, EPERM, false};
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -EPERM);
	cr_expect_str_eq(how.reason, reason);
	cr_expect_str_eq(how.remedy, remedy);
	expect_unmoved();
}

Test(backing_move, it_can_not_be_moved_now)
{
	two_nodes(3);
	/* mbind has one error for many causes: move_pages tells them apart. */
	fake.move_fault = (struct fault){1, EIO, false};
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -EBUSY);
	cr_expect(strstr(how.reason, "pinned") != NULL, "%s", how.reason);
	cr_expect_neq(*how.remedy, '\0');
	expect_unmoved();
	fake.move_fault.nth = 1;
	fake.insist_status = -EACCES;
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -EACCES);
	expect_unmoved();
	fake.move_fault.nth = 1;
	fake.insist_error = ENOMEM;
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -ENOSPC);
	expect_unmoved();
	/* Says that it is done, and it is not. */
	fake.insist_status = fake.insist_error = 0;
	fake.pretends = true;
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -EBUSY);
	expect_unmoved();
	/* And the second attempt may do it. */
	fake.pretends = false;
	fake.insisted = true;
	fake.move_fault.nth = 1;
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), 0, "%s",
	             how.reason);
	cr_expect_eq(fake.at, 1);
	cr_expect_str_eq(how.reason, "");
	cr_expect_eq(backing.node[1].resident_pages, 1);
}

Test(backing_move, a_page_that_is_not_there)
{
	two_nodes(3);
	fake.at = fake.half_at = -ENOENT;
	fake.pretends = true;
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -ENOENT);
	cr_expect(strstr(how.reason, "not faulted in") != NULL, "%s",
	          how.reason);
}

Test(backing_move, the_kernel_makes_a_hugepage)
{
	two_nodes(1);
	fake.temporary = true;
	cr_assert_eq(backing_move(&backing, 0, 1, 0, 1, &how), 0);
	/* It took node 0's away itself, and node 1's new one is for ours. */
	cr_expect_eq(pool_pages(0, "nr"), 1);
	cr_expect_eq(pool_pages(1, "nr"), 2);
	cr_expect_eq(backing.node[0].reserved_pages, 1);
	cr_expect_eq(backing.node[1].reserved_pages, 1);
	cr_expect_eq(backing.journal[1].reserved_pages, 1);
}

Test(backing_move, moved_by_one_that_was_killed)
{
	two_nodes(0);
	fake.at = fake.half_at = 1;
	put_node_pool(0, 2, 1);
	put_node_pool(1, 1, 0);
	backing.node[1].reserved_pages = 1;
	cr_assert_eq(backing_move(&backing, 0, 1, 0, 1, &how), 0);
	cr_expect_eq(fake.asks, 0);
	cr_expect_eq(backing.node[0].resident_pages, 1);
	cr_expect_eq(backing.node[1].resident_pages, 1);
	cr_expect_eq(backing.node[0].reserved_pages, 1);
	cr_expect_eq(backing.node[1].reserved_pages, 1);
	cr_expect_eq(pool_pages(0, "nr"), 1);
	cr_expect_eq(pool_pages(1, "nr"), 1);
}

Test(backing_move, what_was_added_and_not_used_goes_back)
{
	two_nodes(0);
	put_node_pool(0, 5, 3);
	backing.node[0].reserved_pages = 4;
	backing_set_resident(&backing, 0, 2);
	cr_expect_eq(backing.node[0].reserved_pages, 2);
	cr_expect_eq(pool_pages(0, "nr"), 3);
	backing_set_resident(&backing, 0, 3);
	cr_expect_eq(backing.node[0].reserved_pages, 2);
}

/* A node whose own file is of small pages has hugepages of another's. */
Test(backing_move, hugepages_of_a_node_without_any)
{
	two_nodes(1);
	backing.node[1].kind = BACKING_4K;
	cr_assert_eq(backing_move(&backing, 0, 1, 0, 1, &how), 0);
	put_node_pool(1, 1, 1);
	backing.node[1].reserved_pages = 1;
	cr_assert_eq(backing_shrink(&backing, 0, 0, 8, 1), 0);
	backing_set_resident(&backing, 1, 0);
	cr_expect_eq(pool_pages(1, "nr"), 0);
	cr_expect_eq(backing.journal[1].kind, BACKING_2M);
}

Test(backing_move, kinds_that_do_not_move)
{
	two_nodes(3);
	backing.node[0].kind = BACKING_1G;
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -EOPNOTSUPP);
	cr_expect(strstr(how.reason, "1 GiB") != NULL);
	backing.node[0].kind = BACKING_2M;
	backing.node[0].bound = false;
	strcpy(backing.node[0].note, "not bound: for a test");
	cr_expect_eq(backing_move(&backing, 0, 1, 0, 1, &how), -EOPNOTSUPP);
	cr_expect_str_eq(how.reason, "not bound: for a test");
	expect_unmoved();
}

static void put_memory(unsigned node, unsigned free_mib)
{
	char name[80];
	char text[160];
	snprintf(name, sizeof(name), "devices/system/node/node%u/meminfo",
	         node);
	snprintf(text, sizeof(text),
	         "Node %u MemTotal:  999999 kB\nNode %u MemFree:  %u kB\n",
	         node, node, free_mib << 10);
	put(name, text);
}

Test(backing_move, small_pages)
{
	open_fake(BACKING_4K, MIB(16));
	backing_set_resident(&backing, 0, 1);
	put_memory(1, 33);
	cr_expect_eq(backing_move(&backing, 0, 0, 0, 1, &how), -ENOMEM);
	cr_expect(strstr(how.reason, "node 1 has 1 MiB to give and 2 MiB are "
	                             "wanted") != NULL,
	          "%s", how.reason);
	put_memory(1, 50);
	/* Half of it moves, and comes back. */
	fake.move_fault = (struct fault){1, EIO, false};
	fake.half_at = 1;
	cr_expect_eq(backing_move(&backing, 0, 0, 0, 1, &how), -EBUSY);
	cr_expect_eq(fake.half_at, 0);
	fake.move_fault = (struct fault){1, ENOMEM, false};
	cr_expect_eq(backing_move(&backing, 0, 0, 0, 1, &how), -ENOMEM);
	cr_expect_eq(backing.node[0].resident_pages, 1);
	cr_assert_eq(backing_move(&backing, 0, 0, 0, 1, &how), 0, "%s",
	             how.reason);
	cr_expect_eq(backing.node[0].resident_pages, 0);
	cr_expect_eq(backing.node[1].resident_pages, 1);
	cr_expect_eq(fake.at, 1);
}

Test(backing_move, room)
{
	two_nodes(5);
	put("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "7\n");
	put("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "5\n");
	put("kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "2\n");
	put_memory(1, 32 + 21);
	cr_expect_eq(backing_room_pages(&backing, 1), 3);
	backing.may_reserve = true;
	cr_expect_eq(backing_room_pages(&backing, 1), 13);
	put_memory(0, 16);
	cr_expect_eq(backing_room_pages(&backing, 0), 0);
	cr_expect_eq(backing_spare_pages(&backing, 1), 3);
	backing.node[1].kind = BACKING_THP;
	cr_expect_eq(backing_room_pages(&backing, 1), 10);
	cr_expect_eq(backing_spare_pages(&backing, 1), 0);
	backing.node[1].kind = BACKING_1G;
	cr_expect_eq(backing_room_pages(&backing, 1), 0, "no such pool");
}
