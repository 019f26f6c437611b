/* SPDX-License-Identifier: MIT */
/*
 * What slabd is started with by shells, containers and job managers: limits,
 * signals, flags, policies, a folder that is gone, children that are not its own.
 * Each is set right, or named in its log; and it serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/super.h"

#define CONFIG "[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n"
#define GROUP 4242u
#define GROUPS_MAX 65536u
#define OTHER 65534
#define NAME_BYTES (SLABD_NAME_MAX + 1)

static struct fixture fixture;

/* Starts slabd after setup; false, with results, where it does not serve. */
static bool starts(void (*setup)(void), const char *what)
{
	fixture_make(&fixture, CONFIG);
	fixture_spawn(&fixture, setup);
	return tap_ok(fixture_ready(&fixture), "%s: slabd starts", what);
}

/* It is told to stop by a signal that may have been ignored or blocked. */
static void ends(void)
{
	fixture_close(&fixture);
}

static void named(const char *text)
{
	tap_ok(fixture_logged(&fixture, text), "its log says: %s", text);
}

/* ---- limits ------------------------------------------------------------- */

static void limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit now;
	if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
		_exit(90);
	now.rlim_cur = soft;
	if (hard < now.rlim_max)
		now.rlim_max = hard;
	if (setrlimit((__rlimit_resource_t)resource, &now) < 0)
		_exit(91);
}

static void lower_soft_limits(void)
{
	limit(RLIMIT_NOFILE, 64, RLIM_INFINITY);
	limit(RLIMIT_FSIZE, 65536, RLIM_INFINITY);
	limit(RLIMIT_STACK, 128 << 10, RLIM_INFINITY);
	limit(RLIMIT_CPU, 3600, RLIM_INFINITY);
	if (!is_sanitized()) {
		limit(RLIMIT_AS, 1u << 30, RLIM_INFINITY);
		limit(RLIMIT_DATA, 64 << 20, RLIM_INFINITY);
	}
}

static struct rlimit limit_of(int resource)
{
	struct rlimit is = {0};
	prlimit(fixture.pid, (__rlimit_resource_t)resource, NULL, &is);
	return is;
}

static void test_soft_limits(void)
{
	static const int resources[] = {RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_AS,
	                                RLIMIT_DATA, RLIMIT_CPU};
	if (starts(lower_soft_limits, "low soft limits")) {
		for (unsigned i = 0;
		     i < sizeof(resources) / sizeof(resources[0]); i++) {
			struct rlimit is = limit_of(resources[i]);
			tap_ok(is.rlim_cur == is.rlim_max,
			       "limit %d is what it may be", resources[i]);
		}
		tap_ok(limit_of(RLIMIT_STACK).rlim_cur >= 8 << 20,
		       "its stack may grow");
	}
	ends();
}

static void lower_hard_limits(void)
{
	limit(RLIMIT_NOFILE, 500, 500);
	limit(RLIMIT_FSIZE, 64 << 20, 64 << 20);
	limit(RLIMIT_CPU, 3600, 3600);
}

static void test_hard_limits(void)
{
	if (starts(lower_hard_limits, "low hard limits")) {
		named("no more than 500 open files (RLIMIT_NOFILE): raise it "
		      "(ulimit -n, LimitNOFILE=)");
		named("no more than 67108864 bytes of a file (RLIMIT_FSIZE): "
		      "lift it (ulimit -f unlimited, LimitFSIZE=infinity)");
		named("no more than 3600 seconds of processor time");
	}
	ends();
}

static void no_files(void)
{
	limit(RLIMIT_NOFILE, 8, 8);
}

static void few_files(void)
{
	limit(RLIMIT_NOFILE, 20, 20);
}

/* With too few files it does not start, and says why. */
static void test_no_files(void (*setup)(void))
{
	int status;
	fixture_make(&fixture, CONFIG);
	fixture_spawn(&fixture, setup);
	status = fixture_wait(&fixture, SURELY_MS);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) != 0,
	       "with too few files slabd does not start");
	named("raise LimitNOFILE (or ulimit -n: RLIMIT_NOFILE)");
	fixture_remove(&fixture);
}

/* /proc as with hidepid=2, for who is not root. */
static void become_blind(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, "hidepid=2") < 0 ||
	    chown(fixture.dir, OTHER, OTHER) < 0 ||
	    chown(fixture.log, OTHER, OTHER) < 0 || setgid(OTHER) < 0 ||
	    setuid(OTHER) < 0)
		_exit(92);
}

/* A client that slabd may not look at is called by its number. */
static void test_hidden(void)
{
	char name[NAME_BYTES] = "";
	char pid[NAME_BYTES];
	slabd_pool *pool;
	if (geteuid() != 0) {
		tap_skip("hidepid", "not root");
		return;
	}
	if (starts(become_blind, "others' processes are hidden")) {
		pool = fixture_pool(&fixture);
		snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
		slabd_client_name(pool, slabd_client_id(pool), name,
		                  sizeof(name));
		tap_ok(strcmp(name, pid) == 0, "a client is called %s, is: %s",
		       pid, name);
		slabd_close(pool);
	}
	ends();
}

