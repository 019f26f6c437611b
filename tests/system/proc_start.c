/* SPDX-License-Identifier: MIT */
/* How slabd starts, and why not; and caches that can't be had. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define NOBODY 65534
#define TRIES 5
#define BACKING "pools.0.nodes.0.backing"
#define SMALL "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"

static struct fixture fixture;

/* Ends by itself with a status; what it logs is looked for. */
static void exits(struct fixture *it, int want, const char *says,
                  const char *what)
{
	int status;
	fixture_spawn(it, NULL);
	status = fixture_wait(it, SURELY_MS);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == want,
	       "%s: exit status %d", what, want);
	tap_ok(fixture_logged(it, says), "which is said: %s", says);
	fixture_signal(it, SIGKILL);
}

/* ---- configuration ------------------------------------------------------ */

static void test_config(void)
{
	static const struct {
		const char *text;
		const char *says;
	} faults[] = {
		{"[pool default]\npage = 3m\n", "conf:2: "},
		{"[pool default]\npage = 3m\n", "2m, thp or 4k"},
		{"[slabd]\nsockets = /x\n", "sockets"},
		{"# nothing\n[pond default]\n", "conf:2: "},
		{"[pool default]\nstart = 8M\nmax = 4M\n", "start"},
		{"[pool default]\nmax = 3M\n", "conf:2: "},
		{"[pool default]\nmax = 4M\nmax = 8M\n", "conf:3: "},
		{"[slabd]\ntopology = nonsense\n", "not an hwloc"},
	};
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		fixture_make(&fixture, "%s", faults[i].text);
		exits(&fixture, 2, faults[i].says, "a faulty configuration");
		tap_ok(access(fixture.socket, F_OK) < 0, "no socket is made");
		fixture_remove(&fixture);
	}
}

/* Runs slabd --check-config; its exit status. */
static int check_config(struct fixture *it)
{
	char command[600];
	snprintf(command, sizeof(command),
	         "'%s/daemon/slabd' --check-config --config %s --socket %s "
	         "--control %s >%s 2>&1",
	         getenv("builddir") ? getenv("builddir") : ".", it->config,
	         it->socket, it->control, it->log);
	return system(command);
}

static void test_check_config(void)
{
	fixture_make(&fixture, SMALL);
	tap_is(check_config(&fixture), 0, "--check-config of a good file");
	tap_ok(fixture_logged(&fixture, "[pool default]") &&
	               fixture_logged(&fixture, fixture.socket),
	       "shows it as it would be used");
	tap_ok(access(fixture.socket, F_OK) < 0, "and starts nothing");
	fixture_remove(&fixture);
	fixture_make(&fixture, "[slabd]\nlog_level = loud\n");
	tap_is(WEXITSTATUS(check_config(&fixture)), 2,
	       "of a bad one: status 2");
	tap_ok(fixture_logged(&fixture, "conf:2: ") &&
	               fixture_logged(&fixture, "log_level"),
	       "with line and key");
	fixture_remove(&fixture);
	fixture_make(&fixture, "[slabd]\ntopology = nonsense\n");
	tap_is(WEXITSTATUS(check_config(&fixture)), 2,
	       "of one whose topology is none: status 2");
	tap_ok(fixture_logged(&fixture,
	                      "conf: key \"topology\" in [slabd]: not an hwloc "
	                      "synthetic topology: nonsense; allowed: a "
	                      "description such as node:2 core:4 pu:1, of at "
	                      "most 64 nodes"),
	       "with what is allowed");
	fixture_remove(&fixture);
}

/* ---- sockets ------------------------------------------------------------ */

