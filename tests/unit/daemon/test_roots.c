/* SPDX-License-Identifier: MIT */
#include "daemon/pool/roots.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pool/clients.h"
#include "daemon/pool/sweep.h"
#include "daemon/pool/usage.h"
#include "shm/handle.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static uint32_t client;
static uint16_t *tags; /* of a slab that is the client's */
static uint64_t handle[4];
static struct remedy why;

static void start(void)
{
	uint32_t cache;
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 2);
	fixture.config.max_roots = 2;
	client = (uint32_t)clients_take(&fixture.pool, 77, 1000, "worker");
	cache = (uint32_t)pool_fixture_cache(&fixture, "orders", 6400, 0, 0);
	pool_fixture_want(&fixture, cache, 0);
	pool_fixture_serve(&fixture);
	pool_fixture_claim_all(&fixture, client, cache, 0);
	tags = slab_tags(&fixture.pool.view, 0);
	for (unsigned i = 0; i < 4; i++) {
		uint16_t gen = tags_know_any(
			&tags[i], slab_gen_of(&fixture.pool.view, &tags[i]));
		uint64_t stride = fixture.pool.view.caches[cache - 1].stride;
		handle[i] = handle_make(i * stride, gen);
	}
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(roots, .init = start, .fini = finish);

static struct layout_root *row_at(uint32_t ix)
{
	return (struct layout_root *)(uintptr_t)&fixture.pool.view.roots[ix];
}

static void set(const char *name, uint64_t to, uint64_t former)
{
	cr_assert_eq(roots_set(&fixture.pool, client, name, to, former, &why), 0,
	             "%s", why.what);
}

static bool is_gift(unsigned i)
{
	return tags[i] == (client | TAG_KNOWN) &&
	       (*slab_gen_of(&fixture.pool.view, &tags[i]) & GEN_WAITING) != 0;
}

static bool is_roots(unsigned i)
{
	return tags[i] == (row_at(0)->owner | TAG_KNOWN);
}

static uint64_t n_faults(enum audit_clause clause)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	uint64_t n = 0;
	cr_assert_eq(usage_audit(&fixture.pool, audit), 0);
	for (uint64_t i = 0; i < audit->n_faults; i++)
		n += audit->faults[i].clause == clause;
	free(audit);
	return n;
}

Test(roots, each_step)
{
	set("book", handle[0], 0);
	cr_expect(is_roots(0));
	cr_expect_eq(row_at(0)->handle, handle[0]);
	set("book", handle[1], handle[0]);
	cr_expect(is_roots(1) && is_gift(0), "what was named is a gift");
	pool_fixture_agrees(&fixture);
	cr_expect_eq(roots_take(&fixture.pool, client, handle[1], &why), 0);
	cr_expect(is_gift(1) && row_at(0)->handle == 0);
	cr_expect_eq(roots_end(&fixture.pool, client, "book", 0, &why), 0);
	cr_expect_eq(roots_over(&fixture.pool), row_at(0)->owner);
	clients_reap(&fixture.pool, row_at(0)->owner);
	roots_gone(&fixture.pool, row_at(0)->owner);
	sweep_rest(&fixture.pool);
	pool_fixture_agrees(&fixture);
}

Test(roots, asked_again)
{
	set("book", handle[0], 0);
	set("book", handle[0], 0);
	set("book", handle[1], handle[0]);
	set("book", handle[1], handle[0]);
	cr_expect_eq(roots_take(&fixture.pool, client, handle[1], &why), 0);
	cr_expect_eq(roots_take(&fixture.pool, client, handle[1], &why), 0);
	set("book", handle[2], 0);
	cr_expect_eq(roots_end(&fixture.pool, client, "book", handle[2], &why),
	             0);
	cr_expect_eq(roots_end(&fixture.pool, client, "book", handle[2], &why),
	             0);
	cr_expect(is_gift(0) && is_gift(1) && is_gift(2));
}

/* Over slabd's death, too. */
Test(roots, asked_by_the_same_number)
{
	struct pool *pool = &fixture.pool;
	int32_t error = -1;
	cr_expect_not(roots_was_asked(pool, client, 1, &error));
	roots_note_asked(pool, client, 7, EPERM);
	cr_expect_not(roots_was_asked(pool, client, 6, &error));
	cr_expect_not(roots_was_asked(pool, client, 8, &error));
	cr_expect(roots_was_asked(pool, client, 7, &error));
	cr_expect_eq(error, EPERM);
	roots_note_asked(pool, client, 1u << 16, 0);
	cr_expect(roots_was_asked(pool, client, 1u << 16, &error));
	cr_expect_eq(error, 0);
	clients_reap(pool, client);
	sweep_rest(pool);
	clients_free(pool, client);
	pool->last_id = client - 1;
	cr_assert_eq(clients_take(pool, 78, 1000, "next"), (int)client);
	cr_expect_not(roots_was_asked(pool, client, 1u << 16, &error),
	              "the next to have the id asks for itself");
}

