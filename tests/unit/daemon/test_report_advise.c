/* SPDX-License-Identifier: MIT */
/* What is wider than need be, each brought about alone, is found, with how much
 * it is. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/objpools.h"
#include "daemon/pool/past.h"
#include "daemon/serve/sampling.h"
#include "shm/slab.h"

static struct config_pool config;
static void *objs[1024];

/* start is what the pool has carved, so that nothing is to be changed. */
static void begin(void)
{
	set_up();
	cr_assert_eq(sampling_open(&server), 0);
	config = *first->config;
	config.start_bytes = config.floor_bytes = 2 * MIB;
	first->config = &config;
}

static void end(void)
{
	sampling_close(&server);
	tear_down();
}

TestSuite(report_advise, .init = begin, .fini = end);

static const char *of(size_t i, const char *key)
{
	static char path[64];
	snprintf(path, sizeof(path), "advice/%zu/%s", i, key);
	return path;
}

/* The number of the advice of a kind; -1: there is none. */
static int found(const char *kind)
{
	for (size_t i = 0; i < count("advice"); i++)
		if (strcmp(str(of(i, "kind")), kind) == 0)
			return (int)i;
	return -1;
}

static struct slab_user user_of(uint32_t id)
{
	return (struct slab_user){.view = &first->view,
	                          .data = (char *)(UINT64_C(1) << 40),
	                          .id = id,
	                          .epoch = clients_epoch(first, id)};
}

/* So many objects of a cache on node 0, in slabs that are carved for them. */
static void use(uint32_t cache, uint32_t id, unsigned slabs, uint32_t n,
                void **out)
{
	struct slab_user user = user_of(id);
	bool ring;
	for (unsigned i = 0; i < slabs; i++)
		carve(cache, 0, 0);
	for (uint32_t got; n > 0; n -= got, out += got) {
		uint32_t want = n < SLAB_RUN_MAX ? n : SLAB_RUN_MAX;
		got = slab_claim_any(&user, cache, 0, want, out, &ring);
		cr_assert_gt(got, 0);
	}
}

Test(report_advise, nothing_to_change)
{
	get("/advise");
	cr_assert_eq(status, 200);
	has_keys("", " schema advice pools config ");
	has_keys("pools/0", " name start_bytes floor_bytes max_bytes span_s "
	                    "carved_bytes half_bytes held_unknown caches ");
	has_keys("pools/0/caches/0",
	         " id name size stride align slab_bytes objects_per_slab slabs "
	         "used held bytes slot_waste_bytes free_bytes looked "
	         "filled_bytes filled ");
	cr_expect_eq(count("pools/0/caches/0/filled"), 8);
	cr_expect_eq(num("schema"), 1);
	cr_expect_eq(count("advice"), 0);
	cr_expect_eq(count("config"), 0);
}

/* 100 bytes in slots of 112: 585 fit into a slab, and 630 of 104. */
Test(report_advise, an_alignment_that_is_not_needed)
{
	uint32_t id = join("worker");
	uint32_t cache = make_cache(first, "quotes", 100);
	struct layout_cache now, other;
	uint64_t saves;
	cr_assert_eq(layout_fit_cache(21, 100, 0, &now), 0);
	cr_assert_eq(layout_fit_cache(21, 100, 8, &other), 0);
	use(cache, id, 2, now.n_objs + 1, objs);
	get("/advise");
	cr_assert_eq(count("advice"), 1);
	cr_assert_eq(found("align"), 0);
	has_keys("advice/0", " pool cache kind saves_bytes what todo ");
	cr_expect_str_eq(str("advice/0/cache"), "quotes");
	saves = (2 - (now.n_objs + other.n_objs) / other.n_objs) * UNIT_BYTES;
	cr_expect_eq(num("advice/0/saves_bytes"), (long long)saves);
	cr_expect_eq(saves, UNIT_BYTES, "the second slab is not needed");
	cr_expect(strstr(str("advice/0/todo"), "alignment of 8") != NULL);
	cr_expect_eq(num("pools/0/caches/1/slot_waste_bytes"),
	             12LL * (now.n_objs + 1));
}

