/* SPDX-License-Identifier: MIT */
/* What numa/ assumes of the kernel, libnuma and hwloc; each names the code
 * that relies on it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <linux/capability.h>
#include <numaif.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa/huge.h"
#include "numa/meminfo.h"

#define PAGE (UINT64_C(2) << 20)
#define HUGE_2M (MFD_HUGETLB | 21u << 26)
#define HUGE_1G (MFD_HUGETLB | 30u << 26)
#define POPULATE_WRITE 23

static uint64_t reserved;

static void give_back(void)
{
	uint64_t gone;
	if (reserved > 0)
		huge_release(NULL, HUGE_ANY_NODE, 21, reserved, &gone);
	reserved = 0;
}

TestSuite(sys_numa, .fini = give_back);

static void want_hugepages(uint64_t n)
{
	if (huge_reserve(NULL, HUGE_ANY_NODE, 21, n, &reserved) != 0 ||
	    reserved < n) {
		give_back();
		cr_skip("2 MiB hugepages can't be reserved here");
	}
}

static int memfd(unsigned flags, uint64_t bytes)
{
	int fd = memfd_create("sys", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static char *map(int fd, uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_NORESERVE, fd, 0);
	cr_assert(at != MAP_FAILED);
	return at;
}

/* The first node that we may bind to. */
static void first_node(unsigned long mask[64], unsigned *id)
{
	unsigned long mems[64] = {0};
	if (get_mempolicy(NULL, mems, 4096, NULL, MPOL_F_MEMS_ALLOWED) != 0)
		cr_skip("this kernel binds no memory");
	for (*id = 0; !(mems[*id / 64] >> *id % 64 & 1); ++*id)
		cr_assert_lt(*id, 4095);
	memset(mask, 0, 64 * sizeof(*mask));
	mask[*id / 64] = 1ul << *id % 64;
}

static int plan_of_second_mapping(int fd)
{
	unsigned long mask[64];
	unsigned id;
	int mode = -1;
	first_node(mask, &id);
	char *at = map(fd, 4 * PAGE);
	cr_assert_eq(mbind(at, 4 * PAGE, MPOL_BIND, mask, id + 2, 0), 0);
	munmap(at, 4 * PAGE);
	at = map(fd, 4 * PAGE);
	cr_assert_eq(get_mempolicy(&mode, NULL, 0, at + PAGE, MPOL_F_ADDR), 0);
	munmap(at, 4 * PAGE);
	return mode;
}

/* memfile_bind: once is enough for shmem. */
Test(sys_numa, shmem_keeps_a_binding)
{
	int fd = memfd(0, 4 * PAGE);
	cr_assert_eq(plan_of_second_mapping(fd), MPOL_BIND);
}

/* memfile_fill: binds its own window each time, and clients must not fault
 * pages in, since theirs would come from anywhere. */
Test(sys_numa, hugetlb_forgets_a_binding)
{
	int fd = memfd(HUGE_2M, 4 * PAGE);
	cr_assert_eq(plan_of_second_mapping(fd), MPOL_DEFAULT);
}

