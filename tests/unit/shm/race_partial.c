/* SPDX-License-Identifier: MIT */
/* Two threads set and clear bits of one list at the edge of an empty word: at
 * rest the summary is what the bits say. */
#include <pthread.h>

#include "shm/atom.h"
#include "shm/partial.h"
#include "tests/lib/harness.h"
#include "tests/lib/image.h"
#include "tests/lib/rng.h"
#include "tests/lib/spin_barrier.h"

#define UNITS 4192u /* 65.5 words of bits, so 2 words of summary */

static struct partial list;

struct race {
	struct spin_barrier barrier;
	struct rng rng[2];
	bool over;
};

#define ROUNDS 3000u
#define STEPS 40u

/* A few units, so that both often meet at the edge of an empty word. */
static uint32_t race_unit(struct rng *rng)
{
	static const uint32_t units[] = {4095, 4095, 4095, 4032, 64};
	return units[rng_below(rng, 5)];
}

static void race_steps(struct rng *rng)
{
	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t roll = rng_next(rng);
		if (roll % 2 == 0)
			partial_set_any(&list, race_unit(rng));
		else
			partial_clear_any(&list, race_unit(rng));
		for (roll = roll >> 8 & 31; roll > 0; roll--)
			(void)atom_load(&list.bits[1]);
	}
}

static void *racer(void *arg)
{
	struct race *race = arg;
	for (;;) {
		spin_barrier_wait(&race->barrier, 2);
		if (race->over)
			return NULL;
		race_steps(&race->rng[1]);
		spin_barrier_wait(&race->barrier, 2);
	}
}

int main(void)
{
	static struct image image;
	static struct race race;
	struct rng rng = rng_start("summary_is_whole_at_rest");
	uint32_t rounds = tap_rounds(ROUNDS);
	uint32_t bad = 0;
	pthread_t thread;
	tap_start(900);
	image_make(&image, 2, UNITS);
	list = partial_of(&image.view, 2, 1);
	race.rng[0] = rng_split(&rng);
	race.rng[1] = rng_split(&rng);
	pthread_create(&thread, NULL, racer, &race);
	for (uint32_t round = 0; round < rounds; round++) {
		spin_barrier_wait(&race.barrier, 2);
		race_steps(&race.rng[0]);
		spin_barrier_wait(&race.barrier, 2);
		bad += partial_check(&list) != PARTIAL_NONE;
	}
	race.over = true;
	spin_barrier_wait(&race.barrier, 2);
	pthread_join(thread, NULL);
	tap_is(bad, 0, "the summary is whole at rest, %u times", rounds);
	image_drop(&image);
	return tap_end();
}
