/* SPDX-License-Identifier: MIT */
/*
 * A client that grows at full speed has its pages faulted in beside slabd's
 * loop; and slabd may be told to end, or be killed, while some are on their
 * way.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/lib/keeper.h"
#include "tests/lib/turns.h"

#define MIB (1ll << 20)
#define SIZE 4096
#define POOL                                                                   \
	"[slabd]\ntopology = node:2 core:1 pu:1\n"                             \
	"[pool default]\npage = 4k\nstart = 4M\nmax = %lluM\n"
#define GROW_MIB 96
#define ROUNDS 4
#define READY "pools.0.nodes.0.ready_bytes"

static struct fixture fixture;
static struct keeper keeper;

/* ---- who faulted pages in ------------------------------------------------ */

struct faults {
	long long loop; /* of the thread that slabd began with */
	long long crew; /* of those that have a node's name */
};

/* False where the thread has gone. */
static bool read_thread(const char *task, char *name, long long *faults)
{
	char path[300];
	char line[600] = "";
	char *end;
	FILE *f;
	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", fixture.pid,
	         task);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	end = strrchr(line, ')');
	return end != NULL && sscanf(line, "%*d (%15[^)]", name) == 1 &&
	       sscanf(end, ") %*c %*d %*d %*d %*d %*d %*u %lld", faults) == 1;
}

static struct faults read_faults(void)
{
	struct faults all = {0, 0};
	char path[64];
	DIR *tasks;
	struct dirent *entry;
	snprintf(path, sizeof(path), "/proc/%d/task", fixture.pid);
	tasks = opendir(path);
	while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
		char name[16];
		long long n;
		if (entry->d_name[0] == '.' ||
		    !read_thread(entry->d_name, name, &n))
			continue;
		if (atoi(entry->d_name) == fixture.pid)
			all.loop += n;
		else if (strncmp(name, "slabd-node", 10) == 0)
			all.crew += n;
	}
	if (tasks != NULL)
		closedir(tasks);
	return all;
}

/* ---- clients ------------------------------------------------------------- */

static void grower(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "orders", SIZE);
	struct slabd_stats stats = {0};
	long long n = 0;
	(void)arg;
	say(fd, 0);
	while (n < GROW_MIB * MIB / SIZE && slabd_alloc(cache) != NULL)
		n++;
	tap_is(n, GROW_MIB * MIB / SIZE, "a client grows to what it wants");
	slabd_get_stats(pool, &stats);
	tap_is((long long)stats.failures, 0, "and is never refused");
	slabd_close(pool);
}

/* Takes what there is, whoever comes and goes, until it is killed. */
static void hungry(int fd, void *arg)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_FORCE_NODE);
	slabd_pool *pool;
	slabd_cache *cache;
	(void)arg;
	options.wait_ms = 20;
	pool = slabd_open(NULL, &options);
	cache = pool ? slabd_cache_create(pool, "orders", SIZE, 0, 0) : NULL;
	if (cache == NULL)
		tap_bail("no pool: %s", slabd_last_error());
	say(fd, 0);
	for (;;)
		(void)slabd_alloc(cache);
}

/* ---- what happens -------------------------------------------------------- */

static void beside(void)
{
	struct child client;
	struct turns before;
	struct turns turns;
	struct faults was;
	struct faults is;
	long long pages = GROW_MIB * MIB / 4096;
	fixture_open(&fixture, POOL, 128ull);
	child_start(&client, grower, NULL);
	(void)hear(client.fd);
	(void)turns_read(&fixture, &before);
	was = read_faults();
	child_end(&client, "it ends well");
	is = read_faults();
	(void)turns_read(&fixture, &turns);
	turns_subtract(&turns, &before);
	tap_note("%llu turns, each below %llu us, 99.9 %% below %llu us",
	         (unsigned long long)turns.count,
	         (unsigned long long)turns_below_us(&turns),
	         (unsigned long long)turn_quantile_us(&turns, 999000));
	tap_note("faults: loop %lld, crew %lld", is.loop - was.loop,
	         is.crew - was.crew);
	/* Linux before 5.14 counts none, as nothing is touched. */
	if (is.crew == was.crew)
		tap_skip("the kernel counts no faults of theirs",
		         "pages were faulted in beside the loop");
	else
		tap_ok(is.crew - was.crew > pages / 2 &&
		               is.loop - was.loop < pages / 4,
		       "pages were faulted in beside the loop");
	fixture_audit(&fixture, "after that");
	tap_is(fixture_owned(&fixture), 0, "nobody has anything");
	fixture_close(&fixture);
}

/* Until so much more is ready than there was. */
static bool await_growth(long long was)
{
	double until = now_ms() + SURELY_MS;
	while (fixture_number(&fixture, "/nodes", READY) < was + 8 * MIB)
		if (now_ms() > until)
			return false;
	return true;
}

static void told_to_stop(void)
{
	struct child client;
	fixture_open(&fixture, POOL, 2048ull);
	child_start(&client, hungry, NULL);
	(void)hear(client.fd);
	tap_ok(await_growth(4 * MIB), "a client grows");
	fixture_close(&fixture);
	child_kill(&client);
}

static void killed(void)
{
	struct child client;
	long long ready = 4 * MIB;
	int status = 0;
	fixture_make(&fixture, POOL, 2048ull);
	keeper_open(&keeper, &fixture);
	tap_ok(keeper_start(&keeper, &fixture, &status) &&
	               fixture_ready(&fixture),
	       "slabd starts, and is kept");
	child_start(&client, hungry, NULL);
	(void)hear(client.fd);
	for (unsigned i = 0; i < ROUNDS; i++) {
		tap_ok(await_growth(ready), "a client grows");
		fixture_signal(&fixture, SIGKILL);
		fixture_wait(&fixture, SURELY_MS);
		keeper_catch_up(&keeper);
		tap_ok(keeper_start(&keeper, &fixture, &status) &&
		               fixture_ready(&fixture),
		       "slabd is killed, and another takes over");
		fixture_audit(&fixture, "while the client goes on");
		ready = fixture_number(&fixture, "/nodes", READY);
	}
	child_kill(&client);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "what the client had is free when it is dead");
	fixture_audit(&fixture, "in the end");
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
}

int main(void)
{
	tap_start(600);
	beside();
	told_to_stop();
	killed();
	return tap_end();
}
