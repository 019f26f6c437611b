/* SPDX-License-Identifier: MIT */
#include "tests/lib/backing_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/huge.h"
#include "numa/reserve.h"

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __real_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice);
long __real_mbind(void *at, unsigned long bytes, int mode,
                  const unsigned long *mask, unsigned long max, unsigned flags);
long __wrap_mbind(void *at, unsigned long bytes, int mode,
                  const unsigned long *mask, unsigned long max, unsigned flags);

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
long __real_move_pages(int pid, unsigned long n, void **pages, const int *nodes,
                       int *status, int flags);
long __wrap_move_pages(int pid, unsigned long n, void **pages, const int *nodes,
                       int *status, int flags);

struct topo topo;
struct backing backing;
uint64_t file_bytes[TOPO_NODES_MAX];
uint64_t start_bytes[TOPO_NODES_MAX];
char root[40];
uint64_t lent_pages;
struct fault memfd_fault;
struct fault mbind_fault;
struct fault populate_fault;
struct fault fstat_fault;
struct fake fake;
bool old_kernel;
uint64_t memory_left = UINT64_MAX;

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static bool fails(struct fault *fault)
{
	bool now;
	pthread_mutex_lock(&counting);
	now = fault->nth == 1;
	if (fault->nth > 0 && !(now && fault->for_good))
		fault->nth--;
	pthread_mutex_unlock(&counting);
	if (now)
		errno = fault->error;
	return now;
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	if (fails(&memfd_fault))
		return -1;
	if (old_kernel && flags & 8) {
		errno = EINVAL;
		return -1;
	}
	return __real_memfd_create(name, flags);
}

int __wrap_madvise(void *at, size_t bytes, int advice)
{
	if (advice != 23)
		return __real_madvise(at, bytes, advice);
	if (fails(&populate_fault))
		return -1;
	if (old_kernel) {
		errno = EINVAL;
		return -1;
	}
	if (bytes > memory_left) {
		if (memory_left > 0)
			__real_madvise(at, memory_left, advice);
		errno = ENOMEM;
		return -1;
	}
	return __real_madvise(at, bytes, advice);
}

int __wrap_fstat(int fd, struct stat *st)
{
	return fails(&fstat_fault) ? -1 : __real_fstat(fd, st);
}

/* A page takes a free hugepage and leaves one behind, or a new one is made and
 * the old one is gone. */
static void fake_pools(unsigned from, unsigned to)
{
	unsigned by = fake.temporary ? 1 : 0;
	unsigned from_free = pool_pages(from, "free");
	unsigned to_free = pool_pages(to, "free");
	put_node_pool(from, pool_pages(from, "nr") - by, from_free + 1 - by);
	put_node_pool(to, pool_pages(to, "nr") + by, to_free - 1 + by);
}

static void fake_move(int to)
{
	if (fake.pretends)
		return;
	if (fake.at != to && backing_kind_is_hugetlb(backing.node[0].kind))
		fake_pools((unsigned)fake.at, (unsigned)to);
	fake.at = fake.half_at = to;
}

static long fake_mbind(int to, unsigned flags)
{
	if ((flags & MPOL_MF_MOVE_ALL) == 0)
		return 0;
	fake.asks++;
	if (fails(&fake.move_fault))
		return -1;
	fake_move(to);
	return 0;
}

long __wrap_move_pages(int pid, unsigned long n, void **pages, const int *nodes,
                       int *status, int flags)
{
	if (!fake.on)
		return __real_move_pages(pid, n, pages, nodes, status, flags);
	if (nodes != NULL && fake.insist_error != 0) {
		errno = fake.insist_error;
		return -1;
	}
	if (nodes != NULL && fake.insisted)
		fake_move(nodes[0]);
	for (unsigned long i = 0; i < n; i++) {
		status[i] = i < (n + 1) / 2 ? fake.at : fake.half_at;
		if (nodes != NULL && fake.insist_status != 0)
			status[i] = fake.insist_status;
	}
	return 0;
}

long __wrap_mbind(void *at, unsigned long bytes, int mode,
                  const unsigned long *mask, unsigned long max, unsigned flags)
{
	if (fails(&mbind_fault))
		return -1;
	if (fake.on)
		return fake_mbind((int)(mask[0] >> 1), flags);
	return __real_mbind(at, bytes, mode, mask, max, flags);
}

void put(const char *name, const char *text)
{
	char path[240];
	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *at = path + strlen(root) + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	FILE *file = fopen(path, "we");
	cr_assert(file != NULL, "%s", path);
	fputs(text, file);
	fclose(file);
}

/* A pool of the whole machine with some free pages that never get more. */
void put_pool(unsigned kb, unsigned free_pages)
{
	char name[80];
	char text[16];
	snprintf(text, sizeof(text), "%u\n", free_pages);
	snprintf(name, sizeof(name),
	         "kernel/mm/hugepages/hugepages-%ukB/free_hugepages", kb);
	put(name, text);
	snprintf(name, sizeof(name),
	         "kernel/mm/hugepages/hugepages-%ukB/nr_hugepages", kb);
	put(name, text);
	snprintf(name, sizeof(name),
	         "kernel/mm/hugepages/hugepages-%ukB/surplus_hugepages", kb);
	put(name, "0\n");
}

static void pool_file(char *name, size_t bytes, unsigned node, const char *what)
{
	snprintf(name, bytes,
	         "devices/system/node/node%u/hugepages/hugepages-2048kB/"
	         "%s_hugepages",
	         node, what);
}