/* 5 objects of 12000 bytes fit into a slab, and 6 of 10912. 4 of 16000 do: 5 would
 * if they were smaller, but by more than an eighth. */
Test(report_advise, an_object_that_is_a_little_too_large)
{
	uint32_t id = join("worker");
	uint32_t large = make_cache(first, "large", 16000);
	uint32_t cache = make_cache(first, "quotes", 12000);
	use(large, id, 3, 9, objs);
	use(cache, id, 2, 6, objs);
	get("/advise");
	cr_assert_eq(count("advice"), 1);
	cr_assert_eq(found("size"), 0);
	cr_expect_str_eq(str("advice/0/cache"), "quotes");
	cr_expect_eq(num("advice/0/saves_bytes"), 65536);
	cr_expect(strstr(str("advice/0/what"), "5 objects of 12000 bytes") !=
	          NULL);
	cr_expect(strstr(str("advice/0/todo"), "bytes smaller") != NULL);
}

/* Of two objects in each of 32 slabs one goes. */
Test(report_advise, slabs_that_few_objects_keep)
{
	uint32_t id = join("worker");
	uint32_t cache = make_cache(first, "spread", 32768);
	struct slab_user user = user_of(id);
	use(cache, id, 32, 64, objs);
	get("/advise");
	cr_assert_eq(found("spread"), -1, "they are full");
	for (unsigned i = 0; i < 64; i += 2)
		cr_assert_eq(slab_release_any(&user, 1, &objs[i]), 0);
	get("/advise");
	cr_assert_geq(found("spread"), 0);
	cr_expect_str_eq(str(of((size_t)found("spread"), "cache")), "spread");
	cr_expect_eq(num(of((size_t)found("spread"), "saves_bytes")), MIB);
}

static void carve_mib(unsigned n)
{
	for (unsigned i = 0; i < n * 16; i++)
		carve(orders, 0, 0);
}

/* A start that is less than what was carved, and a configuration for it. */
Test(report_advise, a_pool_that_had_to_grow)
{
	config.start_bytes = config.floor_bytes = MIB;
	carve_mib(2);
	get("/advise");
	cr_assert_geq(found("start"), 0);
	cr_expect(strstr(str(of((size_t)found("start"), "todo")),
	                 "start = 2M") != NULL);
	cr_expect_eq(num("pools/0/carved_bytes"), 2 * MIB);
	cr_assert_eq(count("config"), 1);
	cr_expect_str_eq(str("config/0/pool"), "default");
}

Test(report_advise, a_pool_that_is_larger_than_its_use)
{
	config.start_bytes = 8 * MIB;
	config.floor_bytes = UINT64_MAX;
	carve_mib(1);
	get("/advise");
	cr_assert_eq(count("advice"), 0, "nobody knows for how long");
	past_keep(sampling_past(&server, first), clock_ns() - 2 * 3600 * CLOCK_S);
	past_keep(sampling_past(&server, first), clock_ns());
	get("/advise");
	cr_assert_eq(count("advice"), 2);
	cr_expect_geq(num("pools/0/span_s"), 3600);
	cr_expect_eq(found("start"), 0);
	cr_expect_eq(found("floor"), 1);
	/* Of two nodes each. */
	cr_expect_eq(num("advice/0/saves_bytes"), 2 * (8 - 2) * MIB);
	cr_expect_eq(num("advice/1/saves_bytes"), 2 * (8 - 2) * MIB);
	cr_expect_eq(count("config/0/keys"), 2);
	cr_expect_str_eq(str("config/0/keys/0/value"), "2M");
}

