/* SPDX-License-Identifier: MIT */
/*
 * A thread that stands still in the midst of a put or a get of a depot holds up
 * its own half alone. It stands in a fault over the objects that it copies,
 * which is over when the test says so.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/depot.h"
#include "tests/lib/harness.h"

#define N 10u
#define OF(serial) ((void *)(uintptr_t)(((serial) + 1) << 8))

static struct depot *depot;
static void *out[DEPOT_HALF];

/* ---- a thread that stands still ------------------------------------------ */

struct stopped {
	pthread_t thread;
	void **objects; /* on a page that can't be touched at first */
	uint64_t serial;
	bool gets;
	uint32_t n;
};

static sem_t stands;
static sem_t go_on;
static void *page;
static size_t page_bytes;

static void on_fault(int signal)
{
	(void)signal;
	sem_post(&stands);
	while (sem_wait(&go_on) != 0)
		continue;
	mprotect(page, page_bytes, PROT_READ | PROT_WRITE);
}

static void *act(void *arg)
{
	struct stopped *s = arg;
	if (s->gets)
		s->n = depot_get_oldest(depot, DEPOT_HALF, s->objects);
	else
		s->n = depot_put(depot, N, s->objects) ? N : 0;
	return NULL;
}

static void stop(struct stopped *s, bool gets, uint64_t serial)
{
	memset(s, 0, sizeof(*s));
	s->objects = page;
	s->gets = gets;
	s->serial = serial;
	for (uint32_t i = 0; i < N; i++)
		s->objects[i] = OF(serial);
	mprotect(page, page_bytes, PROT_NONE);
	pthread_create(&s->thread, NULL, act, s);
	while (sem_wait(&stands) != 0)
		continue;
}

static void resume(struct stopped *s)
{
	sem_post(&go_on);
	pthread_join(s->thread, NULL);
}

/* ---- the others ---------------------------------------------------------- */

static bool put(uint64_t serial)
{
	void *in[N];
	for (uint32_t i = 0; i < N; i++)
		in[i] = OF(serial);
	return depot_put(depot, N, in);
}

static bool is_half(uint64_t serial, uint32_t n, void *const *objects)
{
	for (uint32_t i = 0; i < n; i++)
		if (objects[i] != OF(serial))
			return false;
	return n == N;
}

static void *get_elsewhere(void *arg)
{
	*(uint32_t *)arg = depot_get(depot, 0, DEPOT_HALF, out);
	return NULL;
}

static uint32_t by_another(void)
{
	pthread_t thread;
	uint32_t n = 0;
	pthread_create(&thread, NULL, get_elsewhere, &n);
	pthread_join(thread, NULL);
	return n;
}

static bool own(uint64_t serial)
{
	return is_half(serial, depot_get(depot, 0, DEPOT_HALF, out), out);
}

static bool other(uint64_t serial)
{
	return is_half(serial, by_another(), out);
}

static bool oldest(uint64_t serial)
{
	return is_half(serial, depot_get_oldest(depot, DEPOT_HALF, out), out);
}

static void begin(void)
{
	depot = depot_make(0);
	if (depot == NULL)
		tap_bail("depot_make: no memory");
}

/* ---- tests --------------------------------------------------------------- */

static void test_oldest(void)
{
	struct stopped first;
	begin();
	stop(&first, false, 0);
	tap_ok(put(1) && put(2) && put(3) && put(4),
	       "puts go on after one that stands still");
	tap_ok(own(4), "a thread gets its newest back");
	tap_ok(other(1), "another the oldest that is there");
	tap_ok(oldest(2) && oldest(3), "and all the others come out");
	tap_is(depot_get_oldest(depot, DEPOT_HALF, out), 0, "but for that one");
	tap_ok(put(5) && other(5), "and what is put then");
	resume(&first);
	tap_ok(oldest(0), "which comes out when it is there");
	tap_is(depot_count(depot), 0, "nothing is left");
	depot_drop(depot);
}

static void test_newest(void)
{
	struct stopped last;
	begin();
	tap_ok(put(1) && put(2), "two of one thread");
	stop(&last, false, 3);
	tap_ok(own(2) && own(1), "it gets them back below one that stands still");
	resume(&last);
	tap_ok(other(3), "which another gets when it is there");
	tap_is(depot_count(depot), 0, "nothing is left");
	depot_drop(depot);
}

/* Round and round, past the place that it has. */
static void test_full(bool gets)
{
	const char *what = gets ? "get" : "put";
	struct stopped one;
	uint64_t last = 1;
	uint64_t first = 1;
	bool good = true;
	begin();
	if (gets)
		put(0);
	stop(&one, gets, 0);
	while (put(last))
		last++;
	tap_is((long long)last - 1, DEPOT_CELLS - 1,
	       "all places but that of a %s that stands still", what);
	while (first < last)
		good &= oldest(first++);
	tap_ok(good, "come out in their order");
	for (uint32_t i = 0; i < 3 * DEPOT_CELLS; i++) {
		good &= put(last);
		good &= i % 2 == 0 ? own(last) : oldest(last);
		last++;
	}
	tap_ok(good, "and round and round");
	resume(&one);
	tap_ok(gets ? is_half(0, one.n, one.objects) : oldest(0),
	       "the %s is whole", what);
	tap_is(depot_count(depot), 0, "nothing is left");
	depot_drop(depot);
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_fault,
	                           .sa_flags = SA_NODEFER};
	tap_start(300);
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || sem_init(&stands, 0, 0) != 0 ||
	    sem_init(&go_on, 0, 0) != 0 ||
	    sigaction(SIGSEGV, &action, NULL) != 0)
		tap_bail("no page to stand still over");
	test_oldest();
	test_newest();
	test_full(false);
	test_full(true);
	return tap_end();
}
