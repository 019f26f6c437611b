/* SPDX-License-Identifier: MIT */
/* Object pools: what is made, reset and ended, once each, wherever it is put;
 * what idles goes within two periods, which this test counts. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/objpool.h"
#include "tests/lib/things.h"

#define BURST THINGS_MAX

static struct fixture fixture;
static uint64_t now_ns;

/* A period of all pools ends, by the test's clock. */
static void end_period(slabd_pool *pool)
{
	now_ns += 100 * SECOND_NS;
	objpool_tick(pool, now_ns, false);
}

static void kept(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "kept", 0, 0);
	struct thing *thing = slabd_objpool_get(objpool);
	char *buffer = thing->buffer;
	struct slabd_objpool_counts counts;
	bool same = true;
	tap_ok((uintptr_t)thing % 16 == 0, "an object is aligned to 16");
	strcpy(buffer, "as it was");
	for (unsigned i = 0; i < 100; i++) {
		slabd_objpool_put(objpool, thing);
		same &= thing == slabd_objpool_get(objpool);
	}
	tap_ok(same && thing->buffer == buffer &&
	               strcmp(buffer, "as it was") == 0,
	       "an object comes back with its buffer");
	tap_is(things_made, 1, "it was made once");
	tap_is(things_reset, 100, "and reset each time that it was put");
	counts = things_counts(objpool);
	tap_is((long long)counts.hits, 100, "gets that hit are counted");
	tap_is((long long)counts.misses, 1, "and one that did not");
	tap_is((long long)counts.made, 1, "so are objects");
	slabd_objpool_put(objpool, thing);
	tap_is((long long)things_counts(objpool).idle, 1, "one is idle");
	slabd_objpool_destroy(objpool);
	tap_is(things_ended, 1, "and ends with its pool");
	tap_is(things_wrong, 0, "each once");
}

static void aged(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "aged", 0, 0);
	struct slabd_objpool_counts counts;
	things_get(objpool, BURST);
	things_put(objpool, BURST);
	tap_is((long long)things_counts(objpool).idle, BURST,
	       "a burst is kept");
	end_period(pool);
	tap_is((long long)things_counts(objpool).idle, BURST,
	       "through the period in which it was");
	for (unsigned period = 0; period < 3; period++) {
		for (unsigned i = 0; i < 50; i++) {
			things_get(objpool, 3);
			things_put(objpool, 3);
		}
		end_period(pool);
	}
	counts = things_counts(objpool);
	tap_is((long long)counts.idle, 3, "then those in use stay");
	tap_is((long long)counts.aged, BURST - 3, "and the others go");
	tap_is(things_ended, BURST - 3, "ended");
	tap_is(things_made, BURST, "none of the former was made anew");
	end_period(pool);
	end_period(pool);
	counts = things_counts(objpool);
	tap_is((long long)counts.idle, 0, "who stops loses the rest");
	tap_is((long long)(counts.made - counts.ended), 0, "all have ended");
	things_get(objpool, 2);
	things_put(objpool, 2);
	end_period(pool);
	end_period(pool);
	tap_is((long long)things_counts(objpool).idle, 0, "and again");
	slabd_objpool_destroy(objpool);
	tap_is(things_wrong, 0, "each once");
}

/* More than a thread keeps by itself: the rest comes back from where it is shared. */
static void came_back(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "came back", 0, 0);
	things_get(objpool, 600);
	things_put(objpool, 600);
	end_period(pool);
	things_get(objpool, 600);
	things_put(objpool, 600);
	things_get(objpool, 260);
	end_period(pool);
	tap_is((long long)things_counts(objpool).aged, 0,
	       "what was used in a period stays, wherever it came from since");
	things_put(objpool, 260);
	slabd_objpool_destroy(objpool);
	tap_is(things_wrong, 0, "each once");
}

struct sleeper {
	slabd_objpool *objpool;
	int to[2], from[2];
};

/* Has a burst, and sleeps, until it is told to end. */
static void *sleeper_main(void *arg)
{
	struct sleeper *sleeper = arg;
	char byte = 0;
	things_get(sleeper->objpool, 200);
	things_put(sleeper->objpool, 200);
	if (write(sleeper->from[1], &byte, 1) != 1 ||
	    read(sleeper->to[0], &byte, 1) != 1)
		abort();
	return NULL;
}

static pthread_t sleep_with(struct sleeper *sleeper, slabd_objpool *objpool)
{
	pthread_t thread;
	char byte;
	sleeper->objpool = objpool;
	if (pipe(sleeper->to) < 0 || pipe(sleeper->from) < 0 ||
	    pthread_create(&thread, NULL, sleeper_main, sleeper) != 0 ||
	    read(sleeper->from[0], &byte, 1) != 1)
		tap_bail("a thread: %s", strerror(errno));
	return thread;
}

static void wake(struct sleeper *sleeper, pthread_t thread)
{
	if (write(sleeper->to[1], "", 1) != 1)
		tap_bail("write: %s", strerror(errno));
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++) {
		close(sleeper->to[i]);
		close(sleeper->from[i]);
	}
}