/* As a control group may have it, and then it can't begin with more either. */
Test(report_advise, a_pool_that_is_nearly_full)
{
	first->backing.node[0].most_bytes = 2 * MIB;
	carve_mib(2);
	get("/advise");
	cr_assert_eq(count("advice"), 1);
	cr_assert_eq(found("max"), 0);
	cr_expect_eq(num("advice/0/saves_bytes"), 0);
	cr_expect_str_eq(str("config/0/keys/0/key"), "max");
	cr_expect_str_eq(str("config/0/keys/0/value"), "4M");
}

/* Caches of which each has a slab, and next to nothing in it. */
Test(report_advise, caches_that_are_hardly_used)
{
	uint32_t id = join("worker");
	char name[16];
	for (unsigned i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "few%u", i);
		use(make_cache(first, name, 4096), id, 3, 2, objs);
	}
	get("/advise");
	cr_assert_eq(found("few"), -1, "too little to be worth a word");
	use(orders, id, 11, 20, objs);
	get("/advise");
	cr_assert_eq(found("few"), -1, "slabs that are empty are no cache's loss");
}

/* A client's own word of its misses. */
Test(report_advise, magazines_that_are_too_small)
{
	uint32_t id = join("worker");
	uint64_t *stats = first->view.stats + (uint64_t)id * STATS_WORDS;
	stats[STAT_REFILLS] = 200000;
	stats[STAT_REFILLED] = 900000;
	get("/advise");
	cr_assert_eq(found("magazine"), -1);
	stats[STAT_REFILLED] = 500000;
	get("/advise");
	cr_assert_eq(count("advice"), 1);
	cr_assert_eq(found("magazine"), 0);
	cr_expect(strstr(str("advice/0/what"), "worker) gets 2 objects") != NULL);
}

/* Two object pools: one keeps too few, one for too short; a third is well. */
Test(report_advise, object_pools_that_end_what_they_need)
{
	uint32_t id = join("worker");
	uint32_t records = make_cache(first, OBJPOOL_LIVE_CACHE,
	                              sizeof(struct objpool_live));
	const struct layout_cache *row = &first->view.caches[records - 1];
	uint32_t head = carve(records, 0, 0);
	struct objpool_live live = {
		.magic = OBJPOOL_LIVE_MAGIC,
		.owner = objpool_live_owner(id, clients_epoch(first, id)),
		.object_bytes = 512, .max = 100, .hits = 180000,
		.misses = 20000, .name = "well"};
	off_t at = ((off_t)head << UNIT_SHIFT) + slab_colour(row, head);
	claim(id, records, 0, 3);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 1)
			live.ended = 15000;
		live.aged = i == 2 ? 15000 : 0;
		snprintf(live.name, sizeof(live.name), "p%u", i);
		cr_assert_eq(pwrite(first->backing.node[0].fd, &live,
		                    sizeof(live), at + (off_t)i * row->stride),
		             (ssize_t)sizeof(live));
	}
	get("/advise");
	cr_assert_eq(count("advice"), 2);
	cr_expect_eq(found("objpool"), 0);
	cr_expect(strstr(str("advice/0/what"), "object pool p1") != NULL);
	cr_expect(strstr(str("advice/0/todo"), "larger max") != NULL);
	cr_expect(strstr(str("advice/1/what"), "object pool p2") != NULL);
	cr_expect(strstr(str("advice/1/todo"), "longer idle_ms") != NULL);
}

static off_t at_of(const void *obj)
{
	return (off_t)((uint64_t)(uintptr_t)obj - (UINT64_C(1) << 40));
}

/* So many of them hold something up to a byte, with zeros before it. */
static void fill(void *const *at, unsigned n, unsigned bytes)
{
	for (unsigned i = 0; i < n; i++) {
		cr_assert_eq(pwrite(first->backing.node[0].fd, "xx", 2,
		                    at_of(at[i])), 2);
		cr_assert_eq(pwrite(first->backing.node[0].fd, "x", 1,
		                    at_of(at[i]) + bytes - 1), 1);
	}
}