static void test_sockets(void)
{
	struct fixture other;
	char socket[96];
	int fd;
	fixture_open(&fixture, SMALL);
	fixture_make(&other, SMALL);
	strcpy(socket, other.socket);
	strcpy(other.socket, fixture.socket);
	exits(&other, 1, "in use by a living slabd", "a socket in use");
	strcpy(other.socket, socket);
	strcpy(other.control, fixture.control);
	exits(&other, 1, "in use by a living slabd", "a control socket in use");
	tap_ok(access(other.socket, F_OK) < 0, "its own socket is gone again");
	tap_is(fixture_number(&fixture, "/status", "pid"), fixture.pid,
	       "the other goes on as before");
	snprintf(other.control, sizeof(other.control), "%s/ctl", other.dir);
	fd = open(other.socket, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	exits(&other, 1, "is no socket", "a file in the socket's place");
	tap_ok(access(other.socket, F_OK) == 0, "is left alone");
	close(fd);
	strcpy(socket, other.socket);
	snprintf(other.socket, sizeof(other.socket), "%s/file/socket", other.dir);
	snprintf(other.control, sizeof(other.control), "%s/file", other.dir);
	fd = open(other.control, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	exits(&other, 1, "Not a directory; let socket and control in slabd.conf "
	                 "name paths where slabd may write", "a file on the way");
	unlink(other.control);
	strcpy(other.socket, socket);
	close(fd);
	fixture_remove(&other);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	tap_ok(access(fixture.socket, F_OK) == 0, "SIGKILL leaves the sockets");
	tap_ok(fixture_start(&fixture), "the next slabd starts");
	tap_ok(fixture_logged(&fixture, "taken over"),
	       "and says that it took them over");
	fixture_close(&fixture);
}

/* ---- hugepages ---------------------------------------------------------- */

static long free_hugepages(void)
{
	char line[128];
	long n = -1;
	FILE *file = fopen("/proc/meminfo", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "HugePages_Free: %ld", &n) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return n;
}

/* Others' may be free for a moment, and are taken by right. False: there are
 * some. */
static bool start_without_hugepages(void)
{
	for (unsigned i = 0; i < TRIES; i++) {
		long before = free_hugepages();
		json_t *doc;
		bool has;
		fixture_open(&fixture, "[slabd]\nreserve_hugepages = no\n"
		               "[pool default]\nstart = 4M\nmax = 8M\n");
		if (before != 0 || free_hugepages() != 0)
			return false;
		doc = fixture_get(&fixture, "/nodes");
		has = json_is_string(json_at(doc, BACKING)) &&
		      strcmp(json_string_value(json_at(doc, BACKING)), "2m") ==
		              0;
		json_decref(doc);
		if (!has || i + 1 == TRIES)
			return true;
		fixture_close(&fixture);
	}
	return true;
}

static void test_fallback(void)
{
	json_t *doc;
	const char *reason;
	const char *remedy;
	const char *backing;
	if (!start_without_hugepages()) {
		tap_skip("there are free hugepages", "no hugepages");
		fixture_close(&fixture);
		return;
	}
	doc = fixture_get(&fixture, "/nodes");
	backing = json_string_value(json_at(doc, BACKING));
	reason = json_string_value(json_at(doc, "pools.0.nodes.0.reason"));
	remedy = json_string_value(json_at(doc, "pools.0.nodes.0.remedy"));
	tap_ok(backing != NULL && strcmp(backing, "2m") != 0,
	       "without hugepages slabd runs on other pages");
	tap_ok(reason != NULL && reason[0] != '\0' && remedy != NULL &&
	               strstr(remedy, "hugepages") != NULL,
	       "it shows why, and the remedy");
	tap_note("%s: %s; %s", backing, reason, remedy);
	tap_ok(remedy != NULL && fixture_logged(&fixture, remedy),
	       "which is in the log too");
	json_decref(doc);
	fixture_close(&fixture);
}

/* ---- the end during the start ------------------------------------------- */

static void test_early_end(unsigned ms, const char *page)
{
	int status;
	fixture_make(&fixture,
	             "[pool default]\npage = %s\nstart = 256M\nmax = 256M\n",
	             page);
	fixture_spawn(&fixture, NULL);
	while (access(fixture.socket, F_OK) < 0 && fixture.pid > 0 &&
	       waitpid(fixture.pid, NULL, WNOHANG) == 0)
		sleep_ms(1);
	sleep_ms(ms);
	fixture_signal(&fixture, SIGTERM);
	status = fixture_wait(&fixture, SURELY_MS);
	tap_is(status, 0,
	       "SIGTERM %u ms after its socket is there, %s: status 0", ms,
	       page);
	tap_ok(access(fixture.socket, F_OK) < 0 &&
	               access(fixture.control, F_OK) < 0,
	       "no socket is left");
	fixture_remove(&fixture);
}

/* It waits for slabd from before its first instruction. */
static void be_told(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGTERM);
}

static void test_end_of_large_start(void)
{
	fixture_make(&fixture,
	             "[pool default]\npage = 4k\nstart = 2G\nmax = 2G\n");
	fixture_spawn(&fixture, be_told);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0,
	       "SIGTERM as 2 GiB are faulted in: status 0");
	tap_ok(!fixture_logged(&fixture, " 50 % of") &&
	               !fixture_logged(&fixture, "ready: "),
	       "most of them never are");
	tap_ok(access(fixture.socket, F_OK) < 0 &&
	               access(fixture.control, F_OK) < 0,
	       "no socket is left");
	fixture_remove(&fixture);
}

