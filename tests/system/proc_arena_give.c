/* SPDX-License-Identifier: MIT */
/* A whole arena changes hands: what is in it, who has it, what is refused, and what
 * is left where either side dies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define ORDERS 80u

struct order {
	uint64_t number;
	char text[88];
};

static struct fixture fixture;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

static slabd_arena *make(slabd_pool *pool, unsigned n)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "request");
	for (unsigned i = 0; i < n; i++) {
		struct order *order =
			slabd_arena_alloc(arena, sizeof(*order), 0);
		order->number = i;
		memset(order->text, (int)i, sizeof(order->text));
	}
	return arena;
}

/* Orders that are not as they were made. */
static unsigned wrong(slabd_arena *arena, unsigned n)
{
	const struct order *order = slabd_arena_first(arena);
	unsigned bad = 0;
	for (unsigned i = 0; i < n; i++) {
		bad += order[i].number != i;
		for (unsigned k = 0; k < sizeof(order->text); k++)
			bad += order[i].text[k] != (char)i;
	}
	return bad;
}

/* ---- the receiver --------------------------------------------------------- */

static void receive(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_arena *arena;
	slabd_handle handle;
	(void)arg;
	say(fd, slabd_client_id(pool));
	handle = hear(fd);
	arena = slabd_arena_take(pool, handle);
	if (arena == NULL)
		tap_bail("slabd_arena_take: %s", slabd_last_error());
	tap_is(wrong(arena, ORDERS), 0, "another process has what was in it");
	fails(slabd_arena_take(pool, handle) == NULL, EPERM, "take it twice");
	for (unsigned i = 0; i < 1000; i++)
		memset(slabd_arena_alloc(arena, 500, 0), 1, 500);
	tap_is(wrong(arena, ORDERS), 0, "and goes on with it");
	slabd_arena_reset(arena);
	slabd_arena_destroy(arena);
	say(fd, 0);
	/* Those that come now it never takes. */
	for (;;) {
		slabd_handle gifts[8];
		hear(fd);
		say(fd, slabd_gifts(pool, SLABD_NO_HANDLE, 8, gifts));
	}
}

/* ---- the giver ------------------------------------------------------------ */

static void test_refused(slabd_pool *pool, unsigned id)
{
	slabd_arena *arena = make(pool, 1000);
	slabd_arena *parent = slabd_arena_create(pool, NULL, NULL);
	slabd_arena *child = slabd_arena_create(pool, parent, NULL);
	fails(slabd_arena_give(arena, id) == 0, E2BIG, "give several chunks");
	slabd_arena_reset(arena);
	slabd_arena_alloc(arena, 100000, 0);
	fails(slabd_arena_give(arena, id) == 0, E2BIG, "give a large block");
	slabd_arena_reset(arena);
	slabd_arena_cleanup(arena, free, NULL);
	fails(slabd_arena_give(arena, id) == 0, EBUSY, "give cleanups");
	fails(slabd_arena_give(parent, id) == 0, EBUSY, "give children");
	fails(slabd_arena_give(child, 30000) == 0, ESRCH, "give to nobody");
	tap_ok(slabd_arena_alloc(child, 10, 0) != NULL,
	       "what is refused stays as it is");
	fails(slabd_arena_give(NULL, id) == 0, EINVAL, "give no arena");
	fails(slabd_arena_reserve(child, 100) < 0, EBUSY,
	      "reserve after something was allocated");
	slabd_arena_destroy(parent);
	fails(slabd_arena_give(child, id) == 0, EINVAL,
	      "give a destroyed parent's child");
	slabd_arena_destroy(arena);
}