/* ---- signals and flags -------------------------------------------------- */

static void ignore_and_block(void)
{
	sigset_t all;
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* It would end slabd, as that is by default. */
	alarm(1);
	umask(0777);
}

static unsigned long long mask_of(const char *key)
{
	return strtoull(super_status(fixture.pid, key), NULL, 16);
}

static void test_signals(void)
{
	unsigned long long want = 1ull << (SIGPIPE - 1) |
	                          1ull << (SIGXFSZ - 1) |
	                          1ull << (SIGTTOU - 1) | 1ull << (SIGCHLD - 1);
	if (starts(ignore_and_block, "all signals ignored and blocked")) {
		unsigned long long has = mask_of("SigIgn:\t");
		tap_ok(has == want, "it ignores its own alone: 0x%llx", has);
		tap_is((long long)mask_of("SigBlk:\t"), 0, "and blocks none");
		tap_ok(strstr(super_proc(fixture.pid, "timers"), "ID") == NULL,
		       "no timer is left");
	}
	ends();
}

static void set_flags(void)
{
	unsigned long node0[2] = {1, 0};
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 2000000000ul, 0, 0, 0);
	personality(ADDR_NO_RANDOMIZE | UNAME26 | SHORT_INODE);
	syscall(SYS_set_mempolicy, MPOL_BIND, node0, 64ul);
}

static void test_flags(void)
{
	if (starts(set_flags, "flags of the process and memory policy")) {
		tap_is(strtol(super_status(fixture.pid, "THP_enabled:\t"), NULL,
		              10),
		       1, "it may have huge pages");
		named("PR_SET_THP_DISABLE");
		tap_is(strtol(super_proc(fixture.pid, "timerslack_ns"), NULL,
		              10),
		       50000, "its timers are exact");
		tap_is(strtol(super_proc(fixture.pid, "personality"), NULL, 16),
		       ADDR_NO_RANDOMIZE, "the kernel answers as it does");
		tap_ok(strstr(super_proc(fixture.pid, "numa_maps"), " bind:") ==
		               NULL,
		       "its own memory is bound to no node");
		named("nodes 0) is dropped");
	}
	ends();
}

static void become_late(void)
{
	struct sched_param none = {0};
	FILE *file = fopen("/proc/self/oom_score_adj", "we");
	sched_setscheduler(0, SCHED_BATCH, &none);
	if (file == NULL || fputs("700", file) < 0 || fclose(file) != 0)
		_exit(92);
	setenv("EVENT_NOEPOLL", "1", 1);
	setenv("GLIBC_TUNABLES", "glibc.malloc.check=0", 1);
	setenv("HWLOC_SYNTHETIC", "node:2 pu:1", 1);
}

/* Whether one of its descriptors is of that kind. */
static bool has_kind(const char *kind)
{
	for (int fd = 0; fd < 64; fd++) {
		char path[64];
		char to[64] = "";
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", fixture.pid, fd);
		if (readlink(path, to, sizeof(to) - 1) > 0 &&
		    strcmp(to, kind) == 0)
			return true;
	}
	return false;
}

static void test_named(void)
{
	if (starts(become_late, "scheduling, score and environment")) {
		named("scheduled as SCHED_BATCH");
		named("oom_score_adj 700");
		named("warn: HWLOC_SYNTHETIC is set in slabd's environment");
		named("GLIBC_TUNABLES=glibc.malloc.check=0 is in");
		tap_ok(has_kind("anon_inode:[eventpoll]"),
		       "EVENT_NOEPOLL is not for slabd");
	}
	ends();
}

/* ---- folders and streams ------------------------------------------------ */

static void leave_nothing(void)
{
	char dir[] = "/tmp/slabd-gone-XXXXXX";
	if (mkdtemp(dir) == NULL || chdir(dir) < 0 || rmdir(dir) < 0)
		_exit(93);
	umask(0777);
}

/* Clients have to get in where slabd makes the folder. */
static void test_folder(void)
{
	struct stat st = {0};
	char folder[90];
	fixture_make(&fixture, CONFIG);
	snprintf(folder, sizeof(folder), "%s/run", fixture.dir);
	snprintf(fixture.socket, sizeof(fixture.socket), "%s/s", folder);
	snprintf(fixture.control, sizeof(fixture.control), "%s/c", folder);
	fixture_spawn(&fixture, leave_nothing);
	tap_ok(fixture_ready(&fixture), "a folder that is gone: slabd starts");
	tap_ok(stat(folder, &st) == 0 && (st.st_mode & 0777) == 0755,
	       "its sockets' folder is open to all, whatever the umask is");
	snprintf(folder, sizeof(folder), "/proc/%d/cwd", fixture.pid);
	tap_ok(stat(folder, &st) == 0, "it has a folder");
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "it ends with status 0");
	snprintf(folder, sizeof(folder), "%s/run", fixture.dir);
	rmdir(folder);
	fixture_remove(&fixture);
}

