/* SPDX-License-Identifier: MIT */
/* slabd stopped, killed, or another one in its place. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/asked.h"
#include "tests/lib/harness.h"

#define SMALL "[pool default]\npage = 4k\nstart = 2M\nmax = 64M\n"
#define SIZE 1024
#define WAIT_MS 100
#define LOOK_MS 5000 /* a request looks for slabd so long */
#define READ_MS 1000 /* by then slabd has read a goodbye, or hangs */
#define SLICE_MS 100 /* and in pieces of no more */

static struct fixture fixture;
static void *all[1 << 16];

static slabd_pool *open_pool(unsigned flags, unsigned wait_ms)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	slabd_pool *pool;
	options.wait_ms = wait_ms;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* ---- stopped ------------------------------------------------------------ */

static uint64_t waits(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.waits;
}

/* Takes all that is there; the first failure waits, the others do not. */
static size_t use_up(slabd_pool *pool, slabd_cache *cache, const char *how)
{
	uint64_t before = waits(pool);
	size_t n = 0;
	double ms;
	do {
		asked_begin();
		all[n] = slabd_alloc(cache);
		ms = asked_end();
	} while (all[n] != NULL && ++n < sizeof(all) / sizeof(all[0]));
	fixture_fails(true, ENOMEM, how);
	tap_ok(n > 0, "what is there is still given out");
	tap_ok(ms == WAIT_MS && waits(pool) == before + 1,
	       "and then an error, after the wait that was set");
	tap_note("%zu objects, then %.1f ms: %s", n, ms, slabd_last_error());
	asked_begin();
	for (unsigned i = 0; i < 20; i++)
		if (slabd_alloc(cache) != NULL)
			tap_bail("an object out of nothing");
	tap_ok(asked_end() == 0 && waits(pool) == before + 1,
	       "20 more wait no more");
	return n;
}

/* One that does not even read the goodbye is not waited for. */
static void close_stopped(slabd_pool *pool)
{
	double ms;
	asked_begin();
	tap_is(slabd_close(pool), 0, "slabd_close while slabd is stopped");
	ms = asked_end();
	tap_ok(ms >= READ_MS && ms < READ_MS + SLICE_MS,
	       "ends as soon as it is clear that nobody reads");
	tap_note("%.0f ms", ms);
}

static void stopped(int fd, void *arg)
{
	slabd_pool *pool = open_pool(0, WAIT_MS);
	slabd_pool *other = open_pool(0, WAIT_MS);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	if (slabd_alloc(fixture_cache(other, "one", SIZE)) == NULL)
		tap_bail("slabd_alloc: %s", slabd_last_error());
	size_t n;
	double since;
	(void)arg;
	say(fd, 1);
	hear(fd);
	n = use_up(pool, cache, "slabd stopped: nothing grows");
	close_stopped(other);
	say(fd, 1);
	hear(fd);
	since = now_ms();
	while ((all[n] = slabd_alloc(cache)) == NULL &&
	       now_ms() < since + SURELY_MS)
		sleep_ms(1);
	tap_ok(all[n] != NULL, "slabd goes on: so does growth");
	tap_note("after %.1f ms", now_ms() - since);
	n++;
	tap_ok(slabd_cache_create(pool, "two", SIZE, 0, 0) != NULL,
	       "and a new cache can be had");
	slabd_free_bulk(cache, n, all);
	tap_is(slabd_close(pool), 0, "slabd_close");
}

static void test_stopped(void)
{
	struct child child;
	fixture_open(&fixture, SMALL);
	child_start(&child, stopped, NULL);
	hear(child.fd);
	fixture_halt(&fixture);
	say(child.fd, 1);
	hear(child.fd);
	fixture_signal(&fixture, SIGCONT);
	say(child.fd, 1);
	child_end(&child, "slabd stopped and gone on");
	fixture_audit(&fixture, "after the stop");
	fixture_close(&fixture);
}

