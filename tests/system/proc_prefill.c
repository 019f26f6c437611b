/* SPDX-License-Identifier: MIT */
/* What a thread has put by is had when nothing else is, and by nobody else. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define SIZE 256
#define N 3000u /* more than a magazine has room for */
#define MOST (32u * 1024 * 1024 / SIZE)

static struct fixture fixture;
static void *objects[MOST], *others[MOST];

static slabd_pool *open_pool(unsigned flags)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER | flags);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

static struct slabd_stats stats_of(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats;
}

static size_t take(slabd_cache *cache, size_t most, void **to)
{
	size_t n = 0;
	while (n < most && (to[n] = slabd_alloc(cache)) != NULL)
		memset(to[n++], 1, SIZE);
	return n;
}

/* Another client takes all that there is. */
static size_t exhaust(slabd_pool *other)
{
	slabd_cache *cache = fixture_cache(other, "orders", SIZE);
	size_t n = take(cache, MOST, others);
	tap_ok(n > 0 && n < MOST, "another client takes all there is");
	return n;
}

static long long held(slabd_cache *cache)
{
	uint64_t in_use = 0, free = 0;
	slabd_cache_counts(cache, &in_use, &free);
	return (long long)free;
}

static void put_by(slabd_pool *pool, slabd_cache *cache)
{
	slabd_pool *other = open_pool(0);
	struct slabd_stats before;
	size_t n;
	tap_is(slabd_prefill(cache, N), 0, "objects are put by");
	tap_ok(held(cache) >= N, "and are held");
	n = exhaust(other);
	tap_ok(fixture_post(&fixture, "/trim", "node=0"),
	       "memory is asked back");
	slabd_poll(pool);
	before = stats_of(pool);
	fixture_halt(&fixture);
	tap_is((long long)take(cache, N, objects), N,
	       "as many are had, while slabd stands still");
	tap_is((long long)(stats_of(pool).waits - before.waits), 0,
	       "without a wait");
	fixture_signal(&fixture, SIGCONT);
	slabd_free_bulk(fixture_cache(other, "orders", SIZE), n, others);
	slabd_close(other);
	slabd_free_bulk(cache, N, objects);
	slabd_flush(pool);
	tap_is(held(cache), 0, "a flush gives back what is left");
}

static void in_bulk(slabd_pool *pool, slabd_cache *cache)
{
	slabd_pool *other = open_pool(0);
	size_t n;
	size_t got;
	tap_is(slabd_prefill(cache, N), 0, "objects are put by");
	tap_is(slabd_prefill(cache, N / 2), 0,
	       "which are fewer than there are");
	n = exhaust(other);
	got = slabd_alloc_bulk(cache, N, objects);
	tap_is((long long)got, N, "a bulk has them");
	slabd_free_bulk(fixture_cache(other, "orders", SIZE), n, others);
	slabd_close(other);
	slabd_free_bulk(cache, N, objects);
	slabd_flush(pool);
}

static void *thread_main(void *arg)
{
	return slabd_prefill(arg, 100) == 0 ? NULL : arg;
}

static void given_back(slabd_pool *pool, slabd_cache *cache)
{
	pthread_t thread;
	void *failed = NULL;
	slabd_cache *again = fixture_cache(pool, "again", SIZE);
	tap_is(slabd_prefill(cache, N) + slabd_thread_idle(pool), 0,
	       "a thread puts some by, and sleeps");
	tap_ok(held(cache) <= SLABD_MAGAZINE_MAX,
	       "then those beside its magazine are others'");
	tap_is(slabd_prefill(cache, N) + slabd_prefill(cache, 0), 0,
	       "none are put by");
	slabd_thread_flush(pool);
	tap_is(held(cache), 0, "then none are");
	tap_is(slabd_prefill(cache, N) + slabd_thread_flush(pool), 0,
	       "a thread flushes");
	tap_is(held(cache), 0, "that, too");
	pthread_create(&thread, NULL, thread_main, cache);
	pthread_join(thread, &failed);
	slabd_flush(pool);
	tap_ok(failed == NULL && held(cache) == 0, "and so does its end");
	tap_is(slabd_prefill(again, 10) + slabd_cache_close(again), 0,
	       "a cache is closed");
	slabd_flush(pool);
	tap_is(fixture_owned(&fixture), 0, "all are back in their slabs");
}

static void refused(slabd_pool *pool, slabd_cache *cache)
{
	slabd_pool *other = open_pool(SLABD_NO_WAIT);
	slabd_cache *its = fixture_cache(other, "orders", SIZE);
	int status = -1;
	pid_t pid;
	fixture_fails(slabd_prefill(cache, SIZE_MAX) < 0, EINVAL,
	              "more than a process may hold");
	fixture_fails(slabd_prefill(cache, ((size_t)256 << 20) / SIZE + 1) < 0,
	              EINVAL, "by one");
	tap_is(slabd_prefill(its, 10), 0, "ten are put by");
	fixture_fails(slabd_prefill(its, MOST) < 0, ENOMEM,
	              "more than there are to be had");
	slabd_thread_flush(other);
	slabd_flush(other);
	tap_is(held(its), 0, "nothing of that stays");
	slabd_close(other);
	pid = fork();
	if (pid == 0)
		_exit(slabd_prefill(cache, 1) < 0 && errno == ENOTCONN ? 0 : 1);
	waitpid(pid, &status, 0);
	tap_is(status, 0, "a forked child has none");
	slabd_flush(pool);
}

int main(void)
{
	slabd_pool *pool;
	slabd_cache *cache;
	tap_start(120);
	fixture_open(&fixture, "[slabd]\nreserve_hugepages = no\n"
	                       "[pool default]\npage = 4k\nmax = 16M\n");
	pool = open_pool(0);
	cache = fixture_cache(pool, "orders", SIZE);
	put_by(pool, cache);
	in_bulk(pool, cache);
	given_back(pool, cache);
	refused(pool, cache);
	tap_is(slabd_prefill(cache, N) + slabd_close(pool), 0,
	       "a pool is closed with what was put by");
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "which is free then");
	fixture_audit(&fixture, "the books agree");
	fixture_close(&fixture);
	return tap_end();
}
