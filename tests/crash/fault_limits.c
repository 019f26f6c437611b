/* SPDX-License-Identifier: MIT */
/*
 * Descriptors run out: in slabd, in a client that opens a pool, and in one that
 * looks for slabd again; address space does, at the first slabd_open and at a
 * thread's first call. Who is refused hears why, who is inside works on, and
 * all goes well again once there are descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/keeper.h"

#define CONFIG                                                             \
	"[slabd]\ntopology = node:1 core:1 pu:1\n"                         \
	"[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"
#define OBJECTS 1500 /* 6 MB: more than there is at the start */
#define LIMITS 64    /* a client needs fewer descriptors than this */
#define FREED 100

static struct fixture fixture;

/* The lowest number that is free in a process. */
static rlim_t free_number(pid_t pid)
{
	char path[64];
	rlim_t n = 0;
	do
		snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid,
		         (unsigned)n++);
	while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return n - 1;
}

static struct rlimit limit_to(pid_t pid, rlim_t n)
{
	struct rlimit old;
	struct rlimit low;
	if (prlimit(pid, RLIMIT_NOFILE, NULL, &old) < 0)
		tap_bail("prlimit: %s", strerror(errno));
	low = (struct rlimit){n, old.rlim_max};
	if (prlimit(pid, RLIMIT_NOFILE, &low, NULL) < 0)
		tap_bail("prlimit: %s", strerror(errno));
	return old;
}

/* ---- slabd has none ------------------------------------------------------ */

static void inside(int fd, void *arg)
{
	static void *objects[OBJECTS];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "inside", 4000);
	(void)arg;
	say(fd, 1);
	hear(fd);
	say(fd, slabd_alloc_bulk(cache, OBJECTS, objects));
	hear(fd);
	slabd_free_bulk(cache, OBJECTS, objects);
	slabd_close(pool);
}

static void newcomer(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open(NULL, &options);
	(void)arg;
	say(fd, pool != NULL ? 0 : (uint64_t)errno);
	if (pool == NULL)
		say(fd, strstr(slabd_last_error(), "LimitNOFILE") != NULL);
	else
		slabd_close(pool);
}

static void test_slabd(void)
{
	struct child one;
	struct child two;
	struct rlimit old;
	double until;
	child_start(&one, inside, NULL);
	hear(one.fd);
	/* Its connection is accepted, and no more. */
	count_fds(fixture.pid, 0);
	old = limit_to(fixture.pid, free_number(fixture.pid) + 1);
	child_start(&two, newcomer, NULL);
	tap_is((long long)hear(two.fd), EMFILE, "slabd has no descriptor left");
	tap_ok(hear(two.fd) == 1, "and the reason names its limit");
	child_end(&two, "who was refused ends well");
	say(one.fd, 1);
	tap_is((long long)hear(one.fd), OBJECTS, "who is inside is grown for");
	count_fds(fixture.pid, 0);
	limit_to(fixture.pid, free_number(fixture.pid));
	child_start(&two, newcomer, NULL);
	sleep_ms(400);
	until = now_ms() + SURELY_MS;
	while (!fixture_logged(&fixture, "raise LimitNOFILE") &&
	       now_ms() < until)
		sleep_ms(10);
	tap_ok(fixture_logged(&fixture, "raise LimitNOFILE"),
	       "slabd's log says so");
	limit_to(fixture.pid, old.rlim_cur);
	tap_is((long long)hear(two.fd), 0, "who waited to be accepted comes in");
	child_end(&two, "and ends well");
	say(one.fd, 1);
	child_end(&one, "who was inside ends well");
	fixture_audit(&fixture, "the accounts are exact");
}

/* ---- a client has none
 * ---------------------------------------------------- */

