/* SPDX-License-Identifier: MIT */
/* Channels: what passes over them, in which order, who has it when a client is
 * killed, and what is refused. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/rng.h"
#include "tests/lib/sent.h"

#define SIZE 96
#define MANY 1000u
#define CAPACITY 256u

static struct fixture fixture;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

static unsigned not_in_order(void *const *objects, size_t n, uint64_t from)
{
	unsigned wrong = 0;
	for (size_t i = 0; i < n; i++)
		wrong += *(const uint64_t *)objects[i] != from + i;
	return wrong;
}

static void check_audit(const char *when)
{
	tap_ok(fixture_until(&fixture, "/audit", "pools.0.lost", 0, SURELY_MS) >=
	               0,
	       "nothing is lost %s", when);
}

/* ---- what it is told to do ------------------------------------------------ */

static void test_names(slabd_pool *pool)
{
	char name[80];
	slabd_channel *one = sent_channel(pool, "one", 8);
	memset(name, 'x', sizeof(name));
	name[64] = '\0';
	fails(slabd_channel_open(pool, name, 8) == NULL, ENAMETOOLONG,
	      "a name too long");
	fails(slabd_channel_open(pool, "", 8) == NULL, EINVAL, "no name");
	fails(slabd_channel_open(pool, NULL, 8) == NULL, EINVAL, "NULL");
	fails(slabd_channel_open(pool, "a\nb", 8) == NULL, EINVAL,
	      "a control character");
	fails(slabd_channel_open(pool, "none", 0) == NULL, ENOENT,
	      "capacity 0 of none");
	fails(slabd_channel_open(pool, "one", 9) == NULL, EEXIST,
	      "another capacity");
	fails(slabd_channel_open(pool, "big", SIZE_MAX) == NULL, EINVAL,
	      "a capacity that is not to be had");
	tap_is(slabd_channel_close(one), 0, "it closes");
	tap_ok(slabd_channel_open(pool, "one", 0) == NULL,
	       "an empty channel ends with the last that has it open");
	fails(slabd_channel_close(NULL) < 0, EINVAL, "close of none");
}

static void test_limit(slabd_pool *pool)
{
	slabd_channel *channel[SLABD_CHANNELS_MAX + 1];
	char name[16];
	unsigned n = 0;
	for (; n <= SLABD_CHANNELS_MAX; n++) {
		snprintf(name, sizeof(name), "many-%u", n);
		channel[n] = slabd_channel_open(pool, name, 4);
		if (channel[n] == NULL)
			break;
	}
	tap_is(n, SLABD_CHANNELS_MAX, "a pool has so many channels");
	tap_is(errno, ENOSPC, "and no more");
	while (n-- > 0)
		slabd_channel_close(channel[n]);
	channel[0] = sent_channel(pool, "many-0", 4);
	slabd_channel_close(channel[0]);
}

static void test_send(slabd_pool *a, slabd_pool *b, slabd_cache *cache,
                      slabd_cache *cb)
{
	static void *objects[MANY];
	static void *out[MANY];
	slabd_channel *from = sent_channel(a, "send", MANY);
	slabd_channel *to = sent_channel(b, "send", 0);
	slabd_handle handle;
	unsigned wrong = 0;
	sent_make(cache, MANY, 0, objects);
	handle = slabd_handle_of(a, objects[7]);
	tap_is((long long)slabd_send(from, objects, MANY), MANY,
	       "many are sent");
	tap_ok(slabd_owner(b, handle, NULL) != slabd_client_id(a),
	       "they are not the sender's");
	fails(slabd_give(a, objects[7], slabd_client_id(b)) < 0, EPERM,
	      "who gives one");
	fails(slabd_send(from, objects, 1) == 0, EPERM, "who sends it twice");
	tap_is((long long)slabd_recv(to, out, 3), 3, "three are received");
	tap_is((long long)slabd_recv(to, out + 3, MANY), MANY - 3,
	       "and the others");
	tap_is(errno, EAGAIN, "there are no more");
	tap_is(slabd_recv_again(to), 0, "nobody had begun them");
	tap_is(not_in_order(out, MANY, 0), 0, "in order");
	tap_is(slabd_owner(b, handle, NULL), slabd_client_id(b),
	       "they are the receiver's, by the same handle");
	for (unsigned i = 0; i < MANY; i++) {
		wrong += slabd_send(to, &out[i], 1) != 1;
		wrong += slabd_recv(from, &objects[i], 1) != 1;
	}
	tap_is(wrong, 0, "one by one, they come back");
	tap_is(not_in_order(objects, MANY, 0), 0, "in order");
	slabd_free_bulk(cache, MANY, objects);
	(void)cb;
	slabd_channel_close(from);
	slabd_channel_close(to);
}

