/* SPDX-License-Identifier: MIT */
/* Who waits on a channel is told by slabd, with its id, until it is awake or gone; and
 * two that send are each received in order. */
#include <errno.h>
#include <signal.h>
#include <sys/poll.h>
#include <unistd.h>

#include "tests/lib/sent.h"

#define SIZE 96
#define CAPACITY 8u /* runs */
#define EACH 20000u

#define SLEEPER "pools.0.channels.0.sleepers.0."

static struct fixture fixture;

/* ---- who sleeps ----------------------------------------------------------- */

static void wait_for(int fd, void *arg)
{
	const unsigned *what = arg;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_channel *channel = sent_channel(pool, "slept", CAPACITY);
	hear(fd);
	say(fd, slabd_client_id(pool));
	say(fd, (uint64_t)slabd_channel_wait(channel, *what, -1));
	hear(fd);
	slabd_close(pool);
}

static void poll_for(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_channel *channel = sent_channel(pool, "slept", CAPACITY);
	struct pollfd polled = {.events = POLLIN};
	(void)arg;
	hear(fd);
	polled.fd = slabd_channel_descriptor(channel);
	say(fd, slabd_client_id(pool));
	say(fd, (uint64_t)(poll(&polled, 1, -1) - 1));
	hear(fd);
	slabd_close(pool);
}

static void is_asleep(unsigned id, pid_t pid, bool receives, const char *who)
{
	json_t *doc;
	tap_ok(fixture_until(&fixture, "/channels", SLEEPER "client", id,
	                     SURELY_MS) >= 0, "%s sleeps by its id", who);
	tap_is(fixture_number(&fixture, "/channels", SLEEPER "pid"), pid,
	       "%s has its pid there", who);
	tap_is(fixture_number(&fixture, "/channels", SLEEPER "receives"),
	       receives, "%s waits to receive, or does not", who);
	tap_is(fixture_number(&fixture, "/channels", SLEEPER "sends"), !receives,
	       "%s waits to send, or does not", who);
	doc = fixture_get(&fixture, "/channels");
	tap_ok(json_real_value(json_at(doc, SLEEPER "asleep_s")) > 0,
	       "%s sleeps for so long", who);
	json_decref(doc);
}

static void nobody_is(const char *when)
{
	tap_ok(fixture_until(&fixture, "/channels", SLEEPER "client", INT64_MIN,
	                     SURELY_MS) >= 0, "nobody sleeps %s", when);
}

static void test_receiver(slabd_channel *channel, slabd_cache *cache,
                          struct child *child, const char *who)
{
	unsigned id;
	void *object;
	say(child->fd, 0);
	id = (unsigned)hear(child->fd);
	is_asleep(id, child->pid, true, who);
	sent_make(cache, 1, 0, &object);
	slabd_send(channel, &object, 1);
	tap_is((long long)hear(child->fd), 0, "%s wakes", who);
	nobody_is("then");
	say(child->fd, 0);
	child_end(child, who);
	tap_is((long long)slabd_recv(channel, &object, 1), 1, "it was left");
	slabd_free(cache, object);
}

/* Full, with a run of one in each slot. */
static void test_sender(slabd_channel *channel, slabd_cache *cache,
                        struct child *child)
{
	void *objects[2 * CAPACITY];
	unsigned id;
	sent_make(cache, 2 * CAPACITY, 0, objects);
	for (unsigned i = 0; i < CAPACITY; i++)
		slabd_send(channel, &objects[2 * i], 1);
	say(child->fd, 0);
	id = (unsigned)hear(child->fd);
	is_asleep(id, child->pid, false, "a sender");
	for (unsigned i = 0; i < CAPACITY; i++)
		slabd_recv(channel, &objects[2 * i], 1);
	tap_is((long long)hear(child->fd), 0, "a sender wakes");
	say(child->fd, 0);
	child_end(child, "a sender");
	slabd_free_bulk(cache, 2 * CAPACITY, objects);
}

static void test_killed(struct child *child)
{
	unsigned id;
	say(child->fd, 0);
	id = (unsigned)hear(child->fd);
	is_asleep(id, child->pid, true, "who is killed");
	child_kill(child);
	nobody_is("once it was killed");
}

/* ---- an end --------------------------------------------------------------- */

