/* SPDX-License-Identifier: MIT */
#include "daemon/pool/caches.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "client/slabclient.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;

static void start(void)
{
	pool_fixture_start(&fixture, "node:2 core:1 pu:1", 2, 2);
}

static void finish(void)
{
	pool_fixture_stop(&fixture);
}

TestSuite(caches, .init = start, .fini = finish);

static int make(const char *name, uint64_t size, uint64_t align)
{
	return pool_fixture_cache(&fixture, name, size, align, 0);
}

Test(caches, makes_and_finds)
{
	const struct layout_cache *row;
	cr_expect_null(view_cache(&fixture.pool.view, 1));
	cr_assert_eq(make("orders", 100, 0), 1);
	cr_assert_eq(make("fills", 40, 64), 2);
	cr_expect_eq(caches_find(&fixture.pool, "orders"), 1);
	cr_expect_eq(caches_find(&fixture.pool, "fills"), 2);
	cr_expect_eq(caches_find(&fixture.pool, "order"), 0);
	cr_expect_eq(caches_find(&fixture.pool, "orders2"), 0);
	cr_expect_eq(caches_find(&fixture.pool, ""), 0);
	row = view_cache(&fixture.pool.view, 2);
	cr_assert_not_null(row);
	cr_expect_str_eq(row->name, "fills");
	cr_expect_eq(row->size, 40);
	cr_expect_eq(row->stride, 64);
	cr_expect_null(view_cache(&fixture.pool.view, 3));
	/* The first client that finds nothing rings. */
	for (uint32_t node = 0; node < 2; node++)
		cr_expect_geq(view_mark(&fixture.pool.view, 2, node)->low_slabs,
		              1);
}

Test(caches, reopens_what_is_alike)
{
	cr_assert_eq(make("a", 100, 0), 1);
	cr_expect_eq(make("a", 100, 0), 1);
	cr_expect_eq(make("a", 100, 16), 1, "16 is what 0 means");
	cr_expect_eq(make("a", 101, 0), -EEXIST);
	cr_expect_eq(make("a", 100, 32), -EEXIST);
	cr_expect_eq(make("a", 100, 8), -EEXIST);
	cr_expect_eq(
		pool_fixture_cache(&fixture, "a", 100, 0, SLABD_CACHE_STRICT),
		-EEXIST);
	cr_expect_eq(fixture.pool.n_caches, 1);
	cr_expect_eq(make("b", 100, 0), 2);
}

Test(caches, sizes_and_flags)
{
	cr_expect_eq(make("a", 0, 0), -EINVAL);
	cr_expect_eq(make("a", 2 * FIXTURE_MIB + 1, 0), -EINVAL);
	cr_expect_eq(make("a", UINT64_MAX, 0), -EINVAL);
	cr_expect_eq(make("a", 64, 3), -EINVAL);
	cr_expect_eq(make("a", 64, 8192), -EINVAL);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0, 2), -EINVAL);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0, 1u << 31),
	             -EINVAL);
	cr_expect_eq(fixture.pool.n_caches, 0);
	cr_expect_eq(make("a", 2 * FIXTURE_MIB, 0), 1);
	cr_expect_eq(
		pool_fixture_cache(&fixture, "b", 64, 0, SLABD_CACHE_STRICT),
		2);
	cr_expect_eq(fixture.pool.view.caches[1].flags, SLABD_CACHE_STRICT);
}

Test(caches, names)
{
	char name[NAME_BYTES + 1];
	cr_expect_eq(make("", 64, 0), -EINVAL);
	cr_expect_eq(make("a\nb", 64, 0), -EINVAL);
	cr_expect_eq(make("\x7f", 64, 0), -EINVAL);
	cr_expect_eq(make("\x1b[31m", 64, 0), -EINVAL);
	memset(name, 'x', sizeof(name));
	cr_expect_eq(make(name, 64, 0), -EINVAL, "64 bytes without an end");
	name[SLABD_NAME_MAX] = '\0';
	cr_expect_eq(make(name, 64, 0), 1);
	cr_expect_eq(caches_find(&fixture.pool, name), 1);
	cr_expect_eq(make("gr\xc3\xbc\xc3\x9f", 64, 0), 2);
}

Test(caches, full)
{
	char name[] = "c0";
	for (int i = 1; i <= 8; i++, name[1]++)
		cr_assert_eq(make(name, 64, 0), i);
	cr_expect_eq(make("more", 64, 0), -ENOSPC);
	cr_expect_eq(make("c3", 64, 0), 4, "what is there opens");
	cr_expect_eq(fixture.pool.n_caches, 8);
	cr_expect_eq(fixture.pool.view.words[0], 0, "the next table is whole");
}

Test(caches, says_what_to_do)
{
	struct remedy why;
	char name[NAME_BYTES] = "a";
	cr_assert_eq(make("a", 100, 0), 1);
	cr_expect_eq(caches_create(&fixture.pool, name, 101, 0, 0, &why),
	             -EEXIST);
	cr_expect_str_eq(why.what, "cache a exists with size 100, alignment "
	                           "16, flags 0");
	cr_expect_str_eq(why.todo, "open it so, or choose another name");
	name[0] = 'b';
	cr_expect_eq(caches_create(&fixture.pool, name, 0, 3, 0, &why),
	             -EINVAL);
	cr_expect_str_eq(why.what, "size 0, alignment 3");
	cr_expect_str_eq(why.todo,
	                 "the size is 1 to 2097152 bytes, the alignment 0 or "
	                 "a power of two up to 4096");
}