static void test_bad(slabd_pool *a, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(a, "bad", 4);
	void *objects[8];
	void *other;
	sent_make(cache, 8, 0, objects);
	other = (char *)objects[0] + 8;
	fails(slabd_send(channel, &other, 1) == 0, EINVAL,
	      "the middle of an object");
	other = &objects;
	fails(slabd_send(channel, &other, 1) == 0, EINVAL,
	      "what is not the pool's");
	slabd_free(cache, objects[3]);
	tap_is((long long)slabd_send(channel, objects + 2, 4), 1,
	       "up to one that is free");
	tap_is(errno, EPERM, "which is refused");
	tap_is((long long)slabd_recv(channel, objects + 2, 8), 1,
	       "the first is there");
	objects[3] = slabd_alloc(cache);
	for (unsigned i = 0; i < 4; i++)
		tap_is((long long)slabd_send(channel, &objects[i * 2], 1), 1,
		       "entry %u", i);
	fails(slabd_send(channel, &objects[1], 1) == 0, EAGAIN,
	      "what a full channel is sent");
	tap_is(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 0), 0,
	       "there is something to receive");
	fails(slabd_channel_wait(channel, SLABD_CHANNEL_SEND, 0) < 0,
	      ETIMEDOUT, "no room");
	fails(slabd_channel_wait(channel, 4, 0) < 0, EINVAL, "for what");
	tap_is((long long)slabd_recv(channel, &other, 1), 1, "one is received");
	tap_is(slabd_channel_wait(channel, SLABD_CHANNEL_SEND, 0), 0,
	       "there is room");
	slabd_free(cache, other);
	while (slabd_recv(channel, &other, 1) == 1)
		slabd_free(cache, other);
	fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 1) < 0,
	      ETIMEDOUT, "an empty channel");
	slabd_channel_close(channel);
}

/* Whatever errno was before. */
static void test_begun(slabd_pool *a, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(a, "begun", 2);
	void *objects[4];
	void *out[4];
	sent_make(cache, 4, 0, objects);
	slabd_send(channel, &objects[0], 1);
	slabd_send(channel, &objects[2], 1);
	errno = 0;
	tap_is((long long)slabd_recv_begin(channel, out, 4), 2,
	       "all that there is room for is begun");
	tap_is(errno, EAGAIN, "and there is no more");
	errno = 0;
	fails(slabd_recv_begin(channel, out + 2, 2) == 0, EAGAIN,
	      "what more there is to begin");
	tap_is(slabd_recv_commit(channel, 2), 0, "it is committed");
	slabd_free_bulk(cache, 4, objects);
	slabd_channel_close(channel);
}

static void test_begin(slabd_pool *a, slabd_pool *b, slabd_cache *cache)
{
	static void *objects[MANY];
	static void *out[MANY];
	slabd_channel *from = sent_channel(a, "begin", MANY);
	slabd_channel *to = sent_channel(b, "begin", MANY);
	slabd_channel *other = sent_channel(b, "begin", MANY);
	uint64_t last = 0;
	int again = -1;
	size_t n;
	sent_make(cache, 100, 0, objects);
	slabd_send(from, objects, 100);
	tap_is((long long)slabd_recv_begin(to, out, 10), 10, "ten are begun");
	tap_is((long long)slabd_recv_begin(to, out + 10, 20), 20,
	       "and twenty more");
	tap_is(not_in_order(out, 30, 0), 0, "in order");
	fails(slabd_send(to, out, 1) == 0, EPERM, "they are the channel's");
	fails(slabd_recv_commit(to, 31) < 0, EINVAL, "commit of too many");
	tap_is(slabd_recv_commit(to, 5), 0, "five are committed");
	tap_is((long long)slabd_send(to, out, 5), 5,
	       "and are the receiver's");
	slabd_channel_close(to);
	tap_is((long long)slabd_recv(other, out, 25), 25,
	       "what was begun and not committed comes again");
	tap_is(slabd_recv_again(other), 1, "and is said to");
	tap_is(not_in_order(out, 25, 5), 0, "in order");
	/* Of what was begun a few at the end nobody had been given. */
	while ((n = slabd_recv(other, out, MANY)) > 0) {
		last = *(uint64_t *)out[n - 1];
		again = slabd_recv_again(other);
	}
	tap_is((long long)last, 4,
	       "then what nobody had begun, and what was sent last");
	tap_is(again, 0, "as it is said");
	slabd_channel_close(other);
	slabd_channel_close(from);
}

