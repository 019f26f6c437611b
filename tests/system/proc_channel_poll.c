/* SPDX-License-Identifier: MIT */
/* Channels as event loops, slow receivers and the checked mode meet them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client/channel_poll.h"
#include "shm/atom.h"
#include "tests/lib/sent.h"

#define SIZE 96
#define MANY 40u

static struct fixture fixture;

static bool is_readable(int fd, int ms)
{
	struct pollfd at = {.fd = fd, .events = POLLIN};
	return poll(&at, 1, ms) == 1;
}

static void send_some(slabd_channel *channel, slabd_cache *cache, unsigned n)
{
	void *objects[MANY];
	sent_make(cache, n, 0, objects);
	if (slabd_send(channel, objects, n) != n)
		tap_bail("nothing is sent: %s", slabd_last_error());
}

static size_t receive(slabd_channel *channel, slabd_cache *cache, size_t n)
{
	void *objects[2 * MANY];
	n = slabd_recv(channel, objects, n);
	slabd_free_bulk(cache, n, objects);
	return n;
}

static void test_level(slabd_pool *a, slabd_pool *b, slabd_cache *ca,
                       slabd_cache *cb)
{
	slabd_channel *from = sent_channel(a, "level", 64);
	slabd_channel *to = sent_channel(b, "level", 64);
	void *objects[MANY];
	int fd = slabd_channel_descriptor(to);
	tap_ok(fd > 2, "a channel has a descriptor");
	tap_is(slabd_channel_descriptor(to), fd, "one");
	tap_ok(!is_readable(fd, 0), "nothing is there");
	send_some(from, ca, 10);
	tap_ok(is_readable(fd, SURELY_MS), "it is readable once something is");
	tap_is((long long)receive(to, cb, 4), 4, "some is received");
	tap_ok(is_readable(fd, 0), "it stays readable");
	tap_is((long long)receive(to, cb, MANY), 6, "all is received");
	tap_ok(!is_readable(fd, 0), "and it is not");
	send_some(from, ca, 10);
	tap_ok(is_readable(fd, SURELY_MS), "once more");
	tap_is((long long)slabd_recv_begin(to, objects, MANY), 10, "begun");
	tap_ok(!is_readable(fd, 0), "that does, too");
	tap_is(slabd_recv_commit(to, 10), 0, "committed");
	slabd_free_bulk(cb, 10, objects);
	slabd_channel_close(to);
	tap_ok(fcntl(fd, F_GETFD) < 0 && errno == EBADF,
	       "it is closed with the channel");
	slabd_channel_close(from);
}

static void test_edge(slabd_pool *a, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(a, "edge", 64);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, slabd_channel_descriptor(channel), &event);
	for (unsigned i = 0; i < 3; i++) {
		send_some(channel, cache, 3);
		tap_is(epoll_wait(ep, &event, 1, (int)SURELY_MS), 1,
		       "by edge, it is told");
		tap_is(epoll_wait(ep, &event, 1, 0), 0, "once");
		tap_is((long long)receive(channel, cache, MANY), 3,
		       "and received");
	}
	close(ep);
	slabd_channel_close(channel);
}

static void open_and_wait(int fd, void *arg)
{
	slabd_pool *pool;
	(void)arg;
	hear(fd);
	pool = fixture_pool(&fixture);
	sent_channel(pool, "ends", 64);
	say(fd, slabd_client_id(pool));
	hear(fd);
}

static void test_end(slabd_pool *a, slabd_cache *cache, struct child *dies)
{
	slabd_channel *channel = sent_channel(a, "ends", 64);
	int fd = slabd_channel_descriptor(channel);
	unsigned id;
	say(dies->fd, 0);
	id = (unsigned)hear(dies->fd);
	child_kill(dies);
	tap_ok(is_readable(fd, SURELY_MS), "a death is told");
	tap_is((long long)receive(channel, cache, MANY), 0, "nothing is there");
	tap_ok(!is_readable(fd, 0), "it is told once");
	fixture_fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, 0) < 0,
	              EOWNERDEAD, "a look");
	tap_is(slabd_channel_ended(channel), id, "says whose");
	slabd_channel_close(channel);
}

/* ---- deaths that many threads hear of ---------------------------------------- */

#define HEARERS 4u
#define DEATHS 3000u

struct hearing {
	slabd_channel *channel;
	uint32_t told; /* (A) */
	uint32_t over; /* (A) */
};

static void *hear_ends(void *arg)
{
	struct hearing *hearing = arg;
	/* They are more than there are processors. */
	while (atom_load(&hearing->over) == 0)
		if (slabd_channel_wait(hearing->channel, SLABD_CHANNEL_RECV, 0) <
		            0 && errno == EOWNERDEAD)
			atom_add(&hearing->told, 1u);
		else
			sched_yield();
	return NULL;
}

/* As slabd notes them, of clients that there never were: more than can die here. */
static void test_ends_told_once(slabd_pool *a)
{
	slabd_channel *channel = sent_channel(a, "hearers", 4);
	struct hearing hearing = {.channel = channel};
	pthread_t threads[HEARERS];
	uint32_t ends = 0;
	for (unsigned i = 0; i < HEARERS; i++)
		pthread_create(&threads[i], NULL, hear_ends, &hearing);
	/* One more each time that the last was told: none may be missed. */
	for (; ends < DEATHS && atom_load(&hearing.told) <= ends; ends++) {
		channel_ended_srv(&channel->ring, 1 + ends % 100);
		while (atom_load(&hearing.told) <= ends)
			sched_yield();
	}
	atom_store(&hearing.over, 1u);
	for (unsigned i = 0; i < HEARERS; i++)
		pthread_join(threads[i], NULL);
	tap_is(hearing.told, ends, "of %u threads that wait one is told of each death",
	       HEARERS);
	slabd_channel_close(channel);
}

