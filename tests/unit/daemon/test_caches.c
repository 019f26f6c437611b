/* SPDX-License-Identifier: MIT */
#include "daemon/pool/caches.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/slabclient.h"
#include "daemon/pool/clients.h"
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
	caches_open(&fixture.pool, 1, 1);
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
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0, 16), -EINVAL);
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
	for (int i = 0; i < 8; i++, name[1]++)
		caches_open(&fixture.pool, 1, (uint32_t)make(name, 64, 0));
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
	caches_open(&fixture.pool, 1, 1);
	cr_expect_eq(caches_create(&fixture.pool, name, 101, 0, 0, &why),
	             -EEXIST);
	cr_expect_str_eq(why.what,
	                 "cache a exists with size 100, alignment 16, flags 0, "
	                 "not 101, 16, 0; 1 client has it open (client 1, which "
	                 "has ended)");
	cr_expect_str_eq(why.todo, "open it so, or give SLABD_CACHE_BESIDE");
	name[0] = 'b';
	cr_expect_eq(caches_create(&fixture.pool, name, 0, 3, 0, &why),
	             -EINVAL);
	cr_expect_str_eq(why.what, "size 0, alignment 3");
	cr_expect_str_eq(why.todo,
	                 "the size is 1 to 2097152 bytes, the alignment 0 or "
	                 "a power of two up to 4096");
}

/* ---- who has it open ---------------------------------------------------- */

static uint32_t live_client(void)
{
	int id = clients_take(&fixture.pool, getpid(), 0, "worker");
	cr_assert_gt(id, 0);
	return (uint32_t)id;
}

static int removed(const char *name, struct remedy *why)
{
	int r = caches_remove(&fixture.pool, name, why);
	pool_fixture_agrees(&fixture);
	return r;
}

Test(caches, ends_when_unused)
{
	struct remedy why;
	uint32_t id = live_client();
	cr_assert_eq(make("a", 100, 0), 1);
	cr_expect_eq(removed("b", &why), -ENOENT);
	caches_open(&fixture.pool, id, 1);
	caches_open(&fixture.pool, id, 1);
	cr_expect_eq(removed("a", &why), -EBUSY);
	cr_expect_not_null(strstr(why.what, "1 client has it open (client 1, "
	                                    "worker, pid "));
	pool_fixture_use_up(&fixture, 1, 0);
	cr_expect(caches_close(&fixture.pool, id, 1));
	cr_expect_not(caches_close(&fixture.pool, id, 1), "it had not");
	cr_expect_eq(removed("a", &why), -EBUSY);
	cr_expect_not_null(strstr(why.what, "of its objects are in use "
	                                    "(client 1, worker, pid "));
	pool_fixture_free_all(&fixture);
	cr_expect_eq(removed("a", &why), 1);
	cr_expect_null(view_cache(&fixture.pool.view, 1));
	cr_expect_eq(caches_find(&fixture.pool, "a"), 0);
	cr_expect_eq(caches_count(&fixture.pool), 0);
	cr_expect_eq(removed("a", &why), -ENOENT);
	/* Its units serve others. */
	cr_assert_eq(make("b", 64, 0), 2, "rows that were not used come first");
	cr_expect_gt(pool_fixture_use_up(&fixture, 2, 0), 0);
	pool_fixture_agrees(&fixture);
}

Test(caches, ends_of_a_client)
{
	struct remedy why;
	uint32_t id = live_client();
	cr_assert_eq(make("a", 100, 0), 1);
	cr_assert_eq(make("b", 100, 0), 2);
	caches_open(&fixture.pool, id, 1);
	caches_open(&fixture.pool, id, 2);
	clients_reap(&fixture.pool, id);
	cr_expect_eq(fixture.pool.openers[0], 0);
	cr_expect_eq(fixture.pool.openers[1], 0);
	cr_expect_eq(removed("a", &why), 1);
}

Test(caches, full_of_what_nobody_uses)
{
	char name[] = "c0";
	uint32_t id = live_client();
	for (int i = 1; i <= 8; i++, name[1]++)
		cr_assert_eq(make(name, 64, 0), i);
	caches_open(&fixture.pool, id, 3);
	pool_fixture_use_up(&fixture, 1, 0);
	/* The first is in use; the second was last used longest ago. */
	cr_expect_eq(make("more", 128, 0), 2);
	cr_expect_str_eq(fixture.pool.view.caches[1].name, "more");
	cr_expect_eq(fixture.pool.view.caches[1].size, 128);
	cr_expect_eq(make("even", 64, 0), 4, "the third is open");
	cr_expect_eq(make("c0", 64, 0), 1);
	cr_expect_eq(make("c2", 64, 0), 3);
	cr_expect_eq(fixture.pool.counts.ended_caches, 2);
	pool_fixture_agrees(&fixture);
}

Test(caches, a_struct_that_grew)
{
	struct remedy why;
	uint32_t id = live_client();
	cr_assert_eq(make("a", 100, 0), 1);
	caches_open(&fixture.pool, id, 1);
	cr_expect_eq(make("a", 200, 0), -EEXIST);
	cr_assert_eq(pool_fixture_cache(&fixture, "a", 200, 0,
	                                SLABD_CACHE_BESIDE),
	             2);
	caches_open(&fixture.pool, id, 2);
	cr_expect_eq(make("a", 100, 0), 1, "each is opened as it is");
	cr_expect_eq(make("a", 200, 0), 2);
	cr_expect_eq(caches_find(&fixture.pool, "a"), 2, "the newest");
	cr_expect(caches_tidy(&fixture.pool), "the older one is open");
	cr_expect_eq(removed("a", &why), -EBUSY);
	caches_close(&fixture.pool, id, 1);
	cr_expect_not(caches_tidy(&fixture.pool));
	cr_expect_null(view_cache(&fixture.pool.view, 1));
	cr_expect_not_null(view_cache(&fixture.pool.view, 2));
	/* Of a name that nobody uses any shape goes. */
	caches_close(&fixture.pool, id, 2);
	cr_expect_eq(make("a", 300, 0), 3);
	cr_expect_eq(fixture.pool.view.caches[2].version, 1);
}

Test(caches, found_or_new)
{
	uint32_t id = live_client();
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0, SLABD_CACHE_FIND),
	             -ENOENT);
	cr_assert_eq(pool_fixture_cache(&fixture, "a", 64, 0, SLABD_CACHE_NEW),
	             1);
	caches_open(&fixture.pool, id, 1);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0, SLABD_CACHE_NEW),
	             -EEXIST);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0, SLABD_CACHE_FIND),
	             1);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 0, 0, SLABD_CACHE_FIND),
	             1);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 65, 0, SLABD_CACHE_FIND),
	             -ENOENT);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 64, 0,
	                                SLABD_CACHE_FIND | SLABD_CACHE_NEW),
	             -EINVAL);
	cr_expect_eq(pool_fixture_cache(&fixture, "a", 0, 0, 0), -EINVAL);
}