/* ---- as a user ---------------------------------------------------------- */

static char runtime[160];
static int program;

static void become_nobody(void)
{
	char xdg[200];
	char *args[] = {"slabd", "--foreground", NULL};
	char *env[] = {xdg, NULL};
	snprintf(xdg, sizeof(xdg), "XDG_RUNTIME_DIR=%s", runtime);
	if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		_exit(96);
	fexecve(program, args, env);
	_exit(95);
}

static void opens_as_nobody(int fd, void *arg)
{
	slabd_pool *pool;
	(void)fd;
	(void)arg;
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		tap_bail("setuid: %s", strerror(errno));
	unsetenv("SLABD_SOCKET");
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	pool = slabd_open(NULL, NULL);
	if (!tap_ok(pool != NULL, "its user can open the default pool"))
		tap_bail("%s", slabd_last_error());
	tap_ok(slabd_alloc(fixture_cache(pool, "mine", 64)) != NULL,
	       "and allocate");
	slabd_close(pool);
}

static void test_user(void)
{
	struct child child;
	char path[512];
	if (geteuid() != 0) {
		tap_skip("not root", "slabd as another user");
		return;
	}
	fixture_make(&fixture, "# not read\n");
	snprintf(runtime, sizeof(runtime), "%s/run", fixture.dir);
	snprintf(fixture.socket, sizeof(fixture.socket),
	         "%s/run/slabd/slabd.sock", fixture.dir);
	snprintf(fixture.control, sizeof(fixture.control),
	         "%s/run/slabd/control.sock", fixture.dir);
	snprintf(path, sizeof(path), "%s/daemon/slabd",
	         getenv("builddir") ? getenv("builddir") : ".");
	program = open(path, O_RDONLY | O_CLOEXEC);
	if (mkdir(runtime, 0700) < 0 || chown(runtime, NOBODY, NOBODY) < 0)
		tap_bail("%s: %s", runtime, strerror(errno));
	fixture_spawn(&fixture, become_nobody);
	tap_ok(fixture_ready(&fixture),
	       "slabd starts as user nobody, without root");
	child_start(&child, opens_as_nobody, NULL);
	child_end(&child, "its client ends well");
	fixture_audit(&fixture, "as nobody");
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "it ends with status 0");
	close(program);
	snprintf(path, sizeof(path), "%s/slabd", runtime);
	rmdir(path);
	tap_is(rmdir(runtime), 0, "and leaves nothing");
	fixture_remove(&fixture);
}

/* ---- closed streams ----------------------------------------------------- */

static void close_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		close(fd);
}

/* What it opens must not take their place: it logs there. */
static void test_streams(void)
{
	fixture_make(&fixture, SMALL);
	fixture_spawn(&fixture, close_streams);
	tap_ok(fixture_ready(&fixture),
	       "slabd starts without standard streams");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		char link[64];
		char to[64] = "";
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", fixture.pid, fd);
		tap_ok(readlink(link, to, sizeof(to) - 1) > 0 &&
		               strcmp(to, "/dev/null") == 0,
		       "its descriptor %d is %s", fd, to);
	}
	fixture_close(&fixture);
}

/* ---- caches ------------------------------------------------------------- */

static void no_cache(slabd_pool *pool, const char *name, size_t size,
                     size_t align, unsigned flags, int err)
{
	slabd_cache *cache = slabd_cache_create(pool, name, size, align, flags);
	int was = errno;
	if (!tap_ok(cache == NULL && was == err && slabd_last_error()[0],
	            "cache %.20s size %zu alignment %zu flags %u: %s",
	            name ? name : "NULL", size, align, flags, strerror(err)))
		tap_note("%s, %s", cache ? "made" : strerror(was),
		         slabd_last_error());
}

