/* SPDX-License-Identifier: MIT */
/* slabd started again on what was kept, with another slabd.conf: what can be
 * applied is, what can't is said, and what it says to do is true. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/super.h"

#define HEAD "[slabd]\ntopology = node:1 core:2 pu:1\n"
#define FIRST                                                                  \
	HEAD "[pool default]\npage = 4k\nstart = 2M\nmax = 16M\n"           \
	     "max_caches = 70\nmax_clients = 2\n"
#define MORE                                                                   \
	HEAD "[pool default]\npage = thp\nstart = 8M\nmax = 64M\n"          \
	     "max_caches = 200\nmax_clients = 4\n"
#define LESS                                                                   \
	HEAD "[pool default]\npage = 4k\nstart = 2M\nmax = 10M\n"           \
	     "max_caches = 2\nmax_clients = 4\n"
#define OTHER HEAD "[pool other]\npage = 4k\nstart = 2M\nmax = 4M\n"

#define MIB (1 << 20)
#define SIZE 65536
#define MOST 1024

static struct fixture fixture;
static pid_t slabd;

static slabd_pool *try_open(const char *name)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	return slabd_open(name, &options);
}

static void restart(const char *config)
{
	FILE *file = fopen(fixture.config, "w");
	if (file == NULL || fputs(config, file) < 0 || fclose(file) != 0)
		tap_bail("can't write %s", fixture.config);
	slabd = super_kill(&fixture, slabd);
}

/* ---- the one who has the pool -------------------------------------------- */

static size_t fill(slabd_cache *cache, void **all)
{
	size_t n = 0;
	while (n < MOST && (all[n] = slabd_alloc(cache)) != NULL)
		n++;
	return n;
}

/* Each time that it hears a word, fills the pool: how many bytes there were,
 * and whether it was told that a higher max waits. */
static void holder(int fd, void *arg)
{
	static void *all[MOST];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	void *kept = slabd_alloc(cache);
	(void)arg;
	say(fd, kept != NULL);
	while (hear(fd) != 0) {
		size_t n = fill(cache, all);
		bool waits = strstr(slabd_last_error(),
		                    "max in slabd.conf waits") != NULL;
		bool raise = strstr(slabd_last_error(), "raise max") != NULL;
		slabd_free_bulk(cache, n, all);
		slabd_flush(pool);
		say(fd, n * SIZE);
		say(fd, waits);
		say(fd, raise);
	}
	slabd_close(pool);
}

struct filled {
	uint64_t bytes;
	bool waits;
	bool raise;
};

static struct filled filled(struct child *child)
{
	struct filled is;
	say(child->fd, 1);
	is.bytes = hear(child->fd);
	is.waits = hear(child->fd) != 0;
	is.raise = hear(child->fd) != 0;
	tap_note("%llu KiB", (unsigned long long)is.bytes / 1024);
	return is;
}

static const char *waiting(json_t *doc, size_t i, const char *key)
{
	char path[64];
	const char *text;
	snprintf(path, sizeof(path), "pools.0.waiting.%zu.%s", i, key);
	text = json_string_value(json_at(doc, path));
	return text != NULL ? text : "";
}

/* ---- more than the files can have ---------------------------------------- */

