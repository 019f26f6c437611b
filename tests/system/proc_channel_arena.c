/* SPDX-License-Identifier: MIT */
/*
 * Arenas over a channel: what is in one is the receiver's, without a copy; what can't
 * be sent is refused and stays; receivers are killed, and nothing stays behind.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/arena_record.h"
#include "client/handle.h"
#include "shm/channel.h"
#include "tests/lib/sent.h"

#define NAME "arenas"
#define CAPACITY 64
#define ORDERS 40u
#define NOTES 5u
#define ROUNDS 3000u
#define KILLS 12u

/* At the beginning of each, with offsets from itself. */
struct request {
	uint64_t number;
	uint32_t at[ORDERS]; /* bytes from here to a text */
	/* The same to what does not fit into the first chunk, of every other one;
	 * 0: nothing. */
	int64_t note[NOTES];
};

static struct fixture fixture;

/* So large that there are several chunks, and blocks by themselves. */
static void add_notes(slabd_arena *arena, struct request *request)
{
	static const size_t bytes[NOTES] = {3000, 3000, 3000, 3000, 40000};
	for (uint32_t i = 0; i < NOTES; i++) {
		uint64_t *note = slabd_arena_alloc(arena, bytes[i], 0);
		if (note == NULL)
			tap_bail("a note: %s", slabd_last_error());
		note[0] = note[bytes[i] / 8 - 1] = request->number + i;
		request->note[i] = (char *)note - (char *)request;
	}
}

static bool is_noted(const struct request *request, uint32_t i)
{
	const uint64_t *note =
		(const void *)((const char *)request + request->note[i]);
	size_t last = i == NOTES - 1 ? 40000 / 8 - 1 : 3000 / 8 - 1;
	return request->note[i] == 0 || (note[0] == request->number + i &&
	                                 note[last] == request->number + i);
}

static slabd_arena *make(slabd_pool *pool, uint64_t number,
                         struct request **out)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "request");
	struct request *request = slabd_arena_calloc(arena, 1, sizeof(*request));
	if (request == NULL)
		tap_bail("arena: %s", slabd_last_error());
	request->number = number;
	for (uint32_t i = 0; i < ORDERS; i++) {
		char *text = slabd_arena_printf(
			arena, "order %u of %llu", i, (unsigned long long)number);
		request->at[i] = (uint32_t)(text - (char *)request);
	}
	if (number % 2 == 0)
		add_notes(arena, request);
	*out = request;
	return arena;
}

static bool is_whole(const struct request *request)
{
	for (uint32_t i = 0; i < ORDERS; i++) {
		char want[48];
		snprintf(want, sizeof(want), "order %u of %llu", i,
		         (unsigned long long)request->number);
		if (strcmp((const char *)request + request->at[i], want) != 0)
			return false;
	}
	for (uint32_t i = 0; i < NOTES; i++)
		if (!is_noted(request, i))
			return false;
	return true;
}

/* ---- what is refused ------------------------------------------------------ */

static void test_refused(slabd_pool *pool, slabd_channel *channel)
{
	struct request *request;
	slabd_arena *arena = make(pool, 1, &request);
	slabd_arena *child = slabd_arena_create(pool, arena, "child");
	slabd_cache *cache = fixture_cache(pool, "plain", 64);
	slabd_pool *other = fixture_pool(&fixture);
	slabd_channel *elsewhere = sent_channel(other, NAME, CAPACITY);
	void *object = slabd_alloc(cache);
	void *root = &root;
	fixture_fails(slabd_send_arena(channel, NULL, NULL) < 0, EINVAL,
	              "slabd_send_arena of no arena");
	fixture_fails(slabd_send_arena(channel, arena, request) < 0, EBUSY,
	              "of one with a child");
	slabd_arena_destroy(child);
	fixture_fails(slabd_send_arena(channel, arena, object) < 0, EINVAL,
	              "with a root elsewhere");
	fixture_fails(slabd_send_arena(elsewhere, arena, request) < 0, EINVAL,
	              "over another pool's channel");
	slabd_close(other);
	fixture_fails(slabd_recv_arena(channel, &root) == NULL, EAGAIN,
	              "slabd_recv_arena of nothing");
	tap_is((long long)slabd_send(channel, &object, 1), 1, "an object is sent");
	fixture_fails(slabd_recv_arena(channel, &root) == NULL, EINVAL,
	              "slabd_recv_arena of an object");
	tap_ok(slabd_recv(channel, &object, 1) == 1 &&
	               slabd_recv_again(channel) == 0,
	       "which stays, and comes to slabd_recv");
	slabd_free(cache, object);
	tap_ok(is_whole(request), "what was refused is as it was");
	slabd_arena_destroy(arena);
}

