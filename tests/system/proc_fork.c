/* SPDX-License-Identifier: MIT */
/* Forked children of a client, and threads that end. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/churn.h"

#define SIZE 96
#define N 400

static struct fixture fixture;

static slabd_pool *pool;
static slabd_cache *cache;
static uint64_t *live[N];

static uint64_t refused(void)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.refused;
}

static void fails(bool failed, const char *what)
{
	int was = errno;
	if (!tap_ok(failed && was == ENOTCONN, "a forked child: %s", what))
		tap_note("%s, errno %s", failed ? "failed" : "did not",
		         strerror(was));
}

/* Waits for a forked process; false if it did not end with status 0. */
static bool ended_well(pid_t pid)
{
	double until = now_ms() + SURELY_MS;
	int status = -1;
	pid_t got;
	while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ms() < until)
		sleep_ms(1);
	if (got == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (status != 0)
		tap_note("status of its end: 0x%x", status);
	return got == pid && status == 0;
}

static unsigned count_live(void)
{
	unsigned good = 0;
	for (unsigned i = 0; i < N; i++)
		good += live[i] != NULL && *live[i] == i * 31;
	return good;
}

static void fill_live(void)
{
	for (unsigned i = 0; i < N; i++) {
		live[i] = slabd_alloc(cache);
		if (live[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		*live[i] = i * 31;
	}
}

/* ---- what a child may do ------------------------------------------------ */

static void child_refused(void)
{
	struct slabd_stats stats;
	void *some[4];
	fails(slabd_alloc(cache) == NULL, "slabd_alloc");
	fails(slabd_alloc_bulk(cache, 4, some) == 0, "slabd_alloc_bulk");
	fails(slabd_alloc_node(cache, 0) == NULL, "slabd_alloc_node");
	fails(slabd_give(pool, live[0], 1) < 0, "slabd_give");
	fails(slabd_take(pool, slabd_handle_of(pool, live[0])) == NULL,
	      "slabd_take");
	fails(slabd_client_id(pool) == 0, "slabd_client_id");
	fails(slabd_flush(pool) < 0, "slabd_flush");
	fails(slabd_thread_node(pool, -1) < 0, "slabd_thread_node");
	fails(slabd_thread_idle(pool) < 0, "slabd_thread_idle");
	fails(slabd_get_stats(pool, &stats) < 0, "slabd_get_stats");
	fails(slabd_descriptor(pool) < 0, "slabd_descriptor");
	fails(slabd_poll(pool) < 0, "slabd_poll");
	fails(slabd_cache_create(pool, "more", 8, 0, 0) == NULL,
	      "slabd_cache_create");
	fails(slabd_cache_close(cache) < 0, "slabd_cache_close");
	for (unsigned i = 0; i < 10; i++)
		slabd_free(cache, live[i]);
	slabd_free_bulk(cache, 10, (void **)live);
}

static void child_own_client(unsigned parent_id, bool closes_first)
{
	slabd_pool *own;
	slabd_cache *mine;
	uint64_t *object;
	if (closes_first)
		tap_is(slabd_close(pool), 0, "it may close the parent's pool");
	own = fixture_pool(&fixture);
	mine = fixture_cache(own, "records", SIZE);
	tap_ok(slabd_client_id(own) != 0 && slabd_client_id(own) != parent_id,
	       "it can become a client of its own");
	object = slabd_alloc(mine);
	tap_ok(object != NULL, "which allocates");
	if (!closes_first) {
		uint64_t handle = slabd_handle_of(own, object);
		bool new = true;
		for (unsigned i = 0; i < N; i++)
			new = new && slabd_handle_of(pool, live[i]) != handle;
		tap_ok(new, "what the parent does not have");
		fails(slabd_alloc(cache) == NULL,
		      "the parent's cache stays closed to it");
	}
	slabd_free(mine, object);
	tap_is(slabd_close(own), 0, "and closes");
}

static void in_child(unsigned parent_id, bool closes_first)
{
	tap_is(count_live(), N, "a forked child reads the parent's objects");
	child_refused();
	child_own_client(parent_id, closes_first);
	exit(0);
}

static void forks(int fd, void *arg)
{
	struct slabd_stats before;
	struct slabd_stats after;
	/* One thread alone: the leak sanitizer's way through a forked child of
	 * several is not safe. forks_busy has more. */
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	bool closes_first = *(bool *)arg;
	void *spare[8];
	pid_t pid;
	(void)fd;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "records", SIZE);
	fill_live();
	/* A magazine with something in it: the child must not use it. */
	tap_is((long long)slabd_alloc_bulk(cache, 8, spare), 8, "8 to spare");
	slabd_free_bulk(cache, 8, spare);
	slabd_get_stats(pool, &before);
	pid = fork();
	if (pid == 0)
		in_child(slabd_client_id(pool), closes_first);
	tap_ok(ended_well(pid), "the forked child ends well");
	tap_is((long long)(refused() - before.refused), 0,
	       "its frees are not counted to the parent");
	tap_ok(slabd_alloc(cache) == spare[7],
	       "the parent's magazine is as it was");
	slabd_get_stats(pool, &after);
	tap_is((long long)(after.refills - before.refills), 0,
	       "without a refill");
	tap_is(count_live(), N, "and its objects");
	slabd_free_bulk(cache, N, (void **)live);
	tap_is(slabd_close(pool), 0, "and its pool closes");
}

static void test_fork(bool closes_first)
{
	struct child child;
	child_start(&child, forks, &closes_first);
	child_end(&child, "the parent ends well");
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
}

/* ---- fork while threads allocate ---------------------------------------- */

#define FORKS 60
#define THREADS 3

/* No thread is started here: the thread sanitizer can't follow that. */
static void forked_once(void)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	slabd_pool *own = slabd_open(NULL, &options);
	slabd_cache *mine;
	void *some[50];
	alarm(60);
	if (own == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	mine = slabd_cache_create(own, "records", SIZE, 0, 0);
	if (mine == NULL || slabd_alloc_bulk(mine, 50, some) != 50)
		tap_bail("%s: %s", mine ? "no objects" : "no cache",
		         slabd_last_error());
	slabd_free_bulk(mine, 50, some);
	_exit(slabd_close(own) == 0 && slabd_alloc(cache) == NULL ? 0 : 4);
}

static void forks_busy(int fd, void *arg)
{
	struct churn churn;
	unsigned good = 0;
	uint32_t wrong;
	(void)fd;
	(void)arg;
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "records", SIZE);
	churn_start(&churn, pool, cache, THREADS);
	for (unsigned i = 0; i < FORKS; i++) {
		pid_t pid = fork();
		if (pid == 0)
			forked_once();
		good += ended_well(pid);
	}
	wrong = churn_end(&churn);
	tap_is(good, FORKS, "%d forks beside %d busy threads, each a client",
	       FORKS, THREADS);
	tap_is(wrong, 0, "whose objects stay theirs");
	tap_is(slabd_close(pool), 0, "the parent closes");
}

