/* SPDX-License-Identifier: MIT */
/*
 * What a slabd that was killed leaves where nobody keeps it: the next one gives
 * back the hugepages that it had added, and says which processes hold its
 * memory still.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define OBJECTS 2048u
#define SIZE 4096u
#define POOL "left-behind"

static struct fixture fixture;

static unsigned ledgers(void)
{
	DIR *dir = opendir(fixture.dir);
	struct dirent *entry;
	unsigned n = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		n += strstr(entry->d_name, ".ledger") != NULL;
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* Has objects until it is told to end. */
static void holder(int fd, void *arg)
{
	static void *all[OBJECTS];
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open(POOL, &options);
	slabd_cache *cache;
	(void)arg;
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "held", SIZE);
	say(fd, fixture_take(cache, OBJECTS, all));
	hear(fd);
}

/* Those of this test's: other tests on the machine have theirs. at: one. */
static long long orphans_at(long long *at)
{
	json_t *doc = fixture_get(&fixture, "/status");
	json_t *one;
	size_t i;
	long long n = 0;
	json_array_foreach(json_at(doc, "orphans"), i, one) {
		const char *pool = json_string_value(json_at(one, "pool"));
		if (pool == NULL || strcmp(pool, POOL) != 0)
			continue;
		*at = (long long)i;
		n++;
	}
	json_decref(doc);
	return n;
}

static long long orphans(void)
{
	long long at;
	return orphans_at(&at);
}

static long long orphan_number(const char *field)
{
	char what[64];
	long long at = 0;
	orphans_at(&at);
	snprintf(what, sizeof(what), "orphans.%lld.%s", at, field);
	return fixture_number(&fixture, "/status", what);
}

/* A look has the next one be of now, a while later. */
static bool orphans_are(long long n)
{
	double until = now_ms() + SURELY_MS;
	while (orphans() != n && now_ms() < until)
		sleep_ms(50);
	return orphans() == n;
}

static void kill_slabd(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
}

static void test_orphans(void)
{
	struct child child;
	fixture_open(&fixture, "[pool " POOL "]\npage = 4k\n");
	tap_is(ledgers(), 0, "a pool that adds no hugepages has no ledger");
	tap_is(orphans(), 0, "no pool is an orphan at first");
	child_start(&child, holder, NULL);
	tap_is((long long)hear(child.fd), OBJECTS, "a client has objects");
	tap_is(orphans(), 0, "with its slabd it is none");
	kill_slabd();
	if (!fixture_start(&fixture))
		tap_bail("slabd does not start");
	tap_ok(orphans_are(1), "the next slabd finds what it holds");
	tap_ok(fixture_logged(&fixture, "of a slabd that is gone live on"),
	       "and warns of it");
	tap_is(orphan_number("processes"), 1,
	       "it names one process");
	tap_is(orphan_number("pids.0.pid"), child.pid, "which is the client");
	tap_ok(geteuid() != 0 ||
	               orphan_number("bytes") >= (long long)OBJECTS * SIZE,
	       "and how much it holds");
	child_kill(&child);
	tap_ok(orphans_are(0), "there is none once that has ended");
	fixture_close(&fixture);
}

static void test_ledger(void)
{
	fixture_open(&fixture, "[pool default]\npage = 2m\nstart = 8M\n");
	if (ledgers() != 1) {
		tap_skip("the folder has no files without a name",
		         "hugepages left behind");
		fixture_close(&fixture);
		return;
	}
	kill_slabd();
	tap_is(ledgers(), 1, "slabd was killed: its ledger stays");
	if (!fixture_start(&fixture))
		tap_bail("slabd does not start");
	tap_is(ledgers(), 1, "the next one has a ledger, its own");
	/* That no more are left than before is looked at as it ends. */
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_orphans();
	test_ledger();
	return tap_end();
}
