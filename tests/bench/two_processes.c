/* SPDX-License-Identifier: MIT */
#include "tests/bench/two_processes.h"

#include "shm/atom.h"

#include <stdlib.h>
#include <sys/mman.h>

#define TRIPS 250u

struct two_processes *two_processes_make(void)
{
	pthread_barrierattr_t attr;
	struct two_processes *two = (struct two_processes *)mmap(
		NULL, sizeof(*two), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (two == MAP_FAILED) {
		work_fail("mmap");
		return NULL;
	}
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&two->meet, &attr, WORK_SIDES);
	return two;
}

/* Both are awake and on their CPUs. A round's two arrivals are 2 * round. */
static void start_line(struct two_processes *two, uint64_t *round)
{
	uint64_t due = 2 * ++*round;
	atom_add(&two->here, (uint64_t)1);
	/* pairs: start_line, whose counter orders nothing but itself. */
	while (atom_load_acquire(&two->here) < due)
		two_processes_pause();
}

/* The ball is even for side 0 to hit, odd for side 1. */
static void play(uint64_t *ball, unsigned side, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; i < from + n; i++) {
		/* pairs: play */
		while (atom_load_acquire(ball) != 2 * i + side)
			continue;
		/* pairs: play */
		atom_store_release(ball, 2 * i + side + 1);
	}
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

/* The median over the balls: one that was preempted does not count. Each has
 * been hit 2 * from times. */
static double probe(struct two_processes *two, unsigned side, uint64_t from)
{
	double ns[TWO_PROCESSES_BALLS];
	for (unsigned i = 0; i < TWO_PROCESSES_BALLS; i++) {
		double began;
		play(&two->ball[i].at, side, from, TRIPS / 5);
		began = work_now_ns();
		play(&two->ball[i].at, side, from + TRIPS / 5, TRIPS);
		ns[i] = (work_now_ns() - began) / TRIPS;
	}
	qsort(ns, TWO_PROCESSES_BALLS, sizeof(ns[0]), by_value);
	return ns[TWO_PROCESSES_BALLS / 2];
}

static void one_side(struct two_processes *two, unsigned side,
                     two_processes_side run)
{
	uint64_t round = 0;
	double before, after;
	start_line(two, &round);
	before = probe(two, side, 0);
	start_line(two, &round);
	two->began_ns[side] = work_now_ns();
	if (!run(two, side, two->n))
		atom_store(&two->over, (uint64_t)1);
	two->ended_ns[side] = work_now_ns();
	start_line(two, &round);
	after = probe(two, side, TRIPS + TRIPS / 5);
	if (side == 0) {
		two->probe_ns[0] = before;
		two->probe_ns[1] = after;
	}
}

int two_processes_sample(struct two_processes *two, two_processes_side run,
                         uint64_t n, struct work_result *result)
{
	double began, ended;
	two->n = n;
	two->here = two->put = two->taken = 0;
	for (unsigned i = 0; i < TWO_PROCESSES_BALLS; i++)
		two->ball[i].at = 0;
	pthread_barrier_wait(&two->meet);
	one_side(two, 0, run);
	pthread_barrier_wait(&two->meet);
	if (two->over != 0)
		return 1;
	began = two->began_ns[0] < two->began_ns[1] ? two->began_ns[0]
	                                            : two->began_ns[1];
	ended = two->ended_ns[0] > two->ended_ns[1] ? two->ended_ns[0]
	                                            : two->ended_ns[1];
	result->ops = n;
	result->ns = ended - began;
	result->has_probe = true;
	result->probe[0] = two->probe_ns[0];
	result->probe[1] = two->probe_ns[1];
	return 0;
}

void two_processes_serve(struct two_processes *two, two_processes_side run)
{
	for (;;) {
		pthread_barrier_wait(&two->meet);
		if (two->n == 0)
			return;
		one_side(two, 1, run);
		pthread_barrier_wait(&two->meet);
	}
}

void two_processes_end(struct two_processes *two)
{
	two->n = 0;
	pthread_barrier_wait(&two->meet);
}