/* ---- order while both are at work ------------------------------------------ */

#define ORDERED 200000u

static void receive_in_order(int fd, void *arg)
{
	slabd_pool *pool;
	slabd_cache *cache;
	slabd_channel *channel;
	void *objects[SENT_BATCH];
	struct rng rng;
	uint64_t all = 0;
	uint64_t wrong = 0;
	(void)arg;
	rng.state = hear(fd);
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "sent", SIZE);
	channel = sent_channel(pool, "ordered", CAPACITY);
	say(fd, 0);
	while (all < ORDERED) {
		size_t n = 1 + rng_below(&rng, SENT_BATCH);
		n = slabd_recv(channel, objects, n);
		wrong += not_in_order(objects, n, all);
		all += n;
		slabd_free_bulk(cache, n, objects);
		if (n == 0)
			slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1);
	}
	say(fd, wrong);
	slabd_close(pool);
}

static void test_order(slabd_pool *pool, slabd_cache *cache,
                       struct child *receiver)
{
	slabd_channel *channel = sent_channel(pool, "ordered", CAPACITY);
	struct rng rng = rng_start("proc_channel");
	void *objects[SENT_BATCH];
	slabd_channel_slow(channel, SLABD_CHANNEL_BLOCK, -1);
	say(receiver->fd, rng_next(&rng));
	hear(receiver->fd);
	for (uint64_t all = 0; all < ORDERED;) {
		unsigned n = 1 + (unsigned)rng_below(&rng, SENT_BATCH);
		sent_make(cache, n, all, objects);
		if (slabd_send(channel, objects, n) != n)
			tap_bail("send: %s", slabd_last_error());
		all += n;
	}
	tap_is((long long)hear(receiver->fd), 0,
	       "what one sends comes in order, whatever parts are received");
	child_end(receiver, "the receiver");
	slabd_free_bulk(cache, slabd_recv(channel, objects, SENT_BATCH), objects);
	slabd_channel_close(channel);
}

/* ---- deaths --------------------------------------------------------------- */

static void begin_and_wait(int fd, void *arg)
{
	hear(fd);
	sent_begin(&fixture, fd, arg, CAPACITY);
}

static void test_death(slabd_pool *a, slabd_cache *cache, struct child *dies)
{
	static void *objects[MANY];
	slabd_channel *channel = sent_channel(a, "dies", CAPACITY);
	size_t all = 0, again = 0;
	unsigned id;
	sent_make(cache, 100, 0, objects);
	slabd_send(channel, objects, 100);
	say(dies->fd, 0);
	id = (unsigned)hear(dies->fd);
	tap_is((long long)hear(dies->fd), 50, "who will die has begun fifty");
	tap_is((long long)hear(dies->fd), 0, "and committed twenty");
	tap_is((long long)slabd_channel_peers(channel, NULL, 0), 2,
	       "two have the channel open");
	child_kill(dies);
	while (slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1) == 0) {
		size_t n = slabd_recv(channel, objects, MANY);
		all += n;
		again += slabd_recv_again(channel) != 0 ? n : 0;
		slabd_free_bulk(cache, n, objects);
	}
	tap_is(errno, EOWNERDEAD, "its death is told");
	tap_is(slabd_channel_ended(channel), id, "with its id");
	fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 0) < 0,
	      ETIMEDOUT, "once");
	tap_is((long long)all, 80, "what it had not committed comes");
	tap_ok(again >= 30 && again < 80, "what it had begun is said to");
	tap_is((long long)slabd_channel_peers(channel, NULL, 0), 1,
	       "one is left that has the channel open");
	slabd_channel_close(channel);
}