/* ---- slow receivers ------------------------------------------------------- */

struct slow {
	slabd_channel *channel;
	slabd_cache *cache;
};

static void *receive_all(void *arg)
{
	struct slow *slow = arg;
	size_t n = 0;
	while (n < MANY &&
	       slabd_channel_wait(slow->channel, SLABD_CHANNEL_RECV, -1) == 0)
		n += receive(slow->channel, slow->cache, 1);
	return NULL;
}

static void test_slow(slabd_pool *a, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(a, "slow", 4);
	struct slow slow = {channel, cache};
	pthread_t receiver;
	void *objects[MANY];
	size_t done = 0;
	sent_make(cache, MANY, 0, objects);
	fixture_fails(slabd_channel_slow(channel, 2, 0) < 0, EINVAL,
	              "a policy that there is not");
	for (unsigned i = 0; i < 4; i++)
		done += slabd_send(channel, &objects[i], 1);
	tap_is((long long)done, 4, "a channel is filled");
	fixture_fails(slabd_send(channel, objects + 4, 1) == 0, EAGAIN,
	              "a full one");
	tap_is(slabd_channel_slow(channel, SLABD_CHANNEL_BLOCK, 1), 0,
	       "its sender is to wait");
	fixture_fails(slabd_send(channel, objects + 4, 1) == 0, ETIMEDOUT,
	              "one that stays full");
	slabd_channel_slow(channel, SLABD_CHANNEL_BLOCK, -1);
	pthread_create(&receiver, NULL, receive_all, &slow);
	for (; done < MANY; done++)
		if (slabd_send(channel, &objects[done], 1) != 1)
			break;
	tap_is((long long)done, MANY, "with a receiver all is sent");
	pthread_join(receiver, NULL);
	slabd_channel_slow(channel, SLABD_CHANNEL_FAIL, 0);
	slabd_channel_close(channel);
}

/* ---- the checked mode ----------------------------------------------------- */

static void test_checked(void)
{
	struct slabd_options options =
	        fixture_options(&fixture, SLABD_NO_HELPER | SLABD_CHECKED);
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_cache *cache = fixture_cache(pool, "checked", SIZE);
	slabd_channel *channel = sent_channel(pool, "checked", 64);
	void *objects[4];
	void *out[4];
	sent_make(cache, 4, 0, objects);
	slabd_free(cache, objects[2]);
	tap_is((long long)slabd_send(channel, objects, 4), 2,
	       "checked, up to what was freed");
	tap_is(errno, EPERM, "which is refused");
	fixture_fails(slabd_send(channel, objects, 1) == 0, EPERM,
	              "what was sent before");
	tap_is((long long)slabd_recv(channel, out, 4), 2, "two are received");
	slabd_free(cache, out[0]);
	fixture_fails(slabd_send(channel, out, 1) == 0, EPERM,
	              "what was received and freed");
	tap_is((long long)slabd_send(channel, out + 1, 1), 1, "the other goes");
	tap_is((long long)slabd_recv_begin(channel, out, 4), 1, "and is begun");
	tap_is(slabd_recv_commit(channel, 1), 0, "and committed");
	slabd_free(cache, out[0]);
	slabd_free(cache, objects[3]);
	slabd_close(pool);
}

/* As closefrom and an open do: what has the number now is left alone. */
static void test_foreign(slabd_pool *a, slabd_cache *cache)
{
	slabd_channel *channel = sent_channel(a, "foreign", 8);
	int fd = slabd_channel_descriptor(channel);
	FILE *file = tmpfile();
#ifdef __SANITIZE_THREAD__
	/* What it does is a race by itself: to close what a thread looks at. */
	tap_skip("the thread sanitizer tells of the close", "a foreign file");
	fclose(file);
	(void)fd;
	(void)cache;
	return;
#endif
	send_some(channel, cache, 1);
	tap_ok(is_readable(fd, -1), "a descriptor is told of an object");
	close(fd);
	dup2(fileno(file), fd);
	tap_is((long long)receive(channel, cache, 2), 1, "it is received");
	send_some(channel, cache, 1);
	while (atom_load(&channel->poll->told) == 0)
		sched_yield();
	tap_is((long long)receive(channel, cache, 2), 1, "so is another");
	slabd_channel_close(channel);
	tap_is(lseek(fd, 0, SEEK_END), 0,
	       "a file that has its number is not written to, nor closed");
	close(fd);
	fclose(file);
}

int main(void)
{
	slabd_pool *a, *b;
	slabd_cache *ca, *cb;
	struct child dies;
	tap_start(120);
	fixture_open(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	child_start(&dies, open_and_wait, NULL);
	a = fixture_pool(&fixture);
	b = fixture_pool(&fixture);
	ca = fixture_cache(a, "sent", SIZE);
	cb = fixture_cache(b, "sent", SIZE);
	test_level(a, b, ca, cb);
	test_edge(a, ca);
	test_end(a, ca, &dies);
	test_ends_told_once(a);
	test_slow(a, ca);
	test_checked();
	test_foreign(a, ca);
	/* Channels that are open go with their pool. */
	slabd_channel_descriptor(sent_channel(a, "open", 4));
	slabd_close(a);
	slabd_close(b);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is in use");
	fixture_audit(&fixture, "after all");
	fixture_close(&fixture);
	return tap_end();
}
