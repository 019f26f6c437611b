/* SPDX-License-Identifier: MIT */
/* Channels whose senders, receivers and slabd are killed while all goes on. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/keeper.h"
#include "tests/lib/rng.h"
#include "tests/lib/sent.h"

#define SIZE 96
#define MANY 1000u
#define CAPACITY 256u
#define BATCH SENT_BATCH
#define KILLS 40u

static struct fixture fixture;
static struct keeper keeper;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

/* ---- kills while all goes on --------------------------------------------- */

/* Numbers that were sent: each sender writes where it is before it sends, so that
 * what comes is known. */
struct board {
	uint64_t sent;
	uint64_t received;
	uint16_t seen[1 << 22];
	uint16_t again[1 << 22];
	uint64_t number;
};

static struct board *board;

/* Allocates, numbers and sends for ever: what send has returned is sent. */
static void keep_sending(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "kills", SIZE);
	slabd_channel *channel = sent_channel(pool, "kills", CAPACITY);
	struct rng rng;
	void *objects[BATCH];
	(void)arg;
	rng.state = hear(fd);
	say(fd, 1);
	for (;;) {
		unsigned n = 1 + (unsigned)rng_below(&rng, BATCH);
		uint64_t from = atom_add(&board->number, n);
		unsigned done = 0;
		if (from + n >= 1 << 22)
			hear(fd);
		n = (unsigned)fixture_take(cache, n, objects);
		for (unsigned i = 0; i < n; i++)
			*(uint64_t *)objects[i] = from + i;
		while (done < n) {
			done += (unsigned)slabd_send(channel, objects + done,
			                             n - done);
			if (done < n)
				slabd_channel_wait(channel, SLABD_CHANNEL_SEND,
				                   -1);
		}
		atom_add(&board->sent, n);
	}
}

/* Notes what it has begun before it commits. */
static unsigned receive(slabd_channel *channel, slabd_cache *cache)
{
	void *objects[BATCH];
	size_t n = slabd_recv_begin(channel, objects, BATCH);
	int again = slabd_recv_again(channel);
	for (size_t i = 0; i < n; i++) {
		uint64_t number = *(uint64_t *)objects[i];
		if (again)
			atom_store(&board->again[number], (uint16_t)1);
		atom_add(&board->seen[number], 1);
	}
	if (slabd_recv_commit(channel, n) < 0)
		tap_bail("commit: %s", slabd_last_error());
	slabd_free_bulk(cache, n, objects);
	return (unsigned)n;
}

static void keep_receiving(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "kills", SIZE);
	slabd_channel *channel = sent_channel(pool, "kills", CAPACITY);
	(void)arg;
	hear(fd);
	say(fd, 1);
	for (;;) {
		if (receive(channel, cache) == 0)
			slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1);
	}
}

static void check_numbers(void)
{
	uint64_t most = board->number < 1 << 22 ? board->number : 1 << 22;
	unsigned seen = 0, twice = 0;
	for (uint64_t i = 0; i < most; i++) {
		seen += board->seen[i] > 0;
		twice += board->seen[i] > 1 && board->again[i] == 0;
	}
	tap_ok(seen >= board->sent, "all %llu that were sent are received, %u",
	       (unsigned long long)board->sent, seen);
	tap_is(twice, 0, "none comes twice that is not said to");
}

/* Each with a generation of its own: forked by one that has no threads. */
static void kill_round(int fd, void *arg)
{
	static struct child child[4];
	struct rng rng = rng_start("proc_channel");
	uint32_t rounds = tap_rounds(KILLS);
	(void)arg;
	hear(fd);
	for (unsigned i = 0; i < 4; i++)
		child_start(&child[i], i < 2 ? keep_sending : keep_receiving,
		            NULL);
	for (unsigned i = 0; i < 4; i++) {
		say(child[i].fd, rng_next(&rng));
		hear(child[i].fd);
	}
	for (uint32_t i = 0; i < rounds; i++) {
		unsigned who = (unsigned)rng_below(&rng, 4);
		usleep((unsigned)rng_below(&rng, 3000));
		child_kill(&child[who]);
		child_start(&child[who],
		            who < 2 ? keep_sending : keep_receiving, NULL);
		say(child[who].fd, rng_next(&rng));
		hear(child[who].fd);
	}
	for (unsigned i = 0; i < 4; i++)
		child_kill(&child[i]);
	say(fd, 1);
	hear(fd);
}

static void test_kills(slabd_pool *pool, slabd_cache *cache,
                       struct child *killer)
{
	slabd_channel *channel = sent_channel(pool, "kills", CAPACITY);
	say(killer->fd, 1);
	hear(killer->fd);
	tap_ok(fixture_until(&fixture, "/audit", "pools.0.orphans", 0,
	                     SURELY_MS) >= 0,
	       "the dead are swept");
	while (receive(channel, cache) > 0)
		continue;
	while (slabd_channel_peers(channel, NULL, 0) > 1)
		sleep_ms(1);
	while (receive(channel, cache) > 0)
		continue;
	check_numbers();
	fixture_audit(&fixture, "the audit agrees");
	slabd_channel_close(channel);
	say(killer->fd, 1);
}

