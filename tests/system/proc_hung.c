/* SPDX-License-Identifier: MIT */
/* A slabd that hangs under its supervisor, and one whose supervisor is lost. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/super.h"

#define CONFIG(watchdog)                                                       \
	"[slabd]\nwatchdog = " watchdog "\n"                                   \
	"[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"

static struct fixture fixture;

static bool await_log(const char *what, unsigned ms)
{
	double until = now_ms() + ms;
	while (!fixture_logged(&fixture, what) && now_ms() < until)
		sleep_ms(1);
	return fixture_logged(&fixture, what);
}

static void client_that_stays(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "things", 100);
	int *object = slabd_alloc(cache);
	(void)arg;
	if (object == NULL)
		tap_bail("no object");
	*object = 4711;
	say(fd, 1);
	hear(fd);
	tap_ok(*object == 4711 && slabd_alloc(cache) != NULL,
	       "its objects are there, and more are to be had");
	slabd_close(pool);
}

/* ---- hung ----------------------------------------------------------------- */

/* It answers nobody, and is ended for it; what was kept is there. */
static void test_hangs(void)
{
	struct child child;
	pid_t next;
	pid_t pid = super_start(&fixture);
	child_start(&child, client_that_stays, NULL);
	hear(child.fd);
	kill(pid, SIGSTOP);
	next = super_next(&fixture, pid);
	tap_ok(next > 0 && super_is_gone(pid, SURELY_MS),
	       "one that hangs is ended, and there is another one");
	tap_ok(fixture_logged(&fixture, ") hangs: its loop has not turned for "
	                                "500 ms; SIGABRT") &&
	               fixture_logged(&fixture, ") was killed by SIGABRT"),
	       "the log says why");
	say(child.fd, 0);
	child_end(&child, "a client goes on with what it had");
	super_stop(&fixture, next, "after one that hung");
}

/* Who has it in a debugger wants it to stand still. */
static void test_debugged(void)
{
	pid_t pid = super_start(&fixture);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) {
		tap_skip("no ptrace here", "a debugger");
		super_stop(&fixture, pid, "without a debugger");
		return;
	}
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	tap_ok(await_log("somebody debugs it: it is left alone", SURELY_MS),
	       "one in a debugger is left alone");
	waitpid(pid, NULL, __WALL);
	tap_ok(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 &&
	               !fixture_logged(&fixture, ") hangs"),
	       "and goes on after that");
	super_stop(&fixture, pid, "after a debugger");
}

/* Its supervisor stands still with it, as with ^Z: neither hangs. */
static void test_both_stopped(void)
{
	pid_t pid = super_start(&fixture);
	fixture_signal(&fixture, SIGSTOP);
	kill(pid, SIGSTOP);
	sleep_ms(1700);
	fixture_signal(&fixture, SIGCONT);
	kill(pid, SIGCONT);
	tap_ok(!fixture_logged(&fixture, ") hangs"),
	       "one that stood still with its supervisor has not hung");
	super_stop(&fixture, pid, "after both stood still");
}

/* ---- lost ----------------------------------------------------------------- */

/* Until the supervisor that /status names is another one, and has all. */
static pid_t await_supervisor(pid_t before)
{
	double until = now_ms() + SURELY_MS;
	long long pid = 0;
	while (now_ms() < until && (pid <= 0 || pid == before)) {
		pid = fixture_number(&fixture, "/status", "supervisor");
		sleep_ms(5);
	}
	tap_ok(pid > 0 && pid != before &&
	               await_log("that outlives slabd is kept by its "
	                         "supervisor", SURELY_MS),
	       "slabd has another supervisor");
	return (pid_t)pid;
}

/* It starts one by itself. */
static void test_lost(void)
{
	struct child child;
	pid_t pid = super_start(&fixture);
	pid_t before = fixture.pid;
	pid_t healed;
	child_start(&child, client_that_stays, NULL);
	hear(child.fd);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	tap_ok(await_log("is gone: slabd goes on", SURELY_MS),
	       "that the supervisor is lost is said");
	healed = await_supervisor(before);
	tap_is(fixture_number(&fixture, "/status", "pid"), pid,
	       "and is the same slabd");
	pid = super_kill(&fixture, pid);
	tap_is(atoi(super_status(pid, "PPid:")), healed,
	       "which is started again where it is killed");
	say(child.fd, 0);
	child_end(&child, "a client goes on with what it had");
	kill(healed, SIGTERM);
	tap_ok(super_is_gone(pid, SURELY_MS) && super_is_gone(healed, SURELY_MS),
	       "SIGTERM to the new one ends both");
	tap_ok(access(fixture.socket, F_OK) < 0 &&
	               access(fixture.control, F_OK) < 0,
	       "and no socket is left");
}

/* Whoever started the lost one starts it again; a third finds no place. */
static void test_another(void)
{
	struct fixture third;
	pid_t pid = super_start(&fixture);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	super_spawn(&fixture, NULL, NULL);
	while (fixture_number(&fixture, "/status", "supervisor") != fixture.pid)
		sleep_ms(5);
	tap_ok(await_log("has no supervisor any more: taken over", SURELY_MS),
	       "slabd has another supervisor");
	/* Until all is there. */
	count_fds(fixture.pid, 0);
	tap_is(fixture_number(&fixture, "/status", "pid"), pid,
	       "slabd is the one that there was");
	third = fixture;
	snprintf(third.log, sizeof(third.log), "%s/log3", third.dir);
	super_spawn(&third, NULL, NULL);
	tap_ok(super_ended(fixture_wait(&third, SURELY_MS), 2) &&
	               fixture_logged(&third, "in use by a living slabd"),
	       "a second supervisor ends with status 2");
	unlink(third.log);
	pid = super_kill(&fixture, pid);
	super_stop(&fixture, pid, "with another supervisor");
}

/* Whoever took over notices that it hangs, too, without a restart. */
static void test_adopted_hangs(void)
{
	pid_t pid = super_start(&fixture);
	pid_t before = fixture.pid;
	pid_t next;
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	fixture.pid = await_supervisor(before);
	kill(pid, SIGSTOP);
	tap_ok(await_log(") hangs: its loop has not turned for 3000 ms",
	                 SURELY_MS),
	       "that slabd hangs is noticed by one that took over");
	next = super_next(&fixture, pid);
	tap_ok(next > 0 && super_is_gone(pid, SURELY_MS),
	       "it is ended, and there is another one");
	kill(fixture.pid, SIGTERM);
	tap_ok(super_is_gone(next, SURELY_MS) &&
	               super_is_gone(fixture.pid, SURELY_MS),
	       "SIGTERM ends both");
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, CONFIG("500ms"));
	test_hangs();
	test_debugged();
	test_both_stopped();
	fixture_remove(&fixture);
	/* What is adopted need not be quick. */
	fixture_make(&fixture, CONFIG("3s"));
	test_lost();
	test_another();
	test_adopted_hangs();
	super_end();
	fixture_remove(&fixture);
	return tap_end();
}