/* What nobody comes for is freed, and its name is there for another. */
static void test_removed(slabd_pool *pool, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(pool, "left", CAPACITY);
	void *objects[SENT_BATCH];
	void *order;
	long long used;
	slabd_arena *arena = slabd_arena_create(pool, NULL, "left");
	slabd_arena_destroy(arena);
	slabd_flush(pool);
	used = fixture_used(&fixture);
	arena = slabd_arena_create(pool, NULL, "left");
	sent_make(cache, SENT_BATCH, 0, objects);
	slabd_send(channel, objects, SENT_BATCH);
	slabd_arena_alloc(arena, 100000, 8);
	order = slabd_arena_alloc(arena, 100000, 8);
	tap_ok(order != NULL && slabd_send_arena(channel, arena, NULL) == 0,
	       "objects and an arena are under way");
	tap_ok(!fixture_post(&fixture, "/channel", "action=remove&channel=left"),
	       "a channel that is open is not removed");
	slabd_channel_close(channel);
	tap_ok(fixture_post(&fixture, "/channel", "action=remove&channel=left"),
	       "one that nobody has open is");
	tap_ok(!fixture_post(&fixture, "/channel", "action=remove&channel=left"),
	       "once");
	slabd_flush(pool);
	tap_ok(fixture_until_used(&fixture, used, SURELY_MS) >= 0,
	       "what was under way is free");
	channel = sent_channel(pool, "left", 2 * CAPACITY);
	tap_is((long long)slabd_recv(channel, objects, 1), 0,
	       "another one of its name is empty");
	slabd_channel_close(channel);
}

/* ---- two that send -------------------------------------------------------- */

static void send_all(int fd, void *arg)
{
	const uint64_t *mark = arg;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "slept", SIZE);
	slabd_channel *channel = sent_channel(pool, "slept", CAPACITY);
	void *objects[SENT_BATCH];
	slabd_channel_slow(channel, SLABD_CHANNEL_BLOCK, -1);
	hear(fd);
	for (uint64_t all = 0; all < EACH;) {
		unsigned n = 1 + (unsigned)(all % SENT_BATCH);
		n = n < EACH - all ? n : (unsigned)(EACH - all);
		sent_make(cache, n, *mark + all, objects);
		if (slabd_send(channel, objects, n) != n)
			tap_bail("send: %s", slabd_last_error());
		all += n;
	}
	hear(fd);
	slabd_close(pool);
}

static void test_two(slabd_channel *channel, slabd_cache *cache,
                     struct child *one, struct child *other)
{
	uint64_t due[2] = {0, 0};
	void *objects[SENT_BATCH];
	unsigned wrong = 0;
	say(one->fd, 0);
	say(other->fd, 0);
	while (due[0] + due[1] < 2 * EACH) {
		size_t n = slabd_recv(channel, objects, SENT_BATCH);
		for (size_t i = 0; i < n; i++) {
			uint64_t number = *(const uint64_t *)objects[i];
			uint64_t *next = &due[number >= EACH];
			wrong += number % EACH != *next;
			++*next;
		}
		slabd_free_bulk(cache, n, objects);
		if (n == 0)
			slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1);
	}
	tap_is(wrong, 0, "what each of two sends comes in order");
	tap_is((long long)due[0], EACH, "all of the one");
	tap_is((long long)due[1], EACH, "and of the other");
	say(one->fd, 0);
	say(other->fd, 0);
	child_end(one, "the one");
	child_end(other, "the other");
}

int main(void)
{
	unsigned recv = SLABD_CHANNEL_RECV;
	unsigned send = SLABD_CHANNEL_SEND;
	uint64_t marks[2] = {0, EACH};
	struct child receiver, poller, sender, killed, one, other;
	slabd_pool *pool;
	slabd_cache *cache;
	slabd_channel *channel;
	tap_start(120);
	fixture_open(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	child_start(&receiver, wait_for, &recv);
	child_start(&poller, poll_for, NULL);
	child_start(&sender, wait_for, &send);
	child_start(&killed, wait_for, &recv);
	child_start(&one, send_all, &marks[0]);
	child_start(&other, send_all, &marks[1]);
	pool = fixture_pool(&fixture);
	cache = fixture_cache(pool, "slept", SIZE);
	channel = sent_channel(pool, "slept", CAPACITY);
	nobody_is("at first");
	test_receiver(channel, cache, &receiver, "a receiver");
	test_receiver(channel, cache, &poller, "who polls");
	test_sender(channel, cache, &sender);
	test_killed(&killed);
	test_two(channel, cache, &one, &other);
	test_removed(pool, cache);
	fixture_audit(&fixture, "after all");
	slabd_close(pool);
	fixture_close(&fixture);
	return tap_end();
}
