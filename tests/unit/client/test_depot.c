/* SPDX-License-Identifier: MIT */
#include "client/depot.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

#include "shm/atom.h"
#include "tests/lib/rng.h"
#include "tests/lib/spin_barrier.h"

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
		other.n = depot_get(depot, out);
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
		expect_got(serial, depot_get(depot, out));
	cr_assert_eq(depot_get(depot, out), 0);
	cr_assert(put(7));
	expect(7);
}

Test(depot, empty)
{
	out[0] = &depot;
	cr_expect_eq(depot_get(depot, out), 0);
	cr_expect_eq(depot_get(depot, out), 0);
	cr_expect_eq(out[0], &depot, "nothing is written");
	cr_assert(put(3));
	expect(3);
	cr_expect_eq(depot_get(depot, out), 0);
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
	expect_got(4, depot_get(depot, out));
	expect_got(2, depot_get_oldest(depot, out));
	cr_expect_eq(get_elsewhere(), 0);
	expect_got(3, depot_get(depot, out));
	cr_expect_eq(depot_get_oldest(depot, out), 0);
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
		cr_assert_not(depot_hoards(depot));
	}
	expect_got(0, depot_get_oldest(depot, out));
	cr_assert(put(DEPOT_CELLS));
	cr_assert(depot_hoards(depot));
	for (uint64_t serial = 1; depot_hoards(depot); serial++)
		expect_got(serial, depot_get_oldest(depot, out));
	cr_assert(put(1));
	cr_assert(depot_hoards(depot));
	expect_got(1, depot_get(depot, out));
	cr_assert(put(2));
	cr_assert_not(depot_hoards(depot));
	for (uint32_t left = 12; left > 0; left--)
		cr_assert_gt(depot_get_oldest(depot, out), 0);
	cr_assert_gt(depot_get_oldest(depot, out), 0);
	cr_expect_eq(depot_get_oldest(depot, out), 0);
}

Test(depot, every_size)
{
	for (uint32_t n = 1; n <= DEPOT_HALF; n++) {
		memset(out, 0, sizeof(out));
		for (uint32_t i = 0; i < n; i++)
			in[i] = (void *)(uintptr_t)(n * 1000 + i);
		cr_assert(depot_put(depot, n, in));
		cr_assert_eq(depot_get(depot, out), n);
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
		cr_assert_eq(depot_get(depot, out), 0);
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

/* ---- threads ------------------------------------------------------------ */

#define PUTTERS 2u
#define HALVES 60000u /* of each putter */

struct worker {
	pthread_t thread;
	uint32_t who;
	uint64_t objects;
	uint64_t last[PUTTERS]; /* serial last seen of each putter */
	uint32_t torn;          /* halves that are not one put's */
	uint32_t late;          /* halves that came out of order */
};

static struct spin_barrier barrier;
static uint32_t seen[PUTTERS][HALVES];
static uint32_t putters_done;

static void *putter(void *arg)
{
	struct worker *w = arg;
	void *mine[DEPOT_HALF];
	spin_barrier_wait(&barrier, 2 * PUTTERS);
	for (uint64_t serial = 0; serial < HALVES;) {
		uint32_t n = size_of(serial);
		for (uint32_t i = 0; i < n; i++)
			mine[i] = (void *)(uintptr_t)(serial << 16 |
			                              w->who << 8 | i);
		if (!depot_put(depot, n, mine)) {
			sched_yield();
			continue;
		}
		w->objects += n;
		serial++;
	}
	atom_add(&putters_done, 1u);
	return NULL;
}

static void look_at(struct worker *w, void *const *objects, uint32_t n)
{
	uint64_t first = (uintptr_t)objects[0];
	uint64_t serial = first >> 16;
	uint32_t who = first >> 8 & 0xff;
	if (who >= PUTTERS || serial >= HALVES || n != size_of(serial)) {
		w->torn++;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		w->torn += (uintptr_t)objects[i] != first + i;
	w->late += serial < w->last[who];
	w->last[who] = serial;
	atom_add(&seen[who][serial], 1u);
	w->objects += n;
}

static void *getter(void *arg)
{
	struct worker *w = arg;
	void *mine[DEPOT_HALF];
	spin_barrier_wait(&barrier, 2 * PUTTERS);
	for (;;) {
		bool over = atom_load(&putters_done) == PUTTERS;
		uint32_t n = depot_get(depot, mine);
		if (n > 0)
			look_at(w, mine, n);
		else if (over)
			return NULL;
		else
			sched_yield();
	}
}

static void check_seen(void)
{
	for (uint32_t who = 0; who < PUTTERS; who++)
		for (uint32_t i = 0; i < HALVES; i++)
			cr_assert_eq(seen[who][i], 1, "half %u of %u: %u times",
			             i, who, seen[who][i]);
}

Test(depot, two_and_two_threads)
{
	static struct worker workers[2 * PUTTERS];
	int64_t sum = 0;
	for (uint32_t i = 0; i < 2 * PUTTERS; i++) {
		workers[i].who = i;
		pthread_create(&workers[i].thread, NULL,
		               i < PUTTERS ? putter : getter, &workers[i]);
	}
	for (uint32_t i = 0; i < 2 * PUTTERS; i++) {
		int64_t n;
		pthread_join(workers[i].thread, NULL);
		n = (int64_t)workers[i].objects;
		sum += i < PUTTERS ? n : -n;
		cr_assert_eq(workers[i].torn, 0);
		cr_assert_eq(workers[i].late, 0, "not oldest first");
	}
	cr_assert_eq(sum, 0);
	check_seen();
}
