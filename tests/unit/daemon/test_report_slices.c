/* SPDX-License-Identifier: MIT */
/* Long reports are made in slices: here a slice has but an item or two, as each look
 * at the clock takes a third of a millisecond, and nothing is missing. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/pool/past.h"
#include "daemon/serve/sampling.h"

int64_t __wrap_clock_ns(void);
int64_t __real_clock_ns(void);

static int64_t ahead_ns;

int64_t __wrap_clock_ns(void)
{
	ahead_ns += CLOCK_MS / 3;
	return __real_clock_ns() + ahead_ns;
}

TestSuite(report_slices, .init = set_up, .fini = tear_down, .timeout = 60);

Test(report_slices, clients)
{
	char path[40];
	for (int i = 0; i < 3; i++)
		join("worker");
	get("/clients");
	cr_assert_eq(count("pools/0/clients"), 3);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "pools/0/clients/%d/id", i);
		cr_expect_eq(num(path), i + 1);
	}
}

Test(report_slices, history)
{
	struct past *past;
	cr_assert_eq(sampling_open(&server), 0);
	past = sampling_past(&server, first);
	for (int i = 0; i < 50; i++)
		past_keep(past, clock_ns() - (50 - i) * CLOCK_S);
	get("/history?span=300");
	cr_expect_eq(count("pools/0/points"), 51);
	sampling_close(&server);
}

Test(report_slices, caches_of_two_pools)
{
	char name[20];
	size_t had;
	set_up_pool(1, "other");
	get("/caches");
	had = count("pools/0/caches");
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		make_cache(first, name, 64);
	}
	get("/caches");
	cr_expect_eq(count("pools"), 2);
	cr_expect_eq(count("pools/0/caches"), had + 6);
	cr_expect_str_eq(str("pools/1/name"), "other");
	cr_expect_eq(num("pools/0/held_unknown"), 0);
}

Test(report_slices, slabs)
{
	for (int i = 0; i < 12; i++)
		carve(orders, 0, 0);
	get("/slabs?limit=8");
	cr_expect_eq(num("pools/0/total"), 12);
	cr_expect_eq(count("pools/0/slabs"), 8);
	for (int i = 0; i < 8; i++) {
		char path[40];
		snprintf(path, sizeof(path), "pools/0/slabs/%d/offset", i);
		cr_expect_eq(num(path), (long long)(i * UNIT_BYTES));
	}
}

Test(report_slices, pages_by_hand)
{
	for (int i = 0; i < 40; i++)
		carve(orders, 0, 0);
	post("/migrate", "from=0&to=1&n=2");
	cr_expect_eq(num("done"), 2);
}
