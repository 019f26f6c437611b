/* SPDX-License-Identifier: MIT */
#include "tests/proc/deed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 500
#define SIZE 256
#define FILL_MAX 2000
#define LENT 40 /* two a slab */
#define LIMIT_MS 40000
#define SURELY_MS 15000
#define DEAD_MAX 4 /* each adoption sweeps them all, and has more to store */
#define SOME_MS 3000 /* a client that waits for more than there is, waits on */

struct bed deed_bed;
struct keeper deed_keeper;
struct tamper deed_tamper;

static unsigned serial; /* of the deed: each has a cache of its own */
static struct child watcher;

/* ---- clients ------------------------------------------------------------ */

static slabd_pool *open_pool(unsigned wait_ms)
{
	struct slabd_options options = bed_options(&deed_bed, SLABD_NO_HELPER);
	options.wait_ms = wait_ms;
	return slabd_open(NULL, &options);
}

/* slabd is well and alone with it; the machine may have other work. */
static slabd_pool *open_surely(unsigned wait_ms)
{
	double until = now_ms() + SURELY_MS;
	slabd_pool *pool;
	do
		pool = open_pool(wait_ms);
	while (pool == NULL && now_ms() < until);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

static void witness(int fd, void *arg)
{
	static uint64_t *kept[KEPT];
	slabd_pool *pool;
	slabd_cache *cache;
	(void)arg;
	/* What the manager drops is to be gone, and not be held here still. */
	for (unsigned i = 0; i < deed_keeper.n; i++)
		close(deed_keeper.kept[i].fd);
	pool = bed_pool(&deed_bed);
	cache = bed_cache(pool, "witness", SIZE);
	for (uint64_t i = 0; i < KEPT; i++) {
		kept[i] = slabd_alloc(cache);
		if (kept[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		*kept[i] = i * 77;
	}
	slabd_flush(pool);
	say(fd, slabd_client_id(pool));
	while (hear(fd) != 0) {
		uint64_t wrong = 0;
		for (uint64_t i = 0; i < KEPT; i++)
			wrong += *kept[i] != i * 77;
		say(fd, wrong);
	}
	slabd_close(pool);
}

static void newcomer(int fd, void *arg)
{
	slabd_pool *pool = open_pool(20);
	(void)fd;
	(void)arg;
	if (pool != NULL)
		slabd_close(pool);
}

static void creator(int fd, void *arg)
{
	slabd_pool *pool = open_pool(20);
	char name[32];
	(void)arg;
	snprintf(name, sizeof(name), "made-%u", serial);
	say(fd, pool != NULL);
	hear(fd);
	if (pool != NULL)
		slabd_cache_create(pool, name, 5000, 0, 0);
	_exit(0);
}

static void grower(int fd, void *arg)
{
	slabd_pool *pool = open_pool(3000);
	slabd_cache *cache;
	char name[32];
	(void)arg;
	snprintf(name, sizeof(name), "grown-%u", serial);
	cache = pool == NULL ? NULL
	                     : slabd_cache_create(pool, name, 30000, 0, 0);
	say(fd, cache != NULL);
	hear(fd);
	for (int i = 0; cache != NULL && i < 12; i++)
		if (slabd_alloc(cache) == NULL)
			break;
	_exit(0);
}

static slabd_cache *sized(slabd_pool *pool, const char *what, unsigned n,
                          bool large)
{
	char name[32];
	snprintf(name, sizeof(name), "%s-%u", what, n);
	return slabd_cache_create(pool, name, large ? 200000 : 30000, 0, 0);
}

static slabd_cache *sized_surely(slabd_pool *pool, const char *what, unsigned n,
                                 bool large)
{
	double until = now_ms() + SURELY_MS;
	slabd_cache *cache;
	do
		cache = sized(pool, what, n, large);
	while (cache == NULL && now_ms() < until);
	if (cache == NULL)
		tap_bail("no cache: %s", slabd_last_error());
	return cache;
}

/* All memory is slabs of one cache, and empty; another one needs some. Now the
 * one has slabs of several units, now the other. */
static void taker(int fd, void *arg)
{
	static void *all[FILL_MAX];
	slabd_pool *pool = open_surely(20);
	bool large = serial % 2 == 0;
	slabd_cache *cache = sized_surely(pool, "filler", large, large);
	size_t n = 0;
	(void)arg;
	while (n < FILL_MAX && (all[n] = slabd_alloc(cache)) != NULL)
		n++;
	if (n == FILL_MAX)
		tap_bail("the filler never ends");
	slabd_free_bulk(cache, n, all);
	slabd_flush(pool);
	say(fd, 1);
	hear(fd);
	cache = sized(pool, "taken", serial, !large);
	for (int i = 0; cache != NULL && i < 2; i++)
		slabd_alloc(cache);
	_exit(0);
}

/* Takes all that the thread's node has, in as few objects as can be; and gives
 * it back. */
static void fill_up(slabd_pool *pool, bool empties)
{
	static const size_t sizes[] = {2000000, 200000, 30000};
	for (int i = 0; i < 3; i++) {
		char name[32];
		void *object = NULL;
		void **last = NULL;
		slabd_cache *cache;
		snprintf(name, sizeof(name), "ballast-%d", i);
		cache = slabd_cache_create(pool, name, sizes[i], 0,
		                           SLABD_CACHE_STRICT);
		/* Each holds the one before. */
		while (cache != NULL && (object = slabd_alloc(cache)) != NULL) {
			*(void **)object = last;
			last = object;
		}
		for (; empties && last != NULL; last = object) {
			object = *last;
			slabd_free(cache, last);
		}
	}
	slabd_flush(pool);
}

/* Its node has no memory left, and the other slabs with room in them. */
static void borrower(int fd, void *arg)
{
	static void *all[FILL_MAX];
	slabd_pool *pool = open_surely(20);
	slabd_cache *cache = sized_surely(pool, "lent", serial, false);
	size_t n = 0;
	(void)arg;
	slabd_thread_node(pool, 0);
	n = slabd_alloc_bulk(cache, LENT, all);
	slabd_free_bulk(cache, n, all);
	slabd_flush(pool);
	slabd_thread_node(pool, 1);
	fill_up(pool, false);
	say(fd, n);
	hear(fd);
	for (int i = 0; i < 6; i++)
		slabd_alloc(cache);
	_exit(0);
}

/* A node with pages that nobody uses is to be emptied: its slabs go, and its
 * pages back to the kernel. */
static void drainer(int fd, void *arg)
{
	slabd_pool *pool = open_surely(20);
	(void)arg;
	bed_post(&deed_bed, "/undrain", "node=1");
	slabd_thread_node(pool, 1);
	fill_up(pool, true);
	say(fd, 1);
	hear(fd);
	bed_post(&deed_bed, "/drain", "node=1");
	_exit(0);
}

/* Says when it owns something, and is then killed. */
static void victim(int fd, void *arg)
{
	slabd_pool *pool = open_pool(20);
	slabd_cache *cache = pool == NULL ? NULL
	                                  : slabd_cache_create(pool, "witness",
	                                                       SIZE, 0, 0);
	(void)arg;
	for (int i = 0; cache != NULL && i < 50; i++)
		slabd_alloc(cache);
	say(fd, 1);
	hear(fd);
}

const struct deed deeds[DEEDS] = {
	{.name = "start", .is_start = true, .fresh = true},
	{.name = "take over", .is_start = true},
	{.name = "take over from the dead", victim, .is_start = true},
	{.name = "let in", newcomer},
	{.name = "make a cache", creator, .waits = true},
	{.name = "carve", grower, .waits = true},
	{.name = "empty slabs", taker, .waits = true},
	{.name = "lend", borrower, .waits = true},
	{.name = "drain", drainer, .waits = true},
	{.name = "bury", victim, .waits = true, .is_death = true},
};

/* ---- once --------------------------------------------------------------- */

static double began;
static double quiet_since;
static uint64_t quiet_stops;
static pid_t doer;

static bool ready(void *arg)
{
	(void)arg;
	keeper_hear(&deed_keeper, 0);
	return deed_keeper.ready || now_ms() - began > LIMIT_MS;
}

/* Whether a process sleeps or has ended; one that has no processor to run on
 * does not. */
static bool is_still(pid_t pid)
{
	char path[40];
	char line[128] = "";
	const char *at = NULL;
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return true;
	if (fgets(line, sizeof(line), file) != NULL)
		at = strrchr(line, ')');
	fclose(file);
	return at != NULL && (at[2] == 'S' || at[2] == 'Z');
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) <
	               0 ||
	       info.si_pid == pid;
}

/* The client has done its part, where slabd is not slow, and slabd, which sleeps
 * in its loop, has not stopped for a while; of a death it may not have been told
 * yet. */
static bool idle(void *arg)
{
	double now = now_ms();
	(void)arg;
	while (keeper_hear(&deed_keeper, 0))
		continue;
	if (deed_tamper.stops != quiet_stops) {
		quiet_stops = deed_tamper.stops;
		quiet_since = now;
	}
	return now - began > LIMIT_MS ||
	       (now - quiet_since > (deed_tamper.seen == 0 ? 200 : 60) &&
	        is_still(deed_tamper.pid) && (doer == 0 || is_still(doer)) &&
	        (deed_tamper.act != TAMPER_FAIL || has_ended(doer) ||
	         now - began > SOME_MS));
}

/* It has started, and has seen to whoever died meanwhile. */
static bool settled(void *arg)
{
	return idle(arg) && ready(arg);
}

static void forget_pool(void)
{
	struct keeper next;
	keeper_close(&deed_keeper);
	keeper_open(&next, &deed_bed);
	deed_keeper = next;
}

static enum tamper_end start_traced(void)
{
	keeper_spawn(&deed_keeper, &deed_bed, tamper_begin);
	deed_tamper.pid = deed_bed.pid;
	tamper_take(&deed_tamper);
	quiet_stops = 0;
	quiet_since = now_ms();
	return tamper_run(&deed_tamper);
}

/* Until the dead of earlier deeds have had their second sweep. */
static void bury_all(void)
{
	double until = now_ms() + 5000;
	size_t n;
	do {
		json_t *doc = bed_get(&deed_bed, "/clients");
		n = json_array_size(json_at(doc, "pools.0.clients"));
		json_decref(doc);
		sleep_ms(5);
	} while (n != 1 && now_ms() < until);
}

static enum tamper_end traced_start(const struct deed *deed)
{
	struct child child;
	doer = 0;
	if (deed->fresh)
		forget_pool();
	if (deed->client != NULL) {
		deed_start_again(deed->name);
		if (serial % DEAD_MAX == 0)
			bury_all();
		child_start(&child, deed->client, NULL);
		hear(child.fd);
		deed_stop();
		child_kill(&child);
	}
	deed_tamper.done = deed->client != NULL ? settled : ready;
	return start_traced();
}

static enum tamper_end traced_deed(const struct deed *deed)
{
	enum tamper_end end;
	struct child child;
	if (deed->waits) {
		child_start(&child, deed->client, NULL);
		hear(child.fd);
	}
	deed_tamper.pid = deed_bed.pid;
	deed_tamper.done = idle;
	tamper_seize(&deed_tamper);
	quiet_stops = 0;
	quiet_since = now_ms();
	if (!deed->waits)
		child_start(&child, deed->client, NULL);
	else if (deed->is_death)
		kill(child.pid, SIGKILL);
	else
		say(child.fd, 1);
	doer = child.pid;
	end = tamper_run(&deed_tamper);
	child_kill(&child);
	return end;
}

static void reset(uint64_t at)
{
	began = now_ms();
	deed_tamper.at = at;
	deed_tamper.seen = deed_tamper.stops = 0;
	deed_tamper.met = deed_tamper.counting = false;
}

enum tamper_end deed_do(const struct deed *deed, uint64_t at)
{
	enum tamper_end end;
	serial++;
	reset(at);
	end = deed->is_start ? traced_start(deed) : traced_deed(deed);
	if (end != TAMPER_DONE || deed_tamper.act == TAMPER_KILL_STORE)
		deed_bed.pid = 0;
	if (now_ms() - began > LIMIT_MS)
		tap_bail("%s, point %llu (call %ld): no end of it", deed->name,
		         (unsigned long long)at, deed_tamper.call);
	keeper_catch_up(&deed_keeper);
	return end;
}

/* ---- before and after --------------------------------------------------- */

bool deed_start_cut(uint64_t at)
{
	enum tamper_act act = deed_tamper.act;
	enum tamper_end end;
	reset(at);
	deed_tamper.act = TAMPER_KILL_STORE;
	deed_tamper.done = ready;
	end = start_traced();
	deed_bed.pid = 0;
	if (end == TAMPER_ENDED)
		tap_bail("slabd does not take over: status 0x%x",
		         deed_tamper.status);
	keeper_catch_up(&deed_keeper);
	deed_tamper.act = act;
	return end == TAMPER_MET;
}

void deed_start_again(const char *what)
{
	int status = 0;
	if (!keeper_start(&deed_keeper, &deed_bed, &status))
		tap_bail("%s: slabd does not start again: status 0x%x", what,
		         status);
}

void deed_stop(void)
{
	if (deed_bed.pid == 0)
		return;
	bed_signal(&deed_bed, SIGKILL);
	bed_wait(&deed_bed, 5000);
	keeper_catch_up(&deed_keeper);
}

bool deed_exact(const struct deed *deed, const char *what)
{
	bool good = bed_until(&deed_bed, "/audit", "pools.0.owned",
	                      deed->fresh ? 0 : KEPT, 3000) >= 0;
	json_t *doc = bed_get(&deed_bed, "/audit");
	good = good && json_is_true(json_at(doc, "agree"));
	if (good && !deed->fresh) {
		say(watcher.fd, 1);
		good = hear(watcher.fd) == 0;
	}
	if (!good) {
		char *text = doc != NULL ? json_dumps(doc, 0) : NULL;
		tap_note("%s: %s", what, text != NULL ? text : "no answer");
		free(text);
	}
	json_decref(doc);
	return good;
}

void deed_open(void)
{
	bed_make(&deed_bed, DEED_CONFIG);
	keeper_open(&deed_keeper, &deed_bed);
}

void deed_close(void)
{
	keeper_close(&deed_keeper);
	bed_remove(&deed_bed);
}

void deed_prepare(const struct deed *deed)
{
	if (deed->fresh)
		return;
	deed_start_again(deed->name);
	child_start(&watcher, witness, NULL);
	hear(watcher.fd);
	if (deed->is_start)
		deed_stop();
}

void deed_finish(const struct deed *deed)
{
	if (!deed->fresh) {
		say(watcher.fd, 0);
		child_end(&watcher, "the witness ends well");
	}
	deed_stop();
	forget_pool();
}
