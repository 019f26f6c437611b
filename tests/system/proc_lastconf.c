/* SPDX-License-Identifier: MIT */
/* A configuration with errors, found by the slabd that is to take over: clients
 * keep their memory, and slabd goes on with what it ran with before. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/lib/keeper.h"

#define CONFIG "[slabd]\ntopology = node:1 core:2 pu:1\n"                      \
               "[pool default]\npage = 4k\nstart = 4M\nmax = 32M\n"
#define HELD 3000

static struct fixture fixture;
static struct keeper keeper;
static void *held[HELD];

static void holder(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "one", 1024);
	size_t n = fixture_take(cache, HELD, held);
	(void)arg;
	say(fd, n);
	hear(fd);
	slabd_free_bulk(cache, n, held);
	tap_is((long long)fixture_take(cache, HELD, held), HELD,
	       "the client allocates as before");
	slabd_close(pool);
}

static void write_config(const char *text, const char *mode)
{
	FILE *file = fopen(fixture.config, mode);
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		tap_bail("can't write %s", fixture.config);
}

static void kill_slabd(void)
{
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	keeper_catch_up(&keeper);
}

static bool starts(void)
{
	int status;
	bool ready = keeper_start(&keeper, &fixture, &status);
	if (!ready)
		tap_note("status 0x%x", status);
	return ready;
}

static void test_mistyped(void)
{
	struct child child;
	long long owned;
	tap_ok(starts(), "slabd starts");
	child_start(&child, holder, NULL);
	tap_is((long long)hear(child.fd), HELD, "a client has objects");
	owned = fixture_owned(&fixture);
	kill_slabd();
	write_config("holds = 1s\n", "a");
	tap_ok(starts(), "with a key that it does not know it starts again");
	tap_ok(fixture_logged(&fixture, "holds"), "the log names the key");
	tap_ok(fixture_logged(&fixture,
	                      "that it ran with before; repair the file"),
	       "and says what it does, and what to do");
	tap_is(fixture_owned(&fixture), owned, "all objects are as they were");
	fixture_audit(&fixture, "with the configuration of before");
	kill_slabd();
	write_config("nonsense", "w");
	tap_ok(starts(), "and a second time, with nothing but nonsense");
	fixture_audit(&fixture, "a second time");
	say(child.fd, 1);
	child_end(&child, "the client ends well");
	kill_slabd();
}

/* Where nothing is kept nothing is lost by an end. */
static void test_nothing_kept(void)
{
	int status = 0;
	keeper_close(&keeper);
	keeper_open(&keeper, &fixture);
	tap_ok(!keeper_start(&keeper, &fixture, &status) && WIFEXITED(status) &&
	               WEXITSTATUS(status) == 2,
	       "with nothing kept it ends with status 2");
}

int main(void)
{
	tap_start(300);
	fixture_make(&fixture, CONFIG);
	keeper_open(&keeper, &fixture);
	test_mistyped();
	test_nothing_kept();
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