/* ---- exec --------------------------------------------------------------- */

/* Descriptors that outlive an exec; whoever runs us may have left some. */
static int count_inherited(void)
{
	int n = 0;
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		n += flags >= 0 && (flags & FD_CLOEXEC) == 0;
	}
	return n;
}

static void execs(int fd, void *arg)
{
	/* The shell itself has one open to look at the others. */
	char fds[] = "n=0; for f in /proc/self/fd/*; do n=$((n + 1)); done; "
	             "[ $n -le $(($0 + 1)) ] && read line && exit 0";
	char most[16];
	char *const args[] = {"sh", "-c", fds, most, NULL};
	snprintf(most, sizeof(most), "%d", count_inherited());
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "records", SIZE);
	fill_live();
	say(fd, slabd_client_id(pool));
	dup2(*(int *)arg, STDIN_FILENO);
	alarm(0);
	execv("/bin/sh", args);
	tap_bail("/bin/sh: %s", strerror(errno));
}

static void test_exec(void)
{
	struct child child;
	int pipes[2];
	unsigned id;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		tap_bail("pipe: %s", strerror(errno));
	child_start(&child, execs, &pipes[0]);
	id = (unsigned)hear(child.fd);
	while (fixture_client(&fixture, id, "connected") == 1)
		sleep_ms(1);
	tap_ok(fixture_client(&fixture, id, "objects") >= N,
	       "a client that becomes another program keeps its objects");
	if (write(pipes[1], "\n", 1) != 1)
		tap_bail("write: %s", strerror(errno));
	child_end(&child, "which got none of its descriptors");
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "and they come back when that ends");
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- threads that end --------------------------------------------------- */

#define POOL_OBJECTS 3000

static void *many[POOL_OBJECTS];
static uint32_t ready;

/* Not in pause or the like: the thread sanitizer, which watches those, loses
 * sight of the locks that a thread takes once it was cancelled in one. */
static void be_cancelled(void)
{
	for (;;) {
		pthread_testcancel();
		sched_yield();
	}
}

