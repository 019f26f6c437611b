/* SPDX-License-Identifier: MIT */
#include "client/depot.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "tests/lib/rng.h"

static struct depot *depot;
static void *in[DEPOT_HALF];
static void *out[DEPOT_HALF + 1];

/* Another thread, which gets when it is told to: what one thread puts and
 * another gets comes oldest first. */
static struct {
	pthread_t thread;
	sem_t go;
	sem_t done;
	bool stop;
	uint32_t n;
} other;

static void *get_for_main(void *unused)
{
	(void)unused;
	for (;;) {
		while (sem_wait(&other.go) != 0)
			continue;
		if (other.stop)
			return NULL;
		other.n = depot_get(depot, 0, DEPOT_HALF, out);
		sem_post(&other.done);
	}
}

static uint32_t get_elsewhere(void)
{
	sem_post(&other.go);
	while (sem_wait(&other.done) != 0)
		continue;
	return other.n;
}

static void start(void)
{
	depot = depot_make(0);
	cr_assert_not_null(depot);
	sem_init(&other.go, 0, 0);
	sem_init(&other.done, 0, 0);
	pthread_create(&other.thread, NULL, get_for_main, NULL);
}

static void finish(void)
{
	other.stop = true;
	sem_post(&other.go);
	pthread_join(other.thread, NULL);
	depot_drop(depot);
}

TestSuite(depot, .init = start, .fini = finish, .timeout = 300);

/* Each half's objects are numbers made of its own. */
static uint32_t size_of(uint64_t serial)
{
	return 1 + (uint32_t)(serial * 7 % DEPOT_HALF);
}

static bool put(uint64_t serial)
{
	for (uint32_t i = 0; i < size_of(serial); i++)
		in[i] = (void *)(uintptr_t)(serial << 8 | i);
	return depot_put(depot, size_of(serial), in);
}

static void expect_got(uint64_t serial, uint32_t n)
{
	cr_assert_eq(n, size_of(serial), "half %u", (unsigned)serial);
	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq((uintptr_t)out[i], serial << 8 | i);
}

static void expect(uint64_t serial)
{
	expect_got(serial, get_elsewhere());
}

Test(depot, a_thread_takes_back_its_newest)
{
	for (uint64_t serial = 0; serial < 3 * DEPOT_CELLS / 4; serial++)
		cr_assert(put(serial));
	expect(0);
	for (uint64_t serial = 3 * DEPOT_CELLS / 4; serial-- > 1;)
		expect_got(serial, depot_get(depot, 0, DEPOT_HALF, out));
	cr_assert_eq(depot_get(depot, 0, DEPOT_HALF, out), 0);
	cr_assert(put(7));
	expect(7);
}

Test(depot, empty)
{
	out[0] = &depot;
	cr_expect_eq(depot_get(depot, 0, DEPOT_HALF, out), 0);
	cr_expect_eq(depot_get(depot, 0, DEPOT_HALF, out), 0);
	cr_expect_eq(out[0], &depot, "nothing is written");
	cr_assert(put(3));
	expect(3);
	cr_expect_eq(depot_get(depot, 0, DEPOT_HALF, out), 0);
}

/* Others get what is over, oldest first, or all if they ask for the oldest. */
Test(depot, what_is_kept)
{
	struct depot *none = depot;
	depot = depot_make(3);
	depot_drop(none);
	for (uint64_t serial = 0; serial < 5; serial++)
		cr_assert(put(serial));
	expect(0);
	expect(1);
	cr_expect_eq(get_elsewhere(), 0);
	expect_got(4, depot_get(depot, 0, DEPOT_HALF, out));
	expect_got(2, depot_get_oldest(depot, DEPOT_HALF, out));
	cr_expect_eq(get_elsewhere(), 0);
	expect_got(3, depot_get(depot, 0, DEPOT_HALF, out));
	cr_expect_eq(depot_get_oldest(depot, DEPOT_HALF, out), 0);
}

/* Puts alone, more than a depot holds: then it is to keep four times what it
 * keeps at all, until somebody gets. */
Test(depot, hoards)
{
	struct depot *none = depot;
	depot = depot_make(3);
	depot_drop(none);
	for (uint64_t serial = 0; serial < DEPOT_CELLS; serial++) {
		cr_assert(put(serial));
		cr_assert_not(depot_hoards(depot, 1));
	}
	expect_got(0, depot_get_oldest(depot, DEPOT_HALF, out));
	cr_assert(put(DEPOT_CELLS));
	cr_assert(depot_hoards(depot, 1));
	for (uint64_t serial = 1; depot_hoards(depot, 1); serial++)
		expect_got(serial, depot_get_oldest(depot, DEPOT_HALF, out));
	cr_assert(put(1));
	cr_assert(depot_hoards(depot, 1));
	expect_got(1, depot_get(depot, 0, DEPOT_HALF, out));
	cr_assert(put(2));
	cr_assert_not(depot_hoards(depot, 1));
	for (uint32_t left = 12; left > 0; left--)
		cr_assert_gt(depot_get_oldest(depot, DEPOT_HALF, out), 0);
	cr_assert_gt(depot_get_oldest(depot, DEPOT_HALF, out), 0);
	cr_expect_eq(depot_get_oldest(depot, DEPOT_HALF, out), 0);
}

Test(depot, every_size)
{
	for (uint32_t n = 1; n <= DEPOT_HALF; n++) {
		memset(out, 0, sizeof(out));
		for (uint32_t i = 0; i < n; i++)
			in[i] = (void *)(uintptr_t)(n * 1000 + i);
		cr_assert(depot_put(depot, n, in));
		cr_assert_eq(depot_get(depot, 0, DEPOT_HALF, out), n);
		cr_assert(memcmp(in, out, n * sizeof(*in)) == 0);
		cr_assert_null(out[n], "one more than was put");
	}
}

Test(depot, full_and_empty_again_and_again)
{
	uint64_t last = 0;
	for (uint32_t round = 0; round < 5; round++) {
		uint64_t first = last;
		while (put(last))
			last++;
		cr_assert_eq(last - first, DEPOT_CELLS);
		cr_assert_not(put(last), "it stays full");
		while (first < last)
			expect(first++);
		cr_assert_eq(depot_get(depot, 0, DEPOT_HALF, out), 0);
	}
}

/* A get from a full depot makes room for one put. */
Test(depot, full_by_one)
{
	uint64_t last = 0;
	while (put(last))
		last++;
	for (uint64_t first = 0; first < 3 * DEPOT_CELLS; first++) {
		expect(first);
		cr_assert(put(last++));
		cr_assert_not(put(last));
	}
}

Test(depot, random_order)
{
	struct rng rng = rng_start("random_order");
	uint64_t first = 0;
	uint64_t last = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		/* Tends to full, then to empty. */
		if (rng_below(&rng, 20) < (i / 5000 % 2 ? 8 : 12))
			last += put(last);
		else if (first < last)
			expect(first++);
		cr_assert_leq(last - first, DEPOT_CELLS);
	}
}
