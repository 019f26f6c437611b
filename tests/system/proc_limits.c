/* SPDX-License-Identifier: MIT */
/*
 * slabd in a control group that limits its memory: growth ends below the limit,
 * a client that wants more is refused and told why, nobody is killed, and a
 * limit that is raised while slabd runs lets it grow on. Clients that may not
 * have the address space or the thread that a pool takes are told of the limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define SIZE 4096
#define OTHER 54321
#define WANTED (200u << 20) / SIZE
#define LIMIT_MIB 64u
#define RAISED_MIB 512u
#define FLOOR_MIB 16u /* by default */
#define NODE "pools.0.nodes.0."

static struct fixture fixture;

/* ---- a group -------------------------------------------------------------- */

static char group[200];
static bool second; /* of the second version */
static bool changed;

static bool put_at(const char *folder, const char *file, const char *text)
{
	char path[300];
	int fd;
	ssize_t n = -1;
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = write(fd, text, strlen(text));
		close(fd);
	}
	return n == (ssize_t)strlen(text);
}

static bool limit_to(unsigned mib)
{
	char text[32];
	snprintf(text, sizeof(text), "%uM", mib);
	return put_at(group, second ? "memory.max" : "memory.limit_in_bytes",
	              text);
}

/* How many processes of the group the kernel killed. */
static unsigned kills(void)
{
	char path[300];
	char key[64];
	unsigned n;
	unsigned killed = 0;
	FILE *file;
	snprintf(path, sizeof(path), "%s/%s", group,
	         second ? "memory.events" : "memory.oom_control");
	file = fopen(path, "re");
	while (file != NULL && fscanf(file, "%63s %u\n", key, &n) == 2)
		if (strcmp(key, "oom_kill") == 0)
			killed = n;
	if (file != NULL)
		fclose(file);
	return killed;
}

static bool make_in(const char *root, bool is_second)
{
	struct stat st;
	second = is_second;
	if (stat(root, &st) < 0)
		return false;
	changed =
		is_second && put_at(root, "cgroup.subtree_control", "+memory");
	snprintf(group, sizeof(group), "%s/slabd-limits-%d", root,
	         (int)getpid());
	if (mkdir(group, 0755) == 0 && limit_to(LIMIT_MIB))
		return true;
	rmdir(group);
	return false;
}

static bool make_group(void)
{
	return make_in("/sys/fs/cgroup/memory", false) ||
	       make_in("/sys/fs/cgroup", true);
}

static void remove_group(void)
{
	double until = now_ms() + SURELY_MS;
	while (rmdir(group) < 0 && errno != ENOENT && now_ms() < until)
		sleep_ms(10);
	*strrchr(group, '/') = '\0';
	if (changed)
		put_at(group, "cgroup.subtree_control", "-memory");
}

/* In the process that is to become slabd. */
static void enter_group(void)
{
	if (!put_at(group, "cgroup.procs", "0"))
		_exit(96);
}

/* ---- what is tried --------------------------------------------------------- */

static const char *start(const char *config)
{
	if (!make_group())
		return "no control groups that limit memory can be made here";
	fixture_make(&fixture, "%s", config);
	fixture_spawn(&fixture, enter_group);
	if (!fixture_ready(&fixture))
		tap_bail("slabd does not start");
	return NULL;
}

static void stop(void)
{
	tap_is(kills(), 0, "the kernel has killed nobody");
	fixture_close(&fixture);
	remove_group();
}

/* Whether the document of the nodes has words in its reason or remedy. */
static bool says(const char *key, const char *words)
{
	json_t *doc = fixture_get(&fixture, "/nodes");
	char at[64];
	const char *text;
	bool found;
	snprintf(at, sizeof(at), NODE "%s", key);
	text = json_string_value(json_at(doc, at));
	found = text != NULL && strstr(text, words) != NULL;
	if (!found)
		tap_note("%s: %s", key, text);
	json_decref(doc);
	return found;
}

static size_t take_all(slabd_cache *cache, void **to, size_t n)
{
	size_t i = 0;
	while (i < n && (to[i] = slabd_alloc(cache)) != NULL)
		memset(to[i++], 1, SIZE);
	return i;
}