static void cache_errors(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	char name[80];
	(void)fd;
	(void)arg;
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	fixture_cache(pool, "first", 96);
	no_cache(pool, "zero", 0, 0, 0, EINVAL);
	no_cache(pool, "large", (2 << 20) + 1, 0, 0, EINVAL);
	no_cache(pool, "huge", SIZE_MAX, 0, 0, EINVAL);
	no_cache(pool, "three", 96, 3, 0, EINVAL);
	no_cache(pool, "aligned", 96, 8192, 0, EINVAL);
	no_cache(pool, "flags", 96, 0, 1u << 7, EINVAL);
	no_cache(pool, "", 96, 0, 0, EINVAL);
	no_cache(pool, NULL, 96, 0, 0, EINVAL);
	no_cache(pool, name, 96, 0, 0, ENAMETOOLONG);
	no_cache(pool, "first", 97, 0, 0, EEXIST);
	tap_ok(strstr(slabd_last_error(), "96") != NULL, "it says its size");
	no_cache(pool, "first", 96, 64, 0, EEXIST);
	no_cache(pool, "first", 96, 0, SLABD_CACHE_STRICT, EEXIST);
	name[63] = '\0';
	fixture_cache(pool, name, 2 << 20);
	tap_ok(slabd_alloc(fixture_cache(pool, "page", 2 << 20)) != NULL,
	       "an object of a whole page");
	fixture_cache(pool, "last", 1);
	no_cache(pool, "more", 96, 0, 0, ENOSPC);
	tap_ok(strstr(slabd_last_error(), "max_caches") != NULL,
	       "it says what to raise");
	slabd_close(pool);
}

/* slabd would never close what was made for nobody. */
static void has_no_cache(const char *name)
{
	json_t *doc = fixture_get(&fixture, "/caches");
	json_t *list = json_at(doc, "pools.0.caches");
	bool there = json_array_size(list) == 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		there |= strcmp(json_string_value(json_object_get(
		                        json_array_get(list, i), "name")),
		                name) == 0;
	json_decref(doc);
	tap_ok(!there, "and slabd has no cache %s", name);
}

static void too_many_caches(int fd, void *arg)
{
	static slabd_cache *caches[SLABD_CACHES_MAX];
	slabd_pool *pool = fixture_pool(&fixture);
	unsigned n = 0;
	char name[20];
	(void)fd;
	(void)arg;
	for (; n < SLABD_CACHES_MAX; n++) {
		snprintf(name, sizeof(name), "cache-%u", n);
		caches[n] = slabd_cache_create(pool, name, 64, 0, 0);
		if (caches[n] == NULL)
			tap_bail("%s: %s", name, slabd_last_error());
	}
	no_cache(pool, "one more", 64, 0, 0, EMFILE);
	has_no_cache("one more");
	tap_ok(slabd_cache_create(pool, "cache-9", 64, 0, 0) == caches[9],
	       "one that is open can be opened again");
	tap_is(slabd_cache_close(caches[7]), 0, "one is closed");
	tap_ok(slabd_cache_create(pool, "one more", 64, 0, 0) != NULL,
	       "then there is room for another");
	for (n = 0; n < SLABD_CACHES_MAX; n++)
		if (n != 7 && slabd_alloc(caches[n]) == NULL)
			tap_bail("cache-%u: %s", n, slabd_last_error());
	tap_ok(slabd_close(pool) == 0, "all of them can be used");
}

static void test_caches(void)
{
	struct child child;
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nmax = 8M\nmax_caches = 4\n");
	child_start(&child, cache_errors, NULL);
	child_end(&child, "cache errors");
	tap_is(fixture_number(&fixture, "/status", "pools.0.caches"), 4,
	       "slabd has the good ones alone");
	fixture_audit(&fixture, "cache errors");
	fixture_close(&fixture);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 128M\n"
	             "max_caches = 1100\n");
	child_start(&child, too_many_caches, NULL);
	child_end(&child, "too many caches");
	fixture_audit(&fixture, "too many caches");
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_config();
	test_check_config();
	test_sockets();
	test_fallback();
	test_early_end(0, "4k");
	test_early_end(20, "4k");
	test_early_end(10, "2m");
	test_end_of_large_start();
	test_user();
	test_streams();
	test_caches();
	return tap_end();
}
