/* SPDX-License-Identifier: MIT */
#include "tests/bench/two_processes.h"

#include "shm/atom.h"

#include <stdlib.h>
#include <sys/mman.h>

#define TRIPS 250u

struct duo *duo_make(void)
{
	pthread_barrierattr_t attr;
	struct duo *duo = (struct duo *)mmap(NULL, sizeof(*duo),
	                                     PROT_READ | PROT_WRITE,
	                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (duo == MAP_FAILED) {
		work_fail("mmap");
		return NULL;
	}
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&duo->meet, &attr, WORK_SIDES);
	return duo;
}

/* Both are awake and on their CPUs. A round's two arrivals are 2 * round. */
static void start_line(struct duo *duo, uint64_t *round)
{
	uint64_t due = 2 * ++*round;
	atom_add(&duo->here, (uint64_t)1);
	/* pairs: start_line, whose counter orders nothing but itself. */
	while (atom_get(&duo->here) < due)
		duo_pause();
}

/* The ball is even for side 0 to hit, odd for side 1. */
static void play(uint64_t *ball, unsigned side, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; i < from + n; i++) {
		/* pairs: play */
		while (atom_get(ball) != 2 * i + side)
			continue;
		/* pairs: play */
		atom_put(ball, 2 * i + side + 1);
	}
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

/* The median over the balls: one that was preempted does not count. Each has
 * been hit 2 * from times. */
static double probe(struct duo *duo, unsigned side, uint64_t from)
{
	double ns[DUO_BALLS];
	for (unsigned i = 0; i < DUO_BALLS; i++) {
		double began;
		play(&duo->ball[i].at, side, from, TRIPS / 5);
		began = work_now_ns();
		play(&duo->ball[i].at, side, from + TRIPS / 5, TRIPS);
		ns[i] = (work_now_ns() - began) / TRIPS;
	}
	qsort(ns, DUO_BALLS, sizeof(ns[0]), by_value);
	return ns[DUO_BALLS / 2];
}

static void one_side(struct duo *duo, unsigned side, duo_side run)
{
	uint64_t round = 0;
	double before, after;
	start_line(duo, &round);
	before = probe(duo, side, 0);
	start_line(duo, &round);
	duo->began_ns[side] = work_now_ns();
	if (!run(duo, side, duo->n))
		atom_poke(&duo->over, (uint64_t)1);
	duo->ended_ns[side] = work_now_ns();
	start_line(duo, &round);
	after = probe(duo, side, TRIPS + TRIPS / 5);
	if (side == 0) {
		duo->probe_ns[0] = before;
		duo->probe_ns[1] = after;
	}
}

int duo_sample(struct duo *duo, duo_side run, uint64_t n,
               struct work_result *result)
{
	double began, ended;
	duo->n = n;
	duo->here = duo->put = duo->taken = 0;
	for (unsigned i = 0; i < DUO_BALLS; i++)
		duo->ball[i].at = 0;
	pthread_barrier_wait(&duo->meet);
	one_side(duo, 0, run);
	pthread_barrier_wait(&duo->meet);
	if (duo->over != 0)
		return 1;
	began = duo->began_ns[0] < duo->began_ns[1] ? duo->began_ns[0]
	                                            : duo->began_ns[1];
	ended = duo->ended_ns[0] > duo->ended_ns[1] ? duo->ended_ns[0]
	                                            : duo->ended_ns[1];
	result->ops = n;
	result->ns = ended - began;
	result->has_probe = true;
	result->probe[0] = duo->probe_ns[0];
	result->probe[1] = duo->probe_ns[1];
	return 0;
}

void duo_serve(struct duo *duo, duo_side run)
{
	for (;;) {
		pthread_barrier_wait(&duo->meet);
		if (duo->n == 0)
			return;
		one_side(duo, 1, run);
		pthread_barrier_wait(&duo->meet);
	}
}

void duo_end(struct duo *duo)
{
	duo->n = 0;
	pthread_barrier_wait(&duo->meet);
}
