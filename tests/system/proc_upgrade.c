/* SPDX-License-Identifier: MIT */
/*
 * slabd restarted and killed under full load: no allocation fails, clients
 * keep their ids and their objects, and the accounts are exact. And stopped:
 * nobody waits for it longer than it said.
 *
 *   proc_upgrade [--stopped SECONDS]     that part alone, for so long
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/asked.h"
#include "tests/lib/keeper.h"
#include "tests/lib/lag.h"
#include "tests/lib/rng.h"

#define PROCESSES 4u
#define EACH 2u /* threads of a process */
#define THREADS (PROCESSES * EACH)
#define RESTARTS 5u  /* of each kind */
#define STRESSED 10u /* in stress */
#define ROUNDS (2 * STRESSED + 1)
#define CACHES 8u
#define HAND (1u << 15)
#define STEP_BYTES (256u << 10) /* more in each hand, each round */
#define WAIT_MS 200u  /* of who waits for a stopped slabd */
#define LATE_MS 1000.0 /* --stopped: what the machine may add to a call */
#define LATE_SANITIZED_MS 2000.0

/* A thread's, which alone writes it. */
struct line {
	uint64_t allocs;
	uint64_t held;
	uint64_t worst_ns[ROUNDS];
};

static struct board {
	uint32_t round;
	uint32_t pause;
	uint32_t parked;
	uint32_t stop;
	uint64_t failed;  /* allocations */
	uint64_t changed; /* objects */
	struct line lines[THREADS];
} *board;

static const size_t sizes[CACHES] = {64, 256, 1024, 96, 4096, 512, 192, 2048};
static struct fixture fixture;
static struct keeper keeper;
static struct rng rng;
static double late_ms;   /* 0: what calls ask for is counted */
static uint32_t step_bytes = STEP_BYTES;

/* ---- a client at full speed --------------------------------------------- */

struct object {
	uint64_t *at;
	uint32_t cache;
};

struct thread {
	pthread_t thread;
	slabd_pool *pool;
	slabd_cache **caches;
	struct line *line;
	struct rng rng;
	uint64_t bytes; /* of the hand */
	uint32_t n;
	struct object hand[HAND];
};

static uint64_t mark(const struct thread *t, const void *obj)
{
	return (uint64_t)(uintptr_t)obj ^ (uint64_t)(uintptr_t)t << 7;
}

static bool alloc_one(struct thread *t, uint32_t round)
{
	uint32_t cache = round % CACHES;
	double since = now_ms();
	uint64_t *obj = slabd_alloc(t->caches[cache]);
	uint64_t ns = (uint64_t)((now_ms() - since) * 1e6);
	if (ns > t->line->worst_ns[round])
		atom_store(&t->line->worst_ns[round], ns);
	if (obj == NULL) {
		if (atom_add(&board->failed, 1u) < 5)
			tap_note("after %.1f ms: %s", (double)ns / 1e6,
			         slabd_last_error());
		return false;
	}
	obj[0] = obj[sizes[cache] / 8 - 1] = mark(t, obj);
	t->hand[t->n++] = (struct object){.at = obj, .cache = cache};
	t->bytes += sizes[cache];
	atom_store(&t->line->allocs, t->line->allocs + 1);
	return true;
}

static void free_one(struct thread *t)
{
	uint32_t i = (uint32_t)(rng_next(&t->rng) >> 16) % t->n;
	struct object obj = t->hand[i];
	size_t size = sizes[obj.cache];
	if (obj.at[0] != mark(t, obj.at) || obj.at[size / 8 - 1] != obj.at[0])
		atom_add(&board->changed, 1u);
	obj.at[0] = obj.at[size / 8 - 1] = 0;
	slabd_free(t->caches[obj.cache], obj.at);
	t->hand[i] = t->hand[--t->n];
	t->bytes -= size;
}

/* With nothing but the hand, so that it can be counted. */
static void park(struct thread *t)
{
	slabd_flush(t->pool);
	atom_store(&t->line->held, (uint64_t)t->n);
	atom_add(&board->parked, 1u);
	while (atom_load(&board->pause) != 0)
		sleep_ms(1);
	atom_add(&board->parked, -1u);
}

