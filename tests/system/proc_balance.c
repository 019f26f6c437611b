/* SPDX-License-Identifier: MIT */
/*
 * Memory that is short on one node and idle on another, under living clients:
 * lent, called back, moved, drained, given back, and all of it again after
 * slabd was killed. Nodes are simulated: pages move in the books alone, slabs
 * change their lists and homes for real.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"
#include "shm/layout.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define SIZE 1000
#define NODE_BYTES (8 << 20)
#define MOST (4 * NODE_BYTES / SIZE)

#define FOUR                                                                   \
	"[slabd]\ntopology = node:4 core:1 pu:1\n"                             \
	"[balance]\nhold = 100ms\nhold_max = %s\nidle = %s\n"                  \
	"[pool default]\npage = 4k\nstart = 2M\nmax = %s\n"

static struct fixture fixture;
static uint32_t *all[MOST];

static struct share {
	volatile uint32_t run;
	volatile uint64_t wrong;
	volatile uint64_t pairs;
	volatile uint64_t failed;
} *share;

static long long counted(const char *what, const char *kind)
{
	char at[80];
	snprintf(at, sizeof(at), "pools.0.counts.%s.%s", what, kind);
	return fixture_number(&fixture, "/log", at);
}

/* Slabs that stand on another list than their home's. */
static long long lent(void)
{
	json_t *doc = fixture_get(&fixture, "/slabs?limit=100000");
	const json_t *slabs = json_object_get(
	        json_array_get(json_object_get(doc, "pools"), 0), "slabs");
	long long n = 0;
	size_t i;
	json_t *slab;
	json_array_foreach(slabs, i, slab)
		n += json_integer_value(json_object_get(slab, "node")) !=
		     json_integer_value(json_object_get(slab, "list"));
	json_decref(doc);
	return n;
}

/* Of a node: what /nodes says. */
static long long of_node(unsigned node, const char *what)
{
	char at[80];
	snprintf(at, sizeof(at), "pools.0.nodes.%u.%s", node, what);
	return fixture_number(&fixture, "/nodes", at);
}

static bool surely(bool (*is)(void))
{
	double until = now_ms() + SURELY_MS;
	while (!is() && now_ms() < until)
		sleep_ms(20);
	return is();
}

/* Runs slabctl; its exit status. */
static int slabctl(const char *arguments)
{
	char command[400];
	int status;
	snprintf(command, sizeof(command),
	         "'%s/daemon/slabctl' --control '%s' %s >/dev/null 2>&1",
	         getenv("builddir"), fixture.control, arguments);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static slabd_pool *open_on(int node)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_FORCE_NODE);
	slabd_pool *pool;
	options.node = node;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* ---- lend --------------------------------------------------------------- */

/* Allocates up to n. */
static size_t fill(slabd_cache *cache, size_t n)
{
	size_t got = 0;
	while (got < n && (all[got] = slabd_alloc(cache)) != NULL) {
		memset(all[got], (int)(got & 0xff), SIZE);
		got++;
	}
	return got;
}

static uint32_t home_of(const slabd_cache *cache, const void *object)
{
	return WORD_HOME(cache->map_[(uintptr_t)object >> UNIT_SHIFT]);
}

static void drop(slabd_pool *pool, slabd_cache *cache, size_t n)
{
	size_t wrong = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char *byte = (unsigned char *)all[i];
		wrong += byte[0] != (i & 0xff) || byte[SIZE - 1] != (i & 0xff);
	}
	share->wrong += wrong;
	slabd_free_bulk(cache, n, (void *const *)all);
	slabd_flush(pool);
}

/* The magazine has objects that were claimed from lent slabs. */
static void name_node(slabd_cache *cache, size_t n)
{
	size_t lent = 0;
	size_t more = 0;
	while (slabd_mag_of_(cache)->n == 0 && n + more < MOST) {
		all[n + more] = slabd_alloc(cache);
		more += all[n + more] != NULL;
	}
	while (more < 100) {
		all[n + more] = slabd_alloc_node(cache, 1);
		if (all[n + more] == NULL)
			break;
		lent += home_of(cache, all[n + more++]) != 1;
	}
	tap_is((long long)lent, 0,
	       "who names a node gets nothing that is lent to it");
	slabd_free_bulk(cache, more, (void *const *)(all + n));
}

