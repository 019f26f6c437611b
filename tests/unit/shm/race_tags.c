/* SPDX-License-Identifier: MIT */
/* A thread claims tags while another frees its own beside them, in the same
 * words: each freed tag is claimed once, and no other changes. */
#include <pthread.h>
#include <sched.h>

#include "shm/atom.h"
#include "shm/tags.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"
#include "tests/lib/spin_barrier.h"

#define LANES 515u
#define ROUNDS 2000u
#define CLAIMER 1u
#define FREER 2u

struct duel {
	_Alignas(64) uint16_t tags[LANES + TAGS_WORD];
	struct spin_barrier barrier;
	struct rng rng;
	uint32_t order[LANES]; /* the freer's lanes */
	uint32_t n;
	uint32_t refused;
	uint32_t claiming; /* the claimer is at it */
	uint32_t freed;    /* the freer has done its part */
	bool over;
	/* Of the claimer: what went wrong, in all rounds. */
	uint32_t twice;
	uint32_t owned_again;
	uint32_t others; /* tags that are nobody's to change */
};

static void *freer(void *arg)
{
	struct duel *d = arg;
	for (;;) {
		spin_barrier_wait(&d->barrier, 2);
		if (d->over)
			return NULL;
		for (uint32_t i = 1; atom_load(&d->claiming) == 0; i++)
			if (i % 4096 == 0)
				sched_yield();
		for (uint32_t i = 0; i < d->n; i++) {
			d->refused += !tags_free_own(&d->tags[d->order[i]],
			                             FREER);
			for (uint32_t k = d->order[i] % 32; k > 0; k--)
				(void)atom_load(&d->claiming);
		}
		/* pairs: claim_all; the lanes are free before it is said. */
		atom_set(&d->freed, 1u);
		spin_barrier_wait(&d->barrier, 2);
	}
}

/* Hands a random part of the lanes, in a random order, to the freer. */
static void deal(struct duel *d)
{
	d->n = 0;
	atom_store(&d->freed, 0u);
	for (uint32_t i = 0; i < LANES; i++) {
		uint32_t at;
		if (rng_below(&d->rng, 4) == 0)
			continue;
		d->tags[i] = FREER;
		at = rng_below(&d->rng, ++d->n);
		d->order[d->n - 1] = d->order[at];
		d->order[at] = i;
	}
}

/* Claims all that the other frees meanwhile; each lane comes once. */
static void claim_all(struct duel *d)
{
	uint32_t out[64];
	uint32_t got = 0;
	uint32_t idle = 0;
	bool seen[LANES] = {false};
	atom_store(&d->claiming, 1u);
	while (got < d->n) {
		/* pairs: freer; read as it is now, before the claim. */
		uint32_t last = atom_clear(&d->freed, 0u);
		uint32_t n = tags_claim_own(d->tags, LANES, 0, CLAIMER,
		                            1 + rng_below(&d->rng, 64), out);
		for (uint32_t i = 0; i < n; i++) {
			if (out[i] >= LANES)
				tap_bail("lane %u of %u", out[i], LANES);
			d->twice += seen[out[i]];
			seen[out[i]] = true;
		}
		got += n;
		if (n == 0 && last != 0) {
			d->owned_again++;
			break;
		}
		if (n == 0 && ++idle % 4096 == 0)
			sched_yield();
	}
	atom_store(&d->claiming, 0u);
}

int main(void)
{
	static struct duel d;
	uint32_t rounds = tap_rounds(ROUNDS);
	pthread_t thread;
	tap_start(900);
	d.rng = rng_start("race_tags");
	for (uint32_t i = 0; i < LANES + TAGS_WORD; i++)
		d.tags[i] = i < LANES ? CLAIMER : TAG_NONE;
	pthread_create(&thread, NULL, freer, &d);
	for (uint32_t round = 0; round < rounds; round++) {
		deal(&d);
		spin_barrier_wait(&d.barrier, 2);
		claim_all(&d);
		spin_barrier_wait(&d.barrier, 2);
		for (uint32_t i = 0; i < LANES; i++)
			d.others += d.tags[i] != CLAIMER;
		d.others += d.tags[LANES] != TAG_NONE;
	}
	d.over = true;
	spin_barrier_wait(&d.barrier, 2);
	pthread_join(thread, NULL);
	tap_is(d.refused, 0, "no lane is written over");
	tap_is(d.twice, 0, "none is claimed twice");
	tap_is(d.owned_again, 0, "each that was freed is claimed");
	tap_is(d.others, 0, "and no other tag changes, %u times", rounds);
	return tap_end();
}