/* ---- killed ------------------------------------------------------------- */

/* Without a helper the descriptor tells; with one, it comes by itself. */
static void told(slabd_pool *pool, bool helper)
{
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	double until = now_ms() + SURELY_MS;
	if (!helper)
		tap_is(poll(&at, 1, (int)SURELY_MS), 1,
		       "slabd killed: the descriptor says so");
	while (helper && slabd_poll(pool) == 0 && now_ms() < until)
		sleep_ms(1);
	fixture_fails(slabd_poll(pool) < 0, ENOTCONN, "slabd_poll");
	tap_is(slabd_descriptor(pool), at.fd, "the descriptor stays");
}

static void asks(slabd_pool *pool)
{
	double ms;
	asked_begin();
	fixture_fails(slabd_cache_create(pool, "two", SIZE, 0, 0) == NULL,
	              ENOTCONN, "slabd_cache_create");
	ms = asked_end();
	tap_ok(ms >= LOOK_MS && ms < LOOK_MS + SLICE_MS,
	       "after a look of five seconds");
	tap_note("%.0f ms", ms);
}

static void killed(int fd, void *arg)
{
	bool helper = *(bool *)arg;
	slabd_pool *pool = open_pool(helper ? 0 : SLABD_NO_HELPER, WAIT_MS);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	void *object = slabd_alloc(cache);
	size_t n;
	memset(object, 0x77, SIZE);
	say(fd, 1);
	hear(fd);
	told(pool, helper);
	asks(pool);
	n = use_up(pool, cache, "nothing grows");
	tap_is(((char *)object)[SIZE - 1], 0x77, "objects stay readable");
	slabd_free_bulk(cache, n, all);
	tap_is(slabd_flush(pool), 0, "slabd_flush works");
	tap_is((long long)slabd_alloc_bulk(cache, n, all), (long long)n,
	       "and what came home can be allocated again");
	tap_is(slabd_give(pool, object, slabd_client_id(pool)), 0,
	       "slabd_give works");
	tap_is(slabd_cache_close(cache), 0, "slabd_cache_close works");
	asked_begin();
	tap_is(slabd_close(pool), 0, "slabd_close works");
	tap_ok(asked_end() < 1000 + SLICE_MS,
	       "and looks for slabd no longer than a second");
}

/* Both at once, as each looks for slabd for five seconds. */
static void test_killed(void)
{
	static const char *const names[] = {"slabd killed, no helper",
	                                    "slabd killed"};
	struct fixture fixtures[2];
	struct child children[2];
	for (int i = 0; i < 2; i++) {
		bool helper = i == 1;
		fixture_open(&fixture, SMALL);
		child_start(&children[i], killed, &helper);
		hear(children[i].fd);
		fixture_signal(&fixture, SIGKILL);
		fixture_wait(&fixture, SURELY_MS);
		say(children[i].fd, 1);
		fixtures[i] = fixture;
	}
	for (int i = 0; i < 2; i++) {
		child_end(&children[i], names[i]);
		fixture_remove(&fixtures[i]);
	}
}

/* ---- another slabd ------------------------------------------------------ */

/* Fails as it must when there is no way back, and at once. */
static void is_lost(slabd_pool *pool, slabd_cache *cache)
{
	asked_begin();
	tap_ok(slabd_poll(pool) < 0 && errno == ENOTCONN &&
	               strstr(slabd_last_error(), "started anew") != NULL,
	       "slabd_poll says that there is no way back");
	tap_note("%s", slabd_last_error());
	tap_ok(slabd_descriptor(pool) < 0 && errno == ENOTCONN,
	       "there is no descriptor any more");
	tap_ok(slabd_cache_create(pool, "two", SIZE, 0, 0) == NULL &&
	               errno == ENOTCONN, "slabd_cache_create fails");
	while (slabd_alloc(cache) != NULL)
		continue;
	tap_ok(errno == ENOMEM &&
	               strstr(slabd_last_error(), "started anew") != NULL,
	       "slabd_alloc gives what is there");
	tap_is((long long)asked_end(), 0, "nothing of it waits");
}