static uint64_t usage(void)
{
	char path[300];
	unsigned long long bytes = 0;
	FILE *file;
	snprintf(path, sizeof(path), "%s/%s", group,
	         second ? "memory.current" : "memory.usage_in_bytes");
	file = fopen(path, "re");
	if (file == NULL || fscanf(file, "%llu", &bytes) != 1)
		tap_bail("%s can't be read", path);
	fclose(file);
	return bytes;
}

/* Nothing is in use: all but the floor goes back once the limit is so low that
 * slabd lacks its reserve. */
static void lower(void)
{
	unsigned mib = (unsigned)(usage() >> 20) + 4;
	tap_ok(limit_to(mib), "the limit is lowered to %u MiB", mib);
	tap_is(slabd_close(fixture_pool(&fixture)), 0, "somebody comes by");
	tap_ok(fixture_until(&fixture, "/nodes", NODE "ready_bytes",
	                     FLOOR_MIB << 20, SURELY_MS) >= 0,
	       "and memory is given back");
}

static void test_growth(void)
{
	static void *all[WANTED];
	const char *why = start("[balance]\nidle = never\n"
	                        "pressure = 100ms\n[pool default]\n"
	                        "page = 4k\nmax = 1G\n");
	slabd_pool *pool;
	slabd_cache *cache;
	size_t n;
	if (why != NULL) {
		tap_skip(why, "growth stays below a limit of memory");
		return;
	}
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "limited", SIZE);
	n = take_all(cache, all, WANTED);
	tap_ok(n < (LIMIT_MIB << 20) / SIZE && n >= (32u << 20) / SIZE,
	       "a client that wants 200 MiB gets what the limit allows: %zu "
	       "objects of 4 KiB",
	       n);
	tap_is(errno, ENOMEM, "and is refused the rest");
	tap_note("%s", slabd_last_error());
	tap_ok(says("reason", "control group slabd-limits-"),
	       "slabd says that it is the control group");
	tap_ok(says("remedy", second ? "/memory.max" : "/memory.limit_in"),
	       "and which file to write");
	tap_ok(says("remedy", ", or lower max to "), "or what max would fit");
	tap_is(kills(), 0, "nobody is killed");
	tap_ok(limit_to(RAISED_MIB), "the limit is raised");
	n += fixture_take(cache, WANTED - n, all + n);
	tap_is((long long)n, WANTED, "and the client gets all of it");
	tap_ok(says("backing", "4k"), "slabd answers");
	slabd_free_bulk(cache, n, all);
	tap_is(slabd_close(pool), 0, "the client closes");
	fixture_audit(&fixture, "below a limit");
	lower();
	stop();
}

static void test_share(void)
{
	const char *why = start("[pool default]\npage = 4k\nstart = 2M\n");
	if (why != NULL) {
		tap_skip(why, "max in percent is of the limit");
		return;
	}
	tap_is(fixture_number(&fixture, "/nodes", NODE "max_bytes"),
	       (LIMIT_MIB << 20) / 4, "max is a quarter of the limit");
	stop();
}

/* What is wanted at the start does not fit. */
static void test_start(void)
{
	const char *why = "sanitizers need more than slabd keeps back";
	if (!is_sanitized())
		why = start("[pool default]\npage = 4k\nstart = 200M\n"
		            "max = 1G\n");
	if (why != NULL) {
		tap_skip(why, "the start does not fit the limit");
		return;
	}
	tap_ok(fixture_number(&fixture, "/nodes", NODE "ready_bytes") <
	               LIMIT_MIB << 20,
	       "slabd starts with what the limit allows");
	tap_ok(fixture_logged(&fixture, "control group slabd-limits-"),
	       "and says why it is less");
	stop();
}

