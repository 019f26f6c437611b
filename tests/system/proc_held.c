/* SPDX-License-Identifier: MIT */
/*
 * What clients hold in magazines, remote buffers and depots is told apart from
 * what they use, to the object: for several threads, on two nodes, in two
 * processes, one of which is stopped, for one that sleeps and is left alone, and
 * for a client without a helper.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/base/ran.h"
#include "shm/atom.h"
#include "tests/lib/harness.h"

#define SIZE 64
#define MANY 12800u
#define LIVE 1600u
#define SLEEPER_FREES 5u
#define TRIES 5000u
#define FAR 40u /* freed on the other node; fewer than go home in a batch */

#define CONFIG                                                                 \
	"[slabd]\ntopology = node:2 core:1 pu:1\n"                             \
	"[balance]\nenabled = no\nidle = never\npressure = off\n"              \
	"[pool default]\npage = 4k\nstart = 4M\nmax = 32M\n"

static struct fixture fixture;
static slabd_pool *pool;
static slabd_cache *cache;
static void *object[MANY];

static long long caches(const char *key)
{
	char at[64];
	snprintf(at, sizeof(at), "pools.0.caches.0.%s", key);
	return fixture_number(&fixture, "/caches", at);
}

static long long bytes(unsigned node, const char *key)
{
	char at[64];
	snprintf(at, sizeof(at), "pools.0.nodes.%u.%s", node, key);
	return fixture_number(&fixture, "/nodes", at);
}

static long long unknown(void)
{
	return fixture_number(&fixture, "/caches", "pools.0.held_unknown");
}

static void use(slabd_cache *of, void **to, unsigned n)
{
	if (fixture_take(of, n, to) != n)
		tap_bail("slabd_alloc: %s", slabd_last_error());
}

/* ---- threads ------------------------------------------------------------- */

struct hoard {
	pthread_t thread;
	uint32_t state; /* (A) 1: it has freed all; 2: it may end */
};

/* Allocates and frees, and sleeps with what its magazine keeps. */
static void *hoard_main(void *arg)
{
	struct hoard *hoard = arg;
	void *some[500];
	use(cache, some, 500);
	slabd_free_bulk(cache, 500, some);
	atom_store(&hoard->state, 1u);
	while (atom_load(&hoard->state) != 2)
		sleep_ms(1);
	return NULL;
}

static void hoard_begin(struct hoard *hoard)
{
	hoard->state = 0;
	pthread_create(&hoard->thread, NULL, hoard_main, hoard);
	while (atom_load(&hoard->state) != 1)
		sleep_ms(1);
}

static void hoard_end(struct hoard *hoard)
{
	atom_store(&hoard->state, 2u);
	pthread_join(hoard->thread, NULL);
}

static void test_used(void)
{
	struct hoard hoard;
	long long owned;
	use(cache, object, MANY);
	tap_is(caches("used"), MANY, "all that was allocated is in use");
	slabd_free_bulk(cache, MANY - LIVE, object + LIVE);
	owned = fixture_owned(&fixture);
	tap_is(caches("used"), LIVE, "of them so many are left");
	tap_is(caches("held"), owned - LIVE, "and the rest is held");
	tap_ok(owned > LIVE, "which is %lld objects", owned - LIVE);
	hoard_begin(&hoard);
	owned = fixture_owned(&fixture);
	tap_is(caches("used"), LIVE, "a thread that sleeps uses nothing");
	tap_is(caches("held"), owned - LIVE, "and holds the rest");
	tap_is(bytes(0, "used_bytes") + bytes(1, "used_bytes"), LIVE * SIZE,
	       "the nodes agree");
	tap_is(fixture_number(&fixture, "/status", "pools.0.used_bytes"),
	       LIVE * SIZE, "so does the status");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "held_objects"),
	       owned - LIVE, "and the client's own line");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "used_bytes"),
	       LIVE * SIZE, "in bytes, too");
	tap_is(unknown(), 0, "nothing is unknown");
	hoard_end(&hoard);
	tap_is(caches("used"), LIVE, "when it has ended it is the same");
}

/* Objects of node 1 that are freed on node 0 wait there for a batch. */
static void test_remote(void)
{
	void *far[FAR];
	long long used = bytes(1, "used_bytes");
	for (unsigned i = 0; i < FAR; i++)
		if ((far[i] = slabd_alloc_node(cache, 1)) == NULL)
			tap_bail("slabd_alloc_node: %s", slabd_last_error());
	tap_is(bytes(1, "used_bytes") - used, FAR * SIZE,
	       "objects of the other node are in use there");
	slabd_free_bulk(cache, FAR, far);
	tap_is(bytes(1, "used_bytes"), used, "and no longer once freed here");
	tap_ok(bytes(1, "held_bytes") >= FAR * SIZE, "but held for it");
}

/* ---- other processes ----------------------------------------------------- */

static void child_main(int fd, void *arg)
{
	slabd_pool *own;
	slabd_cache *of;
	void *some[1000];
	(void)arg;
	hear(fd);
	own = fixture_pool(&fixture);
	of = fixture_cache(own, "one", SIZE);
	use(of, some, 1000);
	slabd_free_bulk(of, 900, some + 100);
	say(fd, 1);
	hear(fd);
	slabd_free_bulk(of, 100, some);
	slabd_close(own);
}

