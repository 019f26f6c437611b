/* SPDX-License-Identifier: MIT */
/*
 * What a process holds free: its threads' magazines, asleep or at work, and its
 * depots. What threads that sleep keep is little, what those keep that say so
 * can be had, and nothing of it is lost.
 */
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define THREADS 32u
#define ROUNDS 8u      /* until magazines are as large as they get */
#define ROUNDS_SLOW 2u /* with a sanitizer, which looks at each access */
#define CACHES 8u
#define SIZE 1024u
#define LIVE 512u          /* objects of each cache */
#define MANY 8192u         /* objects of one cache, a thread's */
#define FLOOR (64ll << 10) /* that a thread may keep */
#define MOST (128u << 10)  /* objects of the whole pool, and more */

static struct fixture fixture;
static slabd_pool *pool;
static slabd_cache *caches[CACHES];

/* ---- threads that allocate, free and sleep ------------------------------ */

struct sleeper {
	pthread_t thread;
	sem_t *slept;
	sem_t *wake;
	bool says_so;
	size_t much;  /* objects in use; 0: a few of many caches */
	bool in_turn; /* one thread after the other */
	bool asks_again; /* allocates when it wakes */
	unsigned wrong;
	void *mine[MANY];
};

static struct sleeper *sleepers;

static void use_caches(struct sleeper *s)
{
	unsigned rounds = is_sanitized() ? ROUNDS_SLOW : ROUNDS;
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned c = 0; c < CACHES; c++) {
			size_t n = slabd_alloc_bulk(caches[c], LIVE, s->mine);
			s->wrong += n < LIVE;
			slabd_free_bulk(caches[c], n, s->mine);
		}
}

/* As much in use as lets magazines grow, and all of it freed. */
static void use_much(struct sleeper *s)
{
	size_t n = slabd_alloc_bulk(caches[0], s->much, s->mine);
	s->wrong += n < s->much;
	slabd_free_bulk(caches[0], n, s->mine);
}

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	if (s->much > 0)
		use_much(s);
	else
		use_caches(s);
	if (s->says_so)
		s->wrong += slabd_thread_idle(pool) != 0;
	sem_post(s->slept);
	while (sem_wait(s->wake) != 0)
		continue;
	if (s->asks_again)
		use_caches(s);
	return NULL;
}

static sem_t slept;
static sem_t wake;

/* Starts so many of them, and returns when all sleep. */
static void start_sleepers(unsigned n, struct sleeper how)
{
	sem_init(&slept, 0, 0);
	sem_init(&wake, 0, 0);
	how.slept = &slept;
	how.wake = &wake;
	for (unsigned i = 0; i < n; i++) {
		sleepers[i] = how;
		pthread_create(&sleepers[i].thread, NULL, sleeper_main,
		               &sleepers[i]);
		if (how.in_turn)
			sem_wait(&slept);
	}
	for (unsigned i = 0; i < n && !how.in_turn; i++)
		sem_wait(&slept);
}

static void end_sleepers(unsigned n)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i < n; i++)
		sem_post(&wake);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(sleepers[i].thread, NULL);
		wrong += sleepers[i].wrong;
	}
	tap_is(wrong, 0, "each got what it asked for");
}

/* All that the client owns. */
static long long held(void)
{
	return fixture_client(&fixture, slabd_client_id(pool), "bytes");
}

/* Until what a trim gets back has come back. */
static long long held_after_trim(long long want)
{
	double until = now_ms() + SURELY_MS;
	long long bytes;
	if (!fixture_post(&fixture, "/trim", "ask=1"))
		tap_bail("slabd does not trim");
	do {
		bytes = held();
	} while (bytes > want && now_ms() < until);
	return bytes;
}

static void open_pool(unsigned flags)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	for (unsigned c = 0; c < CACHES; c++) {
		char name[16];
		snprintf(name, sizeof(name), "hoard-%u", c);
		caches[c] = fixture_cache(pool, name, SIZE);
	}
}

