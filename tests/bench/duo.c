/* SPDX-License-Identifier: MIT */
#include "tests/bench/duo.h"

#include "shm/atom.h"

#include <stdlib.h>
#include <sys/mman.h>

#define BATCHES 9
#define TRIPS 400u

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
static void play(struct duo *duo, unsigned side, uint64_t *ball, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t due = *ball + side;
		/* pairs: play */
		while (atom_get(&duo->ball) != due)
			continue;
		/* pairs: play */
		atom_put(&duo->ball, due + 1);
		*ball += 2;
	}
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

/* The median of some batches: one that was preempted does not count. */
static double probe(struct duo *duo, unsigned side, uint64_t *ball)
{
	double batch[BATCHES];
	play(duo, side, ball, TRIPS);
	for (int i = 0; i < BATCHES; i++) {
		double began = work_now_ns();
		play(duo, side, ball, TRIPS);
		batch[i] = (work_now_ns() - began) / TRIPS;
	}
	qsort(batch, BATCHES, sizeof(batch[0]), by_value);
	return batch[BATCHES / 2];
}

static void one_side(struct duo *duo, unsigned side, duo_side run)
{
	uint64_t round = 0;
	uint64_t ball = 0;
	double before, after;
	start_line(duo, &round);
	before = probe(duo, side, &ball);
	start_line(duo, &round);
	duo->began_ns[side] = work_now_ns();
	if (!run(duo, side, duo->n))
		atom_poke(&duo->over, (uint64_t)1);
	duo->ended_ns[side] = work_now_ns();
	start_line(duo, &round);
	after = probe(duo, side, &ball);
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
	duo->here = duo->ball = duo->put = duo->taken = 0;
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
