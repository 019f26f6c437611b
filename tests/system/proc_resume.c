/* SPDX-License-Identifier: MIT */
/* Clients that lose slabd, or only their connection, and come back. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/types.h"
#include "shm/atom.h"
#include "tests/lib/asked.h"
#include "tests/lib/churn.h"
#include "tests/lib/cut.h"
#include "tests/lib/rng.h"

#define SIZE 1024
#define HELD 300
#define MORE 4000 /* more than the pool has at the start */
#define LOOK_MS 5000 /* a request waits for slabd so long */
#define SLICE_MS 100 /* and in pieces of no more */

static struct fixture fixture;
static void *all[1 << 14];

static const char *const loss_names[LOSSES] = {
	"both sockets cut",
	"the requests' socket cut",
	"the events' socket cut",
};

static uint64_t resumes(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.resumes;
}

/* Until the client is back for the n-th time: the ms it took, -1 for never.
 * Without a helper this is the program's loop. */
static double await_back(slabd_pool *pool, bool helper, uint64_t n)
{
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	double since = now_ms();
	while (resumes(pool) < n) {
		if (now_ms() > since + SURELY_MS)
			return -1;
		if (helper)
			sleep_ms(1);
		else if (poll(&at, 1, 1000) == 1)
			slabd_poll(pool);
	}
	return now_ms() - since;
}

static slabd_pool *open_pool(unsigned flags, unsigned wait_ms)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	slabd_pool *pool;
	if (wait_ms != 0)
		options.wait_ms = wait_ms;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* Objects from .. to - 1 of all. */