static void test_sleepers(size_t much, bool in_turn)
{
	struct sleeper how = {.much = much, .in_turn = in_turn};
	long long bytes;
	open_pool(0);
	start_sleepers(THREADS, how);
	bytes = held_after_trim(THREADS * FLOOR);
	tap_ok(bytes <= THREADS * FLOOR,
	       "%u threads that sleep%s%s keep 64 KiB each at the most", THREADS,
	       much > 0 ? " after much use" : "", in_turn ? " in turn" : "");
	tap_note("%lld bytes", bytes);
	end_sleepers(THREADS);
	slabd_close(pool);
	how.says_so = true;
	how.asks_again = true;
	open_pool(0);
	start_sleepers(THREADS, how);
	tap_is(held_after_trim(0), 0, "those that say so keep nothing");
	end_sleepers(THREADS);
	slabd_close(pool);
	fixture_audit(&fixture, "after sleepers");
}

/* Without a helper, slabd_poll does it, in a thread that is idle itself. */
static void test_poll(void)
{
	open_pool(SLABD_NO_HELPER);
	for (unsigned i = 0; i < LIVE; i++)
		sleepers->mine[i] = slabd_alloc(caches[0]);
	slabd_free_bulk(caches[0], LIVE, sleepers->mine);
	slabd_thread_idle(pool);
	tap_ok(held() > 0, "without a helper a thread keeps what it has");
	if (!fixture_post(&fixture, "/trim", "ask=1"))
		tap_bail("slabd does not trim");
	tap_is(slabd_poll(pool), 0, "until slabd_poll is called");
	tap_is(held(), 0, "then it keeps nothing");
	slabd_close(pool);
}

/* ---- a thread wakes ----------------------------------------------------- */

/* Idle in one pool, with objects at hand in both: neither loses any. */
static void test_two_pools(void)
{
	slabd_pool *other = fixture_pool(&fixture);
	slabd_cache *here;
	slabd_cache *there = fixture_cache(other, "hoard-0", SIZE);
	void *mine[2];
	size_t n[2];
	open_pool(0);
	here = caches[0];
	slabd_free(here, slabd_alloc(here));
	slabd_free(there, slabd_alloc(there));
	n[0] = slabd_mag_of_(here)->n;
	n[1] = slabd_mag_of_(there)->n;
	tap_ok(n[0] > 0 && n[1] > 0, "a thread has objects of two pools");
	tap_is(slabd_thread_idle(pool), 0, "it is idle in one of them");
	tap_is((long long)(slabd_mag_of_(here)->n + slabd_mag_of_(there)->n), 0,
	       "so its next call misses");
	tap_is(slabd_thread_idle(pool), 0, "idle twice");
	mine[1] = slabd_alloc(there);
	tap_is((long long)slabd_mag_of_(there)->n, (long long)n[1] - 1,
	       "the other pool's are where they were");
	tap_is((long long)slabd_mag_of_(here)->n, (long long)n[0],
	       "this one's, which nobody took, too");
	slabd_free(there, mine[1]);
	slabd_thread_idle(pool);
	slabd_thread_idle(other);
	mine[0] = slabd_alloc(here);
	slabd_free(here, mine[0]);
	tap_is((long long)(slabd_mag_of_(here)->n + slabd_mag_of_(there)->n),
	       (long long)(n[0] + n[1]), "nor is anything lost of both");
	slabd_thread_idle(pool);
	tap_is(held_after_trim(0), 0, "slabd asks, and it is given back");
	slabd_free(there, slabd_alloc(there));
	tap_is((long long)slabd_mag_of_(there)->n, (long long)n[1],
	       "what is asked of one is not taken of the other");
	tap_is((long long)slabd_mag_of_(here)->n, 0, "but of that one it is");
	tap_is(slabd_close(pool), 0, "an idle thread closes");
	slabd_thread_idle(other);
	tap_is(slabd_close(other), 0, "the other pool, too");
}

/* Threads that are idle now and then, while slabd asks and asks: each object
 * has what its owner wrote. */
#define BUSY 4u
#define TRIMS 40 /* each waits a quarter of a second for who is asked */
#define HOLD 256u

static uint32_t over;