/* ---- a ring without memory ------------------------------------------------ */

/* As a client could that means harm: the file's memory goes, for all. */
static bool punch_ring(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool done = false;
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		char *end;
		uintptr_t from = strtoull(line, &end, 16);
		uintptr_t to = strtoull(end + 1, NULL, 16);
		if (strstr(line, "memfd:slabd-default-channel") != NULL)
			done = madvise((void *)from, to - from,
			               MADV_REMOVE) == 0;
	}
	if (maps != NULL)
		fclose(maps);
	return done;
}

static void test_punched(slabd_pool *pool, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(pool, "punched", CAPACITY);
	void *objects[8];
	sent_make(cache, 8, 0, objects);
	slabd_send(channel, objects, 8);
	tap_ok(punch_ring(), "a client punches a ring");
	tap_is(fixture_number(&fixture, "/channels", "pools.0.channels.0.objects"),
	       0, "slabd looks, and nothing is there");
	tap_ok(fixture_logged(&fixture, "channel punched: a client took memory"),
	       "as it says");
	slabd_channel_close(channel);
	channel = sent_channel(pool, "punched", CAPACITY);
	tap_is((long long)slabd_recv(channel, objects, 8), 8,
	       "once nobody has it open they come again");
	tap_is(slabd_recv_again(channel), 1, "as it is said");
	slabd_free_bulk(cache, 8, objects);
	slabd_channel_close(channel);
	check_audit("with it");
}

/* ---- a forked child ------------------------------------------------------- */

static struct after_fork {
	slabd_pool *pool;
	slabd_channel *channel;
	void *object;
} after_fork;

static void be_forked(int fd, void *arg)
{
	struct after_fork *has = arg;
	void *out[2];
	(void)fd;
	fails(slabd_channel_open(has->pool, "other", 4) == NULL, ENOTCONN,
	      "a forked child opens no channel");
	fails(slabd_send(has->channel, &has->object, 1) == 0, ENOTCONN,
	      "nor sends");
	fails(slabd_recv(has->channel, out, 1) == 0, ENOTCONN, "nor receives");
	fails(slabd_recv_begin(has->channel, out, 1) == 0, ENOTCONN,
	      "nor begins to");
	fails(slabd_recv_commit(has->channel, 0) < 0, ENOTCONN, "nor commits");
	fails(slabd_channel_wait(has->channel, SLABD_CHANNEL_RECV, 0) < 0,
	      ENOTCONN, "nor waits");
	fails(slabd_channel_descriptor(has->channel) < 0, ENOTCONN,
	      "nor has a descriptor");
	tap_is(slabd_channel_close(has->channel), 0, "it may close its copy");
}

static void test_fork(slabd_pool *pool, slabd_cache *cache)
{
	struct child child;
	void *out[2];
	after_fork.pool = pool;
	after_fork.channel = sent_channel(pool, "forked", 4);
	after_fork.object = slabd_alloc(cache);
	slabd_send(after_fork.channel, &after_fork.object, 1);
	child_start(&child, be_forked, &after_fork);
	child_end(&child, "the child");
	tap_is((long long)slabd_recv(after_fork.channel, out, 2), 1,
	       "its parent goes on");
	slabd_free(cache, out[0]);
	slabd_channel_close(after_fork.channel);
}

int main(void)
{
	slabd_pool *a, *b;
	slabd_cache *ca, *cb;
	struct child dies;
	struct child receiver;
	tap_start(120);
	fixture_open(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	child_start(&dies, begin_and_wait, (void *)"dies");
	child_start(&receiver, receive_in_order, NULL);
	a = fixture_pool(&fixture);
	b = fixture_pool(&fixture);
	ca = fixture_cache(a, "sent", SIZE);
	cb = fixture_cache(b, "sent", SIZE);
	test_names(a);
	test_limit(a);
	test_send(a, b, ca, cb);
	check_audit("after some sending");
	test_bad(a, ca);
	test_begun(a, ca);
	test_begin(a, b, ca);
	test_order(a, ca, &receiver);
	test_death(a, ca, &dies);
	test_fork(a, ca);
	test_punched(a, ca);
	fixture_audit(&fixture, "after all");
	slabd_close(a);
	slabd_close(b);
	fixture_close(&fixture);
	return tap_end();
}