/* window_bind: why it says os_node + 2. */
Test(sys_numa, mbind_counts_one_bit_less)
{
	unsigned long mask[64];
	unsigned id;
	first_node(mask, &id);
	char *at = map(memfd(0, PAGE), PAGE);
	cr_assert_eq(mbind(at, PAGE, MPOL_BIND, mask, id + 1, 0), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(mbind(at, PAGE, MPOL_BIND, mask, id + 2, 0), 0);
}

/* Maps a file of one written page for reading, as show_page does. */
static char *show(int fd)
{
	char *at = map(fd, PAGE);
	*at = 1;
	munmap(at, PAGE);
	at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	cr_assert(at != MAP_FAILED);
	return at;
}

static void where_it_lies(unsigned flags)
{
	unsigned long mask[64];
	unsigned id;
	int fd = memfd(flags, PAGE);
	int node = -1;
	struct stat st;
	first_node(mask, &id);
	void *at = show(fd);
	cr_assert_eq(move_pages(0, 1, &at, NULL, &node, 0), 0);
	cr_assert_geq(node, 0, "%s", strerror(-node));
	cr_assert_eq(fstat(fd, &st), 0);
	if (flags != 0)
		cr_assert_eq((uint64_t)st.st_blocks * 512, PAGE);
	munmap(at, PAGE);
	/* What this process has not touched is not to be found. */
	at = map(fd, PAGE);
	cr_assert_eq(move_pages(0, 1, &at, NULL, &node, 0), 0);
	cr_assert_eq(node, -ENOENT);
	munmap(at, PAGE);
	close(fd);
}

/* where: a page is asked for in a window that was read into being. */
Test(sys_numa, move_pages_says_where_it_lies)
{
	where_it_lies(0);
}

Test(sys_numa, move_pages_says_where_hugetlb_lies)
{
	want_hugepages(1);
	where_it_lies(HUGE_2M);
}

/* is_there, move_window: a page that is on its target already is no failure,
 * and a node that there is not is one. */
Test(sys_numa, mbind_moves_to_nodes_that_there_are)
{
	unsigned long mask[64];
	unsigned id;
	unsigned flags = MPOL_MF_MOVE_ALL | MPOL_MF_STRICT;
	first_node(mask, &id);
	char *at = show(memfd(0, PAGE));
	if (mbind(at, PAGE, MPOL_BIND, mask, id + 2, flags) != 0) {
		cr_assert_eq(errno, EPERM);
		cr_skip("needs CAP_SYS_NICE");
	}
	memset(mask, 0, sizeof(mask));
	mask[15] = 1ul << 63;
	cr_assert_eq(mbind(at, PAGE, MPOL_BIND, mask, 1025, flags), -1);
	cr_assert_eq(errno, EINVAL);
}

/* backing_may_move: what the capability is asked for. */
Test(sys_numa, moving_for_all_needs_a_capability)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	unsigned long mask[64];
	unsigned id;
	first_node(mask, &id);
	char *at = show(memfd(0, PAGE));
	cr_assert_eq(syscall(SYS_capget, &head, data), 0);
	data[0].effective &= ~(1u << CAP_SYS_NICE);
	cr_assert_eq(syscall(SYS_capset, &head, data), 0);
	cr_assert_eq(mbind(at, PAGE, MPOL_BIND, mask, id + 2, MPOL_MF_MOVE_ALL),
	             -1);
	cr_assert_eq(errno, EPERM);
}

/* populate: a shortage is an error, not a signal. The test would die of it. */
Test(sys_numa, populate_without_hugepages_is_efault)
{
	struct huge_counts c;
	if (huge_count(NULL, HUGE_ANY_NODE, 30, &c) != 0 || c.free_pages > 0 ||
	    c.loan_pages > 0)
		cr_skip("no empty pool of 1 GiB pages to try it on");
	char *at = map(memfd(HUGE_1G, UINT64_C(1) << 30), UINT64_C(1) << 30);
	int r = madvise(at, UINT64_C(1) << 30, POPULATE_WRITE);
	if (r != 0 && errno == EINVAL)
		cr_skip("this kernel has no MADV_POPULATE_WRITE");
	cr_assert_eq(r, -1);
	cr_assert_eq(errno, EFAULT);
}

/* memfile_create: a sparse hugetlb file takes nothing from the pool, however
 * large, nor does a NORESERVE mapping of it. */
Test(sys_numa, sparse_hugetlb_promises_nothing)
{
	int fd = memfd(HUGE_2M, UINT64_C(1) << 40);
	char *at = map(fd, UINT64_C(1) << 40);
	struct stat st;
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_blocks, 0);
	munmap(at, UINT64_C(1) << 40);
}

static void count_and_punch(unsigned flags)
{
	struct stat st;
	int fd = memfd(flags, 8 * PAGE);
	char *at = map(fd, 8 * PAGE);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS,
	                   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
	             0);
	memset(at, 1, 3 * PAGE);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq((uint64_t)st.st_blocks * 512, 3 * PAGE);
	cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                       (off_t)PAGE, (off_t)PAGE),
	             0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq((uint64_t)st.st_blocks * 512, 2 * PAGE);
	munmap(at, 8 * PAGE);
	close(fd);
}

/* memfile_ready counts by st_blocks; memfile_punch works on a sealed file. */
Test(sys_numa, blocks_are_what_is_there)
{
	count_and_punch(0);
}

Test(sys_numa, blocks_are_what_is_there_of_hugetlb)
{
	want_hugepages(3);
	count_and_punch(HUGE_2M);
}

/* reserve_drop: a lowered pool takes its pages back when they fall free. */
Test(sys_numa, pool_below_its_use_shrinks_later)
{
	struct huge_counts c;
	want_hugepages(2);
	int fd = memfd(HUGE_2M, 2 * PAGE);
	char *at = map(fd, 2 * PAGE);
	memset(at, 1, 2 * PAGE);
	close(fd);
	cr_assert_eq(huge_owe(NULL, HUGE_ANY_NODE, 21, reserved), 0);
	reserved = 0;
	cr_assert_eq(huge_count(NULL, HUGE_ANY_NODE, 21, &c), 0);
	cr_assert_geq(c.total_pages, 2);
	at[PAGE] = 2;
	cr_assert_eq(at[0], 1);
	munmap(at, 2 * PAGE);
}

