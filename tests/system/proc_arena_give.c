/* SPDX-License-Identifier: MIT */
/* A whole arena changes hands: what is in it, who has it, what is refused, and what
 * is left where either side dies. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/arena_record.h"
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

/* Texts, each of which points at the next. */
struct text {
	struct text *next;
	unsigned number;
	size_t length;
	char text[];
};

static slabd_arena *make_large(slabd_pool *pool)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "large");
	struct text **end = slabd_arena_alloc(arena, sizeof(*end), 0);
	for (unsigned i = 0; i < ORDERS; i++) {
		size_t length = i % 20 == 19 ? 200000 : 1000;
		struct text *text =
			slabd_arena_alloc(arena, sizeof(*text) + length, 0);
		text->number = i;
		text->length = length;
		memset(text->text, (int)i, length);
		*end = text;
		end = &text->next;
	}
	*end = NULL;
	return arena;
}

/* Both map the pool at the same address. */
static long long wrong_of_large(slabd_arena *arena)
{
	struct text *const *first = slabd_arena_first(arena);
	long long bad = 0;
	unsigned n = 0;
	for (const struct text *at = *first; at != NULL; at = at->next, n++) {
		bad += at->number != n || at->text[0] != (char)n;
		bad += at->text[at->length - 1] != (char)n;
	}
	return bad + (n != ORDERS);
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
	arena = slabd_arena_take(pool, hear(fd));
	tap_is(arena != NULL ? wrong_of_large(arena) : -1, 0,
	       "another process has all of several chunks");
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
	slabd_arena *arena = slabd_arena_create(pool, NULL, NULL);
	slabd_arena *parent = slabd_arena_create(pool, NULL, NULL);
	slabd_arena *child = slabd_arena_create(pool, parent, NULL);
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
	static const struct arena_record lies[] = {
		{.used = 192, .n_chunks = 1},
		{.magic = ARENA_MAGIC, .used = 8208, .n_chunks = 1},
		{.magic = ARENA_MAGIC, .used = 191, .n_chunks = 1},
		{.magic = ARENA_MAGIC, .used = 201, .n_chunks = 1},
		{.magic = ARENA_MAGIC, .used = 192, .n_chunks = 0},
		{.magic = ARENA_MAGIC, .used = 192, .n_chunks = 2},
		{.magic = ARENA_MAGIC, .used = 192, .n_chunks = 1, .n_blocks = 1},
		{.magic = ARENA_MAGIC, .used = 192, .next = 1, .n_chunks = 2},
		{.magic = ARENA_MAGIC, .used = 192, .next = UINT64_MAX, .n_chunks = 1},
		{.magic = ARENA_MAGIC, .used = 192, .n_chunks = UINT32_MAX,
		 .n_blocks = UINT32_MAX, .classes = UINT32_MAX},
	};
	void *object = slabd_alloc(cache);
	void *chunk = slabd_alloc(chunks);
	slabd_handle handle = slabd_handle_of(pool, object);
	slabd_give(pool, object, self);
	fails(slabd_arena_take(pool, handle) == NULL, EINVAL,
	      "take what is no arena");
	tap_ok(slabd_take(pool, handle) == object, "which stays a gift");
	slabd_free(cache, object);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		memset(chunk, 0x5a, 8192);
		memcpy(chunk, &lies[i], sizeof(lies[i]));
		handle = slabd_handle_of(pool, chunk);
		slabd_give(pool, chunk, self);
		fails(slabd_arena_take(pool, handle) == NULL, EBADMSG,
		      "take a chunk with lies in it");
		fails(slabd_arena_take(pool, handle) == NULL, EPERM,
		      "which is free then");
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

/* Chunks and blocks in one go; what of it is had by itself. */
static void test_large(slabd_pool *pool)
{
	unsigned self = slabd_client_id(pool);
	slabd_arena *arena = make(pool, 1000);
	char *block = memset(slabd_arena_alloc(arena, 300000, 0), 5, 300000);
	struct slabd_arena_stats before;
	struct slabd_arena_stats after;
	slabd_handle gifts[16];
	slabd_handle handle;
	unsigned refused = 0;
	size_t n;
	slabd_arena_get_stats(arena, &before);
	fails(slabd_arena_give(arena, 30000) == 0, ESRCH,
	      "give several chunks to nobody");
	handle = slabd_arena_give(arena, self);
	n = slabd_gifts(pool, SLABD_NO_HANDLE, 16, gifts);
	tap_is((long long)n, (long long)(before.chunks + before.blocks),
	       "gifts are listed, chunk by chunk");
	for (size_t i = 0; i < n; i++)
		refused += gifts[i] != handle &&
		           slabd_arena_take(pool, gifts[i]) == NULL &&
		           errno == EINVAL;
	tap_is(refused, (long long)n - 1, "a part of an arena is none");
	arena = slabd_arena_take(pool, handle);
	slabd_arena_get_stats(arena, &after);
	tap_ok(after.chunks == before.chunks && after.blocks == 1 &&
	               after.bytes == before.bytes && before.chunks > 3,
	       "%llu chunks and a block are taken",
	       (unsigned long long)before.chunks);
	tap_ok(block[0] == 5 && block[299999] == 5, "with what is in them");
	memset(slabd_arena_alloc(arena, 100, 0), 1, 100);
	slabd_arena_reset(arena);
	slabd_arena_destroy(arena);
	tap_is((long long)slabd_gifts(pool, SLABD_NO_HANDLE, 16, gifts), 0,
	       "no part is left behind");
}

/* A part is missing: what is there is free again. */
static void test_broken(slabd_pool *pool)
{
	unsigned self = slabd_client_id(pool);
	slabd_arena *arena = make(pool, 1000);
	slabd_handle handle = slabd_arena_give(arena, self);
	slabd_handle gifts[16];
	slabd_cache *chunks = fixture_cache(pool, "arena-16k", 16384);
	size_t n = slabd_gifts(pool, SLABD_NO_HANDLE, 16, gifts);
	void *part = NULL;
	for (size_t i = 0; i < n && part == NULL; i++)
		if (gifts[i] != handle)
			part = slabd_take(pool, gifts[i]);
	fails(slabd_arena_take(pool, handle) == NULL, EBADMSG,
	      "take what misses a part");
	slabd_cache_close(chunks);
	arena = make(pool, 10);
	slabd_give(pool, (char *)slabd_arena_first(arena) - ARENA_FIRST_ROOM,
	           self);
	fails(slabd_arena_give(arena, self) == 0, EPERM,
	      "give an arena whose chunk was given by itself");
	while ((n = slabd_gifts(pool, SLABD_NO_HANDLE, 16, gifts)) > 0)
		for (size_t i = 0; i < n; i++)
			slabd_take(pool, gifts[i]);
}

static void give(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	unsigned id = (unsigned)hear(fd);
	(void)arg;
	test_refused(pool, id);
	test_handles(pool);
	test_sizes(pool);
	test_large(pool);
	test_broken(pool);
	say(fd, slabd_arena_give(make(pool, ORDERS), id));
	say(fd, slabd_arena_give(make_large(pool), id));
	hear(fd);
	for (unsigned i = 0; i < 3; i++)
		say(fd, slabd_arena_give(make(pool, ORDERS), id));
	make_large(pool);
	pause();
}

/* ---- slabd does not answer ------------------------------------------------- */

/* Its first of that size: what it can't open now is an arena all the same. */
static void begin(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_channel *channel = slabd_channel_open(pool, "first", 8);
	slabd_handle handle;
	(void)arg;
	say(fd, slabd_client_id(pool));
	handle = hear(fd);
	fails(slabd_recv_arena(channel, NULL) == NULL, ETIMEDOUT,
	      "receive the first arena while slabd stands still");
	fails(slabd_arena_take(pool, handle) == NULL, ETIMEDOUT,
	      "take it while slabd stands still");
	say(fd, 0);
	hear(fd);
	tap_is(wrong(slabd_recv_arena(channel, NULL), ORDERS), 0,
	       "then it is received");
	tap_is(wrong(slabd_arena_take(pool, handle), ORDERS), 0,
	       "and taken");
	slabd_close(pool);
	say(fd, 0);
}

static void test_unanswered(void)
{
	slabd_channel *channel;
	slabd_pool *pool;
	struct child child;
	unsigned id;
	/* Before there are threads here, as the thread sanitizer wants it. */
	child_start(&child, begin, NULL);
	id = (unsigned)hear(child.fd);
	pool = fixture_pool(&fixture);
	channel = slabd_channel_open(pool, "first", 8);
	tap_is(slabd_send_arena(channel, make(pool, ORDERS), NULL), 0,
	       "an arena is sent");
	fixture_signal(&fixture, SIGSTOP);
	say(child.fd, slabd_arena_give(make(pool, ORDERS), id));
	hear(child.fd);
	fixture_signal(&fixture, SIGCONT);
	say(child.fd, 0);
	hear(child.fd);
	child_end(&child, "who waited ends well");
	slabd_close(pool);
	fixture_audit(&fixture, "after slabd stood still");
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
	hear(receiver.fd);
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
	test_unanswered();
	fixture_close(&fixture);
	return tap_end();
}
