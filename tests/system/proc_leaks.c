/* SPDX-License-Identifier: MIT */
/*
 * slabctl leaks of a real slabd names each kind of owner with what it has: an arena
 * that nobody resets, gifts that nobody takes, a channel that nobody has open; how
 * suspicious each is, and what helps. It says no more of what was seen to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/lib/harness.h"

#define SIZE 96
#define SENT 40u
#define GIVEN 25u
#define ARENA_BYTES 5000000u

static struct fixture fixture;
static char said[16384]; /* by the last slabctl */

/* One result: slabctl says all of that, in this order. */
static void ctl(const char *words, const char *const *says, const char *title)
{
	const char *build = getenv("builddir");
	char command[400];
	const char *at = said;
	snprintf(command, sizeof(command),
	         "COLUMNS=400 '%s/daemon/slabctl' --control %s %s 2>&1",
	         build != NULL ? build : ".", fixture.control, words);
	FILE *out = popen(command, "r");
	if (out == NULL)
		tap_bail("can't start slabctl");
	said[fread(said, 1, sizeof(said) - 1, out)] = '\0';
	bool good = pclose(out) == 0;
	for (; good && *says != NULL; says++) {
		at = strstr(at, *says);
		good = at != NULL;
	}
	if (!tap_ok(good, "%s", title))
		tap_note("%s", said);
}

/* The row of a kind in /leaks, a new reference; NULL: there is none. */
static json_t *leak(const char *kind)
{
	json_t *doc = fixture_get(&fixture, "/leaks");
	json_t *row, *found = NULL;
	size_t i;
	json_array_foreach(json_at(doc, "pools.0.leaks"), i, row) {
		json_t *is = json_object_get(row, "kind");
		if (strcmp(json_string_value(is), kind) == 0)
			found = json_incref(row);
	}
	json_decref(doc);
	return found;
}

static bool is_gone(const char *kind)
{
	json_t *row = leak(kind);
	bool gone = row == NULL;
	json_decref(row);
	return gone;
}

static bool comes(const char *kind)
{
	double until = now_ms() + SURELY_MS;
	while (is_gone(kind) && now_ms() < until)
		sleep_ms(10);
	return !is_gone(kind);
}

/* One result: that row, with so many objects; -1: it tells none. */
static void is_owner(const char *kind, const char *suspicion, long long id,
                     const char *name, long long objects, long long bytes)
{
	json_t *row = leak(kind);
	json_t *n = json_object_get(row, "objects");
	const char *is = json_string_value(json_object_get(row, "suspicion"));
	const char *of = json_string_value(json_object_get(row, "name"));
	tap_ok(is != NULL && strcmp(is, suspicion) == 0,
	       "%s: is %s", kind, suspicion);
	tap_ok(of != NULL && strcmp(of, name) == 0, "%s: of %s", kind, name);
	if (id >= 0)
		tap_is(json_integer_value(json_object_get(row, "id")), id,
		       "%s: its client", kind);
	tap_is(json_is_null(n) ? -1 : json_integer_value(n), objects,
	       "%s: its objects", kind);
	tap_ok(json_integer_value(json_object_get(row, "bytes")) >= bytes,
	       "%s: %lld bytes at the least", kind, bytes);
	json_decref(row);
}

/* ---- owners --------------------------------------------------------------- */

static void test_arena(slabd_pool *pool)
{
	static const char *const says[] = {
		"likely", "arena session of client ", ": never reset in ",
		"do: have the program reset or destroy it", NULL};
	slabd_arena *arena = slabd_arena_create(pool, NULL, "session");
	for (size_t n = 0; n < ARENA_BYTES; n += 1000)
		if (slabd_arena_alloc(arena, 1000, 0) == NULL)
			tap_bail("arena: %s", slabd_last_error());
	tap_ok(comes("arena"), "an arena that is not reset comes up");
	is_owner("arena", "likely", slabd_client_id(pool), "session", -1,
	         ARENA_BYTES);
	ctl("leaks", says, "slabctl leaks names it, and what helps");
	slabd_arena_reset(arena);
	tap_ok(is_gone("arena"), "reset it is none any more");
	slabd_arena_destroy(arena);
}

static void test_gifts(slabd_pool *pool, slabd_pool *other, slabd_cache *cache)
{
	static const char *const says[] = {
		"possible", "was given 25 objects that it has not taken",
		"do: ", "slabd_take", NULL};
	slabd_handle handle[GIVEN];
	void *object[GIVEN];
	for (unsigned i = 0; i < GIVEN; i++) {
		object[i] = slabd_alloc(cache);
		handle[i] = slabd_handle_of(pool, object[i]);
	}
	tap_is((long long)slabd_give_bulk(pool, object, GIVEN,
	                                  slabd_client_id(other)),
	       GIVEN, "objects are given");
	is_owner("gifts", "possible", slabd_client_id(other), "proc_leaks",
	         GIVEN, GIVEN * SIZE);
	ctl("leaks", says, "slabctl leaks says who was given them");
	tap_is((long long)slabd_take_bulk(other, handle, GIVEN, object), GIVEN,
	       "they are taken");
	tap_ok(is_gone("gifts"), "and are gifts no longer");
	for (unsigned i = 0; i < GIVEN; i++)
		slabd_free(cache, object[i]);
}

static void test_channel(slabd_pool *pool, slabd_cache *cache)
{
	static const char *const says[] = {
		"likely", "channel orders: 40 objects are under way, "
		          "and nobody has it open",
		"do: ", "receives", NULL};
	void *object[SENT];
	slabd_channel *channel = slabd_channel_open(pool, "orders", 64);
	for (unsigned i = 0; i < SENT; i++)
		object[i] = slabd_alloc(cache);
	tap_is((long long)slabd_send(channel, object, SENT), SENT,
	       "objects are sent");
	is_owner("channel", "kept", -1, "orders", SENT, SENT * SIZE);
	slabd_channel_close(channel);
	double until = now_ms() + SURELY_MS;
	json_t *row = leak("channel");
	while (row != NULL && now_ms() < until &&
	       strcmp(json_string_value(json_object_get(row, "suspicion")),
	              "likely") != 0) {
		json_decref(row);
		sleep_ms(10);
		row = leak("channel");
	}
	json_decref(row);
	is_owner("channel", "likely", -1, "orders", SENT, SENT * SIZE);
	ctl("leaks", says, "slabctl leaks says that nobody has it open");
	channel = slabd_channel_open(pool, "orders", 0);
	tap_is((long long)slabd_recv(channel, object, SENT), SENT,
	       "somebody opens it, and receives them");
	tap_ok(is_gone("channel"), "and it has nothing more");
	for (unsigned i = 0; i < SENT; i++)
		slabd_free(cache, object[i]);
	slabd_channel_close(channel);
}

int main(void)
{
	tap_start(240);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 64M\n"
	                       "arena_warn_age = 1s\narena_warn_bytes = 4M\n");
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_pool *other = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "things", SIZE);
	fixture_cache(other, "things", SIZE);
	test_arena(pool);
	test_gifts(pool, other, cache);
	test_channel(pool, cache);
	slabd_close(other);
	slabd_close(pool);
	tap_is(fixture_used(&fixture), 0, "no object is left over");
	fixture_audit(&fixture, "at the end");
	fixture_close(&fixture);
	return tap_end();
}
