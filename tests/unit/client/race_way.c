/* SPDX-License-Identifier: MIT */
/* A thread that works for long under the process's lock lets others have it in
 * between, however many there are. */
#include <pthread.h>

#include "client/process.h"
#include "shm/atom.h"
#include "tests/lib/harness.h"

#define WAITERS 3u
#define TIMES 200u

static uint32_t had; /* by the waiters, all together */
static uint32_t holds;
static uint64_t ways;

static void nothing(void *mark)
{
	(void)mark;
}

static void none(void)
{
}

/* Never lets go of it but so. */
static void *worker(void *arg)
{
	process_lock();
	atom_store(&holds, 1u);
	while (atom_load(&had) < WAITERS * TIMES)
		ways += process_give_way();
	process_unlock();
	return arg;
}

static void *waiter(void *arg)
{
	while (atom_load(&holds) == 0)
		continue;
	for (uint32_t i = 0; i < TIMES; i++) {
		process_lock();
		atom_add(&had, 1u);
		process_unlock();
	}
	return arg;
}

int main(void)
{
	pthread_t threads[1 + WAITERS];
	tap_start(300);
	if (process_start(nothing, none) < 0)
		tap_bail("process_start");
	pthread_create(&threads[0], NULL, worker, NULL);
	for (uint32_t i = 1; i <= WAITERS; i++)
		pthread_create(&threads[i], NULL, waiter, NULL);
	for (uint32_t i = 0; i <= WAITERS; i++)
		pthread_join(threads[i], NULL);
	tap_is(had, WAITERS * TIMES, "all had it as often as they wanted");
	tap_ok(ways > 0, "while another had work for longer");
	process_lock();
	tap_ok(!process_give_way(), "nobody waits any more");
	process_unlock();
	return tap_end();
}