/* An object, and then an arena, each by its own call. */
static void test_other_call(slabd_pool *pool, slabd_channel *channel)
{
	slabd_cache *cache = fixture_cache(pool, "plain", 64);
	struct request *request;
	void *objects[2] = {slabd_alloc(cache), NULL};
	void *root = NULL;
	slabd_arena *arena = make(pool, 2, &request);
	tap_ok(slabd_send(channel, objects, 1) == 1 &&
	               slabd_send_arena(channel, arena, request) == 0,
	       "an object is sent, then an arena");
	tap_is((long long)slabd_recv(channel, objects, 2), 1,
	       "slabd_recv has the object alone");
	slabd_free(cache, objects[0]);
	fixture_fails(slabd_recv(channel, objects, 2) == 0, EINVAL,
	              "slabd_recv of an arena");
	fixture_fails(slabd_recv_begin(channel, objects, 2) == 0, EINVAL,
	              "slabd_recv_begin of an arena");
	arena = slabd_recv_arena(channel, &root);
	tap_ok(arena != NULL && is_whole(root), "which is whole, and stayed");
	slabd_arena_destroy(arena);
}

/* As a client could that means harm: an entry names a chunk that is not the channel's,
 * and begins as an arena does. */
static bool put_entry(slabd_pool *pool, const void *chunk)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	struct channel_run run = {
		.off = handle_off(slabd_handle_of(pool, chunk)), .n = 1};
	struct channel ring = {.head = NULL};
	char line[512];
	uint64_t slot;
	uint32_t ix = CHANNEL_NONE_IX;
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, "memfd:slabd-default-channel") != NULL)
			channel_map(&ring, (void *)strtoull(line, NULL, 16),
			            CAPACITY, 0);
	if (maps != NULL)
		fclose(maps);
	if (ring.head != NULL)
		ix = channel_claim_any(&ring, &run, slabd_client_id(pool),
		                       &slot);
	if (ix != CHANNEL_NONE_IX)
		channel_publish_own(&ring, ix, slot, 1);
	return ix != CHANNEL_NONE_IX;
}

static void test_hostile(slabd_pool *pool, slabd_channel *channel)
{
	slabd_cache *cache = fixture_cache(pool, "plain", 64);
	struct request *request;
	slabd_arena *arena = make(pool, 1, &request);
	uint64_t *chunk = (void *)((uintptr_t)request & ~UINT64_C(4095));
	uint64_t kept = *chunk;
	void *object = slabd_alloc(cache);
	*chunk = ARENA_MAGIC;
	tap_ok(put_entry(pool, chunk), "an entry names what is not the channel's");
	fixture_fails(slabd_recv(channel, &object, 1) == 0, EAGAIN,
	              "which is nothing to slabd_recv");
	tap_ok(put_entry(pool, chunk), "another one does");
	tap_ok(slabd_send(channel, &object, 1) == 1 &&
	               slabd_recv(channel, &object, 1) == 1,
	       "and is in nobody's way");
	*chunk = kept;
	slabd_free(cache, object);
	tap_ok(is_whole(request), "the chunk is whose it was");
	slabd_arena_destroy(arena);
}

/* A chunk that the program gives away by itself: nothing of its arena is sent. */
static void test_given(slabd_pool *pool, slabd_channel *channel)
{
	unsigned self = slabd_client_id(pool);
	struct request *request;
	slabd_arena *arena = make(pool, 2, &request);
	char *note = (char *)request + request->note[NOTES - 1];
	void *chunk = (void *)((uintptr_t)note & ~UINT64_C(4095));
	slabd_handle handle = slabd_handle_of(pool, chunk);
	slabd_give(pool, chunk, self);
	fixture_fails(slabd_send_arena(channel, arena, request) < 0, EPERM,
	              "of one whose chunk was given by itself");
	tap_ok(slabd_take(pool, handle) == chunk, "which is still a gift");
	slabd_arena_destroy(arena);
}

