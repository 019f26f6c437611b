/* SPDX-License-Identifier: MIT */
/*
 * Pages of hugetlb files go from node to node while two processes use them:
 * what they hold, where they lie and how many hugepages each node has is looked
 * at after each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numa/migrate.h"
#include "tests/guest/moved_fixture.h"

#define ROUNDS 3u

long __real_mbind(void *at, unsigned long bytes, int mode,
                  const unsigned long *mask, unsigned long max, unsigned flags);
long __wrap_mbind(void *at, unsigned long bytes, int mode,
                  const unsigned long *mask, unsigned long max, unsigned flags);

/* What happens just before and just after the kernel moves a page. */
static void (*before_move)(void);
static void (*after_move)(void);

long __wrap_mbind(void *at, unsigned long bytes, int mode,
                  const unsigned long *mask, unsigned long max, unsigned flags)
{
	bool moves = (flags & MPOL_MF_MOVE_ALL) != 0;
	long r;
	if (moves && before_move != NULL)
		before_move();
	r = __real_mbind(at, bytes, mode, mask, max, flags);
	if (moves && after_move != NULL)
		after_move();
	return r;
}

/* ---- with witnesses ------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void show_gaps(const char *when, uint64_t *gaps, size_t n)
{
	qsort(gaps, n, sizeof(*gaps), by_size);
	printf("longest gap of a client %s, of %zu: median %.2f ms, p99 %.2f "
	       "ms, max %.2f ms (emulated)\n",
	       when, n, (double)gaps[n / 2] / 1e6,
	       (double)gaps[n * 99 / 100] / 1e6, (double)gaps[n - 1] / 1e6);
}

static void idle_gaps(void)
{
	static uint64_t gaps[50];
	witness_gap();
	for (unsigned i = 0; i < 50; i++) {
		usleep(3000);
		gaps[i] = witness_gap();
	}
	show_gaps("with no move", gaps, 50);
}

static void back_and_forth(void)
{
	static uint64_t gaps[ROUNDS * PAGES];
	static uint64_t took[ROUNDS * PAGES];
	struct backing_moved how;
	size_t n = 0, failed = 0, astray = 0, inexact = 0;
	witness_gap();
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < PAGES; i++) {
			unsigned to = (lies[i] + 1 + (i + round) % 3) %
			              FIXTURE_NODES;
			if (move_hot(i, to, &how) != 0) {
				failed++;
				printf("%s\n", how.reason);
				continue;
			}
			took[n] = how.ns;
			gaps[n++] = witness_gap();
			astray += node_of(&pages[i]) != (int)lies[i];
		}
		astray += !lie_as_believed();
		inexact += !pools_are_exact();
	}
	fixture_ok(failed == 0 && n == ROUNDS * PAGES,
	       "%zu moves in %u tries, %zu failed", n, n_tries, failed);
	fixture_ok(astray == 0,
	           "the kernel has each page where it was moved to");
	fixture_ok(inexact == 0,
	           "each node has its hugepages, in all %u rounds", ROUNDS);
	show_gaps("around a move", gaps, n);
	qsort(took, n, sizeof(*took), by_size);
	printf("the kernel's call: median %.2f ms, max %.2f ms (emulated)\n",
	       (double)took[n / 2] / 1e6, (double)took[n - 1] / 1e6);
	for (unsigned i = 0; i < PAGES; i++)
		if (lies[i] != i / EACH)
			failed += move_hot(i, i / EACH, &how) != 0;
	fixture_ok(failed == 0 && pools_are_exact() && lie_as_believed(),
	       "and all go home");
}

static void contents(void)
{
	uint64_t accesses, wrong;
	size_t spoilt = 0;
	witness_stop(&accesses, &wrong);
	for (unsigned i = 0; i < PAGES; i++)
		spoilt += witness_spoilt(&pages[i], i * 7919u);
	fixture_ok(wrong == 0 && accesses > 10000,
	       "two clients made %llu accesses meanwhile, %llu wrong",
	       (unsigned long long)accesses, (unsigned long long)wrong);
	fixture_ok(spoilt == 0, "%zu words that nobody writes are changed",
	           spoilt);
}

/* ---- what is refused ----------------------------------------------------- */