static void fill(unsigned from, unsigned to, slabd_cache *cache)
{
	for (unsigned i = from; i < to; i++) {
		all[i] = slabd_alloc(cache);
		if (all[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		memset(all[i], (int)(i % 251), SIZE);
	}
}

static unsigned count_good(unsigned n)
{
	unsigned good = 0;
	for (unsigned i = 0; i < n; i++) {
		const unsigned char *at = all[i];
		good += at[0] == i % 251 && at[SIZE - 1] == i % 251;
	}
	return good;
}

/* ---- back --------------------------------------------------------------- */

struct how {
	enum loss loss;
	bool helper;
};

/* All that slabd does for a client, it does again. */
static void served(slabd_pool *pool, slabd_cache *cache)
{
	unsigned id = slabd_client_id(pool);
	tap_is(fixture_client(&fixture, id, "connected"), 1,
	       "slabd has it connected");
	tap_is(fixture_client(&fixture, id, "resumes"), 1,
	       "and shows that it is back");
	fill(HELD, HELD + MORE, cache);
	tap_is(count_good(HELD + MORE), HELD + MORE,
	       "the pool grows, and objects are what they were");
	tap_ok(slabd_cache_create(pool, "late", 64, 0, 0) != NULL,
	       "a new cache can be had");
	tap_is(slabd_poll(pool), 0, "slabd_poll is content");
}

static void comes_back(int fd, void *arg)
{
	const struct how *how = arg;
	slabd_pool *pool = open_pool(how->helper ? 0 : SLABD_NO_HELPER, 0);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	unsigned id = slabd_client_id(pool);
	int descriptor = slabd_descriptor(pool);
	unsigned fds = count_fds(getpid(), 0);
	double ms;
	fill(0, HELD, cache);
	cut_sockets(how->loss, fd);
	/* Nothing tells of a socket that is used for requests alone. */
	if (how->loss == CUT_REQUESTS)
		fixture_cache(pool, "two", SIZE);
	ms = await_back(pool, how->helper, 1);
	tap_ok(ms >= 0, "%s, %s: it comes back", loss_names[how->loss],
	       how->helper ? "a helper" : "no helper");
	tap_note("after %.1f ms", ms);
	tap_is(asked_tries(pool), 1, "at its first try");
	tap_is(slabd_client_id(pool), id, "as the same client");
	tap_is(slabd_descriptor(pool), descriptor, "its descriptor stays");
	tap_is(count_fds(getpid(), fds), fds, "and no other is left");
	served(pool, cache);
	slabd_free_bulk(cache, HELD + MORE, all);
	tap_is(slabd_close(pool), 0, "slabd_close");
	tap_is(fixture_number(&fixture, "/status", "pools.0.clients"), 0,
	       "is heard by slabd");
}

static void test_back(void)
{
	struct child child;
	for (int loss = 0; loss < LOSSES; loss++)
		for (int helper = 0; helper < 2; helper++) {
			struct how how = {(enum loss)loss, helper != 0};
			fixture_open(&fixture, "[pool default]\npage = 4k\n"
			               "start = 2M\nmax = 64M\n");
			child_start(&child, comes_back, &how);
			child_end(&child, "the client ends well");
			fixture_audit(&fixture, "after it came back");
			fixture_close(&fixture);
		}
}

/* ---- by ways of their own ----------------------------------------------- */

/* One thread that only allocates: its wait for growth finds slabd. */
static void waits(int fd, void *arg)
{
	slabd_pool *pool = open_pool(SLABD_NO_HELPER, 30000);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	(void)arg;
	cut_sockets(CUT_BOTH, fd);
	fill(0, MORE, cache);
	tap_is(count_good(MORE), MORE,
	       "an allocation that waits comes back by itself");
	/* A round of slabd's own may come first: then there was no wait. */
	tap_ok(resumes(pool) <= 1, "no more than once");
	slabd_free_bulk(cache, MORE, all);
	cut_sockets(CUT_BOTH, fd);
	tap_ok(slabd_cache_create(pool, "two", SIZE, 0, 0) != NULL,
	       "so does a request");
	cut_sockets(CUT_BOTH, fd);
	tap_is(slabd_close(pool), 0, "and slabd_close");
	tap_is(fixture_number(&fixture, "/status", "pools.0.clients"), 0,
	       "which says goodbye");
}

/* What it was short of while nobody heard it ring, it has when it is back. */
static void unheard(int fd, void *arg)
{
	slabd_pool *pool = open_pool(SLABD_NO_HELPER | SLABD_NO_WAIT, 0);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	double until;
	unsigned n = 0;
	(void)arg;
	cut_sockets(CUT_BOTH, fd);
	while ((all[n] = slabd_alloc(cache)) != NULL)
		n++;
	tap_ok(await_back(pool, false, 1) >= 0,
	       "short of memory, it comes back");
	until = now_ms() + SURELY_MS;
	while ((all[n] = slabd_alloc(cache)) == NULL && now_ms() < until)
		sleep_ms(1);
	tap_ok(all[n] != NULL, "and has it without a ring");
	slabd_free_bulk(cache, n + 1, all);
	tap_is(slabd_close(pool), 0, "slabd_close");
}

/* What it holds free, another needs. */
static void trims(int fd, void *arg)
{
	slabd_pool *pool = open_pool(SLABD_NO_HELPER, 100);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	size_t n;
	(void)arg;
	cut_sockets(CUT_BOTH, fd);
	await_back(pool, false, 1);
	n = slabd_alloc_bulk(cache, 2048, all);
	slabd_free_bulk(cache, n, all);
	say(fd, 1);
	tap_is(poll(&at, 1, (int)SURELY_MS), 1,
	       "slabd asks for a trim again");
	slabd_poll(pool);
	hear(fd);
	slabd_close(pool);
}

static void needs(int fd, void *arg)
{
	slabd_pool *pool = open_pool(0, 100);
	(void)fd;
	(void)arg;
	tap_is((long long)fixture_take(fixture_cache(pool, "one", SIZE), 1700,
	                               all),
	       1700, "so that another client gets on");
	slabd_close(pool);
}

static void test_ways(void)
{
	struct child one;
	struct child two;
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n");
	child_start(&one, waits, NULL);
	child_end(&one, "who waits ends well");
	child_start(&one, unheard, NULL);
	child_end(&one, "who was not heard ends well");
	fixture_audit(&fixture, "after the waits");
	fixture_close(&fixture);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 2M\n");
	child_start(&one, trims, NULL);
	hear(one.fd);
	child_start(&two, needs, NULL);
	child_end(&two, "who needs it ends well");
	say(one.fd, 1);
	child_end(&one, "who was asked ends well");
	fixture_close(&fixture);
}

/* ---- many threads ------------------------------------------------------- */

#define CREATORS 3
#define CHURNERS 3
#define ASKERS 6
#define CUTS 100

static slabd_pool *shared_pool;
static uint32_t stop;
static uint32_t wrong;
static uint32_t creates;

static void *creates_all_along(void *arg)
{
	struct rng rng = {.state = (uintptr_t)arg + 1};
	slabd_cache *made;
	char name[16];
	while (!atom_load(&stop)) {
		snprintf(name, sizeof(name), "c%u",
		         (unsigned)(rng_next(&rng) % 50));
		/* A request bears so many cuts on a slow machine too. */
		asked_begin();
		made = slabd_cache_create(shared_pool, name, 64, 0, 0);
		if (made != NULL)
			atom_add(&creates, 1u);
		else
			atom_add(&wrong, 1u);
		/* For one that is open slabd is not asked. */
		if (made != NULL)
			slabd_cache_close(made);
		asked_end();
		sleep_ms(1); /* over 4096 a second are a fault */
	}
	return NULL;
}

static void many(int fd, void *arg)
{
	bool helper = *(bool *)arg;
	pthread_t threads[CREATORS];
	struct churn churn;
	uint64_t back;
	double until;
	unsigned fds;
	shared_pool = open_pool(helper ? 0 : SLABD_NO_HELPER, 0);
	fds = count_fds(getpid(), 0);
	churn_start(&churn, shared_pool, fixture_cache(shared_pool, "x", SIZE),
	            CHURNERS);
	for (uintptr_t i = 0; i < CREATORS; i++)
		pthread_create(&threads[i], NULL, creates_all_along, (void *)i);
	until = now_ms() + SURELY_MS;
	for (unsigned i = 0; i < CUTS ||
	     (resumes(shared_pool) < 3 && now_ms() < until); i++) {
		cut_sockets((enum loss)(i % LOSSES), fd);
		sleep_ms(i % 25);
	}
	back = resumes(shared_pool);
	tap_ok(back >= 3, "%d times cut under %d threads, %s: it comes back",
	       CUTS, CREATORS + CHURNERS, helper ? "a helper" : "no helper");
	cut_sockets(CUT_BOTH, fd);
	tap_ok(await_back(shared_pool, true, back + 1) >= 0, "and once more");
	atom_store(&stop, 1u);
	for (unsigned i = 0; i < CREATORS; i++)
		pthread_join(threads[i], NULL);
	tap_is(churn_end(&churn) + wrong, 0,
	       "no request failed and no object changed");
	tap_note("%u caches opened, %u times back", creates,
	         (unsigned)resumes(shared_pool));
	fixture_cache(shared_pool, "last", SIZE);
	tap_is(count_fds(getpid(), fds), fds, "no descriptor is left");
	tap_is(slabd_close(shared_pool), 0, "slabd_close");
}

static void test_many(bool helper)
{
	struct child child;
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 64M\n");
	child_start(&child, many, &helper);
	child_end(&child, "the client ends well");
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
	fixture_audit(&fixture, "after many");
	fixture_close(&fixture);
}

/* ---- slabd stopped ------------------------------------------------------ */

/* A stopped slabd has its door open and nobody behind it. */
static void stopped(int fd, void *arg)
{
	bool helper = *(bool *)arg;
	slabd_pool *pool = open_pool(helper ? 0 : SLABD_NO_HELPER, 100);
	slabd_pool *other = open_pool(helper ? 0 : SLABD_NO_HELPER, 100);
	uint64_t blocking = asked_blocking();
	double ms = 0;
	say(fd, 1);
	hear(fd);
	cut_sockets(CUT_BOTH, fd);
	for (unsigned i = 0; i < 50; i++) {
		asked_begin();
		slabd_poll(pool);
		ms += asked_end();
		sleep_ms(5);
	}
	tap_ok(ms == 0 && asked_blocking() == blocking,
	       "slabd stopped and cut: slabd_poll never waits");
	asked_begin();
	tap_is(slabd_close(other), 0, "slabd_close works");
	tap_ok(asked_end() < 1000 + SLICE_MS,
	       "and looks for slabd no longer than a second");
	say(fd, 1);
	tap_ok(await_back(pool, helper, 1) >= 0,
	       "it goes on: so does the client");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "connected"), 1,
	       "slabd has it connected");
	tap_is(slabd_close(pool), 0, "slabd_close");
}