/* Chunks and blocks, from this process to itself, and on once more. */
static void test_several(slabd_pool *pool, slabd_channel *channel)
{
	struct slabd_arena_stats before, after;
	struct request *request;
	slabd_arena *arena = make(pool, 2, &request);
	void *root = NULL;
	char *last = slabd_arena_alloc(arena, 16, 0);
	slabd_arena_get_stats(arena, &before);
	tap_ok(before.chunks > 1 && before.blocks > 0, "several chunks and blocks");
	fixture_fails(slabd_send_arena(channel, arena, last) < 0, EINVAL,
	              "with a root beside the first chunk");
	test_other_call(pool, channel);
	test_given(pool, channel);
	test_hostile(pool, channel);
	for (unsigned i = 0; i < 3; i++) {
		tap_is(slabd_send_arena(channel, arena, request), 0, "are sent");
		arena = slabd_recv_arena(channel, &root);
		tap_ok(arena != NULL && root == request && is_whole(request),
		       "and come as one");
	}
	slabd_arena_get_stats(arena, &after);
	tap_ok(before.chunks == after.chunks && before.blocks == after.blocks &&
	               before.bytes == after.bytes,
	       "with all that it had");
	tap_ok(slabd_arena_alloc(arena, 16, 0) == last + 16,
	       "and it goes on where it was");
	slabd_arena_destroy(arena);
}

/* Of a full channel all of it stays the sender's; nothing of it is half given. */
static void test_full(slabd_pool *pool)
{
	slabd_channel *narrow = sent_channel(pool, "narrow", 1);
	struct request *request;
	slabd_arena *first = make(pool, 4, &request);
	slabd_arena *second;
	void *root = NULL;
	tap_is(slabd_send_arena(narrow, first, request), 0, "one fills a channel");
	second = make(pool, 6, &request);
	fixture_fails(slabd_send_arena(narrow, second, request) < 0, EAGAIN,
	              "slabd_send_arena to a full one");
	slabd_channel_slow(narrow, SLABD_CHANNEL_BLOCK, 20);
	fixture_fails(slabd_send_arena(narrow, second, request) < 0, ETIMEDOUT,
	              "which stays full");
	tap_ok(is_whole(request), "what was not sent is as it was");
	first = slabd_recv_arena(narrow, &root);
	tap_ok(first != NULL && is_whole(root), "the first one is received");
	tap_is(slabd_send_arena(narrow, second, request), 0,
	       "and the other one goes");
	second = slabd_recv_arena(narrow, &root);
	tap_ok(second != NULL && is_whole(root), "and comes");
	slabd_arena_destroy(first);
	slabd_arena_destroy(second);
	slabd_channel_close(narrow);
}

/* A large one, and one with nothing in it. */
static void test_sizes(slabd_pool *pool, slabd_channel *channel)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "large");
	void *root = &root;
	char *text;
	tap_is(slabd_arena_reserve(arena, 500000), 0, "half a megabyte in one");
	text = slabd_arena_alloc(arena, 500000, 0);
	memset(text, 'x', 500000);
	tap_is(slabd_send_arena(channel, arena, text), 0, "is sent");
	arena = slabd_recv_arena(channel, &root);
	tap_ok(arena != NULL && root == (void *)text && text[499999] == 'x',
	       "and received, where it lies");
	slabd_arena_destroy(arena);
	test_several(pool, channel);
	arena = slabd_arena_create(pool, NULL, "empty");
	tap_is(slabd_send_arena(channel, arena, NULL), 0, "an empty one is sent");
	arena = slabd_recv_arena(channel, &root);
	tap_ok(arena != NULL && root == NULL, "and received, without a root");
	tap_ok(slabd_arena_alloc(arena, 100, 0) != NULL, "it can be used");
	slabd_arena_destroy(arena);
}

/* What a sender that lies wrote over its first bytes is freed, and harms nobody. */
static void test_scribbled(slabd_pool *pool, slabd_channel *channel)
{
	struct request *request;
	slabd_arena *arena = make(pool, 1, &request);
	char *start = (char *)((uintptr_t)request & ~UINT64_C(4095));
	char *second;
	tap_is(slabd_send_arena(channel, arena, request), 0, "one is sent");
	memset(start + 8, 0xff, 64);
	fixture_fails(slabd_recv_arena(channel, NULL) == NULL, EBADMSG,
	              "slabd_recv_arena of what was written over");
	arena = make(pool, 2, &request);
	start = (char *)((uintptr_t)request & ~UINT64_C(4095));
	second = (char *)request + request->note[NOTES - 1];
	second = (char *)((uintptr_t)second & ~UINT64_C(4095));
	tap_is(slabd_send_arena(channel, arena, request), 0,
	       "one of several chunks is sent");
	/* The chain is a circle. */
	memcpy(second + 8, start + 16, 8);
	fixture_fails(slabd_recv_arena(channel, NULL) == NULL, EBADMSG,
	              "slabd_recv_arena of one that goes round");
}