static void opens(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	rlim_t first = free_number(getpid());
	slabd_pool *pool = NULL;
	unsigned wrong = 0;
	unsigned n = 0;
	(void)arg;
	for (; pool == NULL && n < LIMITS; n++) {
		struct rlimit old = limit_to(getpid(), first + n);
		pool = slabd_open(NULL, &options);
		wrong += pool == NULL &&
		         (errno != EMFILE || *slabd_last_error() == '\0');
		limit_to(getpid(), old.rlim_cur);
		wrong += pool == NULL && free_number(getpid()) != first;
	}
	tap_ok(pool != NULL && n > 5, "it opens the pool with %u descriptors",
	       n - 1);
	tap_is(wrong, 0, "with less: EMFILE, a reason, and none is lost");
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

static void test_open(void)
{
	struct child child;
	child_start(&child, opens, NULL);
	hear(child.fd);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 1,
	                     SURELY_MS) >= 0,
	       "each failure gave its client id back");
	say(child.fd, 1);
	child_end(&child, "it ends well");
	fixture_audit(&fixture, "the accounts are exact");
}

/* The map of a pool needs 32 GiB of addresses. */
static void lacks_room(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	struct rlimit old;
	struct rlimit low = {UINT64_C(1) << 30, RLIM_INFINITY};
	slabd_pool *pool;
	(void)fd;
	(void)arg;
	if (getrlimit(RLIMIT_AS, &old) < 0 || setrlimit(RLIMIT_AS, &low) < 0)
		tap_bail("setrlimit: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		tap_ok(slabd_open(NULL, &options) == NULL && errno == ENOMEM &&
		               strstr(slabd_last_error(), "ulimit -v"),
		       "no room for addresses: ENOMEM, %s", slabd_last_error());
	setrlimit(RLIMIT_AS, &old);
	pool = slabd_open(NULL, &options);
	if (tap_ok(pool != NULL, "with room it opens the pool"))
		slabd_close(pool);
}

static struct {
	slabd_cache *cache;
	void *objects[FREED];
	pthread_barrier_t limited;
	int said; /* allocations that failed well */
} freed;

static void *frees(void *arg)
{
	pthread_barrier_wait(&freed.limited);
	for (unsigned i = 0; i < FREED; i++)
		slabd_free(freed.cache, freed.objects[i]);
	freed.said = (slabd_alloc(freed.cache) == NULL && errno == ENOMEM &&
	              strstr(slabd_last_error(), "ulimit -v")) +
	             (slabd_alloc_node(freed.cache, 0) == NULL &&
	              errno == ENOMEM &&
	              strstr(slabd_last_error(), "ulimit -v"));
	return arg;
}

/* A thread's first call of the library makes its magazines: not this one. */
static void frees_without_room(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	struct rlimit old;
	struct rlimit low = {1 << 20, RLIM_INFINITY};
	struct slabd_stats stats;
	pthread_t thread;
	(void)fd;
	(void)arg;
	freed.cache = fixture_cache(pool, "freed", 64);
	slabd_alloc_bulk(freed.cache, FREED, freed.objects);
	slabd_flush(pool);
	pthread_barrier_init(&freed.limited, NULL, 2);
	if (getrlimit(RLIMIT_AS, &old) < 0 ||
	    pthread_create(&thread, NULL, frees, NULL) != 0)
		tap_bail("getrlimit: %s", strerror(errno));
	setrlimit(RLIMIT_AS, &low);
	pthread_barrier_wait(&freed.limited);
	pthread_join(thread, NULL);
	setrlimit(RLIMIT_AS, &old);
	slabd_get_stats(pool, &stats);
	tap_is((long long)stats.refused, 0,
	       "a thread without room for magazines frees its objects");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects"), 0,
	       "and they are home at once");
	tap_is(freed.said, 2, "it can't allocate: ENOMEM, and hears why");
	slabd_close(pool);
}