struct busy {
	pthread_t thread;
	uint64_t seed;
	unsigned changed;
	unsigned missing;
};

static void swap_one(struct busy *b, struct rng *rng, uint64_t **mine)
{
	unsigned i = rng_below(rng, HOLD);
	if (mine[i] == NULL) {
		mine[i] = slabd_alloc(caches[i % CACHES]);
		b->missing += mine[i] == NULL;
		if (mine[i] != NULL)
			*mine[i] = b->seed + i;
		return;
	}
	b->changed += *mine[i] != b->seed + i;
	slabd_free(caches[i % CACHES], mine[i]);
	mine[i] = NULL;
}

static void *busy_main(void *arg)
{
	struct busy *b = arg;
	struct rng rng = {.state = b->seed};
	uint64_t *mine[HOLD] = {NULL};
	while (atom_load(&over) == 0) {
		for (unsigned k = rng_below(&rng, 2000); k > 0; k--)
			swap_one(b, &rng, mine);
		slabd_thread_idle(pool);
		if (rng_below(&rng, 4) == 0)
			sleep_ms(1);
	}
	for (unsigned i = 0; i < HOLD; i++)
		slabd_free(caches[i % CACHES], mine[i]);
	return NULL;
}

static void test_busy(void)
{
	static struct busy busy[BUSY];
	struct rng rng = rng_start("proc_hoard");
	unsigned changed = 0;
	unsigned missing = 0;
	open_pool(0);
	atom_store(&over, 0u);
	for (unsigned i = 0; i < BUSY; i++) {
		busy[i] = (struct busy){.seed = rng_next(&rng)};
		pthread_create(&busy[i].thread, NULL, busy_main, &busy[i]);
	}
	for (unsigned i = 0; i < tap_rounds(TRIMS); i++)
		if (!fixture_post(&fixture, "/trim", "ask=1"))
			tap_bail("slabd does not trim");
	atom_store(&over, 1u);
	for (unsigned i = 0; i < BUSY; i++) {
		pthread_join(busy[i].thread, NULL);
		changed += busy[i].changed;
		missing += busy[i].missing;
	}
	tap_is(changed, 0, "objects keep what was written while others take "
	       "from idle threads");
	tap_is(missing, 0, "and all are served");
	slabd_flush(pool);
	tap_is(held(), 0, "nothing is left");
	fixture_audit(&fixture, "idle now and then");
	slabd_close(pool);
}

/* ---- the depot ---------------------------------------------------------- */

#define WORKING 20000u /* objects: more than the pool has at the start */

/* A pool that may grow has room for a working set that comes and goes, however
 * small it began. */
static void test_depot(void)
{
	static void *all[WORKING];
	struct slabd_stats before = {0};
	struct slabd_stats after = {0};
	open_pool(0);
	for (unsigned round = 0; round < 4; round++) {
		size_t n = slabd_alloc_bulk(caches[0], WORKING, all);
		if (n < WORKING)
			tap_bail("%zu objects: %s", n, slabd_last_error());
		slabd_free_bulk(caches[0], n, all);
		slabd_get_stats(pool, round == 0 ? &before : &after);
	}
	tap_is((long long)(after.flushed - before.flushed), 0,
	       "what is freed to be used again stays with the process");
	tap_is((long long)(after.refilled - before.refilled), 0,
	       "and comes from there");
	slabd_close(pool);
}

/* ---- the process's own ------------------------------------------------- */

static size_t fill(slabd_cache *cache, void **to)
{
	size_t n = 0;
	while (n < MOST && (to[n] = slabd_alloc(cache)) != NULL)
		n++;
	return n;
}

/* What the process has claimed and not sent home. */
static long long kept(void)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return (long long)(stats.refilled - stats.flushed);
}