static bool unmoved(int want, int r, unsigned i, const char *say,
                    const struct backing_moved *how)
{
	printf("%s; remedy: %s\n", how->reason, how->remedy);
	return r == want && strstr(how->reason, say) != NULL &&
	       *how->remedy != '\0' && node_of(&pages[i]) == (int)lies[i] &&
	       pools_are_exact();
}

static void no_hugepages(void)
{
	struct backing_moved how;
	int r;
	backing.may_reserve = false;
	r = move(1, 3, &how);
	fixture_ok(unmoved(-ENOSPC, r, 1, "node 3 has 0 free 2 MiB", &how),
	       "a target without free hugepages: ENOSPC");
	/* What somebody else has free there is used, and ours go back. */
	set_pool(3, EACH + 1);
	r = move(1, 3, &how);
	fixture_ok(r == 0 && pool_of(0, "nr") == EACH - 1 &&
	               pool_of(3, "nr") == EACH + 1 &&
	               backing.node[0].reserved_pages == EACH - 1 &&
	               backing.node[3].reserved_pages == EACH,
	       "one that somebody else has free there is taken");
	backing.may_reserve = true;
	r = move(1, 0, &how);
	fixture_ok(r == 0 && backing.node[3].reserved_pages == EACH - 1 &&
	               pool_of(0, "nr") == EACH && pool_of(3, "nr") == EACH,
	       "and given up again");
	/* The other's one is now under a page of ours: call it ours. */
	backing.node[3].reserved_pages = EACH;
	journal[3].reserved_pages = EACH;
}