static void *creates_once(void *arg)
{
	double *ms = arg;
	asked_begin();
	if (slabd_cache_create(shared_pool, "late", SIZE, 0, 0) == NULL &&
	    errno == ETIMEDOUT)
		*ms = asked_end();
	return NULL;
}

/* Requests of several threads wait for one another, and for slabd, no longer
 * than one does. */
static void asks_in_vain(int fd, void *arg)
{
	pthread_t threads[ASKERS];
	double ms[ASKERS] = {0};
	unsigned good = 0;
	(void)arg;
	shared_pool = open_pool(0, 100);
	say(fd, 1);
	hear(fd);
	for (unsigned i = 0; i < ASKERS; i++)
		pthread_create(&threads[i], NULL, creates_once, &ms[i]);
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(threads[i], NULL);
		good += ms[i] >= LOOK_MS && ms[i] < LOOK_MS + 2 * SLICE_MS;
		tap_note("%.0f ms", ms[i]);
	}
	tap_is(good, ASKERS, "slabd stopped: requests end after five seconds");
	say(fd, 1);
	tap_ok(slabd_cache_create(shared_pool, "late", SIZE, 0, 0) != NULL,
	       "it goes on: so do requests");
	tap_is(slabd_close(shared_pool), 0, "slabd_close");
}