/* Fills the hand up and frees a half of it, again and again. */
static void *churn(void *arg)
{
	struct thread *t = arg;
	while (atom_load(&board->stop) == 0) {
		uint32_t round = atom_load(&board->round);
		uint64_t most = (uint64_t)step_bytes * (round + 1);
		if (atom_load(&board->pause) != 0)
			park(t);
		while (t->bytes < most && t->n < HAND &&
		       alloc_one(t, round) && atom_load(&board->pause) == 0)
			continue;
		for (uint32_t n = t->n / 2; n > 0; n--)
			free_one(t);
	}
	while (t->n > 0)
		free_one(t);
	return NULL;
}

/* Counts only grow, nothing failed, and the client came back so often. */
static bool is_sane(slabd_pool *pool, uint64_t restarts)
{
	static struct slabd_stats before;
	double until = now_ms() + SURELY_MS;
	struct slabd_stats now;
	bool good;
	while (slabd_get_stats(pool, &now) == 0 && now.resumes < restarts &&
	       now_ms() < until)
		sleep_ms(1);
	good = now.resumes == restarts && now.failures == 0 &&
	       now.refused == 0 && now.refilled >= before.refilled &&
	       now.flushed >= before.flushed && now.refills <= now.refilled;
	if (!good)
		tap_note("%llu resumes, %llu failures, %llu refused",
		         (unsigned long long)now.resumes,
		         (unsigned long long)now.failures,
		         (unsigned long long)now.refused);
	before = now;
	return good;
}

static void client_main(int fd, void *arg)
{
	static struct thread threads[EACH];
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_cache *caches[CACHES];
	slabd_pool *pool;
	uint64_t word;
	unsigned id;
	options.wait_ms = SURELY_MS;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	id = slabd_client_id(pool);
	for (uint32_t i = 0; i < CACHES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "of-%zu", sizes[i]);
		caches[i] = fixture_cache(pool, name, sizes[i]);
	}
	for (uint32_t i = 0; i < EACH; i++) {
		struct thread *t = &threads[i];
		t->pool = pool;
		t->caches = caches;
		t->line = (struct line *)arg + i;
		t->rng.state = 1 + (uint64_t)(uintptr_t)t->line;
		pthread_create(&t->thread, NULL, churn, t);
	}
	say(fd, id);
	while ((word = hear(fd)) != 0)
		say(fd, is_sane(pool, word - 1) && slabd_client_id(pool) == id);
	for (uint32_t i = 0; i < EACH; i++)
		pthread_join(threads[i].thread, NULL);
	slabd_close(pool);
}

/* ---- restarts ----------------------------------------------------------- */

static struct child clients[PROCESSES];
static unsigned ids[PROCESSES];
static unsigned of_each = RESTARTS;
static double restart_ms[ROUNDS];

/* Sleeps, and hears slabd, which waits for its manager now and then. */
static void pass(unsigned ms)
{
	double until = now_ms() + ms;
	do
		keeper_hear(&keeper, 1);
	while (now_ms() < until);
}

static bool pause_all(void)
{
	double until = now_ms() + SURELY_MS;
	atom_store(&board->pause, 1u);
	while (atom_load(&board->parked) < THREADS && now_ms() < until)
		pass(1);
	return atom_load(&board->parked) == THREADS;
}

static void resume_all(void)
{
	atom_store(&board->pause, 0u);
	while (atom_load(&board->parked) > 0)
		pass(1);
}

static void restart(uint32_t round, int signal)
{
	double since;
	int status = 0;
	atom_store(&board->round, round);
	pass((unsigned)(rng_next(&rng) >> 16) % 40);
	since = now_ms();
	fixture_signal(&fixture, signal);
	if (fixture_wait(&fixture, SURELY_MS) < 0)
		tap_bail("slabd does not end");
	if (!keeper_start(&keeper, &fixture, &status))
		tap_bail("slabd does not start again: 0x%x", status);
	restart_ms[round] = now_ms() - since;
	pass(100);
}

static bool all_sane(uint32_t restarts)
{
	bool good = true;
	for (unsigned i = 0; i < PROCESSES; i++) {
		say(clients[i].fd, restarts + 1);
		good &= hear(clients[i].fd) == 1;
		good &= fixture_client(&fixture, ids[i], "pid") ==
		        clients[i].pid;
	}
	return good;
}

