/* SPDX-License-Identifier: MIT */
/* Two threads put halves into a depot and two get them: each comes out once,
 * whole, and of one putter in its order. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "client/depot.h"
#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/spin_barrier.h"

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

static struct depot *depot;
static struct worker workers[2 * PUTTERS];
static struct spin_barrier barrier;
static uint32_t seen[PUTTERS][HALVES];
static uint32_t putters_done;

/* Objects of a half, so that its length tells its serial. */
static uint32_t size_of(uint64_t serial)
{
	return 1 + (uint32_t)(serial * 7 % DEPOT_HALF);
}

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
		uint32_t n = depot_get(depot, 0, DEPOT_HALF, mine);
		if (n > 0)
			look_at(w, mine, n);
		else if (over)
			return NULL;
		else
			sched_yield();
	}
}

static void run(struct worker *sum)
{
	depot = depot_make(0);
	if (depot == NULL)
		tap_bail("depot_make: no memory");
	memset(workers, 0, sizeof(workers));
	memset(seen, 0, sizeof(seen));
	atom_store(&putters_done, 0u);
	for (uint32_t i = 0; i < 2 * PUTTERS; i++) {
		workers[i].who = i;
		pthread_create(&workers[i].thread, NULL,
		               i < PUTTERS ? putter : getter, &workers[i]);
	}
	for (uint32_t i = 0; i < 2 * PUTTERS; i++) {
		pthread_join(workers[i].thread, NULL);
		sum->objects += i < PUTTERS ? workers[i].objects
		                            : -workers[i].objects;
		sum->torn += workers[i].torn;
		sum->late += workers[i].late;
	}
	depot_drop(depot);
}

int main(void)
{
	struct worker sum = {0};
	uint32_t rounds = tap_rounds(1);
	uint32_t not_once = 0;
	tap_start(900);
	for (uint32_t round = 0; round < rounds; round++) {
		run(&sum);
		for (uint32_t who = 0; who < PUTTERS; who++)
			for (uint32_t i = 0; i < HALVES; i++)
				not_once += seen[who][i] != 1;
	}
	tap_is(sum.torn, 0, "each half is what one thread put");
	tap_is(sum.late, 0, "one putter's come oldest first");
	tap_is(not_once, 0, "each comes out once, %u times %u of them", rounds,
	       PUTTERS * HALVES);
	tap_is((long long)sum.objects, 0, "as many objects out as in");
	return tap_end();
}
