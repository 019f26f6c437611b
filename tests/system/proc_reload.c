/* SPDX-License-Identifier: MIT */
/* SIGHUP under a real slabd: what holds at once, what waits, what is refused; and
 * clients that notice none of it. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/churn.h"
#include "tests/lib/doctor.h"
#include "tests/lib/keeper.h"
#include "tests/lib/super.h"

#define HEAD "[slabd]\ntopology = node:1 core:2 pu:1\n"
#define POOL "[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"
#define CONFIG HEAD POOL
#define HELD 3000
#define RELOADS 60
#define FLOOD 3000

static struct fixture fixture;
static struct keeper keeper;
static unsigned n_read; /* files that slabd has read again since its start */

/* ---- what slabd says -------------------------------------------------------- */

/* How often its log has a text. */
static unsigned times(const char *text)
{
	static char line[8192];
	FILE *log = fopen(fixture.log, "r");
	unsigned n = 0;
	while (log != NULL && fgets(line, sizeof(line), log) != NULL)
		n += strstr(line, text) != NULL;
	if (log != NULL)
		fclose(log);
	return n;
}

static bool comes(const char *text, unsigned n)
{
	double until = now_ms() + SURELY_MS;
	while (times(text) < n) {
		if (now_ms() > until)
			return false;
		sleep_ms(2);
	}
	return true;
}

static void write_to(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		tap_bail("can't write %s", path);
}

/* Has slabd read the file with that text, and waits until it has. */
static void reload(const char *config)
{
	write_to(fixture.config, config);
	fixture_signal(&fixture, SIGHUP);
	if (!comes("was read again", ++n_read))
		tap_bail("slabd does not read its file again");
}

static void start(const char *config)
{
	n_read = 0;
	fixture_open(&fixture, "%s", config);
}

static slabd_pool *try_open(void)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	return slabd_open(NULL, &options);
}

static bool is_text(const char *path, const char *at, const char *want)
{
	json_t *doc = fixture_get(&fixture, path);
	const char *is = json_string_value(json_at(doc, at));
	bool same = is != NULL && strcmp(is, want) == 0;
	if (!same)
		tap_note("%s of %s is %s", at, path, is != NULL ? is : "none");
	json_decref(doc);
	return same;
}

/* ---- at once ------------------------------------------------------------------ */

static void test_limits(void)
{
	slabd_pool *pool[3];
	start(CONFIG "max_clients = 1\n");
	pool[0] = try_open();
	fixture_fails(try_open() == NULL, EAGAIN, "one client is let in");
	reload(CONFIG "max_clients = 3\n");
	tap_ok(fixture_logged(&fixture, "max_clients 1 -> 3"),
	       "the key is said, with both values");
	pool[1] = try_open();
	pool[2] = try_open();
	tap_ok(pool[0] != NULL && pool[1] != NULL && pool[2] != NULL,
	       "three are from then on");
	reload(CONFIG "max_clients = 1\nmax_caches = 1\n");
	fixture_cache(pool[2], "one", 64);
	fixture_fails(slabd_cache_create(pool[2], "two", 64, 0, 0) == NULL,
	              ENOSPC, "a lower max_caches holds");
	for (int i = 0; i < 3; i++)
		slabd_close(pool[i]);
	fixture_audit(&fixture, "with other limits");
	fixture_close(&fixture);
}

static void test_balance(void)
{
	start(CONFIG);
	fixture_post(&fixture, "/set", "key=idle&value=7s");
	reload(CONFIG "[balance]\nhold = 3s\n");
	tap_ok(fixture_logged(&fixture, "[balance] hold 1s -> 3s, [balance] "
	                                "idle 7s -> 1m"),
	       "keys of [balance] are said, and what slabctl had set");
	tap_ok(is_text("/set", "pools.0.keys.3.value", "3s") &&
	               is_text("/set", "pools.0.keys.3.configured", "3s"),
	       "and hold");
	reload(HEAD "log_level = debug\n" POOL);
	tap_ok(fixture_logged(&fixture, "log_level info -> debug"),
	       "so does the level of the log");
	reload(HEAD "log_level = warn\n" POOL);
	tap_ok(fixture_logged(&fixture, "log_level debug -> warn"),
	       "one that shows less from then on is said as well");
	write_to(fixture.config, CONFIG "max_roots = 7\n");
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("log_level warn -> info, ", 1),
	       "and one that shows it again");
	fixture_close(&fixture);
}

/* The pool may take less from now on, and then what it could before. */
static void test_max(void)
{
	static void *all[512];
	slabd_pool *pool;
	slabd_cache *cache;
	size_t less;
	size_t more;
	start(CONFIG);
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "large", 65536);
	reload(HEAD "[pool default]\npage = 4k\nstart = 4M\nmax = 8M\n");
	less = fixture_take(cache, 100, all);
	while (less < 512 && (all[less] = slabd_alloc(cache)) != NULL)
		less++;
	tap_ok(less > 90 && less <= 128, "8 MiB are %zu objects", less);
	reload(CONFIG);
	more = less + fixture_take(cache, 40, all + less);
	tap_is((long long)more, (long long)less + 40, "and more with 16 MiB");
	slabd_free_bulk(cache, more, all);
	slabd_close(pool);
	fixture_audit(&fixture, "with a max to and fro");
	fixture_close(&fixture);
}