static void meets_another(int fd, void *arg)
{
	bool helper = *(bool *)arg;
	slabd_pool *pool = open_pool(helper ? 0 : SLABD_NO_HELPER, 5000);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	uint32_t tries;
	double until;
	uint64_t polls = asked_polls();
	say(fd, 1);
	hear(fd);
	/* A try wakes it when it is due and when it is answered; nothing else
	 * does. This process has heard a word besides. */
	polls = asked_polls() - polls;
	tries = asked_tries(pool);
	tap_ok(polls <= 3 * tries + 4,
	       "who looks for slabd sleeps in between");
	tap_note("it slept %u times around %u tries", (unsigned)polls, tries);
	until = now_ms() + SURELY_MS;
	while (slabd_descriptor(pool) >= 0 && now_ms() < until)
		if (helper)
			sleep_ms(1);
		else if (poll(&at, 1, 2000) == 1)
			slabd_poll(pool);
	is_lost(pool, cache);
	tap_is(poll(&at, 1, 100), 0, "the descriptor is at rest");
	tap_is(slabd_close(pool), 0, "slabd_close works");
	pool = open_pool(0, WAIT_MS);
	tap_ok(slabd_alloc(fixture_cache(pool, "one", SIZE)) != NULL,
	       "the pool can be opened again");
	tap_is(slabd_close(pool), 0, "and closed");
}

static void test_another(bool helper)
{
	struct child child;
	fixture_open(&fixture, SMALL);
	child_start(&child, meets_another, &helper);
	hear(child.fd);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	sleep_ms(700);
	if (!fixture_start(&fixture))
		tap_bail("slabd does not start again");
	say(child.fd, 1);
	child_end(&child, "the client ends well");
	fixture_audit(&fixture, "of the new slabd");
	fixture_close(&fixture);
}

/* ---- trim without a helper ---------------------------------------------- */

/* Its depot holds what the other needs, and nobody but it can serve a trim. */
static void trims(int fd, void *arg)
{
	slabd_pool *pool = open_pool(SLABD_NO_HELPER, 5000);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	struct pollfd at = {.fd = slabd_descriptor(pool), .events = POLLIN};
	size_t n = fixture_take(cache, 1900, all);
	struct slabd_stats stats;
	uint64_t flushed;
	(void)arg;
	tap_is(slabd_poll(pool), 0, "slabd_poll has nothing to do");
	slabd_free_bulk(cache, n, all);
	slabd_get_stats(pool, &stats);
	flushed = stats.flushed;
	tap_ok(fixture_post(&fixture, "/trim", ""), "a trim by hand");
	/* slabd may have something else to say besides. */
	while (stats.flushed == flushed &&
	       poll(&at, 1, (int)SURELY_MS) == 1 && slabd_poll(pool) == 0)
		slabd_get_stats(pool, &stats);
	tap_ok(stats.flushed > flushed,
	       "slabd asks for a trim, and slabd_poll serves it");
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

static void needs(int fd, void *arg)
{
	slabd_pool *pool = open_pool(0, WAIT_MS);
	(void)fd;
	(void)arg;
	tap_is((long long)fixture_take(fixture_cache(pool, "one", SIZE), 1700,
	                               all),
	       1700, "so that another client gets on");
	slabd_close(pool);
}

static void test_trim(void)
{
	struct child one;
	struct child two;
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 2M\n");
	child_start(&one, trims, NULL);
	hear(one.fd);
	child_start(&two, needs, NULL);
	child_end(&two, "who needs it ends well");
	say(one.fd, 1);
	child_end(&one, "who was asked ends well");
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_stopped();
	test_killed();
	test_another(true);
	test_another(false);
	test_trim();
	return tap_end();
}