/* Tables that are as large as the limit: no kill, and no start. */
static void test_tables(void)
{
	int status;
	if (!make_group()) {
		tap_skip("no control groups that limit memory can be made here",
		         "a limit below a pool's tables");
		return;
	}
	fixture_make(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 1T\n");
	fixture_spawn(&fixture, enter_group);
	status = fixture_wait(&fixture, SURELY_MS);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "slabd does not start where its tables don't fit the limit");
	tap_ok(fixture_logged(&fixture, "KiB more of metadata"),
	       "which is said");
	tap_is(kills(), 0, "and is not killed");
	fixture_remove(&fixture);
	remove_group();
}

/* ---- limits of a client ---------------------------------------------------- */

static void fails_for(const char *word, int err)
{
	slabd_pool *pool = NULL;
	struct slabd_options options = fixture_options(&fixture, 0);
	pool = slabd_open(NULL, &options);
	fixture_fails(pool == NULL, err, "slabd_open");
	tap_ok(strstr(slabd_last_error(), word) != NULL, "it names %s: %s",
	       word, slabd_last_error());
}

static void little_space(int fd, void *arg)
{
	struct rlimit limit = {.rlim_cur = 8ull << 30, .rlim_max = 8ull << 30};
	(void)fd;
	(void)arg;
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		tap_bail("RLIMIT_AS can't be set");
	fails_for("ulimit -v", ENOMEM);
}

static void no_threads(int fd, void *arg)
{
	struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	slabd_pool *pool;
	slabd_channel *channel;
	(void)fd;
	(void)arg;
	if (setrlimit(RLIMIT_NPROC, &limit) < 0 ||
	    (geteuid() == 0 && (setgid(OTHER) < 0 || setuid(OTHER) < 0)))
		tap_bail("RLIMIT_NPROC can't be set");
	fails_for("SLABD_NO_HELPER", EAGAIN);
	pool = slabd_open(NULL, &options);
	tap_ok(pool != NULL, "and what it names helps");
	channel = slabd_channel_open(pool, "threads", 4);
	fixture_fails(slabd_channel_descriptor(channel) < 0, EAGAIN,
	              "a channel's descriptor");
	tap_ok(strstr(slabd_last_error(), "RLIMIT_NPROC") != NULL,
	       "which says what would help: %s", slabd_last_error());
	fixture_fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 1) < 0,
	              ETIMEDOUT, "a wait for it");
	tap_is(slabd_close(pool), 0, "it closes");
	/* The leak sanitizer wants a thread. */
	_exit(0);
}

static void test_client(void)
{
	struct child child;
	fixture_open(&fixture, "[slabd]\nsocket_mode = 0666\n[pool default]\n"
	                       "page = 4k\nmax = 64M\n");
	chmod(fixture.dir, 0755);
	if (is_sanitized()) {
		tap_skip("a sanitizer has address space of its own",
		         "RLIMIT_AS");
	} else {
		child_start(&child, little_space, NULL);
		child_end(&child, "a client with little address space");
	}
	child_start(&child, no_threads, NULL);
	child_end(&child, "a client that may have no thread");
	fixture_close(&fixture);
}

/* ---- a sandbox that hides the nodes ------------------------------------------ */

static void hide_nodes(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/sys/devices/system/node", "tmpfs", 0, NULL) < 0)
		_exit(96);
}

static void test_hidden(void)
{
	if (geteuid() != 0) {
		tap_skip("it takes root", "the kernel's nodes are hidden");
		return;
	}
	fixture_make(&fixture, "[pool default]\npage = 4k\nmax = 64M\n");
	fixture_spawn(&fixture, hide_nodes);
	if (!fixture_ready(&fixture)) {
		tap_skip("no mount can be made here",
		         "the kernel's nodes are hidden");
		fixture_remove(&fixture);
		return;
	}
	tap_is(fixture_number(&fixture, "/status", "pools.0.nodes"), 1,
	       "where the kernel's nodes are hidden there is one");
	tap_is(slabd_close(fixture_pool(&fixture)), 0, "which clients use");
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_hidden();
	test_client();
	if (is_sanitized()) {
		tap_skip("a sanitizer's own memory exceeds the limit",
		         "a control group of 64 MiB");
	} else {
		test_growth();
		test_share();
		test_start();
		test_tables();
	}
	return tap_end();
}