/* 1,024 objects of 512 bytes in 8 slabs, 200 bytes of each: 315 of 208 fit into one. */
Test(report_advise, objects_that_fill_a_part)
{
	uint32_t id = join("worker");
	uint32_t cache = make_cache(first, "wide", 512);
	struct layout_cache now, other;
	unsigned n;
	cr_assert_eq(layout_fit_cache(21, 512, 16, &now), 0);
	cr_assert_eq(layout_fit_cache(21, 208, 16, &other), 0);
	n = 8 * now.n_objs;
	cr_assert_leq(n, 1024);
	use(cache, id, 8, n, objs);
	get("/advise");
	cr_assert_eq(count("advice"), 0, "of objects with nothing in them it is "
	             "not known whether they were ever used");
	cr_expect_eq(num("pools/0/caches/1/looked"), 0);
	fill(objs, 63, 200);
	get("/advise");
	cr_assert_eq(count("advice"), 0, "too few to tell");
	fill(objs, n, 200);
	get("/advise");
	cr_assert_eq(count("advice"), 1);
	cr_assert_eq(found("unused"), 0);
	cr_expect_str_eq(str("advice/0/cache"), "wide");
	cr_expect(strstr(str("advice/0/what"), "objects of 512 bytes hold at "
	                 "most 200") != NULL);
	cr_expect(strstr(str("advice/0/what"), "a cache of 208 would take 59% "
	                 "less") != NULL);
	cr_expect(strstr(str("advice/0/todo"), "zeros at the end") != NULL);
	cr_expect_eq(num("advice/0/saves_bytes"),
	             (8 - (n + other.n_objs - 1) / other.n_objs) *
	                     (long long)UNIT_BYTES);
	cr_expect_geq(num("pools/0/caches/1/looked"), 512);
	cr_expect_leq(num("pools/0/caches/1/looked"), n);
	cr_expect_eq(num("pools/0/caches/1/filled_bytes"), 200);
	cr_expect_eq(num("pools/0/caches/1/filled/3"),
	             num("pools/0/caches/1/looked"));
	for (unsigned i = 0; i < n; i += now.n_objs / 2)
		fill(objs + i, 1, 500);
	get("/advise");
	cr_expect_eq(count("advice"), 0, "some that hold more are enough");
	cr_expect_eq(num("pools/0/caches/1/filled_bytes"), 500);
	cr_expect_geq(num("pools/0/caches/1/filled/7"), 1);
}

/* What is free may have held anything, and an arena fills its chunks as it likes. */
Test(report_advise, objects_that_are_not_looked_at)
{
	uint32_t id = join("worker");
	uint32_t cache = make_cache(first, "wide", 512);
	uint32_t chunks = make_cache(first, "arena-1k", 1024);
	struct slab_user user = user_of(id);
	use(cache, id, 2, 200, objs);
	fill(objs, 200, 512);
	cr_assert_eq(slab_release_any(&user, 100, objs + 100), 0);
	fill(objs, 100, 512);
	use(chunks, id, 4, 200, objs);
	fill(objs, 200, 8);
	get("/advise");
	cr_expect_eq(num("pools/0/caches/1/looked"), 100);
	cr_expect_eq(num("pools/0/caches/2/looked"), 0);
	cr_expect_eq(found("unused"), -1);
}

/* Of many slabs some objects of each are looked at, and the last ones count. */
Test(report_advise, objects_of_many_slabs_are_looked_at_here_and_there)
{
	uint32_t id = join("worker");
	uint32_t cache = make_cache(first, "wide", 16384);
	static void *many[4096];
	unsigned n = 4 * 60;
	use(cache, id, 60, n, many);
	fill(many, n, 100);
	get("/advise");
	cr_assert_geq(found("unused"), 0);
	cr_expect_geq(num("pools/0/caches/1/looked"), 120);
	fill(many + n - 4, 4, 16384);
	get("/advise");
	cr_expect_eq(found("unused"), -1);
}