static void *fill_and_free(void *arg)
{
	bool waits = *(bool *)arg;
	size_t n = slabd_alloc_bulk(cache, POOL_OBJECTS, many);
	slabd_free_bulk(cache, n, many);
	atom_store(&ready, (uint32_t)n);
	if (waits)
		be_cancelled();
	return NULL;
}

/* Nothing large on its stack: the address sanitizer marks what lies around
 * that, and does not take the marks away when a thread is cancelled. */
static void *churn_forever(void *arg)
{
	static void *one[300];
	atom_store(&ready, 1u);
	for (;;) {
		size_t n = slabd_alloc_bulk(cache, 300, one);
		slabd_free_bulk(cache, n, one);
		pthread_testcancel();
	}
	return arg;
}

/* n objects; the helper may hold some for a moment, on their way home. */
static size_t alloc_all(size_t n)
{
	double until = now_ms() + SURELY_MS;
	size_t got = 0;
	while (got < n && now_ms() < until)
		got += slabd_alloc_bulk(cache, n - got, many + got);
	return got;
}

/* The pool is as small as can be: what an ended thread kept would be missed. */
static void threads_end(int fd, void *arg)
{
	bool cancelled = *(bool *)arg;
	const char *how = cancelled ? "cancelled" : "ended";
	pthread_t thread;
	uint32_t n;
	(void)fd;
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "large", 1024);
	atom_store(&ready, 0u);
	pthread_create(&thread, NULL, fill_and_free, &cancelled);
	while ((n = atom_load(&ready)) == 0)
		sleep_ms(1);
	if (cancelled)
		pthread_cancel(thread);
	pthread_join(thread, NULL);
	tap_ok(n > 1000, "a thread filled the pool and was %s", how);
	tap_is((long long)alloc_all(n), n,
	       "another gets every object that it had");
	slabd_free_bulk(cache, n, many);
	slabd_flush(pool);
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects"), 0,
	       "and a flush sends all of them home");
	slabd_close(pool);
}

static void threads_cancelled(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "large", 1024);
	for (unsigned i = 0; i < 100; i++) {
		pthread_t thread;
		atom_store(&ready, 0u);
		pthread_create(&thread, NULL, churn_forever, NULL);
		while (atom_load(&ready) == 0)
			sched_yield();
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	slabd_flush(pool);
	tap_is(fixture_used(&fixture), 0, "100 cancelled threads keep nothing");
	slabd_close(pool);
}

static void *creates(void *arg)
{
	(void)arg;
	atom_store(&ready, 1u);
	slabd_cache_create(pool, "other", 64, 0, 0);
	be_cancelled();
	return NULL;
}

/* Cancelled while it waits for slabd, which stands still. */
static void cancelled_in_call(int fd, void *arg)
{
	pthread_t thread;
	(void)arg;
	pool = fixture_pool(&fixture);
	atom_store(&ready, 0u);
	say(fd, 1);
	hear(fd);
	pthread_create(&thread, NULL, creates, NULL);
	while (atom_load(&ready) == 0)
		sleep_ms(1);
	sleep_ms(20);
	pthread_cancel(thread);
	say(fd, 1);
	pthread_join(thread, NULL);
	tap_ok(slabd_cache_create(pool, "third", 64, 0, 0) != NULL,
	       "a thread cancelled in a call to slabd blocks no other");
	slabd_close(pool);
}

static void test_cancel_in_call(void)
{
	struct child child;
	child_start(&child, cancelled_in_call, NULL);
	hear(child.fd);
	fixture_signal(&fixture, SIGSTOP);
	say(child.fd, 1);
	hear(child.fd);
	fixture_signal(&fixture, SIGCONT);
	child_end(&child, "and its process ends well");
}

static void test_threads(void)
{
	struct child child;
	bool cancelled = false;
	child_start(&child, threads_end, &cancelled);
	child_end(&child, "threads that end");
	cancelled = true;
	child_start(&child, threads_end, &cancelled);
	child_end(&child, "threads that are cancelled");
	child_start(&child, threads_cancelled, NULL);
	child_end(&child, "threads that are cancelled at work");
	test_cancel_in_call();
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n");
	test_fork(false);
	test_fork(true);
	child_start(&child, forks_busy, NULL);
	child_end(&child, "forks beside busy threads");
	test_exec();
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
	fixture_audit(&fixture, "after the forks");
	fixture_close(&fixture);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 2M\n");
	test_threads();
	fixture_audit(&fixture, "after the threads");
	fixture_close(&fixture);
	return tap_end();
}
