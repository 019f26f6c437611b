/* SPDX-License-Identifier: MIT */
/* What slabd reads of the records that clients write of their object pools: whatever
 * stands there is text and numbers, and a record is its owner's alone. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/pool/clients.h"
#include "daemon/pool/objpools.h"
#include "shm/slab.h"

TestSuite(report_objpools, .init = set_up, .fini = tear_down);

static uint32_t a, b, records, head;

/* Objects 0 to 2 are a's, 3 and 4 b's. */
static void fill(void)
{
	a = join("gateway");
	b = join("other");
	records = make_cache(first, OBJPOOL_LIVE_CACHE,
	                     sizeof(struct objpool_live));
	head = carve(records, 0, 0);
	claim(a, records, 0, 3);
	claim(b, records, 0, 2);
}

static void write_raw(unsigned i, const void *from, size_t bytes)
{
	const struct layout_cache *row = &first->view.caches[records - 1];
	off_t at = ((off_t)head << UNIT_SHIFT) + slab_colour(row, head) +
	           (off_t)i * row->stride;
	cr_assert_eq(pwrite(first->backing.node[0].fd, from, bytes, at),
	             (ssize_t)bytes);
}

static struct objpool_live record_of(uint32_t id)
{
	uint32_t epoch = clients_epoch(first, id);
	return (struct objpool_live){
		.magic = OBJPOOL_LIVE_MAGIC,
		.owner = objpool_live_owner(id, epoch),
		.since_ns = 1, .told_ns = 2,
		.object_bytes = 512, .max = 100, .idle_ms = 10000,
		.hits = 30, .misses = 10, .made = 9, .aged = 2, .ended = 3,
		.idle = 4, .refused = 5, .name = "request"};
}

static void say(unsigned i, uint32_t id)
{
	struct objpool_live live = record_of(id);
	write_raw(i, &live, sizeof(live));
}

Test(report_objpools, one)
{
	fill();
	say(0, a);
	get("/objpools");
	cr_assert_eq(num("pools/0/total"), 1);
	has_keys("pools/0/objpools/0",
	         " id name client pid process object_bytes hits misses hit_share "
	         "made aged ended idle idle_bytes refused max idle_ms age_s "
	         "told_age_s ");
	cr_expect_str_eq(str("pools/0/objpools/0/name"), "request");
	cr_expect_str_eq(str("pools/0/objpools/0/process"), "gateway");
	cr_expect_eq(num("pools/0/objpools/0/client"), a);
	cr_expect_eq(num("pools/0/objpools/0/hits"), 30);
	cr_expect_eq(num("pools/0/objpools/0/misses"), 10);
	cr_expect_eq(real("pools/0/objpools/0/hit_share"), 0.75);
	cr_expect_eq(num("pools/0/objpools/0/made"), 9);
	cr_expect_eq(num("pools/0/objpools/0/aged"), 2);
	cr_expect_eq(num("pools/0/objpools/0/ended"), 3);
	cr_expect_eq(num("pools/0/objpools/0/idle"), 4);
	cr_expect_eq(num("pools/0/objpools/0/idle_bytes"), 2048);
	cr_expect_eq(num("pools/0/objpools/0/refused"), 5);
	cr_expect_eq(num("pools/0/objpools/0/max"), 100);
	cr_expect_eq(num("pools/0/objpools/0/idle_ms"), 10000);
}

Test(report_objpools, lists)
{
	char path[48];
	fill();
	for (unsigned i = 0; i < 5; i++)
		say(i, i < 3 ? a : b);
	get("/objpools?limit=2");
	cr_expect_eq(num("pools/0/total"), 5);
	cr_expect_eq(count("pools/0/objpools"), 2);
	snprintf(path, sizeof(path), "/objpools?client=%u", b);
	get(path);
	cr_expect_eq(num("pools/0/total"), 2);
	cr_expect_eq(num("pools/0/objpools/1/client"), b);
	refused("/objpools?client=9", 404, "no client 9",
	        "slabctl clients shows which there are");
}

/* What another, or a process of before, has left in an object is no record. */
Test(report_objpools, of_its_owner_alone)
{
	struct objpool_live live;
	fill();
	live = record_of(b);
	write_raw(0, &live, sizeof(live));
	live = record_of(a);
	live.owner += UINT64_C(1) << 16;
	write_raw(1, &live, sizeof(live));
	live = record_of(a);
	live.magic = 0;
	write_raw(2, &live, sizeof(live));
	say(5, a);
	say(3, b);
	get("/objpools");
	cr_expect_eq(num("pools/0/total"), 1);
	cr_expect_eq(num("pools/0/objpools/0/client"), b);
	clients_reap(first, b);
	get("/objpools");
	cr_expect_eq(num("pools/0/total"), 0, "it is dead");
}

Test(report_objpools, lies)
{
	struct objpool_live live;
	fill();
	memset(&live, 0xff, sizeof(live));
	live.magic = OBJPOOL_LIVE_MAGIC;
	write_raw(0, &live, sizeof(live));
	live.owner = record_of(a).owner;
	write_raw(1, &live, sizeof(live));
	live = record_of(a);
	strcpy(live.name, "x\n\x1b[2J");
	live.hits = live.misses = 0;
	live.idle = UINT64_C(1) << 33;
	live.object_bytes = UINT64_C(1) << 32;
	write_raw(2, &live, sizeof(live));
	get("/objpools");
	cr_assert_eq(num("pools/0/total"), 2);
	cr_expect_eq(num("pools/0/objpools/0/hits"), INT64_MAX);
	cr_expect_eq(num("pools/0/objpools/0/idle_bytes"), INT64_MAX);
	cr_expect_eq(real("pools/0/objpools/0/hit_share"), 0.5);
	cr_expect_eq(real("pools/0/objpools/0/told_age_s"), 0);
	cr_expect_eq(num("pools/0/objpools/1/idle_bytes"), INT64_MAX);
}

/* A cache of that name whose objects are smaller has none. */
Test(report_objpools, a_cache_of_another_size)
{
	a = join("gateway");
	records = make_cache(first, OBJPOOL_LIVE_CACHE, 64);
	head = carve(records, 0, 0);
	claim(a, records, 0, 1);
	say(0, a);
	get("/objpools");
	cr_expect_eq(num("pools/0/total"), 0);
}
