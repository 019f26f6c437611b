/* SPDX-License-Identifier: MIT */
/*
 * slabd under a service manager that does not read, or has no room: it serves on,
 * believes nothing that was not confirmed, and the next start succeeds.
 */
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/keeper.h"
#include "tests/lib/super.h"
#include "tests/lib/turns.h"

#define POOL(name) "[pool " name "]\npage = 4k\nstart = 2M\nmax = 16M\n"
#define TWO POOL("default") POOL("second")
#define HUGE POOL("default") "[pool second]\npage = 2m\nstart = 4M\nmax = 16M\n"
#define FEW POOL("default") "max_clients = 5\n"
#define CLIENTS 100u
#define SETTLED 3u /* descriptors a client, when all is told */
#define BIG 4096u
#define BIGS 1000u /* more than is there at first */
#define ONE_POOL 7u /* with its ledger, the sockets, and one more */

static struct fixture fixture;
static struct keeper keeper;

static void *bigs[BIGS];

/* ---- clients ------------------------------------------------------------- */

static slabd_pool *open_pool(const char *name)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	return slabd_open(name, &options);
}

static uint64_t pattern(uint64_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15);
}

struct crowd {
	slabd_pool *pool[CLIENTS];
	uint64_t *object[CLIENTS];
	unsigned n;
};

/* Each a client of its own, with an object. */
static void join(struct crowd *crowd, const char *name, unsigned n)
{
	while (crowd->n < n) {
		slabd_pool *pool = open_pool(name);
		slabd_cache *cache;
		if (pool == NULL) {
			tap_note("%s", slabd_last_error());
			break;
		}
		cache = fixture_cache(pool, "things", 64);
		crowd->object[crowd->n] = slabd_alloc(cache);
		if (crowd->object[crowd->n] == NULL)
			break;
		*crowd->object[crowd->n] = pattern(crowd->n);
		crowd->pool[crowd->n++] = pool;
	}
}

static unsigned n_right(const struct crowd *crowd)
{
	unsigned n = 0;
	for (unsigned i = 0; i < crowd->n; i++)
		n += *crowd->object[i] == pattern(i);
	return n;
}

/* How many slabd knows, each asking for it. */
static unsigned n_known(const struct crowd *crowd)
{
	unsigned n = 0;
	for (unsigned i = 0; i < crowd->n; i++)
		n += slabd_cache_create(crowd->pool[i], "more", 32, 0, 0) !=
		     NULL;
	return n;
}

/* Says how many came, then how many are right and how many are known, each time
 * that it is asked; 0 ends it. */
struct order {
	const char *pool;
	unsigned n;
};

static void members(int fd, void *arg)
{
	static struct crowd crowd;
	const struct order *order = arg;
	join(&crowd, order->pool, order->n);
	say(fd, crowd.n);
	while (hear(fd) != 0) {
		say(fd, n_right(&crowd));
		say(fd, n_known(&crowd));
	}
	for (unsigned i = 0; i < crowd.n; i++)
		slabd_close(crowd.pool[i]);
}

static void start_members(struct child *child, const char *pool, unsigned n)
{
	static struct order order;
	order = (struct order){pool, n};
	child_start(child, members, &order);
	tap_is((long long)hear(child->fd), n, "%u clients get in", n);
}

/* Whether all have their objects, and are clients or else have heard that they
 * are none. */
static void check_members(struct child *child, unsigned n, unsigned known,
                          const char *when)
{
	say(child->fd, 1);
	tap_is((long long)hear(child->fd), n, "%s: their objects are as they "
	       "wrote them", when);
	tap_is((long long)hear(child->fd), known, "%s: %u are clients", when,
	       known);
}

static void end_members(struct child *child)
{
	say(child->fd, 0);
	child_end(child, "they end well");
}

/* ---- slabd --------------------------------------------------------------- */

static void begin(const char *config, unsigned room)
{
	fixture_make(&fixture, "%s", config);
	keeper_open(&keeper, &fixture);
	keeper.room = room;
}

static void start(const char *when)
{
	int status = 0;
	bool up = keeper_start(&keeper, &fixture, &status);
	tap_ok(up && fixture_ready(&fixture), "%s: slabd starts", when);
	if (!up)
		tap_bail("status 0x%x", status);
}

static void kill_slabd(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
}

static bool owes_nothing(void)
{
	char ledgers[80];
	glob_t left = {0};
	int r;
	snprintf(ledgers, sizeof(ledgers), "%s/*.ledger", fixture.dir);
	r = glob(ledgers, 0, NULL, &left);
	globfree(&left);
	return r == GLOB_NOMATCH;
}