/* What is no arena, and what has another's bytes where the record should be. */
static void test_handles(slabd_pool *pool)
{
	unsigned self = slabd_client_id(pool);
	slabd_cache *cache = fixture_cache(pool, "orders", 96);
	slabd_cache *chunks = fixture_cache(pool, "arena-8k", 8192);
	void *object = slabd_alloc(cache);
	void *chunk = slabd_alloc(chunks);
	slabd_handle handle = slabd_handle_of(pool, object);
	slabd_give(pool, object, self);
	fails(slabd_arena_take(pool, handle) == NULL, EINVAL,
	      "take what is no arena");
	tap_ok(slabd_take(pool, handle) == object, "which stays a gift");
	slabd_free(cache, object);
	for (unsigned i = 0; i < 3; i++) {
		static const uint64_t used[] = {8208, 191, 201};
		memset(chunk, 0x5a, 8192);
		memcpy(chunk, "SLBAREN1", 8);
		memcpy((char *)chunk + 8, &used[i], sizeof(used[i]));
		handle = slabd_handle_of(pool, chunk);
		slabd_give(pool, chunk, self);
		fails(slabd_arena_take(pool, handle) == NULL, EBADMSG,
		      "take a chunk with lies in it");
		chunk = slabd_alloc(chunks);
	}
	slabd_free(chunks, chunk);
	fails(slabd_arena_take(pool, SLABD_NO_HANDLE) == NULL, EINVAL,
	      "take no handle");
	fails(slabd_arena_take(NULL, handle) == NULL, EINVAL, "take of no pool");
}

static void test_sizes(slabd_pool *pool)
{
	unsigned self = slabd_client_id(pool);
	slabd_arena *arena = slabd_arena_create(pool, NULL, "large");
	slabd_handle handle;
	char *at;
	tap_is(slabd_arena_reserve(arena, 1000000), 0, "room in one chunk");
	at = memset(slabd_arena_alloc(arena, 1000000, 0), 7, 1000000);
	handle = slabd_arena_give(arena, self);
	fails(slabd_arena_alloc(arena, 1, 0) == NULL, EINVAL,
	      "use what was given");
	arena = slabd_arena_take(pool, handle);
	tap_ok(arena != NULL && slabd_arena_first(arena) == at && at[999999] == 7,
	       "a megabyte is given and taken");
	fails(slabd_arena_reserve(arena, 3u << 20) < 0, EBUSY,
	      "reserve in what was taken");
	slabd_arena_destroy(arena);
	arena = slabd_arena_create(pool, NULL, NULL);
	fails(slabd_arena_reserve(arena, 3u << 20) < 0, EINVAL,
	      "reserve more than a page");
	handle = slabd_arena_give(arena, self);
	arena = slabd_arena_take(pool, handle);
	tap_ok(arena != NULL, "an empty one, too");
	slabd_arena_destroy(arena);
}

static void give(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	unsigned id = (unsigned)hear(fd);
	(void)arg;
	test_refused(pool, id);
	test_handles(pool);
	test_sizes(pool);
	say(fd, slabd_arena_give(make(pool, ORDERS), id));
	hear(fd);
	for (unsigned i = 0; i < 3; i++)
		say(fd, slabd_arena_give(make(pool, ORDERS), id));
	make(pool, ORDERS);
	pause();
}

int main(void)
{
	struct child receiver;
	struct child giver;
	tap_start(300);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 16M\n"
	                       "max = 96M\n");
	child_start(&receiver, receive, NULL);
	child_start(&giver, give, NULL);
	say(giver.fd, hear(receiver.fd));
	say(receiver.fd, hear(giver.fd));
	say(giver.fd, hear(receiver.fd));
	for (unsigned i = 0; i < 3; i++)
		tap_ok(hear(giver.fd) != SLABD_NO_HANDLE, "given again");
	fixture_audit(&fixture, "with gifts on their way");
	child_kill(&giver);
	fixture_until(&fixture, "/status", "pools.0.clients", 1, SURELY_MS);
	say(receiver.fd, 0);
	tap_is((long long)hear(receiver.fd), 3,
	       "a dead giver's gifts are there to be taken");
	fixture_audit(&fixture, "after the giver's death");
	child_kill(&receiver);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "with the receiver go its gifts");
	fixture_audit(&fixture, "after the receiver's death");
	fixture_close(&fixture);
	return tap_end();
}
