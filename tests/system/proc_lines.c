/* SPDX-License-Identifier: MIT */
/*
 * What the log says of clients and of slabd's own ends, line by line: who joins,
 * for those who look closely alone; who is killed with much, as a warning; how
 * often slabd was started again, and why.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/super.h"

#define POOL "[pool default]\npage = 4k\nstart = 4M\nmax = 16M\n"
#define DEBUG "[slabd]\nlog_level = debug\n"
#define MUCH 12000u /* objects of which a death is worth a warning */
#define FEW 100u
#define LARGE (1u << 20)

static struct fixture fixture;

/* A client with n objects, until it is told to close. */
static void client(int fd, void *arg)
{
	static void *object[MUCH];
	const size_t *n = arg;
	slabd_pool *pool = fixture_pool(&fixture);
	/* Of large ones none is taken ahead. */
	slabd_cache *cache = fixture_cache(pool, "things", *n == 1 ? LARGE : 64);
	if (fixture_take(cache, *n, object) != *n)
		tap_bail("%s", slabd_last_error());
	say(fd, slabd_client_id(pool));
	hear(fd);
	slabd_close(pool);
}

/* Until the log has a line that begins, behind the time, and ends so. */
static bool comes(const char *begins, const char *has, const char *ends)
{
	static char line[8192];
	double until = now_ms() + SURELY_MS;
	do {
		FILE *log = fopen(fixture.log, "r");
		bool found = false;
		while (log != NULL && !found &&
		       fgets(line, sizeof(line), log) != NULL) {
			size_t len = strcspn(line, "\n");
			line[len] = '\0';
			const char *at = strstr(line, begins);
			found = at != NULL && strstr(at, has) != NULL &&
			        len >= strlen(ends) &&
			        strcmp(line + len - strlen(ends), ends) == 0;
		}
		if (log != NULL)
			fclose(log);
		if (found)
			return true;
		sleep_ms(2);
	} while (now_ms() < until);
	return false;
}

/* ---- who joins ------------------------------------------------------------ */

static void test_join(const char *head, bool said)
{
	struct child one, two;
	size_t few = FEW;
	char first[128], second[128];
	fixture_open(&fixture, "%s%s", head, POOL);
	child_start(&one, client, &few);
	unsigned id = (unsigned)hear(one.fd);
	child_start(&two, client, &few);
	unsigned other = (unsigned)hear(two.fd);
	snprintf(first, sizeof(first), "slabd: debug: pool default: client %u "
	         "(proc_lines, pid %d) joins, one of 1\n", id, one.pid);
	snprintf(second, sizeof(second), "slabd: debug: pool default: client %u "
	         "(proc_lines, pid %d) joins, one of 2\n", other, two.pid);
	/* slabd writes it before it answers the next one. */
	fixture_number(&fixture, "/status", "pid");
	if (said)
		tap_ok(fixture_logged(&fixture, first) &&
		               fixture_logged(&fixture, second),
		       "who joins is said, with log_level = debug");
	else
		tap_ok(!fixture_logged(&fixture, " joins, one of "),
		       "and not without");
	say(one.fd, 0);
	say(two.fd, 0);
	child_end(&one, "the first one closes");
	child_end(&two, "and so does the second");
	fixture_close(&fixture);
}

/* ---- who dies with much --------------------------------------------------- */

/* Its end, as told or by SIGKILL, is a line of that level. */
static void ends(size_t n, bool killed, const char *level, const char *tail)
{
	struct child child;
	char begins[128];
	child_start(&child, client, &n);
	unsigned id = (unsigned)hear(child.fd);
	snprintf(begins, sizeof(begins), "slabd: %s: pool default: client %u "
	         "(proc_lines, pid %d) ended: ", level, id, child.pid);
	if (killed) {
		child_kill(&child);
	} else {
		say(child.fd, 0);
		child_end(&child, "it closes");
	}
	tap_ok(comes(begins, n == 1 ? ": 1 object came back, "
	                            : " objects came back, ", tail), "of %zu objects that %s had: %s", n,
	       killed ? "one that was killed" : "one that closed", level);
}

static void test_died(void)
{
	fixture_open(&fixture, POOL);
	ends(MUCH, true, "warn", " ms; it had closed nothing");
	ends(FEW, true, "info", " ms");
	ends(1, true, "info", " ms");
	ends(MUCH, false, "info", " ms");
	fixture_close(&fixture);
}

/* ---- starts --------------------------------------------------------------- */

/* slabd ended for that reason, and was started again for the n-th time. */
static bool is_counted(const char *reason, unsigned n)
{
	char ends[48];
	snprintf(ends, sizeof(ends), " descriptors kept, restart %u", n);
	return comes("slabd: warn: slabd (pid ", reason, ends);
}

static void test_restarts(void)
{
	fixture_make(&fixture, POOL);
	pid_t pid = super_start(&fixture);
	pid = super_kill(&fixture, pid);
	tap_ok(is_counted(" was killed by SIGKILL after ", 1),
	       "the first restart is counted, with its reason");
	kill(pid, SIGALRM);
	pid = super_next(&fixture, pid);
	tap_ok(is_counted(" was killed by SIGALRM after ", 2),
	       "and so is the second, with another");
	super_stop(&fixture, pid, "the third one");
	fixture_remove(&fixture);
}

int main(void)
{
	tap_start(240);
	test_join(DEBUG, true);
	test_join("", false);
	test_died();
	test_restarts();
	super_end();
	return tap_end();
}