static void end(void)
{
	int status = -1;
	fixture_signal(&fixture, SIGTERM);
	for (double until = now_ms() + SURELY_MS;
	     status < 0 && now_ms() < until; status = fixture_wait(&fixture, 0))
		keeper_hear(&keeper, 1);
	tap_is(status, 0, "slabd ends well");
	keeper_close(&keeper);
	tap_ok(fixture_huge_back(&fixture) && owes_nothing(),
	       "and leaves no more hugepages than before, and no ledger");
	fixture_remove(&fixture);
}

static bool hears_until(unsigned n)
{
	for (double until = now_ms() + SURELY_MS;
	     keeper.n != n && now_ms() < until;)
		keeper_hear(&keeper, 20);
	tap_note("%u descriptors kept", keeper.n);
	return keeper.n == n;
}

/* ---- tests --------------------------------------------------------------- */

static void grower(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "big", BIG);
	(void)fd;
	(void)arg;
	tap_is((long long)fixture_take(cache, BIGS, bigs), BIGS,
	       "the pool grows");
	slabd_close(pool);
}

static void grow(void)
{
	struct child child;
	child_start(&child, grower, NULL);
	child_end(&child, "who has it grow ends well");
}

/* Of what was told little was read when slabd is killed: a newcomer is known by
 * its row alone. */
static void test_crowd(void)
{
	struct child child;
	struct turns turns;
	unsigned before;
	begin(POOL("default"), KEEPER_MAX);
	start("a manager that reads");
	keeper_catch_up(&keeper);
	before = keeper.n;
	start_members(&child, NULL, CLIENTS);
	grow();
	tap_ok(turns_read(&fixture, &turns), "and slabctl is answered");
	tap_note("no turn took %llu us",
	         (unsigned long long)turns_below_us(&turns));
	check_members(&child, CLIENTS, CLIENTS, "while the manager is silent");
	tap_ok(hears_until(before + SETTLED * CLIENTS),
	       "it reads again: each client is kept, and its connection");
	end_members(&child);
	tap_ok(hears_until(before), "and is not when it ended");
	start_members(&child, NULL, CLIENTS);
	kill_slabd();
	tap_note("%u of %u descriptors kept", keeper.n - before,
	         SETTLED * CLIENTS);
	start("killed before the manager read of its clients");
	check_members(&child, CLIENTS, CLIENTS, "after that");
	fixture_audit(&fixture, "after that");
	tap_ok(hears_until(before + SETTLED * CLIENTS), "and all are kept");
	kill_slabd();
	child_kill(&child);
	start("they end while there is none");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0,
	       "it learns of that");
	fixture_audit(&fixture, "after their end");
	end();
}

/* All that happens while the supervisor stands still. */
static void test_stopped(void)
{
	struct child child;
	pid_t slabd;
	unsigned before;
	fixture_make(&fixture, "%s", POOL("default"));
	slabd = super_start(&fixture);
	before = count_fds(fixture.pid, 0);
	fixture_halt(&fixture);
	start_members(&child, NULL, CLIENTS);
	grow();
	check_members(&child, CLIENTS, CLIENTS, "the supervisor is stopped");
	fixture_signal(&fixture, SIGCONT);
	tap_is(count_fds(fixture.pid, before + SETTLED * CLIENTS),
	       before + SETTLED * CLIENTS, "it goes on, and keeps them all");
	slabd = super_kill(&fixture, slabd);
	check_members(&child, CLIENTS, CLIENTS, "slabd is killed then");
	fixture_halt(&fixture);
	kill(slabd, SIGKILL);
	sleep_ms(20);
	fixture_signal(&fixture, SIGCONT);
	slabd = super_next(&fixture, slabd);
	check_members(&child, CLIENTS, CLIENTS, "and while it is stopped");
	end_members(&child);
	fixture_audit(&fixture, "after that");
	super_stop(&fixture, slabd, "with a supervisor that stood still");
	fixture_remove(&fixture);
	super_end();
}

/* It starts without an answer, and the next one on what was read of it. */
static void test_start(void)
{
	struct child child;
	begin(POOL("default"), KEEPER_MAX);
	keeper_spawn(&keeper, &fixture, NULL);
	tap_ok(fixture_ready(&fixture), "a silent manager: slabd starts");
	tap_ok(fixture_logged(&fixture, "has not confirmed what it keeps") &&
	               fixture_logged(&fixture, "pool default: it is not known "
	                                        "whether"),
	       "and says what it does not know");
	start_members(&child, NULL, CLIENTS);
	kill_slabd();
	tap_note("%u descriptors kept", keeper.n);
	start("killed then");
	check_members(&child, CLIENTS,
	              fixture_logged(&fixture, "not kept all of it") ? 0
	                                                             : CLIENTS,
	              "after that");
	end_members(&child);
	start_members(&child, NULL, 2);
	end_members(&child);
	fixture_audit(&fixture, "after that");
	end();
}