static void test_more(struct child *child)
{
	slabd_pool *pool[3];
	struct filled is = filled(child);
	json_t *doc;
	tap_ok(is.bytes > 12 * MIB && is.raise && !is.waits,
	       "a pool that is full says to raise max");
	restart(MORE);
	doc = fixture_get(&fixture, "/status");
	tap_is((long long)json_array_size(json_at(doc, "pools.0.waiting")), 3,
	       "three settings wait");
	tap_ok(strcmp(waiting(doc, 0, "key"), "max") == 0 &&
	               strcmp(waiting(doc, 0, "configured"), "64 MiB") == 0 &&
	               strcmp(waiting(doc, 0, "running"), "16 MiB") == 0,
	       "max is one, with both values");
	tap_ok(strcmp(waiting(doc, 1, "key"), "page") == 0 &&
	               strcmp(waiting(doc, 2, "key"), "max_caches") == 0,
	       "page and max_caches are the others");
	json_decref(doc);
	tap_ok(fixture_logged(&fixture, "max = 64 MiB in slabd.conf waits") &&
	               fixture_logged(&fixture, "goes on with 16 MiB"),
	       "the log has them, too");
	tap_ok(fixture_number(&fixture, "/status", "pools.0.ready_bytes") >=
	               8 * MIB,
	       "a higher start is applied");
	for (int i = 0; i < 3; i++)
		pool[i] = try_open(NULL);
	tap_ok(pool[0] != NULL && pool[1] != NULL && pool[2] != NULL,
	       "a higher max_clients is applied");
	for (int i = 0; i < 3; i++)
		slabd_close(pool[i]);
	is = filled(child);
	tap_ok(is.bytes > 12 * MIB && is.waits && !is.raise,
	       "one that is full says that the higher max waits");
	fixture_audit(&fixture, "with more");
}

/* ---- less ---------------------------------------------------------------- */

static void test_less(struct child *child)
{
	slabd_pool *pool;
	struct filled is;
	restart(LESS);
	tap_is(fixture_number(&fixture, "/status", "pools.0.waiting.0"),
	       INT64_MIN, "nothing waits");
	fixture_post(&fixture, "/trim", "");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.ready_bytes",
	                     2 * MIB, SURELY_MS) >= 0,
	       "a lower floor is applied");
	is = filled(child);
	tap_ok(is.bytes <= 10 * MIB && is.bytes > 7 * MIB && is.raise,
	       "a lower max is applied");
	pool = fixture_pool(&fixture);
	fixture_cache(pool, "two", 64);
	fixture_fails(slabd_cache_create(pool, "three", 64, 0, 0) == NULL,
	              ENOSPC, "a lower max_caches is applied");
	slabd_close(pool);
	fixture_audit(&fixture, "with less");
}

/* ---- a pool that is no longer there --------------------------------------- */

static void test_removed(struct child *child)
{
	slabd_pool *pool;
	json_t *doc;
	restart(OTHER);
	tap_ok(fixture_logged(&fixture, "pool default is no longer in "
	                                "slabd.conf, and 1 clients have it"),
	       "a pool with clients that is removed is said");
	doc = fixture_get(&fixture, "/status?pool=default");
	tap_ok(json_is_true(json_at(doc, "pools.0.leaving")),
	       "status has it");
	json_decref(doc);
	fixture_fails(try_open("default") == NULL, ENOENT,
	              "nobody new comes in");
	tap_ok(strstr(slabd_last_error(), "no longer in slabd.conf") != NULL,
	       "and hears why");
	pool = try_open("other");
	tap_ok(pool != NULL && slabd_cache_create(pool, "x", 64, 0, 0) != NULL,
	       "the new pool is there");
	slabd_close(pool);
	tap_ok(filled(child).bytes > 7 * MIB, "its client goes on");
	restart(OTHER);
	tap_ok(filled(child).bytes > 7 * MIB, "another time, too");
	fixture_audit(&fixture, "with a pool that is leaving");
	say(child->fd, 0);
	child_end(child, "its client ends well");
	doc = NULL;
	for (double until = now_ms() + SURELY_MS;
	     now_ms() < until && doc == NULL; sleep_ms(5)) {
		doc = fixture_get(&fixture, "/status");
		if (json_array_size(json_at(doc, "pools")) == 1)
			break;
		json_decref(doc);
		doc = NULL;
	}
	tap_ok(doc != NULL, "and with it the pool");
	json_decref(doc);
	restart(OTHER);
	tap_ok(fixture_number(&fixture, "/status", "pools.1.max_bytes") < 0,
	       "nothing of it is kept");
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_make(&fixture, FIRST);
	slabd = super_start(&fixture);
	child_start(&child, holder, NULL);
	hear(child.fd);
	test_more(&child);
	test_less(&child);
	test_removed(&child);
	super_stop(&fixture, slabd, "slabd ends well");
	fixture_remove(&fixture);
	super_end();
	return tap_end();
}
