/* SPDX-License-Identifier: MIT */
/* Threads that come and go, some of them alone in a shard, some not, take bytes
 * for depots and give back what others took: the books are right at the end. */
#include <pthread.h>
#include <string.h>

#include "client/credit.h"
#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define THREADS (PROCESS_SHARDS + 4u)
#define LIVES 20u /* of each, one after the other */
#define STEPS 500u
#define PART_MOST (UINT64_C(512) << 10)

static struct slabd_pool pool;
static uint64_t held;     /* (A) taken, not given back yet */
static uint32_t refusals; /* (A) */
static uint64_t seed;

static void nothing(void *mark)
{
	(void)mark;
}

static void none(void)
{
}

static uint32_t enter(void)
{
	uint32_t shard;
	process_lock();
	shard = process_enter_shard();
	process_unlock();
	return shard;
}

static void leave(uint32_t shard)
{
	process_lock();
	credit_leave(&pool, shard);
	process_leave_shard(shard);
	process_shard_own = 0;
	process_unlock();
}

/* Of what is held, whoever took it. */
static uint64_t take_from_held(uint64_t most)
{
	uint64_t now = atom_load(&held);
	uint64_t bytes;
	do {
		bytes = now < most ? now : most;
		/* pairs: take_from_held, in another thread. */
	} while (!atom_cas(&held, &now, now - bytes));
	return bytes;
}

static void one_life(struct rng *rng)
{
	uint32_t shard = enter();
	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t bytes = 1 + rng_below(rng, PART_MOST);
		if (rng_below(rng, 8) < 3)
			credit_back(&pool, take_from_held(bytes));
		else if (credit_take(&pool, bytes))
			atom_add(&held, bytes);
		else
			atom_add(&refusals, 1u);
	}
	leave(shard);
}

static void *run(void *arg)
{
	struct rng rng = {.state = seed + (uint64_t)(uintptr_t)arg};
	for (uint32_t i = 0; i < LIVES; i++)
		one_life(&rng);
	return NULL;
}

static void run_all(void)
{
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run, (void *)i);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* What one thread alone sees, owner of its shard or not. */
static void alone(uint32_t threads_before)
{
	uint32_t shard = 0;
	bool own;
	for (uint32_t i = 0; i <= threads_before; i++)
		shard = enter();
	own = process_owns_shard();
	tap_is(own, threads_before < PROCESS_SHARDS,
	       "with %u others it owns its shard or not", threads_before);
	tap_ok(credit_take(&pool, 4096), "it takes a little");
	tap_is((long long)(pool.depot_bytes - credit_unused(&pool)), 4096,
	       "which is what the depots hold");
	credit_back(&pool, 4096);
	tap_is((long long)(pool.depot_bytes - credit_unused(&pool)), 0,
	       "and then nothing");
	tap_ok(pool.depot_bytes > 0, "with some left ahead of need");
	leave(shard);
	tap_is(pool.shards[shard & ~PROCESS_SHARD_OWN].own, 0,
	       "of which it leaves nothing to itself");
	credit_trim(&pool);
	tap_is((long long)pool.depot_bytes, 0, "and which is given back");
}

int main(void)
{
	struct rng rng = rng_start("race_credit");
	uint32_t rounds = tap_rounds(1);
	tap_start(900);
	process_start(nothing, none);
	pool.max_bytes = UINT64_C(256) << 20;
	pool.process_bytes = UINT64_C(64) << 20;
	pool.net_bytes = INT64_MAX / 2;
	alone(0);
	for (uint32_t i = 0; i < rounds; i++) {
		seed = rng_next(&rng);
		run_all();
	}
	tap_is((long long)(pool.depot_bytes - credit_unused(&pool)),
	       (long long)held, "what is held is what the books say");
	tap_ok(pool.depot_bytes < credit_limit(&pool) + THREADS * PART_MOST,
	       "about as many as may be");
	tap_ok(refusals > 0, "others were refused");
	credit_trim(&pool);
	tap_is((long long)pool.depot_bytes, (long long)held,
	       "nothing is left ahead of need");
	credit_back(&pool, held);
	credit_trim(&pool);
	tap_is((long long)pool.depot_bytes, 0, "nor when all is given back");
	alone(PROCESS_SHARDS); /* with those that did not leave */
	return tap_end();
}
