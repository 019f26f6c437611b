/* SPDX-License-Identifier: MIT */
/* What is sent on from channel to channel: in order, whole or in part, what is refused,
 * and who has it when the stage between is killed. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "client/types.h"
#include "shm/slab.h"
#include "tests/lib/sent.h"

#define SIZE 96
#define MANY 200u
#define PASSED 20000u

static struct fixture fixture;

/* Both ends of a stage, and what comes and goes. */
struct stage {
	slabd_pool *pool;
	slabd_cache *cache;
	slabd_channel *in;
	slabd_channel *out;
	void *objects[MANY];
};

static void stage_open(struct stage *stage, slabd_pool *pool, size_t in,
                       size_t out)
{
	stage->pool = pool;
	stage->cache = fixture_cache(pool, "passed", SIZE);
	stage->in = sent_channel(pool, "in", in);
	stage->out = sent_channel(pool, "out", out);
}

static void stage_close(struct stage *stage)
{
	slabd_channel_close(stage->in);
	slabd_channel_close(stage->out);
}

static void fill(struct stage *stage, unsigned n)
{
	sent_make(stage->cache, n, 0, stage->objects);
	tap_is((long long)slabd_send(stage->in, stage->objects, n), n,
	       "%u are sent", n);
}

/* How many come out as number from and those that follow; they are freed. */
static unsigned drain(struct stage *stage, slabd_channel *channel, uint64_t from)
{
	unsigned all = 0;
	size_t n;
	while ((n = slabd_recv(channel, stage->objects, MANY)) > 0) {
		for (size_t i = 0; i < n; i++)
			all += *(uint64_t *)stage->objects[i] == from++;
		slabd_free_bulk(stage->cache, n, stage->objects);
	}
	return all;
}

static void test_order(slabd_pool *pool)
{
	struct stage s;
	slabd_handle handle;
	stage_open(&s, pool, MANY, MANY);
	fill(&s, 100);
	handle = slabd_handle_of(pool, s.objects[30]);
	tap_is((long long)slabd_recv_begin(s.in, s.objects, 90), 90,
	       "ninety are begun");
	for (unsigned i = 0; i < 90; i++)
		*(uint64_t *)s.objects[i] += 1000;
	tap_is((long long)slabd_forward(s.in, s.out, 7), 7,
	       "seven of them are sent on");
	tap_is((long long)slabd_forward(s.in, s.out, 70), 70, "and seventy");
	tap_ok(slabd_owner(pool, handle, NULL) != slabd_client_id(pool),
	       "they are not this client's");
	tap_is(slabd_recv_commit(s.in, 3), 0, "three are received");
	slabd_free_bulk(s.cache, 3, s.objects + 77);
	tap_is((long long)slabd_forward(s.in, s.out, 10), 10, "and ten sent on");
	fixture_fails(slabd_forward(s.in, s.out, 1) == 0, EINVAL,
	              "who sends on more than was begun");
	tap_is((long long)slabd_recv(s.out, s.objects, 77), 77,
	       "as many come on the other channel");
	tap_is(slabd_recv_again(s.out), 0, "as what is new there");
	tap_is((long long)*(uint64_t *)s.objects[76], 1076,
	       "in order, with what was written");
	slabd_free_bulk(s.cache, 77, s.objects);
	tap_is(drain(&s, s.out, 1080), 10, "and then those behind the three");
	tap_is(drain(&s, s.in, 90), 10, "ten are where they were");
	stage_close(&s);
	fixture_audit(&fixture, "after the order");
}