static void drop_capability(unsigned capability)
{
	struct __user_cap_header_struct head = {
	        .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	if (syscall(SYS_capget, &head, data) != 0)
		_exit(9);
	data[capability / 32].effective &= ~(1u << capability % 32);
	if (syscall(SYS_capset, &head, data) != 0)
		_exit(9);
}

static void no_capability(void)
{
	struct backing_moved how;
	char reason[200];
	char remedy[200];
	int status = -1;
	pid_t pid;
	fixture_ok(backing_may_move(reason, sizeof(reason), remedy,
	                        sizeof(remedy)) &&
	               *reason == '\0' && *remedy == '\0',
	       "root may move");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		drop_capability(CAP_SYS_NICE);
		int r = move(2, 1, &how);
		bool ok = unmoved(-EPERM, r, 2, "CAP_SYS_NICE", &how) &&
		          strstr(how.remedy, "AmbientCapabilities=") != NULL &&
		          !backing_may_move(reason, sizeof(reason), remedy,
		                            sizeof(remedy)) &&
		          strcmp(reason, how.reason) == 0;
		fflush(stdout);
		_exit(ok ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	fixture_ok(pid > 0 && status == 0, "without CAP_SYS_NICE: EPERM");
}

static void pinned(void)
{
	struct backing_moved how;
	struct iovec part = {pages[5].at + 8192, 4096};
	int ends[2];
	int r;
	if (pipe(ends) != 0 || vmsplice(ends[1], &part, 1, 0) != 4096) {
		fixture_ok(false, "pin a page: %s", strerror(errno));
		return;
	}
	r = move(5, 2, &how);
	fixture_ok(unmoved(-EBUSY, r, 5, "pinned", &how),
	           "a pinned page: EBUSY");
	r = move(6, 2, &how);
	fixture_ok(r == 0 && node_of(&pages[6]) == 2, "while others go on");
	close(ends[0]);
	close(ends[1]);
	r = move(5, 2, &how);
	fixture_ok(r == 0 && node_of(&pages[5]) == 2 && pools_are_exact(),
	       "and it, when it is let go");
	fixture_ok(move(5, 1, &how) == 0 && move(6, 1, &how) == 0,
	       "both go home");
}

/* ---- races and deaths ---------------------------------------------------- */

static char *stolen;

/* Takes the one free hugepage of node 2 that the move counts on. */
static void steal(void)
{
	unsigned long mask = 1ul << 2;
	before_move = NULL;
	stolen = mmap(NULL, WITNESS_PAGE, PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE,
	              -1, 0);
	if (stolen == MAP_FAILED ||
	    __real_mbind(stolen, WITNESS_PAGE, MPOL_BIND, &mask, 4, 0) != 0)
		stolen = NULL;
	else
		stolen[0] = 1;
}

static void somebody_is_faster(void)
{
	struct backing_moved how;
	int r;
	before_move = steal;
	r = move(1, 2, &how);
	fixture_ok(stolen != NULL && r == 0 && node_of(&pages[1]) == 2,
	       "somebody takes the hugepage first: the kernel makes one");
	fixture_ok(pool_of(0, "nr") == EACH - 1 &&
	               pool_of(2, "nr") == EACH + 2 &&
	               backing.node[0].reserved_pages == EACH - 1 &&
	               backing.node[2].reserved_pages == EACH + 2,
	       "what was added for it stays ours, under the other's page");
	munmap(stolen, WITNESS_PAGE);
	backing_set_resident(&backing, 2, backing.node[2].resident_pages);
	fixture_ok(pools_are_exact(), "and goes back when that is free");
	fixture_ok(move(1, 0, &how) == 0, "home again");
}

static void die_here(void)
{
	_exit(0);
}

/* Takes over from one that was killed in the middle of moving page i. */
static bool killed_at(void (**hook)(void), unsigned i, unsigned to)
{
	struct backing_kept kept[FIXTURE_NODES];
	struct backing_adoption from = {.topo = &topo,
	                                .may_reserve = true,
	                                .journal = journal,
	                                .kept = kept};
	struct backing_moved how;
	unsigned at = 99;
	unsigned file = 99;
	uint64_t page = 99;
	pid_t pid = fork();
	if (pid == 0) {
		*hook = die_here;
		move(i, to, &how);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	for (unsigned node = 0; node < FIXTURE_NODES; node++)
		kept[node] = (struct backing_kept){
		        .fd = backing.node[node].fd,
		        .kind = BACKING_2M,
		        .bound = true,
		        .file_bytes = backing.node[node].file_bytes,
		        .note = ""};
	if (backing_adopt(&backing, &from) != 0 ||
	    !migrate_last(&backing, to, &file, &page) || file != i / EACH ||
	    page != i % EACH || backing_where(&backing, file, page, &at) != 0)
		return false;
	lies[i] = at;
	for (unsigned node = 0; node < FIXTURE_NODES; node++) {
		uint64_t here = 0;
		for (unsigned k = 0; k < PAGES; k++)
			here += lies[k] == node;
		backing_set_resident(&backing, node, here);
	}
	return lie_as_believed() && pools_are_exact();
}

static void deaths(void)
{
	struct backing_moved how;
	fixture_ok(killed_at(&before_move, 12, 1) && lies[12] == 3,
	       "killed before the kernel moves: taken over exactly");
	fixture_ok(killed_at(&after_move, 12, 1) && lies[12] == 1,
	       "killed after it: the page is found where it is");
	/* One who does not ask where it lies moves it once more. */
	lies[12] = 3;
	backing.node[3].resident_pages++;
	backing.node[1].resident_pages--;
	fixture_ok(move(12, 1, &how) == 0 && how.ns == 0 && pools_are_exact(),
	       "moved to where it is already: the books follow");
	fixture_ok(move(12, 3, &how) == 0 && pools_are_exact(), "home again");
}

/* ---- other kinds --------------------------------------------------------- */

static void grow_elsewhere(void)
{
	uint64_t got = 0;
	struct witness_page page = {backing.node[0].fd, EACH, NULL};
	int r = backing_grow(&backing, 0, EACH, 2, 3, &got);
	witness_map(&page, 1);
	fixture_ok(r == 0 && got == 2 && node_of(&page) == 3 &&
	               pool_of(0, "nr") == EACH &&
	               pool_of(3, "nr") == EACH + 2 &&
	               backing.node[3].resident_pages == EACH + 2 &&
	               backing.node[0].ready_pages == EACH + 2,
	       "node 0's file grows with memory of node 3");
	munmap(page.at, WITNESS_PAGE);
	fixture_ok(backing_shrink(&backing, 0, EACH, 2, 3) == 0 &&
	               pools_are_exact(),
	       "and shrinks again");
}

static bool lies_whole(char *at, int node)
{
	for (size_t i = 0; i < WITNESS_PAGE; i += 4096) {
		void *part = at + i;
		int status = -1;
		(void)*(volatile char *)part;
		if (move_pages(0, 1, &part, NULL, &status, 0) != 0 ||
		    status != node)
			return false;
	}
	return true;
}

/* Pages of shared memory: 512 small ones, or one transparent huge one. */
static void shared_memory(enum backing_kind kind)
{
	uint64_t bytes[FIXTURE_NODES] = {WITNESS_PAGE * 4, WITNESS_PAGE * 4,
	                             WITNESS_PAGE * 4, WITNESS_PAGE * 4};
	struct backing_request request = {.topo = &topo,
	                                  .name = "small",
	                                  .first = kind,
	                                  .file_bytes = bytes,
	                                  .start_bytes = bytes};
	struct backing small;
	struct backing_moved how = {0};
	struct witness_page page = {.page = 2};
	const char *name = backing_kind_name(kind);
	uint64_t got = 0;
	int r = backing_open(&small, &request);
	page.fd = small.node[0].fd;
	if (!fixture_ok(r == 0 && small.node[0].kind == kind, "%s pages", name))
		return;
	witness_map(&page, 1);
	witness_fill(&page, 11);
	r = backing_move(&small, 0, 2, 0, 3, &how);
	fixture_ok(r == 0 && lies_whole(page.at, 3) &&
	               witness_spoilt(&page, 11) == 0,
	       "a page of %s moves to node 3", name);
	printf("the kernel's call took %.2f ms (emulated) %s\n",
	       (double)how.ns / 1e6, how.reason);
	r = backing_move(&small, 0, 2, 3, 1, &how);
	fixture_ok(r == 0 && lies_whole(page.at, 1), "and on to node 1");
	fixture_ok(backing_shrink(&small, 0, 2, 1, 1) == 0 &&
	               backing_grow(&small, 0, 2, 1, 0, &got) == 0 &&
	               lies_whole(page.at, 0) &&
	               small.node[0].resident_pages == 4 &&
	               small.node[1].resident_pages == 4,
	       "a new one in its place is node 0's again");
	munmap(page.at, WITNESS_PAGE);
	backing_close(&small);
}

static void show_room(void)
{
	bool ok = true;
	for (unsigned node = 0; node < FIXTURE_NODES; node++) {
		uint64_t may = backing_room_pages(&backing, node);
		uint64_t free_now;
		backing.may_reserve = false;
		free_now = backing_room_pages(&backing, node);
		backing.may_reserve = true;
		ok &= free_now == 0 && may > 10 && may < 256;
	}
	fixture_ok(ok, "room: none is free, memory for some");
}

/* ---- as a whole ---------------------------------------------------------- */

int main(void)
{
	unsigned left = 0;
	open_it();
	fixture_ok(pools_are_exact() && lie_as_believed(),
	           "four pages on each node");
	fixture_pin(0);
	witness_start(1, pages, PAGES);
	witness_start(3, pages, PAGES);
	idle_gaps();
	back_and_forth();
	/* From here on a busy page has to be one that is pinned. */
	witness_pause(true);
	no_hugepages();
	no_capability();
	pinned();
	somebody_is_faster();
	witness_pause(false);
	contents();
	deaths();
	grow_elsewhere();
	show_room();
	shared_memory(BACKING_4K);
	shared_memory(BACKING_THP);
	for (unsigned i = 0; i < PAGES; i++)
		munmap(pages[i].at, WITNESS_PAGE);
	backing_close(&backing);
	for (unsigned node = 0; node < FIXTURE_NODES; node++)
		left += pool_of(node, "nr");
	fixture_ok(left == 0, "%u hugepages are left in the end", left);
	return fixture_status();
}