/* ---- later -------------------------------------------------------------------- */

static void test_waits(void)
{
	char config[1024];
	start(CONFIG);
	snprintf(config, sizeof(config),
	         "%swatchdog = off\nreserve_hugepages = no\n"
	         "[pool default]\npage = thp\nstart = 8M\nmax = 64M\n"
	         "[pool more]\npage = 4k\nstart = 2M\nmax = 4M\n", HEAD);
	reload(config);
	comes("waits for a restart of slabd", 1);
	tap_ok(fixture_logged(&fixture, "waits for a restart of slabd: [slabd] "
	                                "reserve_hugepages yes -> no, [slabd] "
	                                "watchdog 30s -> off, [pool more] is "
	                                "new, [pool default] start 4 MiB -> "
	                                "8 MiB; waits for a pool made anew"),
	       "the log says what waits for a restart");
	tap_ok(fixture_logged(&fixture, "[pool default] max 16 MiB -> 64 MiB, "
	                                "[pool default] page 4k -> thp"),
	       "and what for a pool made anew");
	tap_ok(doctor_says(&fixture, "watchdog = off in slabd.conf waits for a "
	                             "start of slabd", "soon"),
	       "doctor has what waits for a restart");
	tap_ok(doctor_says(&fixture, "page = thp in slabd.conf waits for a pool "
	                             "made anew", "soon"),
	       "and what for a pool made anew");
	tap_ok(is_text("/status", "config.waiting.2.what", "[pool more]") &&
	               is_text("/status", "pools.0.waiting.0.key", "max"),
	       "status has both");
	fixture_audit(&fixture, "while something waits");
	reload(CONFIG);
	tap_ok(!doctor_says(&fixture, "waits", "soon"),
	       "with the file as it was nothing waits");
	fixture_close(&fixture);
}

/* ---- refused ------------------------------------------------------------------ */

static void refuse(const char *config, unsigned n, const char *says)
{
	write_to(fixture.config, config);
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("is not used, see above", n) &&
	               fixture_logged(&fixture, says),
	       "refused: %s", says);
}

static void test_refused(void)
{
	char path[200];
	start(CONFIG "max_clients = 2\n");
	refuse(CONFIG "max_clients = 5\nmax_cliques = 4\n", 1,
	       "max_cliques");
	refuse(CONFIG "floor = 32M\n", 2, "contradicts key");
	refuse("nonsense", 3, "neither a section nor key");
	refuse(HEAD "topology = nonsense\n", 4, "there twice");
	refuse("[slabd]\ntopology = nonsense\n", 5, "not an hwloc");
	tap_ok(doctor_says(&fixture, "not an hwloc", "soon"),
	       "doctor says what is wrong with it");
	unlink(fixture.config);
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("is not used, see above", 6) &&
	               fixture_logged(&fixture, "No such file"),
	       "so is a file that is gone");
	tap_is(times("max_clients 2 -> "), 0, "nothing of them was applied");
	reload(CONFIG "max_clients = 2\n");
	tap_ok(!doctor_says(&fixture, "errors", "soon"), "and once it is there");
	snprintf(path, sizeof(path), "%s.d", fixture.config);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s.d/90.conf", fixture.config);
	write_to(path, "[pool default]\nmax_clients = 9\n");
	reload(CONFIG "max_clients = 2\n");
	tap_ok(fixture_logged(&fixture, "max_clients 2 -> 9"),
	       "drop-ins are read, too");
	unlink(path);
	path[strlen(path) - strlen("/90.conf")] = '\0';
	rmdir(path);
	fixture_close(&fixture);
}

/* ---- those who allocate meanwhile --------------------------------------------- */

static void churner(int fd, void *arg)
{
	struct churn churn;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "churn", 200);
	void *held[HELD];
	(void)arg;
	tap_is((long long)fixture_take(cache, HELD, held), HELD,
	       "a client has objects");
	churn_start(&churn, pool, cache, 2);
	say(fd, 1);
	hear(fd);
	tap_is(churn_end(&churn), 0, "its objects are as it left them");
	slabd_free_bulk(cache, HELD, held);
	slabd_close(pool);
}