static void borrower(int fd, void *arg)
{
	slabd_pool *pool = open_on(1);
	slabd_cache *cache = fixture_cache(pool, "lend", SIZE);
	struct slabd_stats stats;
	size_t n = fill(cache, 2 * NODE_BYTES / SIZE);
	(void)arg;
	tap_is((long long)n, 2 * NODE_BYTES / SIZE,
	       "a client gets twice what its node has");
	slabd_get_stats(pool, &stats);
	tap_ok(stats.remote_allocs >= n / 3,
	       "what is not its node's counts as remote");
	name_node(cache, n);
	say(fd, 1);
	hear(fd);
	drop(pool, cache, n);
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

static bool nothing_lent(void)
{
	return lent() == 0;
}

static void test_lend(void)
{
	struct child child;
	long long n;
	child_start(&child, borrower, NULL);
	hear(child.fd);
	n = lent();
	tap_ok(n > 0, "%lld slabs of other nodes stand on its list", n);
	fixture_audit(&fixture, "with slabs lent");
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(surely(nothing_lent), "all go back when it is over");
	tap_ok(counted("done", "return") >= n, "and that is noted");
	fixture_audit(&fixture, "all returned");
	say(child.fd, 1);
	child_end(&child, "the borrower ends");
}

/* ---- demand that wanders ------------------------------------------------- */

static void wanderer(int fd, void *arg)
{
	slabd_pool *pool = open_on(*(int *)arg);
	slabd_cache *cache = fixture_cache(pool, "wander", SIZE);
	while (hear(fd) == 1) {
		size_t n = fill(cache, NODE_BYTES * 3 / 2 / SIZE);
		say(fd, n);
		drop(pool, cache, n);
		say(fd, 1);
	}
	slabd_close(pool);
}

#define WINDOW 8u /* turns that are looked at together */
#define TURN_MS 100
#define TURNS_MAX 160u

static long long moves(void)
{
	return counted("steps", "lend") + counted("steps", "return");
}

/* The steps of one turn of demand; how long it took. */
static long long take_turn(const struct child *child, double *ms)
{
	long long before = moves();
	double since = now_ms();
	say(child->fd, 1);
	if (hear(child->fd) < NODE_BYTES / SIZE)
		tap_ok(false, "a turn gets what its node has");
	hear(child->fd);
	while (now_ms() < since + TURN_MS)
		sleep_ms(5);
	*ms = now_ms() - since;
	return moves() - before;
}

/* Each reversal doubles the time for which lists stay as they are, so it comes
 * to rest: within 24 turns of 100 ms, and later where turns take longer, by as
 * many doublings. Lists that are not held take 55 steps in 8 turns and more,
 * those that are 3 to 17. */
static void test_wander(void)
{
	static int nodes[2] = {2, 3};
	struct child child[2];
	long long steps[TURNS_MAX];
	long long last = 0;
	double held = 2 * TURN_MS;
	unsigned end = 24;
	for (int i = 0; i < 2; i++)
		child_start(&child[i], wanderer, &nodes[i]);
	for (unsigned turn = 0; turn < end; turn++) {
		double ms;
		steps[turn] = take_turn(&child[turn % 2], &ms);
		for (; held < ms && end + WINDOW <= TURNS_MAX; held *= 2)
			end += WINDOW;
	}
	for (unsigned turn = end - WINDOW; turn < end; turn++)
		last += steps[turn];
	tap_ok(last <= 28, "demand that wanders does not ping-pong");
	tap_note("%u turns, %lld steps in the last 8", end, last);
	for (int i = 0; i < 2; i++) {
		say(child[i].fd, 0);
		child_end(&child[i], "a wanderer ends");
	}
	fixture_audit(&fixture, "after wandering");
}

/* ---- pages -------------------------------------------------------------- */

#define OWN 2000

/* Allocates, checks and frees until told otherwise. */
static void worker(int fd, void *arg)
{
	slabd_pool *pool = open_on(*(int *)arg);
	slabd_cache *cache = fixture_cache(pool, "work", SIZE);
	static uint64_t *mine[OWN];
	struct rng rng = {.state = (uint64_t)getpid()};
	say(fd, 1);
	while (atom_load(&share->run) != 0) {
		uint64_t i = rng_below(&rng, OWN);
		if (mine[i] != NULL) {
			bool same = mine[i][0] == i && mine[i][SIZE / 8 - 1] == ~i;
			atom_add(&share->wrong, (uint64_t)!same);
			slabd_free(cache, mine[i]);
		}
		mine[i] = slabd_alloc(cache);
		if (mine[i] == NULL) {
			atom_add(&share->failed, UINT64_C(1));
			continue;
		}
		mine[i][0] = i;
		mine[i][SIZE / 8 - 1] = ~i;
		atom_add(&share->pairs, UINT64_C(1));
	}
	slabd_close(pool);
}

static bool node_1_is_bare(void)
{
	return of_node(1, "ready_bytes") == 0;
}

static uint64_t pairs_before;

static bool has_more_pairs(void)
{
	return atom_load(&share->pairs) > pairs_before;
}

static void check_workers(const char *what)
{
	tap_is((long long)share->wrong, 0, "%s: no object changed", what);
	tap_is((long long)share->failed, 0, "%s: no allocation failed", what);
	fixture_audit(&fixture, what);
}

/* Moves, drains and lends under four workers. */
static void test_pages(void)
{
	static int nodes[4] = {0, 1, 2, 3};
	struct child child[4];
	atom_store(&share->run, 1u);
	for (int i = 0; i < 4; i++) {
		child_start(&child[i], worker, &nodes[i]);
		hear(child[i].fd);
	}
	for (int i = 0; i < 20; i++) {
		slabctl(i % 2 ? "migrate 2 3 1" : "migrate 3 2 1");
		slabctl(i % 2 ? "lend work 0 3 2" : "lend work 0 0 9");
	}
	tap_ok(counted("done", "migrate") >= 10, "pages go to and fro");
	check_workers("moved");
	tap_is(slabctl("drain 1"), 0, "a node is to be drained");
	tap_ok(surely(node_1_is_bare), "and is bare of pages");
	check_workers("drained");
	pairs_before = atom_load(&share->pairs);
	tap_ok(surely(has_more_pairs), "its clients go on");
	tap_is(slabctl("drain 1 --undo"), 0, "it may be used again");
	slabctl("migrate 2 1 1");
	tap_ok(!node_1_is_bare(), "and is");
	atom_store(&share->run, 0u);
	for (int i = 0; i < 4; i++)
		child_end(&child[i], "a worker ends");
	check_workers("in the end");
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
}

/* ---- a hoard ------------------------------------------------------------ */

static void burst(int fd, void *arg)
{
	slabd_pool *pool = open_on(0);
	slabd_cache *cache = fixture_cache(pool, "burst", SIZE);
	size_t n = fill(cache, NODE_BYTES * 7 / 8 / SIZE);
	(void)arg;
	say(fd, n);
	hear(fd);
	drop(pool, cache, n);
	say(fd, 1);
	hear(fd);
	tap_ok(fill(cache, n) == n,
	       "what is needed again comes again");
	slabd_close(pool);
}

static bool is_at_floor(void)
{
	return of_node(0, "ready_bytes") <= 2 << 20;
}

/* Nobody tells slabd that memory is idle: it looks by itself. */
static void test_hoard(void)
{
	struct child child;
	child_start(&child, burst, NULL);
	hear(child.fd);
	tap_ok(of_node(0, "ready_bytes") > 6 << 20, "a burst takes memory");
	say(child.fd, 1);
	hear(child.fd);
	tap_ok(surely(is_at_floor),
	       "what it left goes back to the kernel, down to the floor");
	fixture_audit(&fixture, "after the burst");
	say(child.fd, 1);
	child_end(&child, "the burst ends");
}

/* Fills a node, then opens a cache that has to borrow there. */
static void late(int fd, void *arg)
{
	slabd_pool *pool = open_on(1);
	slabd_cache *full = slabd_cache_create(pool, "full", SIZE, 0,
	                                       SLABD_CACHE_STRICT);
	(void)arg;
	say(fd, fill(full, MOST));
	hear(fd);
	fixture_cache(pool, "late", SIZE);
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

struct past {
	long long plans, lent, returned; /* the latter in slabs */
};

/* All of one answer. */
static struct past past(void)
{
	json_t *doc = fixture_get(&fixture, "/log");
	json_t *counts = json_at(doc, "pools.0.counts");
	struct past past = {
	        .plans = json_integer_value(json_at(counts, "plans")),
	        .lent = json_integer_value(json_at(counts, "done.lend")),
	        .returned = json_integer_value(json_at(counts, "done.return"))};
	json_decref(doc);
	return past;
}

/* Until no plan was made for a while. */
static bool await_rest(void)
{
	double until = now_ms() + SURELY_MS;
	bool rests = false;
	while (!rests && now_ms() < until) {
		long long before = past().plans;
		sleep_ms(1500);
		rests = past().plans == before;
	}
	return rests;
}

/* Nobody rings, and yet there is a loan to look after. */
static void test_late(void)
{
	struct child child;
	struct past before;
	struct past since;
	double until;
	child_start(&child, late, NULL);
	hear(child.fd);
	tap_ok(await_rest(), "nothing to do");
	before = past();
	until = now_ms() + SURELY_MS;
	say(child.fd, 1);
	hear(child.fd);
	since = past();
	tap_ok(since.lent > before.lent, "a cache that is made borrows");
	while (past().plans == since.plans &&
	       since.returned == before.returned && now_ms() < until)
		sleep_ms(10);
	tap_ok(past().plans > since.plans || since.returned > before.returned,
	       "and what it borrowed is looked after");
	say(child.fd, 1);
	child_end(&child, "the borrower ends");
	fixture_audit(&fixture, "after the loan");
}

/* ---- refused ------------------------------------------------------------ */

static void test_refused(void)
{
	static const char *const bad[] = {
		"lend none 0 1",
		"lend lend 0 9",
		"migrate 1 1",
		"migrate 7 1",
		"drain 8",
		"set no_such_key 1",
		"set hold 99h",
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		tap_ok(slabctl(bad[i]) > 0, "refused: %s", bad[i]);
	tap_is(slabctl("drain 0") + slabctl("drain 1") + slabctl("drain 2"), 0,
	       "all nodes but one may be drained");
	tap_ok(slabctl("drain 3") > 0, "refused: the last one");
	fixture_audit(&fixture, "nothing lost");
	tap_is(slabctl("drain 0 --undo") + slabctl("drain 1 --undo") +
	               slabctl("drain 2 --undo"), 0, "and taken back");
}

int main(void)
{
	tap_start(300);
	share = shared_memory(sizeof(*share));
	/* However long a turn takes, a list is held for longer at last. */
	fixture_open(&fixture, FOUR, "10m", "0", "8M");
	test_lend();
	test_wander();
	fixture_close(&fixture);
	fixture_open(&fixture, FOUR, "2s", "0", "32M");
	test_pages();
	test_refused();
	fixture_close(&fixture);
	fixture_open(&fixture, FOUR, "2s", "0", "8M");
	test_late();
	fixture_close(&fixture);
	fixture_open(&fixture, FOUR, "2s", "1s", "8M");
	test_hoard();
	fixture_close(&fixture);
	return tap_end();
}