void put_node_pool(unsigned node, unsigned pages, unsigned free_pages)
{
	const struct {
		const char *what;
		unsigned n;
	} counts[] = {{"nr", pages}, {"free", free_pages}, {"surplus", 0}};
	char name[100];
	char text[16];
	for (unsigned i = 0; i < 3; i++) {
		pool_file(name, sizeof(name), node, counts[i].what);
		snprintf(text, sizeof(text), "%u\n", counts[i].n);
		put(name, text);
	}
}

unsigned pool_pages(unsigned node, const char *what)
{
	char name[100];
	char path[160];
	unsigned n = 9999;
	pool_file(name, sizeof(name), node, what);
	snprintf(path, sizeof(path), "%s/%s", root, name);
	FILE *file = fopen(path, "re");
	cr_assert(file != NULL && fscanf(file, "%u", &n) == 1, "%s", path);
	fclose(file);
	return n;
}

void setup(void)
{
	strcpy(root, "/tmp/slabd-back-XXXXXX");
	cr_assert(mkdtemp(root) != NULL);
	put("kernel/mm/transparent_hugepage/shmem_enabled",
	    "always within_size advise [never] deny force\n");
}

/* Also after a failure: hugepages would stay reserved. */
void teardown(void)
{
	char command[80];
	uint64_t gone;
	backing_close(&backing);
	if (lent_pages > 0)
		huge_release(NULL, HUGE_ANY_NODE, 21, lent_pages, &gone);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

int open_it(const char *synthetic, enum backing_kind first, bool may_reserve,
            uint64_t file, uint64_t start, const char *sysfs)
{
	struct backing_request request = {
		.topo = &topo,
		.name = "slabd-test",
		.first = first,
		.may_reserve = may_reserve,
		.file_bytes = file_bytes,
		.start_bytes = start_bytes,
		.sysfs = sysfs,
	};
	int r = topo_load(&topo, synthetic);
	cr_assert(r == 0, "%s", topo.error);
	for (unsigned i = 0; i < TOPO_NODES_MAX; i++) {
		file_bytes[i] = file;
		start_bytes[i] = start;
	}
	return backing_open(&backing, &request);
}

void open_fake(enum backing_kind kind, uint64_t file)
{
	struct backing_request request = {.topo = &topo,
	                                  .name = "slabd-test",
	                                  .first = kind,
	                                  .file_bytes = file_bytes,
	                                  .start_bytes = start_bytes,
	                                  .sysfs = root};
	cr_assert_eq(topo_load(&topo, "node:2 pu:1"), 0);
	topo.simulated = false;
	fake = (struct fake){.on = true};
	file_bytes[0] = file_bytes[1] = file;
	put("devices/system/node/has_memory", "0-1\n");
	put_node_pool(0, 0, 0);
	put_node_pool(1, 0, 0);
	cr_assert_eq(backing_open(&backing, &request), 0, "%s", backing.error);
	cr_assert_eq(backing.node[0].kind, kind);
}

void open_real_2m(uint64_t file, uint64_t start)
{
	unsetenv("HWLOC_SYNTHETIC");
	int r = open_it(NULL, BACKING_2M, true, file, start, NULL);
	cr_assert(r == 0, "%s", backing.error);
	if (backing.n_steps > 0) {
		backing_close(&backing);
		cr_skip("2 MiB hugepages can't be reserved here");
	}
}

uint64_t held_pages(int fd)
{
	struct stat st;
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq((uint64_t)st.st_blocks * 512 % PAGE, 0,
	             "a page is there in part");
	return (uint64_t)st.st_blocks * 512 / PAGE;
}

unsigned open_files(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

bool is_in_file(const char *path, const char *text)
{
	char line[512];
	bool found = false;
	FILE *file = fopen(path, "re");
	cr_assert(file != NULL);
	while (fgets(line, sizeof(line), file))
		found |= strstr(line, text) != NULL;
	fclose(file);
	return found;
}

void *map(int fd, uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_NORESERVE, fd, 0);
	cr_assert(at != MAP_FAILED);
	return at;
}

void check_file(const struct backing_node *node)
{
	struct stat st;
	cr_assert_eq(fstat(node->fd, &st), 0);
	cr_assert_eq((uint64_t)st.st_size, node->file_bytes);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(fcntl(node->fd, F_GETFD), FD_CLOEXEC);
	int seals = fcntl(node->fd, F_GET_SEALS);
	int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	cr_assert_eq(seals & want, want);
	cr_assert_eq(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE), 0);
	cr_assert_eq(ftruncate(node->fd, 4096), -1);
	cr_assert_eq(held_pages(node->fd), node->ready_pages);
}

/* The kernel's word on the page size and the node of the first 8 pages. */
void check_pages(unsigned ix, const char *page_size)
{
	struct backing_node *node = &backing.node[ix];
	char *at = map(node->fd, 8 * PAGE);
	void *pages[8];
	int where[8];
	for (unsigned i = 0; i < 8; i++) {
		pages[i] = at + i * PAGE;
		cr_assert_eq(*(volatile char *)pages[i], 0);
	}
	if (page_size)
		cr_assert(is_in_file("/proc/self/smaps", page_size));
	cr_assert_eq(move_pages(0, 8, pages, NULL, where, 0), 0);
	for (unsigned i = 0; i < 8 && !topo.simulated; i++)
		cr_assert_eq(where[i], (int)topo.node[ix].os_id);
	munmap(at, 8 * PAGE);
}
