/* SPDX-License-Identifier: MIT */
/*
 * worker: a client at work until SIGTERM. Each of its threads holds a hand of
 * objects, and frees and allocates at random; SIGUSR1 makes the hands larger,
 * so that slabd has to give more. Says "working" and its client number once
 * the hands are full for the first time. An allocation that fails or an object
 * that is not as it was left is a failure.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/guest/fixture.h"
#include "tests/lib/rng.h"

#define THREADS 2
#define CACHES 3
#define HAND_MAX 20000
#define STEP 1500 /* objects more in each hand at a SIGUSR1 */
#define BATCH 200
#define PAUSE_US 2000 /* after a batch: others have to run, too */

static const size_t sizes[CACHES] = {96, 512, 4096};
static slabd_pool *pool;
static slabd_cache *caches[CACHES];
static uint32_t want = STEP; /* objects in a hand */
static uint32_t n_full;      /* hands that are as large */
static uint32_t stop;

struct held {
	uint64_t *at;
	unsigned cache;
};

struct thread {
	pthread_t id;
	struct rng rng;
	uint32_t full; /* the want that was last met */
	uint64_t allocs, failed, changed;
	uint32_t n;
	struct held hand[HAND_MAX];
};
static struct thread threads[THREADS];

static uint64_t *last_word(const struct held *held)
{
	return held->at + sizes[held->cache] / sizeof(uint64_t) - 1;
}

static void take(struct thread *t)
{
	struct held *held = &t->hand[t->n];
	held->cache = rng_below(&t->rng, CACHES);
	held->at = slabd_alloc(caches[held->cache]);
	t->allocs++;
	if (held->at == NULL) {
		t->failed++;
		return;
	}
	held->at[0] = (uintptr_t)held->at ^ (uintptr_t)t;
	*last_word(held) = ~held->at[0];
	t->n++;
}

static void give(struct thread *t)
{
	struct held *held = &t->hand[rng_below(&t->rng, t->n)];
	uint64_t mark = (uintptr_t)held->at ^ (uintptr_t)t;
	t->changed += held->at[0] != mark || *last_word(held) != ~mark;
	slabd_free(caches[held->cache], held->at);
	*held = t->hand[--t->n];
}

static void *work(void *arg)
{
	struct thread *t = arg;
	while (!atom_load(&stop)) {
		uint32_t most = atom_load(&want);
		for (unsigned i = 0; i < BATCH; i++) {
			if (t->n < most)
				take(t);
			else
				give(t);
		}
		if (t->n >= most - 1 && t->full < most) {
			t->full = most;
			atom_add(&n_full, 1u);
		}
		usleep(PAUSE_US);
	}
	while (t->n > 0)
		give(t);
	return NULL;
}

static void report(unsigned id)
{
	uint64_t allocs = 0, failed = 0, changed = 0;
	struct slabd_stats stats = {0};
	for (unsigned i = 0; i < THREADS; i++) {
		allocs += threads[i].allocs;
		failed += threads[i].failed;
		changed += threads[i].changed;
	}
	slabd_flush(pool);
	slabd_get_stats(pool, &stats);
	fixture_ok(allocs > 0 && failed == 0,
	           "%llu allocations, %llu failed: %s",
	           (unsigned long long)allocs, (unsigned long long)failed,
	           failed > 0 ? slabd_last_error() : "none");
	fixture_ok(changed == 0, "%llu objects not as they were left",
	       (unsigned long long)changed);
	fixture_ok(stats.refused == 0, "every free is taken");
	fixture_ok(slabd_client_id(pool) == id, "client %u throughout", id);
	printf("# came back %llu times\n", (unsigned long long)stats.resumes);
}

/* Ends at SIGTERM. Each time that the hands are full it says so. */
static void serve(const sigset_t *signals, unsigned id)
{
	struct timespec tick = {.tv_nsec = 50000000};
	uint32_t told = 0;
	int signal;
	while ((signal = sigtimedwait(signals, NULL, &tick)) != SIGTERM) {
		if (signal == SIGUSR1 &&
		    atom_load(&want) + STEP <= HAND_MAX)
			atom_add(&want, (uint32_t)STEP);
		if (atom_load(&n_full) / THREADS <= told)
			continue;
		told++;
		printf("working %u, hands of %u\n", id, atom_load(&want));
		fflush(stdout);
	}
}

int main(void)
{
	sigset_t signals;
	unsigned id;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	pool = fixture_open();
	id = slabd_client_id(pool);
	for (unsigned i = 0; i < CACHES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "worker-%zu", sizes[i]);
		caches[i] = fixture_cache(pool, name, sizes[i], 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i].rng.state = (uint64_t)getpid() * THREADS + i;
		pthread_create(&threads[i].id, NULL, work, &threads[i]);
	}
	serve(&signals, id);
	atom_store(&stop, 1u);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
	report(id);
	fixture_ok(slabd_close(pool) == 0, "close");
	return fixture_status();
}
