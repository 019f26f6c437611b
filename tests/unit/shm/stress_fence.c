/* SPDX-License-Identifier: MIT */
/*
 * The fence between a freed tag and the look at its slab's list bit:
 *
 *   releaser (slab_release_any)        lessee (slab_claim_any)
 *     tag := free                        bit := 0, fence
 *     fence                              any tag free, then bit := 1
 *     bit is 0, then bit := 1
 *
 * Without the fence the processor may look at the bit while the tag's store
 * still waits in its store buffer: it sees the old bit, the lessee sees the old
 * tag, and a slab with a free object is on no list. Stepping two processes
 * can't show this: each step ends in the kernel, and the way there empties the
 * buffer, so any order of steps is one that a machine without buffers could
 * have taken. It takes two CPUs at full speed.
 *
 * The functions are compiled here in one piece. Where partial_of is a call of
 * its own, its result passes over the stack, and gcc reads it back in larger
 * parts than it was written in: the processor can do that only once the buffer
 * is empty, and so has a fence that nobody put there.
 */
#include "shm/partial.c"
#include "shm/slab.c"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/image.h"
#include "tests/lib/rng.h"

#define SECONDS_MS 2000
#define ROUNDS_MIN 20000u /* on a busy machine too, but for */
#define LATE_MS 150000    /* one that is as slow as this */
#define COLD_LINES 6u
#define DELAYS 8u /* each up to twice the one before */
#define DELAY 16u

static struct image image;
static uint32_t cache;
static struct partial list;
static struct slab_user users[3]; /* releaser, lessee, and who has the rest */
static void *object;
static uint64_t missing;
static uint64_t met; /* rounds in which the lessee got the object */

/* Both count up to each half of a round, and begin it together. */
static struct spin_barrier {
	_Alignas(64) uint32_t arrived[2][16];
	_Alignas(64) uint32_t stop;
} barrier;

/* What the releaser writes before it frees: its stores wait for these lines,
 * which no cache has, and the tag's store behind them. */
static struct cold {
	_Alignas(64) uint64_t word;
} cold[COLD_LINES];

static void meet(unsigned me, uint32_t n)
{
	unsigned turns = 0;
	/* pairs: meet; what this one did before. */
	atom_store_release(&barrier.arrived[me][0], n);
	/* pairs: meet */
	while (atom_load_acquire(&barrier.arrived[!me][0]) < n)
		if (++turns % 4096 == 0)
			sched_yield();
}

/* For short times as often as for long ones. */
static void idle(struct rng *rng)
{
	uint64_t random = rng_next(rng);
	uint32_t turns = (uint32_t)random % (DELAY << (random >> 32) % DELAYS);
	for (; turns > 0; turns--)
		(void)atom_load(&barrier.stop);
}

static void cool_down(void)
{
#if defined(__x86_64__)
	for (unsigned i = 0; i < COLD_LINES; i++)
		__builtin_ia32_clflush(&cold[i]);
#endif
	/* pairs: write_cold, of this thread: the lines are out by then. */
	atom_fence();
}

static void write_cold(uint64_t value)
{
	for (unsigned i = 0; i < COLD_LINES; i++)
		atom_store(&cold[i].word, value);
}

/* The n-th CPU that this process may run on, or -1. */
static int nth_cpu(unsigned n)
{
	cpu_set_t set;
	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && n-- == 0)
			return cpu;
	return -1;
}

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* ---- the two ------------------------------------------------------------ */

/* Its caches have bit and tag: the looks below are not the ones that count. */
static void look_around(void)
{
	for (int i = 0; i < 4; i++) {
		(void)partial_has(&list, 0);
		(void)tags_any_free(slab_tags(&image.view, 0), 1);
	}
}

static void *release(void *arg)
{
	const int *cpu = arg;
	struct rng rng = {.state = 1};
	pin(*cpu);
	for (uint32_t n = 1;; n += 2) {
		cool_down();
		meet(0, n);
		if (atom_load(&barrier.stop))
			return NULL;
		look_around();
		idle(&rng);
		write_cold(n);
		slab_release_any(&users[0], 1, &object);
		meet(0, n + 1);
	}
}

/* The slab's one free object is the releaser's again; its bit stays set, as
 * after any claim that got all it wanted. */
static void deal(uint32_t n)
{
	bool ring;
	if (slab_claim_any(&users[0], cache, 0, 1, &object, &ring) != 1)
		tap_bail("the object is lost in round %u", n / 2);
}

/* After a round the object is the lessee's, or it is free and listed. */
static void judge(uint32_t got, void *mine)
{
	if (got > 0) {
		met++;
		slab_release_any(&users[1], 1, &mine);
	} else if (!partial_has(&list, 0)) {
		missing++;
		partial_set_any(&list, 0);
	}
}

static uint32_t duel(struct rng rng)
{
	double until = now_ms() + tap_rounds(1) * SECONDS_MS;
	uint32_t n = 1;
	while (n % 1024 != 1 || now_ms() < until ||
	       (n / 2 < ROUNDS_MIN && now_ms() < until + LATE_MS)) {
		void *mine;
		uint32_t got;
		bool ring;
		deal(n);
		meet(1, n);
		idle(&rng);
		got = slab_claim_any(&users[1], cache, 0, 1, &mine, &ring);
		meet(1, n + 1);
		judge(got, mine);
		n += 2;
	}
	atom_store(&barrier.stop, 1u);
	meet(1, n);
	return n / 2;
}

/* ---- the whole ---------------------------------------------------------- */

/* One slab, all of whose objects but one are a third client's. */
static void start(void)
{
	void *rest[SLAB_RUN_MAX];
	uint32_t n;
	bool ring;
	image_make(&image, 1, 32);
	cache = image_cache(&image, 30000, 0);
	image_carve(&image, 0, cache, 0, 0);
	for (uint32_t i = 0; i < 3; i++) {
		image_client(&image, i + 1, CLIENT_LIVE);
		users[i] = image_user(&image, i + 1);
	}
	list = partial_of(&image.view, cache, 0);
	n = image_row(&image, cache)->n_objs - 1;
	if (slab_claim_any(&users[2], cache, 0, n, rest, &ring) != n)
		tap_bail("the slab does not have %u objects", n);
}

int main(void)
{
	int cpus[2] = {nth_cpu(0), nth_cpu(1)};
	pthread_t thread;
	uint32_t rounds;
	tap_start(300);
	if (cpus[1] < 0 || is_sanitized()) {
		tap_skip(cpus[1] < 0 ? "there is one CPU alone"
		                     : "a sanitizer's own locked operations "
		                       "empty the store buffer",
		         "a freed tag and its list bit");
		return tap_end();
	}
	start();
	pthread_create(&thread, NULL, release, &cpus[0]);
	pin(cpus[1]);
	rounds = duel(rng_start("stress_fence"));
	pthread_join(thread, NULL);
	tap_is((long long)missing, 0,
	       "a free object is on the list after each of %u rounds", rounds);
	tap_ok(met > 0 && met < rounds,
	       "the two met: in %llu the lessee got the object",
	       (unsigned long long)met);
	image_drop(&image);
	return tap_end();
}