static void forked(int fd, void *arg)
{
	slabd_channel *channel = arg;
	say(fd, slabd_recv_arena(channel, NULL) == NULL ? (uint64_t)errno : 0);
	say(fd, slabd_send_arena(channel, NULL, NULL) < 0 ? (uint64_t)errno : 0);
}

static void test_forked(slabd_channel *channel)
{
	struct child child;
	child_start(&child, forked, channel);
	tap_is((long long)hear(child.fd), ENOTCONN,
	       "slabd_recv_arena in a forked child: ENOTCONN");
	tap_is((long long)hear(child.fd), ENOTCONN,
	       "slabd_send_arena in a forked child: ENOTCONN");
	child_end(&child, "it ends well");
}

/* ---- between processes ---------------------------------------------------- */

/* Receives until nothing comes for a while: how many came, and how many were not
 * whole; when told to, it goes on for ever. */
static void receiver(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_channel *channel = sent_channel(pool, NAME, CAPACITY);
	bool endless = arg != NULL;
	uint64_t came = 0;
	uint64_t wrong = 0;
	say(fd, 1);
	for (;;) {
		void *root = NULL;
		slabd_arena *arena = slabd_recv_arena(channel, &root);
		if (arena != NULL) {
			struct request *request = root;
			wrong += request == NULL || !is_whole(request);
			came += request != NULL && request->number != UINT64_MAX;
			if (!endless && request != NULL &&
			    request->number == UINT64_MAX) {
				slabd_arena_destroy(arena);
				break;
			}
			slabd_arena_destroy(arena);
		} else if (errno == EAGAIN) {
			slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 100);
		} else {
			break;
		}
	}
	say(fd, came);
	say(fd, wrong);
	hear(fd);
	slabd_close(pool);
}

static void send_one(slabd_pool *pool, slabd_channel *channel, uint64_t number)
{
	struct request *request;
	slabd_arena *arena = make(pool, number, &request);
	while (slabd_send_arena(channel, arena, request) < 0) {
		if (errno != EAGAIN)
			tap_bail("slabd_send_arena: %s", slabd_last_error());
		slabd_channel_wait(channel, SLABD_CHANNEL_SEND, 100);
	}
}

static void test_processes(slabd_pool *pool, slabd_channel *channel)
{
	struct child child;
	child_start(&child, receiver, NULL);
	hear(child.fd);
	for (uint64_t i = 0; i < ROUNDS; i++)
		send_one(pool, channel, i);
	send_one(pool, channel, UINT64_MAX);
	tap_is((long long)hear(child.fd), ROUNDS, "all requests come");
	tap_is((long long)hear(child.fd), 0, "and each is whole");
	say(child.fd, 1);
	child_end(&child, "the receiver ends well");
}

/* What a killed one had received is freed, and what it had not comes to the next. */
static void test_kills(slabd_pool *pool, slabd_channel *channel)
{
	static char endless;
	struct child child;
	uint64_t number = 0;
	for (unsigned i = 0; i < KILLS; i++) {
		child_start(&child, receiver, &endless);
		hear(child.fd);
		for (unsigned k = 0; k < 50 + 7 * i; k++)
			send_one(pool, channel, number++);
		child_kill(&child);
	}
	child_start(&child, receiver, NULL);
	hear(child.fd);
	send_one(pool, channel, UINT64_MAX);
	tap_note("%lld of %llu came to the last one", (long long)hear(child.fd),
	         (unsigned long long)number);
	tap_is((long long)hear(child.fd), 0,
	       "after %u kills what comes is whole", KILLS);
	say(child.fd, 1);
	child_end(&child, "the last receiver ends well");
}

int main(void)
{
	struct slabd_options options;
	slabd_channel *channel;
	slabd_pool *pool;
	tap_start(300);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 128M\n");
	/* Its children have threads, so it has none. */
	options = fixture_options(&fixture, SLABD_NO_HELPER);
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	channel = sent_channel(pool, NAME, CAPACITY);
	test_refused(pool, channel);
	test_sizes(pool, channel);
	test_full(pool);
	test_scribbled(pool, channel);
	test_forked(channel);
	test_processes(pool, channel);
	test_kills(pool, channel);
	slabd_close(pool);
	tap_ok(fixture_until(&fixture, "/audit", "pools.0.owned", 0,
	                     SURELY_MS) >= 0,
	       "nothing is owned in the end");
	fixture_audit(&fixture, "in the end");
	fixture_close(&fixture);
	return tap_end();
}