static void without_dev(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev", "tmpfs", 0, NULL) < 0)
		_exit(94);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		close(fd);
}

static void test_no_dev(void)
{
	if (geteuid() != 0) {
		tap_skip("not root", "no standard streams and no /dev");
		return;
	}
	if (starts(without_dev, "no standard streams and no /dev"))
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
			char link[64];
			char to[64] = "";
			snprintf(link, sizeof(link), "/proc/%d/fd/%d",
			         fixture.pid, fd);
			tap_ok(readlink(link, to, sizeof(to) - 1) > 0 &&
			               strcmp(to, "/") == 0,
			       "its descriptor %d is %s", fd, to);
		}
	ends();
}

/* ---- children of others ------------------------------------------------- */

/* One that ends at once, and one whose parent has ended by then. */
static void leave_children(void)
{
	pid_t pid;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			usleep(1000);
		_exit(0);
	}
}

static bool has_children(pid_t pid)
{
	char name[64];
	snprintf(name, sizeof(name), "task/%d/children", pid);
	return super_proc(pid, name)[0] != '\0';
}

static void until_childless(pid_t pid, const char *who)
{
	double until = now_ms() + SURELY_MS;
	while (has_children(pid) && now_ms() < until)
		sleep_ms(1);
	tap_ok(!has_children(pid), "%s: children of others end", who);
}

static void test_children(void)
{
	if (starts(leave_children, "children and orphans"))
		until_childless(fixture.pid, "slabd");
	ends();
}

static void leave_children_ignored(void)
{
	leave_children();
	signal(SIGCHLD, SIG_IGN);
}

static bool is_only_child(pid_t pid)
{
	char name[64];
	char want[32];
	snprintf(name, sizeof(name), "task/%d/children", fixture.pid);
	snprintf(want, sizeof(want), "%d ", pid);
	return strcmp(super_proc(fixture.pid, name), want) == 0;
}

static void test_children_of_supervisor(void)
{
	double until = now_ms() + SURELY_MS;
	pid_t pid;
	fixture_make(&fixture, CONFIG);
	super_setup(leave_children_ignored);
	pid = super_start(&fixture);
	while (!is_only_child(pid) && now_ms() < until)
		sleep_ms(1);
	tap_ok(is_only_child(pid),
	       "a supervisor has slabd as its only child at last");
	pid = super_kill(&fixture, pid);
	tap_ok(pid > 0, "and sees its end");
	super_stop(&fixture, pid, "with children of others");
	fixture_remove(&fixture);
}

/* ---- groups ------------------------------------------------------------- */

static void become_member(bool member)
{
	static gid_t groups[GROUPS_MAX];
	for (unsigned i = 0; i < GROUPS_MAX; i++)
		groups[i] = 100000 + i;
	if (member)
		groups[GROUPS_MAX / 2] = GROUP;
	if (setgroups(GROUPS_MAX, groups) < 0 || setgid(65534) < 0 ||
	    setuid(65534) < 0)
		tap_bail("no groups: %s", strerror(errno));
}

static void member(int fd, void *arg)
{
	slabd_pool *pool;
	(void)fd;
	(void)arg;
	become_member(true);
	pool = slabd_open(NULL, NULL);
	if (!tap_ok(pool != NULL, "one of 65,536 groups lets a client in"))
		tap_note("%s", slabd_last_error());
	slabd_close(pool);
}

static void stranger(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	become_member(false);
	fixture_fails(slabd_open(NULL, NULL) == NULL, EACCES,
	              "as many others do not");
}

static void test_groups(void)
{
	struct child child;
	if (geteuid() != 0) {
		tap_skip("not root", "many groups");
		return;
	}
	fixture_open(&fixture,
	             "[slabd]\nsocket_mode = 0666\n" CONFIG "groups = %u\n",
	             GROUP);
	setenv("SLABD_SOCKET", fixture.socket, 1);
	child_start(&child, member, NULL);
	child_end(&child, "a member ends well");
	child_start(&child, stranger, NULL);
	child_end(&child, "and another");
	fixture_close(&fixture);
}

int main(void)
{
	const char *given = getenv("builddir");
	char *builddir = realpath(given != NULL ? given : ".", NULL);
	tap_start(300);
	/* slabd is started from a folder that is gone, too. */
	if (builddir != NULL)
		setenv("builddir", builddir, 1);
	free(builddir);
	test_soft_limits();
	test_hard_limits();
	test_hidden();
	test_no_files(no_files);
	test_no_files(few_files);
	test_signals();
	test_flags();
	test_named();
	test_folder();
	test_no_dev();
	test_children();
	test_children_of_supervisor();
	test_groups();
	super_end();
	return tap_end();
}
