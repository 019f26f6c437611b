/* SPDX-License-Identifier: MIT */
/* Bounds of slabd.conf on channels: whoever is refused is told by which key. And
 * rates, by counts that clients write. */
#include "daemon/pool/channels.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/pool/clients.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static struct remedy why;
static uint32_t client;

static void start(void)
{
	int id;
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 16);
	id = clients_take(pool, getpid(), 0, "gateway");
	cr_assert_gt(id, 0);
	client = (uint32_t)id;
}

static void finish(void)
{
	channels_leave_all(pool, client);
	pool_fixture_stop(&fixture);
}

TestSuite(channels, .init = start, .fini = finish);

/* A row, or what it is refused with. */
static int open_one(const char *name, uint64_t capacity)
{
	char padded[NAME_BYTES] = "";
	int fd;
	strcpy(padded, name);
	memset(&why, 0, sizeof(why));
	return channels_join(pool, client, padded, capacity, &fd, &why);
}

Test(channels, one_that_is_too_large)
{
	fixture.config.max_channel_capacity = 64;
	cr_expect_eq(open_one("orders", 65), -EINVAL);
	cr_expect_not_null(strstr(why.what, "max_channel_capacity"), "%s",
	                   why.what);
	cr_expect_not_null(strstr(why.todo, "slabd.conf"), "%s", why.todo);
	cr_expect_geq(open_one("orders", 64), 0);
	fixture.config.max_channel_capacity = 8;
	cr_expect_geq(open_one("orders", 64), 0, "it is there: %s", why.what);
	cr_expect_geq(open_one("orders", 0), 0);
}

Test(channels, one_too_many)
{
	fixture.config.max_channels = 2;
	cr_expect_geq(open_one("a", 8), 0);
	cr_expect_geq(open_one("b", 8), 0);
	cr_expect_eq(open_one("c", 8), -ENOSPC);
	cr_expect_not_null(strstr(why.what, "max_channels is 2"), "%s", why.what);
	cr_expect_not_null(strstr(why.todo, "raise max_channels"), "%s",
	                   why.todo);
	cr_expect_geq(open_one("b", 8), 0, "those that are there stay");
	fixture.config.max_channels = 0;
	cr_expect_geq(open_one("a", 0), 0);
	fixture.config.max_channels = 3;
	cr_expect_geq(open_one("c", 8), 0, "%s", why.what);
}

static void rates_are(uint32_t ix, uint64_t sent, uint64_t received)
{
	uint64_t is_sent, is_received;
	channels_rates(pool, ix, &is_sent, &is_received);
	cr_expect_eq(is_sent, sent, "%llu sent", (unsigned long long)is_sent);
	cr_expect_eq(is_received, received, "%llu received",
	             (unsigned long long)is_received);
}

Test(channels, rates_of_a_window)
{
	struct channel_head *head;
	int ix = open_one("orders", 8);
	cr_assert_geq(ix, 0);
	head = channels_ring(pool, (uint32_t)ix)->head;
	head->sent = 1000;
	test_clock_set(1000 * CLOCK_S);
	cr_expect_eq(channels_window(pool), 200 * CLOCK_MS, "the first look");
	test_clock_advance(200 * CLOCK_MS);
	cr_expect_eq(channels_window(pool), 0);
	head->sent += 500;
	head->received += 100;
	rates_are((uint32_t)ix, 2500, 500);
	channels_window_next(pool);
	test_clock_advance(1800 * CLOCK_MS);
	cr_expect_eq(channels_window(pool), 0);
	rates_are((uint32_t)ix, 250, 50);
	channels_window_next(pool);
	test_clock_advance(100 * CLOCK_MS);
	cr_expect_eq(channels_window(pool), 100 * CLOCK_MS, "another one");
	test_clock_advance(CLOCK_S);
	rates_are((uint32_t)ix, 0, 0);
	head->sent = 7;
	head->received = UINT64_MAX;
	rates_are((uint32_t)ix, 0, 1000000000000000);
	test_clock_advance(60 * CLOCK_S);
	cr_expect_eq(channels_window(pool), 200 * CLOCK_MS, "that one is old");
}