/* All stand still: what slabd counts is what they hold, to the object. */
static bool is_exact(void)
{
	long long held = 0;
	bool agree;
	json_t *doc;
	if (!pause_all())
		tap_bail("the clients do not pause");
	for (unsigned i = 0; i < THREADS; i++)
		held += (long long)atom_load(&board->lines[i].held);
	doc = fixture_get(&fixture, "/audit");
	agree = json_is_true(json_at(doc, "agree"));
	json_decref(doc);
	if (fixture_owned(&fixture) != held || !agree)
		tap_note("%lld objects are held, slabd has %lld; the audit "
		         "%s", held, fixture_owned(&fixture),
		         agree ? "agrees" : "does not agree");
	agree &= fixture_owned(&fixture) == held;
	resume_all();
	return agree;
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

/* The middle one and the largest of the rounds of one kind. */
static void report(const char *what, uint32_t first)
{
	double waits[STRESSED];
	double starts[STRESSED];
	for (uint32_t r = 0; r < of_each; r++) {
		uint64_t worst = 0;
		for (unsigned i = 0; i < THREADS; i++) {
			uint64_t ns = board->lines[i].worst_ns[first + r];
			worst = ns > worst ? ns : worst;
		}
		waits[r] = (double)worst / 1e6;
		starts[r] = restart_ms[first + r];
	}
	qsort(waits, of_each, sizeof(waits[0]), by_size);
	qsort(starts, of_each, sizeof(starts[0]), by_size);
	tap_note("%s: the longest allocation of each took p50 %.1f ms, max "
	         "%.1f ms; signal to READY p50 %.1f ms, max %.1f ms", what,
	         waits[of_each / 2], waits[of_each - 1],
	         starts[of_each / 2], starts[of_each - 1]);
}

static bool has_grown(long long ready)
{
	unsigned left = SURELY_MS / 10;
	while (fixture_number(&fixture, "/status", "pools.0.ready_bytes") <=
	               ready && --left > 0)
		pass(10);
	return left > 0;
}

static void test_restarts(const char *what, int signal, uint32_t first)
{
	unsigned insane = 0;
	unsigned inexact = 0;
	long long ready =
		fixture_number(&fixture, "/status", "pools.0.ready_bytes");
	for (uint32_t r = first; r < first + of_each; r++) {
		restart(r, signal);
		insane += !all_sane(r);
		inexact += !is_exact();
	}
	tap_is((long long)atom_load(&board->failed), 0,
	       "%s, %u times: no allocation fails", what, of_each);
	tap_is((long long)atom_load(&board->changed), 0,
	       "no object is another's");
	tap_is(insane, 0, "clients keep their ids and come back, once each "
	       "time, and their counts are sane");
	tap_is(inexact, 0, "the audit agrees each time, and slabd counts what "
	       "they hold");
	tap_ok(has_grown(ready), "and the pool has grown");
	report(what, first);
}

static void test_load(void)
{
	uint64_t allocs = 0;
	for (unsigned i = 0; i < PROCESSES; i++) {
		child_start(&clients[i], client_main, &board->lines[i * EACH]);
		while (!keeper_hear(&keeper, 10))
			continue;
		keeper_catch_up(&keeper);
		ids[i] = (unsigned)hear(clients[i].fd);
	}
	test_restarts("restarted with SIGTERM", SIGTERM, 1);
	test_restarts("killed", SIGKILL, 1 + of_each);
	atom_store(&board->stop, 1u);
	for (unsigned i = 0; i < PROCESSES; i++) {
		say(clients[i].fd, 0);
		child_end(&clients[i], "a client ends well");
	}
	for (unsigned i = 0; i < THREADS; i++)
		allocs += board->lines[i].allocs;
	tap_note("%llu allocations", (unsigned long long)allocs);
	tap_is(fixture_used(&fixture), 0, "nothing is in use in the end");
}

/* ---- stopped ------------------------------------------------------------ */

struct patience {
	unsigned flags;
	uint32_t ready;  /* it has its cache */
	uint32_t done;   /* slabd runs again, and so it is to */
	uint64_t none;   /* allocations that got nothing */
	uint64_t worst_ns;
	uint64_t odd;    /* that failed with anything but ENOMEM */
};

static void *alloc_timed(slabd_cache *cache, double *ms)
{
	struct lag lag;
	void *obj;
	if (late_ms == 0)
		asked_begin();
	else
		lag = lag_begin(0, 0);
	obj = slabd_alloc(cache);
	*ms = late_ms == 0 ? asked_end() : lag_ms(&lag);
	return obj;
}

static void patient_main(int fd, void *arg)
{
	struct patience *p = *(struct patience **)arg;
	struct slabd_options options = fixture_options(&fixture, p->flags);
	slabd_pool *pool;
	slabd_cache *cache;
	double until;
	(void)fd;
	options.wait_ms = p->flags & SLABD_NO_WAIT ? 0 : WAIT_MS;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, p->flags ? "hasty" : "patient", 4096);
	atom_store(&p->ready, 1u);
	while (atom_load(&p->done) == 0) {
		double ms;
		void *obj = alloc_timed(cache, &ms);
		if ((uint64_t)(ms * 1e6) > p->worst_ns)
			atom_store(&p->worst_ns, (uint64_t)(ms * 1e6));
		if (obj != NULL)
			continue;
		atom_add(&p->odd, errno != ENOMEM);
		atom_add(&p->none, 1u);
		sleep_ms(1);
	}
	until = now_ms() + SURELY_MS;
	while (slabd_alloc(cache) == NULL)
		if (now_ms() > until)
			tap_bail("no growth after the stop: %s",
			         slabd_last_error());
	slabd_close(pool);
}