/* slabd stands still, so that nobody asks for what idle threads hold. */
static void test_own(void)
{
	static void *all[MOST];
	struct sleeper how = {.much = MANY / 4, .says_so = true};
	size_t full;
	size_t n;
	open_pool(0);
	full = fill(caches[0], all);
	fixture_halt(&fixture);
	slabd_free_bulk(caches[0], full, all);
	slabd_flush(pool);
	tap_is(kept(), 0, "a full pool is free again");
	start_sleepers(THREADS, how);
	tap_ok(kept() > 0, "idle threads keep what nobody needs");
	n = fill(caches[0], all);
	fixture_signal(&fixture, SIGCONT);
	tap_is((long long)n, (long long)full,
	       "before it is refused a thread gets what its idle ones have");
	slabd_free_bulk(caches[0], n, all);
	end_sleepers(THREADS);
	slabd_close(pool);
}

/* ---- first objects ------------------------------------------------------ */

#define KINDS 512u
#define BUSY_BYTES (1u << 20) /* of a thread that misses */

static void test_first_objects(void)
{
	slabd_cache *kinds[KINDS];
	size_t caps = 0;
	open_pool(0);
	for (unsigned i = 0; i < KINDS; i++) {
		char name[16];
		snprintf(name, sizeof(name), "kind-%u", i);
		kinds[i] = fixture_cache(pool, name, 16 << 10);
		slabd_free(kinds[i], slabd_alloc(kinds[i]));
	}
	for (unsigned i = 0; i < KINDS; i++)
		caps += slabd_mag_of_(kinds[i])->cap * (16 << 10);
	tap_ok(caps > 0 && caps <= BUSY_BYTES,
	       "first objects of many caches stay within the budget: %zu",
	       caps);
	slabd_thread_idle(pool);
	tap_is(held_after_trim(0), 0, "all of it can be had");
	slabd_close(pool);
}

/* ---- what a thread costs ------------------------------------------------ */

#define CROWD 200u

static pthread_barrier_t together;

static void *crowd_main(void *arg)
{
	unsigned *missing = arg;
	void *object;
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	object = slabd_alloc(caches[0]);
	atom_add(missing, (unsigned)(object == NULL));
	slabd_free(caches[0], object);
	pthread_barrier_wait(&together);
	return NULL;
}

/* Memory of the process that counts against limits, in bytes. */
static long long committed(void)
{
	char line[128];
	long long kib = 0;
	FILE *from = fopen("/proc/self/status", "re");
	if (from == NULL)
		tap_bail("no /proc/self/status");
	while (fgets(line, sizeof(line), from) != NULL)
		if (strncmp(line, "VmData:", 7) == 0)
			kib = strtoll(line + 7, NULL, 10);
	fclose(from);
	return kib << 10;
}

static void test_commit(void)
{
	static pthread_t crowd[CROWD];
	unsigned missing = 0;
	long long before;
	long long after;
	if (is_sanitized()) {
		tap_skip("a sanitizer has memory for each thread",
		         "what a thread costs");
		return;
	}
	mallopt(M_ARENA_MAX, 1);
	open_pool(0);
	pthread_barrier_init(&together, NULL, CROWD + 1);
	for (unsigned i = 0; i < CROWD; i++)
		pthread_create(&crowd[i], NULL, crowd_main, &missing);
	pthread_barrier_wait(&together);
	before = committed();
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	after = committed();
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(crowd[i], NULL);
	tap_is(missing, 0, "%u threads get an object each", CROWD);
	tap_ok(after - before < CROWD * (64ll << 10),
	       "for less than 64 KiB of memory a thread: %lld",
	       (after - before) / CROWD);
	slabd_close(pool);
}

int main(void)
{
	tap_start(300);
	sleepers = shared_memory(THREADS * sizeof(*sleepers));
	/* The machine's own shortages are none of this. */
	fixture_open(&fixture,
	             "[slabd]\nreserve_hugepages = no\n"
	             "[balance]\npressure = off\n"
	             "[pool default]\npage = 4k\nmax = 128M\n");
	test_depot();
	test_sleepers(0, false);
	test_sleepers(MANY, true);
	test_sleepers(MANY / 4, false);
	test_poll();
	test_two_pools();
	test_busy();
	test_own();
	test_first_objects();
	test_commit();
	fixture_audit(&fixture, "in the end");
	fixture_close(&fixture);
	return tap_end();
}