/* Single objects, as the entries of a channel count. */
static void test_full(slabd_pool *pool)
{
	struct stage s;
	stage_open(&s, pool, MANY, 4);
	sent_make(s.cache, 8, 0, s.objects);
	for (unsigned i = 0; i < 8; i++)
		slabd_send(s.in, s.objects + i, 1);
	tap_is((long long)slabd_recv_begin(s.in, s.objects, 8), 8, "begun");
	tap_is((long long)slabd_forward(s.in, s.out, 8), 4,
	       "as many are sent on as there is room for");
	tap_is(errno, EAGAIN, "and it says so");
	slabd_channel_slow(s.out, SLABD_CHANNEL_BLOCK, 20);
	fixture_fails(slabd_forward(s.in, s.out, 4) == 0, ETIMEDOUT,
	              "who waits for room that does not come");
	tap_is(drain(&s, s.out, 0), 4, "what was sent on comes");
	tap_is((long long)slabd_forward(s.in, s.out, 4), 4,
	       "the others had stayed begun");
	tap_is(drain(&s, s.out, 4), 4, "and come now");
	stage_close(&s);
}

static void test_bad(slabd_pool *pool, slabd_pool *other)
{
	struct stage s;
	slabd_channel *theirs;
	slabd_arena *arena;
	void *root;
	stage_open(&s, pool, 16, 16);
	theirs = sent_channel(other, "out", 0);
	fill(&s, 1);
	slabd_recv_begin(s.in, s.objects, 1);
	fixture_fails(slabd_forward(s.in, theirs, 1) == 0, EINVAL,
	              "another pool's channel");
	fixture_fails(slabd_forward(s.in, s.in, 1) == 0, EINVAL,
	              "the same channel");
	tap_is((long long)slabd_forward(s.in, s.out, 0), 0, "nothing goes on");
	slabd_recv_commit(s.in, 1);
	slabd_free(s.cache, s.objects[0]);
	arena = slabd_arena_create(pool, NULL, "passed");
	tap_is(slabd_send_arena(s.in, arena, NULL), 0, "an arena is sent");
	slabd_recv_begin(s.in, s.objects, 1);
	fixture_fails(slabd_forward(s.in, s.out, 1) == 0, EINVAL,
	              "an arena's entry");
	slabd_channel_close(s.in);
	s.in = sent_channel(pool, "in", 0);
	arena = slabd_recv_arena(s.in, &root);
	tap_ok(arena != NULL, "it is whole still");
	slabd_arena_destroy(arena);
	slabd_channel_close(theirs);
	stage_close(&s);
}

/* Somebody writes into the tags: the third of five is this client's own. */
static void begin_stolen(struct stage *s, void *objects[5])
{
	uint64_t off;
	fill(s, 5);
	tap_is((long long)slabd_recv_begin(s->in, objects, 5), 5, "begun");
	off = (uint64_t)((char *)objects[2] - s->pool->user.data);
	atom_store(slab_tag_of(&s->pool->view, off),
	           (uint16_t)slabd_client_id(s->pool));
}

static void test_stolen(slabd_pool *pool)
{
	struct stage s;
	void *objects[5];
	stage_open(&s, pool, MANY, MANY);
	begin_stolen(&s, objects);
	tap_is((long long)slabd_forward(s.in, s.out, 5), 2,
	       "as many are sent on as are the channel's");
	tap_is(errno, EPERM, "the next one is not");
	tap_is((long long)slabd_forward(s.in, s.out, 2), 2,
	       "and is left out: those behind it go on");
	fixture_fails(slabd_forward(s.in, s.out, 1) == 0, EINVAL,
	              "when no more are begun");
	tap_is((long long)slabd_recv(s.out, s.objects, MANY), 4, "all four come");
	slabd_free_bulk(s.cache, 4, s.objects);
	slabd_free(s.cache, objects[2]);
	begin_stolen(&s, objects);
	fixture_fails(slabd_recv_commit(s.in, 5) < 0, EPERM, "a commit of such");
	slabd_free_bulk(s.cache, 5, objects);
	stage_close(&s);
	fixture_audit(&fixture, "after what was stolen");
}

static void be_forked(int fd, void *arg)
{
	struct stage *s = arg;
	(void)fd;
	fixture_fails(slabd_forward(s->in, s->out, 1) == 0, ENOTCONN,
	              "a forked child sends nothing on");
}