/* meminfo_thp and window_open: advice at an aligned address is all it takes. */
Test(sys_numa, advised_shmem_gets_huge_pages)
{
	char line[200];
	char remedy[200];
	if (!meminfo_thp(NULL, line, sizeof(line), remedy, sizeof(remedy)))
		cr_skip("%s", line);
	int fd = memfd(0, 4 * PAGE);
	char *base = mmap(NULL, 5 * PAGE, PROT_NONE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)base + PAGE - 1) & ~(PAGE - 1));
	cr_assert(mmap(at, 4 * PAGE, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_FIXED, fd, 0) == at);
	cr_assert_eq(madvise(at, 4 * PAGE, MADV_HUGEPAGE), 0);
	cr_assert_eq(madvise(at, 4 * PAGE, POPULATE_WRITE), 0);
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long kb = 0;
	while (kb == 0 && fgets(line, sizeof(line), smaps))
		sscanf(line, "ShmemPmdMapped: %lu", &kb);
	fclose(smaps);
	cr_assert_eq(kb, 4 * PAGE >> 10);
}

/* ask_allowed: one call says which nodes a cpuset leaves us. */
Test(sys_numa, allowed_nodes)
{
	unsigned long mems[64] = {0};
	char line[4096];
	bool found = false;
	if (get_mempolicy(NULL, mems, 4096, NULL, MPOL_F_MEMS_ALLOWED) != 0)
		cr_skip("this kernel binds no memory");
	FILE *status = fopen("/proc/self/status", "re");
	hwloc_bitmap_t want = hwloc_bitmap_alloc();
	while (!found && fgets(line, sizeof(line), status))
		found = strncmp(line, "Mems_allowed_list:", 18) == 0;
	fclose(status);
	cr_assert(found);
	line[strcspn(line, "\n")] = '\0';
	cr_assert_eq(hwloc_bitmap_list_sscanf(want, line + 19), 0);
	for (unsigned i = 0; i < 4096; i++)
		cr_assert_eq((int)(mems[i / 64] >> i % 64 & 1),
		             hwloc_bitmap_isset(want, i));
	hwloc_bitmap_free(want);
}

static hwloc_topology_t load(const char *synthetic)
{
	hwloc_topology_t hw;
	hwloc_topology_init(&hw);
	if (synthetic)
		cr_assert_eq(hwloc_topology_set_synthetic(hw, synthetic), 0);
	cr_assert_eq(hwloc_topology_load(hw), 0);
	return hw;
}

/* describe: why it reads HWLOC_SYNTHETIC itself. */
Test(sys_numa, hwloc_passes_a_bad_environment_over)
{
	setenv("HWLOC_SYNTHETIC", "nde:3", 1);
	hwloc_topology_t hw = load(NULL);
	cr_assert_eq(hwloc_topology_is_thissystem(hw), 1);
	hwloc_topology_destroy(hw);
}

/* keep_sorted, and SYNTHETIC_BYTES: hwloc's order isn't that of the kernel's
 * ids, and a description need not say how much memory there is. */
Test(sys_numa, hwloc_synthetic_nodes)
{
	hwloc_topology_t hw = load("node:3(indexes=5,2,9) pu:1");
	cr_assert_eq(hwloc_topology_is_thissystem(hw), 0);
	hwloc_obj_t obj = hwloc_get_obj_by_type(hw, HWLOC_OBJ_NUMANODE, 0);
	cr_assert_eq(obj->os_index, 5);
	hwloc_topology_destroy(hw);
	hw = load("Package:1 [numa] pu:1");
	obj = hwloc_get_obj_by_type(hw, HWLOC_OBJ_NUMANODE, 0);
	cr_assert_eq(obj->attr->numanode.local_memory, 0);
	hwloc_topology_destroy(hw);
}

/* local_node: memory beside other memory shows the same CPUs as local. */
Test(sys_numa, hwloc_gives_one_cpu_two_local_nodes)
{
	hwloc_topology_t hw = load("Package:1 [numa] [numa] pu:2");
	for (unsigned i = 0; i < 2; i++) {
		hwloc_obj_t obj =
			hwloc_get_obj_by_type(hw, HWLOC_OBJ_NUMANODE, i);
		cr_assert_eq(hwloc_bitmap_weight(obj->cpuset), 2);
	}
	hwloc_topology_destroy(hw);
}