/* ---- slabd comes again ---------------------------------------------------- */

static bool find_kept(char name[64])
{
	for (unsigned ix = 0; ix < SLABD_CHANNELS_MAX; ix++) {
		snprintf(name, 64, "slabd.pool.default.channel%u", ix);
		if (keeper_find(&keeper, name) >= 0)
			return true;
	}
	return false;
}

static bool is_kept(void)
{
	char name[64];
	return find_kept(name);
}

static void test_restart(slabd_pool *pool, slabd_cache *cache,
                         struct child *dies)
{
	static void *objects[MANY];
	slabd_channel *channel;
	size_t all = 0, again = 0;
	int status;
	/* What was kept of channels before. */
	keeper_catch_up(&keeper);
	while (is_kept())
		keeper_hear(&keeper, 1000);
	channel = sent_channel(pool, "kept", CAPACITY);
	sent_make(cache, 100, 0, objects);
	slabd_send(channel, objects, 100);
	say(dies->fd, 0);
	for (unsigned i = 0; i < 3; i++)
		hear(dies->fd);
	while (!is_kept())
		keeper_hear(&keeper, 1000);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	child_kill(dies);
	all += slabd_recv(channel, objects, 10);
	tap_is((long long)all, 10, "a channel goes on without slabd");
	tap_ok(keeper_start(&keeper, &fixture, &status), "slabd comes again");
	while (all < 80 &&
	       slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1) == 0) {
		size_t n = slabd_recv(channel, objects, MANY);
		all += n;
		again += slabd_recv_again(channel) != 0 ? n : 0;
	}
	tap_is((long long)all, 80,
	       "who died meanwhile had committed twenty: the others come");
	tap_ok(again >= 30, "what it had begun is said to");
	slabd_channel_close(channel);
}

/* As a manager that had read of an older channel of that place. */
static void swap_ring(void)
{
	int other = memfd_create("another", MFD_CLOEXEC);
	char name[64];
	struct stat st;
	while (!find_kept(name))
		keeper_hear(&keeper, 1000);
	if (fstat(keeper_find(&keeper, name), &st) < 0 ||
	    ftruncate(other, st.st_size) < 0)
		tap_bail("%s: %s", name, strerror(errno));
	close(keeper_swap(&keeper, name, other));
}

static void test_lost(slabd_pool *pool, slabd_cache *cache)
{
	static void *objects[MANY];
	static bool came[100];
	slabd_channel *channel;
	unsigned wrong = 0;
	int status;
	while (is_kept())
		keeper_hear(&keeper, 1000);
	channel = sent_channel(pool, "lost", CAPACITY);
	sent_make(cache, 100, 0, objects);
	slabd_send(channel, objects, 100);
	tap_is((long long)slabd_recv_begin(channel, objects, 10), 10,
	       "ten of what is sent are begun");
	swap_ring();
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	tap_ok(keeper_start(&keeper, &fixture, &status),
	       "slabd comes again, with another ring");
	fails(slabd_send(channel, objects, 1) == 0, ESTALE, "send");
	fails(slabd_recv(channel, objects, 1) == 0, ESTALE, "receive");
	fails(slabd_recv_begin(channel, objects, 1) == 0, ESTALE, "begin");
	fails(slabd_recv_commit(channel, 1) < 0, ESTALE, "commit");
	fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1) < 0, ESTALE,
	      "wait");
	fails(slabd_channel_descriptor(channel) < 0, ESTALE, "descriptor");
	fails(slabd_channel_open(pool, "lost", 0) == NULL, EAGAIN, "open");
	slabd_channel_close(channel);
	channel = sent_channel(pool, "lost", CAPACITY);
	tap_is((long long)slabd_recv(channel, objects, MANY), 100,
	       "with a new ring all of it comes");
	tap_is(slabd_recv_again(channel), 1, "and is said to have been begun");
	for (unsigned i = 0; i < 100; i++) {
		uint64_t number = *(uint64_t *)objects[i];
		wrong += number >= 100 || came[number < 100 ? number : 0];
		came[number < 100 ? number : 0] = true;
	}
	tap_is(wrong, 0, "each once");
	slabd_free_bulk(cache, 100, objects);
	slabd_channel_close(channel);
}

static void begin_and_wait(int fd, void *arg)
{
	hear(fd);
	sent_begin(&fixture, fd, arg, CAPACITY);
}

int main(void)
{
	slabd_pool *pool;
	struct child dies;
	struct child killer;
	int status;
	tap_start(120);
	fixture_make(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	keeper_open(&keeper, &fixture);
	if (!keeper_start(&keeper, &fixture, &status))
		tap_bail("slabd ends with %d", status);
	board = shared_memory(sizeof(*board));
	child_start(&dies, begin_and_wait, (void *)"kept");
	child_start(&killer, kill_round, NULL);
	pool = fixture_pool(&fixture);
	test_kills(pool, fixture_cache(pool, "kills", SIZE), &killer);
	child_end(&killer, "who killed");
	test_restart(pool, fixture_cache(pool, "sent", SIZE), &dies);
	test_lost(pool, fixture_cache(pool, "sent", SIZE));
	fixture_audit(&fixture, "after all");
	slabd_close(pool);
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
