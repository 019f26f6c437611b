/* SPDX-License-Identifier: MIT */
/* What slabctl arenas shows of arenas in use: whose, how large, how long not reset;
 * and that what clients write there harms nobody. */
#include <string.h>

#include <unistd.h>

#include "tests/lib/doctor.h"
#include "tests/lib/harness.h"

static struct fixture fixture;

/* The arena of a name in /arenas, a new reference; NULL: it is not there. */
static json_t *seen(const char *name)
{
	json_t *doc = fixture_get(&fixture, "/arenas?limit=1000");
	json_t *found = NULL;
	json_t *arena;
	size_t i;
	json_array_foreach(json_at(doc, "pools.0.arenas"), i, arena)
	{
		const char *is = json_string_value(json_object_get(arena, "name"));
		if (is != NULL && strcmp(is, name) == 0)
			found = json_incref(arena);
	}
	json_decref(doc);
	return found;
}

static long long number(const char *name, const char *key)
{
	json_t *arena = seen(name);
	long long n = arena != NULL
	                      ? json_integer_value(json_object_get(arena, key))
	                      : -1;
	json_decref(arena);
	return n;
}

static bool was_reset(const char *name)
{
	json_t *arena = seen(name);
	bool is = json_is_real(json_object_get(arena, "reset_age_s"));
	json_decref(arena);
	return is;
}

static void fill(slabd_arena *arena, size_t bytes)
{
	for (; bytes > 0; bytes -= 1000)
		if (slabd_arena_alloc(arena, 1000, 0) == NULL)
			tap_bail("arena: %s", slabd_last_error());
}

static void test_life(slabd_pool *pool)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "session");
	slabd_arena *request = slabd_arena_create(pool, arena, "request");
	tap_is(number("session", "bytes"), -1, "without a chunk there is none");
	fill(arena, 1000);
	tap_is(number("session", "bytes"), 8192, "it is seen with its first chunk");
	tap_is(number("session", "client"), slabd_client_id(pool), "and whose it is");
	tap_is(number("session", "grown_bytes"), 0, "it has not grown");
	tap_ok(!was_reset("session"), "it was never reset");
	fill(arena, 200000);
	tap_ok(number("session", "grown_bytes") >= 192000, "it grows: %lld",
	       number("session", "grown_bytes"));
	tap_ok(slabd_arena_alloc(arena, 300000, 0) != NULL, "a block of its own");
	tap_ok(number("session", "bytes") >= 500000, "counts, too");
	fill(request, 1000);
	tap_is(number("request", "resets"), 0, "a child is seen for itself");
	for (int i = 0; i < 7; i++)
		slabd_arena_reset(request);
	tap_is(number("request", "resets"), 7, "it is reset seven times");
	tap_ok(was_reset("request"), "and when is known");
	slabd_arena_reset(arena);
	tap_ok(was_reset("session") && number("session", "grown_bytes") == 0,
	       "the parent is reset: it has not grown since");
	tap_is(number("request", "resets"), 8, "and its child with it");
	slabd_arena_destroy(arena);
	tap_is(number("session", "bytes"), -1, "it is seen no more once it ends");
	tap_is(number("request", "bytes"), -1, "nor is its child");
}

/* Nothing in it is so small that it would share a chunk. */
static void test_large(slabd_pool *pool)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "large");
	for (int i = 0; i < 4; i++)
		if (slabd_arena_alloc(arena, 20000, 0) == NULL)
			tap_bail("arena: %s", slabd_last_error());
	tap_ok(number("large", "bytes") >= 80000,
	       "one of large blocks alone is seen: %lld bytes",
	       number("large", "bytes"));
	slabd_arena_reset(arena);
	tap_is(number("large", "resets"), 1, "and that it is reset");
	slabd_arena_destroy(arena);
}

static void test_given(slabd_pool *pool)
{
	slabd_pool *other = fixture_pool(&fixture);
	slabd_arena *arena = slabd_arena_create(pool, NULL, "given");
	slabd_handle handle;
	fill(arena, 50000);
	handle = slabd_arena_give(arena, slabd_client_id(other));
	tap_is(number("given", "bytes"), -1, "on its way it is nobody's to use");
	arena = slabd_arena_take(other, handle);
	tap_is(number("given", "client"), slabd_client_id(other),
	       "it is the receiver's then");
	slabd_arena_destroy(arena);
	slabd_close(other);
}

static void dies(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	(void)arg;
	fill(slabd_arena_create(pool, NULL, "mortal"), 1000);
	say(fd, 1);
	hear(fd);
}

static void test_death(void)
{
	struct child child;
	child_start(&child, dies, NULL);
	hear(child.fd);
	tap_ok(number("mortal", "bytes") > 0, "another process's is seen");
	child_kill(&child);
	fixture_until(&fixture, "/audit", "pools.0.owned", 0, SURELY_MS);
	tap_is(number("mortal", "bytes"), -1, "until that has died");
}

/* Whatever a client writes there is shown as text and numbers. */
static void test_lies(slabd_pool *pool)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "liar");
	char *start;
	fill(arena, 1000);
	start = (char *)((uintptr_t)slabd_arena_first(arena) & ~UINT64_C(4095));
	memset(start + 8, 0xff, 120);
	tap_is(number("liar", "bytes"), -1, "it wrote over what it says of itself");
	json_decref(fixture_get(&fixture, "/arenas"));
	fixture_audit(&fixture, "with lies");
	slabd_arena_reset(arena);
	slabd_arena_destroy(arena);
}

/* The log and the doctor name it, until it is reset. */
static void test_overdue(slabd_pool *pool)
{
	static const char what[] = "arena leak of client";
	slabd_arena *arena = slabd_arena_create(pool, NULL, "leak");
	fill(arena, 5000000);
	for (unsigned i = 0; i < SURELY_MS / 10 && !fixture_logged(&fixture, what); i++)
		usleep(10000);
	tap_ok(fixture_logged(&fixture, what), "the log warns of it");
	tap_ok(doctor_says(&fixture, what, "soon"), "so does the doctor");
	slabd_arena_reset(arena);
	tap_ok(!doctor_says(&fixture, what, "soon"), "not once it is reset");
	slabd_arena_destroy(arena);
}

int main(void)
{
	struct slabd_options options;
	slabd_pool *pool;
	tap_start(120);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 64M\n"
	                       "arena_warn_age = 1s\narena_warn_bytes = 4M\n");
	/* No thread of its own: its child has one. */
	options = fixture_options(&fixture, SLABD_NO_HELPER);
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	test_life(pool);
	test_large(pool);
	test_given(pool);
	test_lies(pool);
	test_overdue(pool);
	slabd_flush(pool);
	test_death();
	slabd_close(pool);
	fixture_close(&fixture);
	return tap_end();
}