/* A table that can't be written to is one without magazines. */
static void lacks_memory(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	struct rlimit old;
	struct rlimit low = {1, RLIM_INFINITY};
	void *objects[FREED];
	(void)fd;
	(void)arg;
	freed.cache = fixture_cache(pool, "bare", 64);
	if (getrlimit(RLIMIT_DATA, &old) < 0)
		tap_bail("getrlimit: %s", strerror(errno));
	setrlimit(RLIMIT_DATA, &low);
	tap_is((long long)slabd_alloc_bulk(freed.cache, FREED, objects), FREED,
	       "without memory for magazines objects come one by one");
	slabd_free_bulk(freed.cache, FREED, objects);
	setrlimit(RLIMIT_DATA, &old);
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects"), 0,
	       "and go home so");
	slabd_free(freed.cache, slabd_alloc(freed.cache));
	tap_ok(slabd_mag_of_(freed.cache)->cap > 0,
	       "with memory there is a magazine");
	slabd_close(pool);
}

/* All the processes that the user may have are there. */
static void lacks_thread(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	struct rlimit low = {0, 0};
	(void)fd;
	(void)arg;
	if (setrlimit(RLIMIT_NPROC, &low) < 0 ||
	    (geteuid() == 0 && (chmod(fixture.dir, 0755) < 0 ||
	                        chmod(fixture.socket, 0666) < 0 ||
	                        setuid(65534) < 0)))
		tap_bail("setuid: %s", strerror(errno));
	tap_ok(slabd_open(NULL, &options) == NULL && errno == EAGAIN &&
	               strstr(slabd_last_error(), "ulimit -u"),
	       "no thread can be had: EAGAIN, %s", slabd_last_error());
}

static void test_room(void)
{
	const char *sanitizer = getenv("SLABD_SANITIZER");
	struct child child;
	if (sanitizer != NULL && *sanitizer != '\0') {
		tap_skip("a sanitizer needs the addresses", "no room");
		return;
	}
	child_start(&child, lacks_room, NULL);
	child_end(&child, "it ends well");
	child_start(&child, frees_without_room, NULL);
	child_end(&child, "so does the other");
	child_start(&child, lacks_memory, NULL);
	child_end(&child, "and who lacks memory");
	child_start(&child, lacks_thread, NULL);
	child_end(&child, "and who lacks a thread");
}

/* ---- slabd comes back
 * ----------------------------------------------------- */

static void comes_back(int fd, void *arg)
{
	slabd_pool *pool;
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	struct rlimit old;
	double until;
	int r = -1;
	(void)arg;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	say(fd, 1);
	hear(fd);
	old = limit_to(getpid(), free_number(getpid()));
	for (int i = 0; i < 40; i++) {
		r = slabd_poll(pool);
		sleep_ms(10);
	}
	tap_ok(r < 0 && errno == ENOTCONN, "no descriptor, no way back");
	limit_to(getpid(), old.rlim_cur);
	until = now_ms() + SURELY_MS;
	while ((r = slabd_poll(pool)) < 0 && now_ms() < until)
		sleep_ms(5);
	tap_is(r, 0, "with descriptors it is back");
	tap_ok(fixture_cache(pool, "back", 64) != NULL, "and is served");
	slabd_close(pool);
}

/* The manager keeps clients' connections, too: these break. */
static void cut_connections(const struct keeper *keeper)
{
	for (unsigned i = 0; i < keeper->n; i++) {
		const char *end = strrchr(keeper->kept[i].name, '.');
		if (end != NULL && (!strcmp(end, ".s") || !strcmp(end, ".e")))
			shutdown(keeper->kept[i].fd, SHUT_RDWR);
	}
}

static void test_resume(void)
{
	struct fixture first = fixture;
	struct keeper keeper;
	struct child child;
	int status = 0;
	fixture_make(&fixture, CONFIG);
	keeper_open(&keeper, &fixture);
	if (!keeper_start(&keeper, &fixture, &status))
		tap_bail("slabd does not start");
	child_start(&child, comes_back, NULL);
	hear(child.fd);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
	cut_connections(&keeper);
	if (!keeper_start(&keeper, &fixture, &status))
		tap_bail("slabd does not start again");
	say(child.fd, 1);
	child_end(&child, "it ends well");
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_close(&keeper);
	fixture_remove(&fixture);
	fixture = first;
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	test_slabd();
	test_open();
	test_room();
	test_resume();
	fixture_close(&fixture);
	return tap_end();
}