static void asleep(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "asleep", 0, 0);
	struct sleeper sleeper;
	pthread_t thread = sleep_with(&sleeper, objpool);
	end_period(pool);
	end_period(pool);
	tap_is((long long)things_counts(objpool).idle, 0,
	       "what a thread that sleeps has goes, too");
	tap_is(things_ended, 200, "all of it");
	wake(&sleeper, thread);
	thread = sleep_with(&sleeper, objpool);
	wake(&sleeper, thread);
	tap_is(things_ended, 400, "what is idle ends with its thread");
	tap_is((long long)things_counts(objpool).idle, 0, "and none is left");
	tap_is((long long)(things_counts(objpool).hits +
	                   things_counts(objpool).misses),
	       400, "its gets are counted still");
	slabd_objpool_destroy(objpool);
	tap_is(things_wrong, 0, "each once");
}

static void *put_main(void *arg)
{
	things_put(arg, 100);
	return NULL;
}

static void elsewhere(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "elsewhere", 0, 0);
	pthread_t thread;
	for (unsigned i = 0; i < 5; i++) {
		things_get(objpool, 100);
		pthread_create(&thread, NULL, put_main, objpool);
		pthread_join(thread, NULL);
	}
	tap_is(things_reset, 500, "another thread puts what this one got");
	tap_is((long long)things_made - things_ended,
	       (long long)things_counts(objpool).idle, "and ends it");
	slabd_objpool_destroy(objpool);
	tap_is(things_made, things_ended, "or the pool does");
	tap_is(things_wrong, 0, "each once");
}

static void capped(slabd_pool *pool)
{
	static const size_t most[] = {1, 3, 100, 600};
	for (unsigned i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		slabd_objpool *objpool =
			things_make(pool, "capped", most[i], 0);
		things_get(objpool, 1000);
		things_put(objpool, 1000);
		tap_ok(things_counts(objpool).idle <= most[i] &&
		               things_counts(objpool).idle >= most[i] / 2,
		       "of %zu at most %llu are kept", most[i],
		       (unsigned long long)things_counts(objpool).idle);
		tap_is((long long)things_ended,
		       1000 - (long long)things_counts(objpool).idle,
		       "the others end as they are put");
		slabd_objpool_destroy(objpool);
		tap_is(things_wrong, 0, "each once");
	}
}

/* ---- a period ends while threads are at work --------------------------------- */

#define DEPTH 8u

struct worker {
	slabd_objpool *objpool;
	uint64_t seed;
	bool stop; /* (A) */
	pthread_t thread;
};

/* Gets some and puts them, again and again; who else had one would be seen. */
static void *work(void *arg)
{
	struct worker *worker = arg;
	struct thing *mine[DEPTH];
	while (!atom_load(&worker->stop)) {
		unsigned n;
		worker->seed = worker->seed * UINT64_C(6364136223846793005) + 1;
		n = (unsigned)(worker->seed >> 60) % DEPTH + 1;
		for (unsigned i = 0; i < n; i++) {
			mine[i] = slabd_objpool_get(worker->objpool);
			if (mine[i] == NULL)
				return worker;
			atom_add(&things_wrong, mine[i]->in_use++ ? 1u : 0u);
			atom_add(&things_wrong, mine[i]->inits != 1 ? 1u : 0u);
		}
		for (unsigned i = 0; i < n; i++) {
			mine[i]->in_use--;
			slabd_objpool_put(worker->objpool, mine[i]);
		}
	}
	return NULL;
}

static void raced(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "raced", 0, 0);
	struct worker workers[3];
	void *failed = NULL;
	for (unsigned i = 0; i < 3; i++) {
		workers[i] = (struct worker){.objpool = objpool, .seed = i};
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (uint32_t i = 0;
	     i < tap_rounds(3000) || things_counts(objpool).aged == 0; i++)
		end_period(pool);
	for (unsigned i = 0; i < 3; i++) {
		atom_store(&workers[i].stop, true);
		pthread_join(workers[i].thread, &failed);
		tap_ok(failed == NULL, "a thread works through that");
	}
	slabd_objpool_destroy(objpool);
	tap_is((long long)things_made - things_ended, 0,
	       "all that was made has ended");
	tap_is(things_wrong, 0, "each once, and none while it was in use");
}

int main(void)
{
	slabd_pool *pool;
	tap_start(120);
	fixture_open(&fixture, "[slabd]\nreserve_hugepages = no\n"
	                       "[pool default]\npage = 4k\nmax = 16M\n");
	pool = things_open(&fixture, SLABD_NO_HELPER);
	now_ns = clock_now_ns();
	kept(pool);
	aged(pool);
	came_back(pool);
	asleep(pool);
	elsewhere(pool);
	capped(pool);
	raced(pool);
	slabd_close(pool);
	fixture_audit(&fixture, "the books agree");
	fixture_close(&fixture);
	return tap_end();
}
