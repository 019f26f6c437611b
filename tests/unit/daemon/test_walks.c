/* SPDX-License-Identifier: MIT */
/* Walks over a pool whose max is large and of which little is ready: they go by
 * what is ready. What they read beyond that would come to be memory of the control
 * file, and what they look at is counted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/balance/follow.h"
#include "daemon/balance/hand.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/ends.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/slabs.h"
#include "daemon/pool/usage.h"
#include "tests/lib/pool_fixture.h"

#define TIB_MIB (1u << 20)
#define FEW_BYTES (128u << 10)

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static uint32_t a;
static unsigned n_looks;

int __real_backing_where(const struct backing *backing, unsigned file_ix,
                         uint64_t page, unsigned *node_ix);
int __wrap_backing_where(const struct backing *backing, unsigned file_ix,
                         uint64_t page, unsigned *node_ix);
int __real_backing_purge(struct backing *backing, unsigned file_ix,
                         uint64_t first_page, uint64_t n_pages);
int __wrap_backing_purge(struct backing *backing, unsigned file_ix,
                         uint64_t first_page, uint64_t n_pages);

int __wrap_backing_where(const struct backing *backing, unsigned file_ix,
                         uint64_t page, unsigned *node_ix)
{
	n_looks++;
	return __real_backing_where(backing, file_ix, page, node_ix);
}

int __wrap_backing_purge(struct backing *backing, unsigned file_ix,
                         uint64_t first_page, uint64_t n_pages)
{
	n_looks++;
	cr_assert_leq(n_pages, 32);
	return __real_backing_purge(backing, file_ix, first_page, n_pages);
}

/* Two nodes, of which 2 MiB each are ready. */
static void start(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, TIB_MIB);
	a = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
	n_looks = 0;
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(walks, .init = start, .fini = finish, .timeout = 60);

static uint64_t control_bytes(void)
{
	struct stat st;
	cr_assert_eq(fstat(pool->control_fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void carve(uint32_t node)
{
	uint32_t head;
	cr_assert_eq(slabs_carve(pool, a, node, node, &head), 0);
}

Test(walks, a_cache_ends_by_its_slabs)
{
	struct remedy why;
	uint64_t before;
	carve(0);
	carve(1);
	before = control_bytes();
	cr_expect_eq(ends_oldest(pool), a);
	cr_expect_leq(control_bytes() - before, FEW_BYTES);
	a = (uint32_t)pool_fixture_cache(&fixture, "b", 64, 8, 0);
	carve(1);
	pool_fixture_claim_all(&fixture, 1, a, 1);
	cr_expect_eq(ends_retire(pool, a, &why), -EBUSY);
	cr_expect_leq(control_bytes() - before, FEW_BYTES);
}

/* Nobody has it open, and a client keeps all of it: each who asks for it anew has so
 * many slabs looked at. */
Test(walks, that_a_cache_is_in_use_is_found_in_bounds)
{
	struct remedy why;
	a = (uint32_t)pool_fixture_cache(&fixture, "c", 60000, 8, 0);
	for (unsigned i = 0; i < 1500; i++)
		carve(0);
	pool_fixture_claim_all(&fixture, 1, a, 0);
	cr_expect_eq(ends_retire(pool, a, &why), -EBUSY);
	cr_expect_str_eq(why.what, "1024 or more of its objects are in use "
				   "(client 1, which has ended)");
}

Test(walks, reports_and_audits_read_what_is_ready)
{
	struct usage_slab slab;
	struct usage usage;
	struct audit audit;
	uint64_t before;
	carve(0);
	carve(1);
	before = control_bytes();
	cr_assert(usage_next(pool, 0, &slab));
	cr_expect_eq(slab.home, 0);
	cr_assert(usage_next(pool, slab.head + 1, &slab));
	cr_expect_eq(slab.home, 1);
	cr_expect_not(usage_next(pool, slab.head + 1, &slab));
	cr_assert_eq(usage_take(&usage, pool), 0);
	usage_hold_nothing(&usage, pool);
	usage_done(&usage);
	cr_assert_eq(usage_audit(pool, &audit), 0);
	cr_expect_eq(audit.n_faults, 0);
	cr_expect_leq(control_bytes() - before, FEW_BYTES);
}

Test(walks, pages_that_the_kernel_moved_are_looked_for_among_those_ready)
{
	uint64_t page = 0;
	cr_expect_not(follow_pages(pool, &page, 64));
	cr_expect_eq(n_looks, 2);
}

Test(walks, a_page_by_hand_is_found_where_it_lies)
{
	struct remedy why;
	struct balance_moving moving = {.cache = a, .from = 1, .to = 0, .n = 9};
	uint64_t before;
	carve(1);
	before = control_bytes();
	while (balance_migrate(pool, &moving, &why) > 0)
		continue;
	cr_expect_eq(moving.done, 1);
	cr_expect_leq(control_bytes() - before, FEW_BYTES);
}

/* 32 pages at a time, and a millisecond's worth of them; what is ready stays. */
Test(walks, what_a_client_left_at_the_end_goes_back_in_slices)
{
	uint64_t end = UINT64_C(1) << 40;
	unsigned looks = 1;
	cr_assert_eq(fallocate(pool->backing.node[1].fd, FALLOC_FL_KEEP_SIZE,
	                       (off_t)end - 4096, 4096),
	             0);
	while (holes_look(pool))
		looks++;
	cr_expect_gt(looks, 1);
	cr_expect_eq(n_looks, (end / (2 * FIXTURE_MIB) - 1 + 31) / 32);
	cr_expect_eq(pool->counts.given_back_bytes, 4096);
	pool_fixture_agrees(&fixture);
}