static void test_full(void)
{
	struct child first;
	struct child second;
	begin(TWO, ONE_POOL);
	start("a store with room for one pool");
	tap_ok(fixture_logged(&fixture, "pool second: not all of it is kept") &&
	               !fixture_logged(&fixture, "pool default: not all"),
	       "the other one is said");
	start_members(&first, NULL, 2);
	start_members(&second, "second", 2);
	kill_slabd();
	tap_is(keeper.n, ONE_POOL, "nothing of the other is kept");
	start("killed then");
	check_members(&first, 2, 2, "of the pool that was kept");
	check_members(&second, 2, 0, "of the other");
	end_members(&second);
	start_members(&second, "second", 2);
	end_members(&second);
	end_members(&first);
	fixture_audit(&fixture, "after that");
	end();
}

static void note_pages(void)
{
	json_t *doc = fixture_get(&fixture, "/nodes");
	const char *kind =
		json_string_value(json_at(doc, "pools.1.nodes.0.backing"));
	tap_note("pages of the other pool: %s", kind != NULL ? kind : "?");
	json_decref(doc);
}

/* A file of a pool that was kept is not there. Its ledger knows what the system
 * has more of for it. */
static void test_missing(const char *config, const char *name)
{
	struct child first;
	struct child second;
	char what[64];
	unsigned at = 0;
	begin(config, KEEPER_MAX);
	start("a store with room");
	note_pages();
	start_members(&first, NULL, 2);
	start_members(&second, "second", 2);
	kill_slabd();
	snprintf(what, sizeof(what), "slabd.pool.second.%s", name);
	while (at < keeper.n && strcmp(keeper.kept[at].name, what) != 0)
		at++;
	if (at == keeper.n)
		tap_bail("%s is not kept", what);
	close(keeper.kept[at].fd);
	keeper.kept[at] = keeper.kept[--keeper.n];
	start(what);
	tap_ok(fixture_logged(&fixture, "pool second: the service manager has "
	                                "not kept all of it"),
	       "and says which pool is made anew");
	check_members(&first, 2, 2, "of the pool that was kept");
	check_members(&second, 2, 0, "of the other");
	end_members(&second);
	start_members(&second, "second", 2);
	end_members(&second);
	end_members(&first);
	fixture_audit(&fixture, "after that");
	end();
}

/* The same of a pool for which hugepages are added to the system. Beside free
 * ones of others those that are in use go at a later start. */
static void test_missing_huge(const char *name)
{
	char line[128];
	long spare = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "HugePages_Free: %ld", &spare) == 1)
			break;
	if (file != NULL)
		fclose(file);
	if (spare == 0)
		test_missing(HUGE, name);
	else
		tap_skip("there are free hugepages",
		         "hugepages of a pool without its %s", name);
}

/* More live on than may come in: they come back, by connecting, as the manager
 * keeps no connection of theirs. */
static void test_fewer(void)
{
	struct child child;
	slabd_pool *pool;
	FILE *file;
	begin(POOL("default"), ONE_POOL);
	start("a store with room for the pool alone");
	start_members(&child, NULL, CLIENTS);
	kill_slabd();
	file = fopen(fixture.config, "w");
	if (file == NULL || fputs(FEW, file) < 0 || fclose(file) != 0)
		tap_bail("%s: %s", fixture.config, strerror(errno));
	start("max_clients is lowered");
	check_members(&child, CLIENTS, CLIENTS, "after that");
	pool = open_pool(NULL);
	fixture_fails(pool == NULL, EAGAIN, "one more");
	tap_ok(strstr(slabd_last_error(), "raise max_clients") != NULL,
	       "and hears what to raise");
	end_members(&child);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0,
	       "they are gone");
	start_members(&child, NULL, 5);
	end_members(&child);
	fixture_audit(&fixture, "after that");
	end();
}

/* A manager that starts a second slabd while the first lives: that one ends, and
 * nothing of the pool is touched. */
static void test_second(void)
{
	struct child child;
	pid_t first;
	int status = 0;
	begin(POOL("default"), KEEPER_MAX);
	start("one slabd");
	start_members(&child, NULL, 2);
	first = fixture.pid;
	tap_ok(!keeper_start(&keeper, &fixture, &status) &&
	               WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "a second one with what is kept does not start");
	tap_ok(fixture_logged(&fixture, "pool default: another slabd, pid "),
	       "and says which serves the pool");
	fixture.pid = first;
	check_members(&child, 2, 2, "the first serves on");
	end_members(&child);
	start_members(&child, NULL, 2);
	end_members(&child);
	fixture_audit(&fixture, "after that");
	end();
}

int main(void)
{
	static const char *const files[] = {"control", "shared", "node0"};
	tap_start(600);
	test_crowd();
	test_stopped();
	test_start();
	test_full();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		test_missing(TWO, files[i]);
	test_missing_huge("node0");
	test_missing_huge("ledger");
	test_fewer();
	test_second();
	return tap_end();
}