static void wait_stopped(const struct patience *who, unsigned seconds)
{
	double until = now_ms() + seconds * 1e3;
	uint64_t before;
	fixture_halt(&fixture);
	/* What is ready is used up soon. */
	pass(seconds * 500);
	before = atom_load(&who->none);
	while (now_ms() < until)
		pass(10);
	until += SURELY_MS;
	while (atom_load(&who->none) <= before && now_ms() < until)
		pass(10);
	tap_ok(atom_load(&who->none) > before, "it goes on trying");
	fixture_signal(&fixture, SIGCONT);
}

static void test_stopped(unsigned flags, unsigned seconds, double limit_ms,
                         const char *what)
{
	struct patience *who = shared_memory(sizeof(*who));
	struct child child;
	who->flags = flags;
	child_start(&child, patient_main, &who);
	while (atom_load(&who->ready) == 0)
		pass(1);
	wait_stopped(who, seconds);
	atom_store(&who->done, 1u);
	tap_ok(who->none > 0 && who->odd == 0,
	       "%s: slabd stopped for %u s, ENOMEM", what, seconds);
	tap_ok((double)who->worst_ns / 1e6 <= limit_ms + late_ms,
	       "and no allocation took longer than it may");
	tap_note("%s: the longest took %.2f ms of %.0f ms", what,
	         (double)who->worst_ns / 1e6, limit_ms);
	child_end(&child, "slabd runs again, and the pool grows");
}

static void test_stops(unsigned seconds)
{
	test_stopped(0, seconds, WAIT_MS, "a client that waits");
	test_stopped(SLABD_NO_WAIT, seconds, 0, "one that does not");
	fixture_audit(&fixture, "after the stops");
}

int main(int argc, char **argv)
{
	unsigned seconds = 1;
	int status = 0;
	bool alone = argc == 3 && strcmp(argv[1], "--stopped") == 0;
	if (alone) {
		seconds = (unsigned)strtoul(argv[2], NULL, 10);
		late_ms = is_sanitized() ? LATE_SANITIZED_MS : LATE_MS;
	}
	if (is_sanitized())
		step_bytes /= 8;
	if (tap_rounds(8) > 8)
		of_each = STRESSED;
	tap_start(2 * seconds + 240);
	board = shared_memory(sizeof(*board));
	rng = rng_start("proc_upgrade");
	fixture_make(&fixture, "[slabd]\ntopology = node:2 core:1 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 512M\n");
	keeper_open(&keeper, &fixture);
	if (!keeper_start(&keeper, &fixture, &status) ||
	    !fixture_ready(&fixture))
		tap_bail("slabd does not start: 0x%x", status);
	if (!alone)
		test_load();
	test_stops(seconds);
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
