/* SPDX-License-Identifier: MIT */
/* What a pool's files hold against its books, and what is done about it. */
#include "daemon/pool/holes.h"
#include "daemon/pool/grow.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#include "daemon/pool/clients.h"
#include "daemon/pool/meta.h"
#include "daemon/pool/slabs.h"
#include "tests/lib/pool_fixture.h"

#define SHARED 2u

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static uint32_t a;

/* Of each of two nodes 2 of 6 MiB. */
static void start(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 6);
	a = (uint32_t)pool_fixture_cache(&fixture, "a", 64, 8, 0);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(holes, .init = start, .fini = finish);

static void counts(unsigned file, int64_t over)
{
	struct holes_count count;
	cr_assert_eq(holes_count(pool, file, &count), 0);
	cr_expect_eq((int64_t)(count.held_bytes - count.due_bytes), over,
	             "file %u: %llu of %llu", file,
	             (unsigned long long)count.held_bytes,
	             (unsigned long long)count.due_bytes);
}

static void agrees(void)
{
	for (unsigned file = 0; file < holes_files(pool); file++)
		counts(file, 0);
}

/* One look does some of what is to be done, by the clock. */
static void look(void)
{
	while (holes_look(pool))
		continue;
}

static void change(int fd, bool fill, uint64_t off, uint64_t bytes)
{
	int mode = fill ? FALLOC_FL_KEEP_SIZE
	                : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	cr_assert_eq(fallocate(fd, mode, (off_t)off, (off_t)bytes), 0);
}

static int node_fd(uint32_t node)
{
	return pool->backing.node[node].fd;
}

Test(holes, all_that_slabd_does_is_in_the_books)
{
	uint32_t head;
	agrees();
	cr_assert_eq(grow_pages(pool, 1), 0);
	agrees();
	for (unsigned i = 0; i < 90; i++) {
		cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
		cr_assert_eq(slabs_carve(pool, a, 1, 1, &head), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		cr_assert_gt(clients_take(pool, 1, 0, "x"), 0);
	cr_assert_gt(pool_fixture_cache(&fixture, "b", 4096, 0, 0), 0);
	cr_assert_gt(pool_fixture_claim_all(&fixture, 1, a, 0), 0);
	agrees();
	cr_expect_not(holes_look(pool));
	cr_expect_eq(pool->counts.given_back_bytes, 0);
	cr_expect_eq(pool->counts.refilled_bytes, 0);
}

Test(holes, what_is_no_page_goes_back)
{
	change(node_fd(0), true, 3 * FIXTURE_MIB, 4096);
	change(node_fd(1), true, 0, 6 * FIXTURE_MIB);
	counts(0, 4096);
	counts(1, 4 << 20);
	look();
	agrees();
	cr_expect_eq(pool->counts.given_back_bytes, (4 << 20) + 4096);
}

Test(holes, a_page_that_comes_is_not_what_a_client_left_there)
{
	change(node_fd(0), true, 2 * FIXTURE_MIB, 8192);
	cr_assert_eq(grow_pages(pool, 0), 0);
	agrees();
	cr_expect_eq(pool->backing.node[0].resident_pages, 2);
}

Test(holes, pages_that_lack_memory_have_it_again)
{
	unsigned looks = 1;
	change(node_fd(1), false, 4096, 3 * 4096);
	change(node_fd(0), false, 0, 6 * FIXTURE_MIB);
	counts(0, -(2 << 20));
	while (holes_look(pool))
		looks++;
	agrees();
	cr_expect_eq(pool->counts.refilled_bytes, (2 << 20) + 3 * 4096);
	cr_expect_leq(looks, 4);
	cr_expect_eq(pool->head->aside, 0);
}

Test(holes, both_at_once)
{
	change(node_fd(0), false, 0, 8192);
	change(node_fd(0), true, 4 * FIXTURE_MIB, 4096);
	counts(0, -4096);
	look();
	agrees();
	cr_expect_eq(pool->counts.given_back_bytes, 4096);
	cr_expect_eq(pool->counts.refilled_bytes, 8192);
}

Test(holes, what_the_shared_file_has_not_goes_back)
{
	change(pool->shared_fd, true, 0, pool->view.geo.shared_bytes);
	look();
	agrees();
	cr_expect_eq(pool->head->aside, 0);
}

/* No object of which nobody knows whether it is in use is claimed, and no sweep
 * frees it. */
Test(holes, without_tags_a_pool_is_set_aside)
{
	struct meta_range tags = meta_range(pool, META_TAGS);
	uint32_t head;
	cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	change(pool->shared_fd, false, tags.from, tags.ready - tags.from);
	holes_guard(pool);
	agrees();
	cr_expect_eq(pool->head->aside, 1);
	cr_expect_eq(pool_fixture_claim_all(&fixture, 1, a, 0), 0);
	pool_fixture_free_all(&fixture);
	cr_expect_eq(pool_fixture_claim_all(&fixture, 1, a, 0), 0);
	cr_expect_eq(pool_fixture_free(&fixture, a, 0), 0);
	/* What is carved from now on is as ever. */
	cr_assert_eq(slabs_carve(pool, a, 0, 0, &head), 0);
	cr_expect_gt(pool_fixture_claim_all(&fixture, 1, a, 0), 0);
}