Test(roots, refused)
{
	struct pool *pool = &fixture.pool;
	char longest[NAME_BYTES];
	memset(longest, 'n', sizeof(longest));
	cr_expect_eq(roots_open(pool, client, "", &why), -EINVAL);
	cr_expect_eq(roots_open(pool, client, longest, &why), -EINVAL);
	cr_expect_eq(roots_open(pool, client, "a\x7f", &why), -EINVAL);
	cr_expect_eq(roots_end(pool, client, "a", 0, &why), -ENOENT);
	cr_expect_eq(roots_set(pool, client, "a", 1, 0, &why), -EPERM);
	cr_expect_eq(roots_set(pool, client + 1, "a", handle[0], 0, &why),
	             -EPERM);
	cr_expect_eq(roots_set(pool, client, "a", handle[0] + 8, 0, &why),
	             -EPERM);
	cr_expect_eq(roots_take(pool, client, handle[0] + 8, &why), -EINVAL);
	cr_expect_eq(roots_take(pool, client, handle[0], &why), -EPERM);
	cr_expect_eq(roots_n(pool), 0, "what is refused makes no root");
	set("a", handle[0], 0);
	cr_expect_eq(roots_set(pool, client, "a", handle[1], handle[2], &why),
	             -EAGAIN);
	cr_expect_eq(roots_end(pool, client, "a", handle[2], &why), -EAGAIN);
	cr_expect_gt(roots_open(pool, client, "b", &why), 0);
	cr_expect_eq(roots_open(pool, client, "c", &why), -ENOSPC);
	cr_expect(strstr(why.todo, "max_roots") != NULL);
}

/* ---- slabd was killed ------------------------------------------------------ */

/* What was noted, before anything of it was done; then the next slabd comes. */
static void note(enum root_busy busy, uint64_t next, uint64_t former)
{
	row_at(0)->by = client;
	row_at(0)->next = next;
	row_at(0)->former = former;
	row_at(0)->busy = busy;
}

static void adopt(void)
{
	roots_adopt(&fixture.pool);
	cr_expect_eq(row_at(0)->busy, ROOT_IDLE);
	pool_fixture_agrees(&fixture);
	roots_adopt(&fixture.pool);
	pool_fixture_agrees(&fixture);
}

Test(roots, killed_before_what_is_next_is_the_roots)
{
	set("book", handle[0], 0);
	note(ROOT_SET, handle[1], handle[0]);
	adopt();
	cr_expect(is_roots(0) && tags[1] == (client | TAG_KNOWN));
	cr_expect_eq(row_at(0)->handle, handle[0]);
}

Test(roots, killed_before_it_is_named)
{
	set("book", handle[0], 0);
	note(ROOT_SET, handle[1], handle[0]);
	tags[1] = (uint16_t)(row_at(0)->owner | TAG_KNOWN);
	adopt();
	cr_expect(is_gift(0) && is_roots(1));
	cr_expect_eq(row_at(0)->handle, handle[1]);
}

Test(roots, killed_before_the_gift)
{
	set("book", handle[0], 0);
	note(ROOT_SET, handle[1], handle[0]);
	tags[1] = (uint16_t)(row_at(0)->owner | TAG_KNOWN);
	row_at(0)->handle = handle[1];
	adopt();
	cr_expect(is_gift(0) && is_roots(1));
}

Test(roots, killed_as_one_is_taken_out)
{
	set("book", handle[0], 0);
	note(ROOT_TAKE, 0, handle[0]);
	adopt();
	cr_expect(is_gift(0));
	cr_expect_eq(row_at(0)->handle, 0);
}

Test(roots, killed_as_it_ends)
{
	set("book", handle[0], 0);
	note(ROOT_END, 0, handle[0]);
	roots_adopt(&fixture.pool);
	cr_expect(is_gift(0));
	cr_expect_eq(row_at(0)->state, ROOT_GONE);
	cr_expect_null(roots_of(&fixture.pool, row_at(0)->owner),
	               "its id is reaped then");
}

/* ---- audit ----------------------------------------------------------------- */

Test(roots, audit_finds_what_is_not_its)
{
	set("book", handle[0], 0);
	cr_expect_eq(n_faults(AUDIT_ROOT_OBJECT), 0);
	tags[0] = (uint16_t)(client | TAG_KNOWN);
	cr_expect_eq(n_faults(AUDIT_ROOT_OBJECT), 1);
}

Test(roots, audit_finds_an_id_without_a_root)
{
	set("book", handle[0], 0);
	cr_expect_eq(n_faults(AUDIT_ROOT_ID), 0);
	row_at(0)->state = ROOT_GONE;
	cr_expect_eq(n_faults(AUDIT_ROOT_ID), 1);
}