static void test_fork(slabd_pool *pool)
{
	struct stage s;
	struct child child;
	stage_open(&s, pool, 16, 16);
	fill(&s, 1);
	slabd_recv_begin(s.in, s.objects, 1);
	child_start(&child, be_forked, &s);
	child_end(&child, "the child");
	tap_is((long long)slabd_forward(s.in, s.out, 1), 1, "its parent does");
	tap_is(drain(&s, s.out, 0), 1, "and it comes");
	stage_close(&s);
}

/* ---- a stage that is killed ------------------------------------------------- */

/* Sends on whatever comes, and has written to it, until it is killed. */
static void pass(int fd, void *arg)
{
	struct stage s;
	(void)arg;
	hear(fd);
	stage_open(&s, fixture_pool(&fixture), MANY, MANY);
	slabd_channel_slow(s.out, SLABD_CHANNEL_BLOCK, -1);
	say(fd, 0);
	for (;;) {
		size_t n = slabd_recv_begin(s.in, s.objects, 50);
		for (size_t i = 0; i < n; i++)
			((uint64_t *)s.objects[i])[1] = 1;
		if (slabd_forward(s.in, s.out, n) != n)
			tap_bail("slabd_forward: %s", slabd_last_error());
		if (n == 0)
			slabd_channel_wait(s.in, SLABD_CHANNEL_RECV, 100);
	}
}

struct tally {
	unsigned char seen[PASSED];
	unsigned n;
	unsigned wrong;
};

static void receive(struct stage *s, struct tally *tally)
{
	size_t n = slabd_recv(s->out, s->objects, MANY);
	for (size_t i = 0; i < n; i++) {
		const uint64_t *words = s->objects[i];
		if (words[0] >= PASSED || tally->seen[words[0]]++ != 0 ||
		    words[1] != 1)
			tally->wrong++;
	}
	slabd_free_bulk(s->cache, n, s->objects);
	tally->n += (unsigned)n;
}

/* As many as there is room for, from a number on. */
static size_t send_some(struct stage *s, uint64_t from)
{
	size_t n = PASSED - from < 32 ? PASSED - from : 32;
	size_t done;
	sent_make(s->cache, (unsigned)n, from, s->objects);
	for (size_t i = 0; i < n; i++)
		((uint64_t *)s->objects[i])[1] = 0;
	done = slabd_send(s->in, s->objects, n);
	slabd_free_bulk(s->cache, n - done, s->objects + done);
	return done;
}

/* Five stages, one after the other, each killed in the midst of it but the last. */
static void test_kills(slabd_pool *pool, struct child stages[5])
{
	static struct tally tally;
	struct stage s;
	uint64_t sent = 0;
	unsigned at = 0;
	stage_open(&s, pool, MANY, MANY);
	say(stages[0].fd, 0);
	hear(stages[0].fd);
	while (tally.n < PASSED) {
		sent += send_some(&s, sent);
		receive(&s, &tally);
		if (at < 4 && tally.n > PASSED / 5 * (at + 1)) {
			child_kill(&stages[at++]);
			say(stages[at].fd, 0);
			hear(stages[at].fd);
		}
	}
	tap_is(tally.wrong, 0, "of %u objects each comes once, with four stages "
	       "killed", PASSED);
	child_kill(&stages[4]);
	stage_close(&s);
	fixture_audit(&fixture, "after the kills");
}

/* Without a thread of the library's, as children are forked beside it. */
static slabd_pool *open_alone(void)
{
	struct slabd_options options = fixture_options(&fixture, SLABD_NO_HELPER);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

int main(void)
{
	struct child stages[5];
	slabd_pool *a, *b;
	tap_start(300);
	fixture_open(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	for (unsigned i = 0; i < 5; i++)
		child_start(&stages[i], pass, NULL);
	a = open_alone();
	b = open_alone();
	test_order(a);
	test_full(a);
	test_bad(a, b);
	test_stolen(a);
	test_fork(a);
	test_kills(a, stages);
	slabd_close(a);
	slabd_close(b);
	fixture_close(&fixture);
	return tap_end();
}