static void test_clients(void)
{
	static const char *const configs[] = {
		"[balance]\nenabled = no\n" CONFIG "max_clients = 2\nfloor = 0\n",
		HEAD "[pool default]\npage = 2m\nstart = 2M\nmax = 12M\n",
		"[balance]\nhold = 50ms\nidle = 1s\npressure = off\n" CONFIG,
	};
	char config[1024];
	struct child child[2];
	long long before;
	start(CONFIG);
	before = fixture_number(&fixture, "/status", "pid");
	for (int i = 0; i < 2; i++)
		child_start(&child[i], churner, NULL);
	for (int i = 0; i < 2; i++)
		hear(child[i].fd);
	/* Seen by a key, as the log leaves lines out where there are many. */
	for (unsigned i = 0; i < RELOADS; i++) {
		snprintf(config, sizeof(config), "%smax_roots = %u\n",
		         configs[i % 3], 100 + i);
		write_to(fixture.config, config);
		fixture_signal(&fixture, SIGHUP);
		if (fixture_until(&fixture, "/roots", "pools.0.most", 100 + i,
		                  SURELY_MS) < 0)
			tap_bail("reload %u does nothing", i);
	}
	for (int i = 0; i < 2; i++) {
		say(child[i].fd, 1);
		child_end(&child[i], "the client ends well");
	}
	tap_is(fixture_number(&fixture, "/status", "pid"), before,
	       "slabd is the same");
	fixture_audit(&fixture, "after all of it");
	fixture_close(&fixture);
}

static void test_flood(void)
{
	unsigned fds;
	start(CONFIG);
	reload(CONFIG);
	fds = count_fds(fixture.pid, 0);
	for (unsigned i = 0; i < FLOOD; i++)
		fixture_signal(&fixture, SIGHUP);
	tap_ok(fixture_number(&fixture, "/status", "pid") == fixture.pid,
	       "slabd answers in a flood of signals");
	write_to(fixture.config, CONFIG "max_clients = 77\n");
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("-> 77", 1), "and the last one counts");
	tap_is(count_fds(fixture.pid, fds), fds, "no descriptor is left open");
	fixture_close(&fixture);
}

/* ---- what outlives it ---------------------------------------------------------- */

/* What a reload applied is what slabd ran with before. */
static void test_kept(void)
{
	int status;
	fixture_make(&fixture, "%s", CONFIG "max_clients = 2\n");
	keeper_open(&keeper, &fixture);
	n_read = 0;
	tap_ok(keeper_start(&keeper, &fixture, &status), "slabd is kept");
	reload(CONFIG "max_clients = 5\n");
	refuse(CONFIG "max_cliques = 5\n", 1, "max_cliques");
	keeper_catch_up(&keeper);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
	tap_ok(keeper_start(&keeper, &fixture, &status),
	       "with a faulty file it starts again");
	tap_ok(doctor_says(&fixture, "has errors, and slabd goes on with what "
	                             "it ran with before", "soon"),
	       "doctor says so");
	write_to(fixture.config, CONFIG "max_clients = 6\n");
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("max_clients 5 -> 6", 1),
	       "it had what the reload had applied");
	tap_ok(!doctor_says(&fixture, "has errors", "soon"),
	       "a file that was repaired needs no restart");
	fixture_signal(&fixture, SIGTERM);
	fixture_wait(&fixture, SURELY_MS);
	keeper_close(&keeper);
	fixture_remove(&fixture);
}

/* ---- without a file ------------------------------------------------------------ */

static void without_config(void)
{
	const char *path = super_program("daemon/slabd");
	execl(path, path, "--foreground", "--socket", fixture.socket,
	      "--control", fixture.control, (char *)NULL);
	_exit(127);
}

static void test_no_file(void)
{
	if (access(SLABD_CONFIG_FILE, F_OK) == 0 ||
	    access(SLABD_CONFIG_FILE ".d", F_OK) == 0) {
		tap_skip("there is a " SLABD_CONFIG_FILE, "a slabd without one");
		return;
	}
	fixture_make(&fixture, "%s", HEAD);
	fixture_spawn(&fixture, without_config);
	tap_ok(fixture_ready(&fixture), "slabd starts without a file");
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("SIGHUP: there is no " SLABD_CONFIG_FILE, 1),
	       "which a reload says");
	tap_is(fixture_number(&fixture, "/status", "pid"), fixture.pid,
	       "and slabd goes on");
	fixture_close(&fixture);
}

/* One whose configuration came from a pipe. */
static void from_a_pipe(void)
{
	const char *path = super_program("daemon/slabd");
	int ends[2];
	if (pipe(ends) < 0 || write(ends[1], CONFIG, strlen(CONFIG)) < 0 ||
	    close(ends[1]) < 0 || dup2(ends[0], STDIN_FILENO) < 0)
		_exit(127);
	execl(path, path, "--foreground", "--config", "/dev/stdin", "--socket",
	      fixture.socket, "--control", fixture.control, (char *)NULL);
	_exit(127);
}

static void test_pipe(void)
{
	fixture_make(&fixture, "%s", CONFIG);
	fixture_spawn(&fixture, from_a_pipe);
	tap_ok(fixture_ready(&fixture), "slabd starts by a pipe");
	fixture_signal(&fixture, SIGHUP);
	tap_ok(comes("came from what is no file", 1), "which a reload says");
	tap_ok(!doctor_says(&fixture, "has errors", "soon"),
	       "and what it has is as good as before");
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(600);
	test_limits();
	test_balance();
	test_max();
	test_waits();
	test_refused();
	test_clients();
	test_flood();
	test_kept();
	test_no_file();
	test_pipe();
	return tap_end();
}