static void test_stopped(void (*main)(int fd, void *arg), bool helper)
{
	struct child child;
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	child_start(&child, main, &helper);
	hear(child.fd);
	fixture_halt(&fixture);
	say(child.fd, 1);
	hear(child.fd);
	fixture_signal(&fixture, SIGCONT);
	child_end(&child, "the client ends well");
	fixture_audit(&fixture, "after the stop");
	fixture_close(&fixture);
}

/* ---- copies in forked children ------------------------------------------ */

static void in_forked_child(slabd_pool *pool, int fd)
{
	char byte;
	tap_ok(slabd_poll(pool) < 0 && errno == ENOTCONN,
	       "a forked child has no way back");
	tap_ok(slabd_descriptor(pool) < 0, "nor a descriptor");
	tap_is(slabd_close(pool), 0, "it may close the pool");
	/* Until the parent is done. */
	tap_is(read(fd, &byte, 1), 0, "it ends after its parent's test");
	_exit(0);
}

static void forks(int fd, void *arg)
{
	slabd_pool *pool = open_pool(0, 0);
	int copies[2];
	int status = -1;
	uint64_t polls;
	pid_t pid[2];
	(void)arg;
	if (pipe(copies) < 0)
		tap_bail("pipe: %s", strerror(errno));
	for (unsigned i = 0; i < 2; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		close(copies[1]);
		if (i == 0)
			in_forked_child(pool, copies[0]);
		/* The other keeps copies of all, and does nothing. */
		_exit(read(copies[0], &status, 1) != 0);
	}
	cut_sockets(CUT_BOTH, fd);
	tap_ok(await_back(pool, true, 1) >= 0, "the parent comes back");
	polls = asked_polls();
	sleep_ms(300);
	polls = asked_polls() - polls;
	/* It may have been on its way to sleep. */
	tap_ok(polls <= 2, "and its helper sleeps");
	tap_note("it woke %u times", (unsigned)polls);
	close(copies[1]);
	for (unsigned i = 0; i < 2; i++)
		tap_ok(waitpid(pid[i], &status, 0) == pid[i] && status == 0,
		       "a forked child ends well");
	tap_is((long long)resumes(pool), 1, "nobody disturbed it");
	tap_is(slabd_close(pool), 0, "slabd_close");
}

static void test_forks(void)
{
	struct child child;
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	child_start(&child, forks, NULL);
	child_end(&child, "who forks ends well");
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_back();
	test_ways();
	test_many(true);
	test_many(false);
	test_stopped(stopped, true);
	test_stopped(stopped, false);
	test_stopped(asks_in_vain, true);
	test_forks();
	return tap_end();
}