static void test_stopped(struct child *child)
{
	long long owned;
	say(child->fd, 1);
	hear(child->fd);
	tap_is(caches("used"), LIVE + 100, "two processes use what they use");
	owned = fixture_owned(&fixture);
	kill(child->pid, SIGSTOP);
	/* All of its threads. */
	waitpid(child->pid, NULL, WUNTRACED);
	tap_is(unknown(), 1, "one that is stopped does not say");
	tap_is(fixture_number(&fixture, "/status", "pools.0.held_unknown"), 1,
	       "as the status says, too");
	tap_ok(caches("used") > LIVE + 100, "what it holds counts as used");
	tap_is(caches("used") + caches("held"), owned, "and nothing else");
	kill(child->pid, SIGCONT);
	fixture_until(&fixture, "/caches", "pools.0.held_unknown", 0, 60000);
	tap_is(caches("used"), LIVE + 100, "when it goes on it is known");
	say(child->fd, 1);
	child_end(child, "the other process");
	tap_is(caches("used"), LIVE, "and when it has ended it is gone");
}

/* ---- one that sleeps ----------------------------------------------------- */

static void sleeper_main(int fd, void *arg)
{
	slabd_pool *own;
	slabd_cache *of;
	void *some[1000];
	(void)arg;
	hear(fd);
	own = fixture_pool(&fixture);
	of = fixture_cache(own, "one", SIZE);
	use(of, some, 1000);
	say(fd, 1);
	/* What it holds changes by hits alone, which tell nobody. */
	for (int i = 0; hear(fd) == 1; i++) {
		slabd_free(of, some[999 - i]);
		say(fd, 1);
	}
	slabd_free_bulk(of, 1000 - SLEEPER_FREES, some);
	slabd_close(own);
}

/* How often its helper was given a CPU. */
static uint64_t helper_turns(const struct child *child)
{
	char path[64];
	uint64_t turns = 0;
	struct dirent *at;
	DIR *dir;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)child->pid);
	dir = opendir(path);
	while (dir != NULL && (at = readdir(dir)) != NULL) {
		struct ran_thread thread;
		int tid = atoi(at->d_name);
		if (tid > 0 && tid != child->pid &&
		    ran_thread_get(child->pid, tid, &thread))
			turns += thread.turns;
	}
	if (dir != NULL)
		closedir(dir);
	return turns;
}

/* It is left alone in the end, and what is shown is right all the same. */
static void test_asleep(struct child *child)
{
	uint64_t turns = 0;
	say(child->fd, 1);
	hear(child->fd);
	for (unsigned i = 0; i < SLEEPER_FREES; i++) {
		long long used = LIVE + 1000 - i;
		unsigned tries = 0;
		if (caches("used") != used)
			tap_bail("%lld are in use, not %lld", caches("used"),
			         used);
		/* Not where a tick is seldom. */
		while (ran_tick_ns() > 0 && turns != helper_turns(child)) {
			if (tries++ == TRIES)
				tap_bail("it is woken %u times", tries);
			turns = helper_turns(child);
			if (caches("used") != used)
				tap_bail("another look sees %lld, not %lld",
				         caches("used"), used);
		}
		say(child->fd, 1);
		hear(child->fd);
	}
	tap_is(caches("used"), LIVE + 1000 - SLEEPER_FREES,
	       "who sleeps is left alone, until it has done anything");
	tap_is(unknown(), 0, "and says what it holds");
	say(child->fd, 2);
	child_end(child, "the sleeper");
}

/* ---- without a helper ---------------------------------------------------- */

struct poller {
	slabd_pool *pool;
	uint32_t stop; /* (A) */
};

static void *poll_main(void *arg)
{
	struct poller *poller = arg;
	while (atom_load(&poller->stop) == 0) {
		slabd_poll(poller->pool);
		sleep_ms(1);
	}
	return NULL;
}

static void test_no_helper(void)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	struct poller poller = {.pool = slabd_open(NULL, &options)};
	slabd_cache *of = fixture_cache(poller.pool, "one", SIZE);
	pthread_t thread;
	void *some[1000];
	use(of, some, 1000);
	slabd_free_bulk(of, 900, some + 100);
	tap_is(unknown(), 1, "one that does not poll does not say");
	pthread_create(&thread, NULL, poll_main, &poller);
	fixture_until(&fixture, "/caches", "pools.0.held_unknown", 0, 60000);
	tap_is(caches("used"), LIVE + 100, "one that polls does");
	atom_store(&poller.stop, 1u);
	pthread_join(thread, NULL);
	slabd_free_bulk(of, 100, some);
	slabd_close(poller.pool);
	tap_is(unknown(), 0, "and when it is gone nothing is unknown");
}

int main(void)
{
	struct child child, sleeper;
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	/* Before there are threads: the thread sanitizer wants it so. */
	child_start(&child, child_main, NULL);
	child_start(&sleeper, sleeper_main, NULL);
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "one", SIZE);
	test_used();
	test_remote();
	test_stopped(&child);
	test_asleep(&sleeper);
	test_no_helper();
	fixture_post(&fixture, "/trim", "");
	tap_is(caches("used"), LIVE, "after a trim the same is in use");
	slabd_free_bulk(cache, LIVE, object);
	slabd_close(pool);
	fixture_audit(&fixture, "in the end all agrees");
	tap_is(fixture_used(&fixture), 0, "nothing is left");
	fixture_close(&fixture);
	return tap_end();
}
