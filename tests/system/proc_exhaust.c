/* SPDX-License-Identifier: MIT */
/* A pool that runs out: errors without a wait, and memory that comes back. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"

#define SIZE 1024
#define FULL 2048 /* objects of SIZE that 2 MiB hold at the most */

static struct fixture fixture;
static void *all[4 * FULL];

static void expect_enomem(bool failed, const char *what)
{
	int was = errno;
	if (!tap_ok(failed && was == ENOMEM, "%s: ENOMEM", what))
		tap_note("%s, errno %s", failed ? "failed" : "did not",
		         strerror(was));
}

static struct slabd_stats stats_of(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats;
}

/* All there is; how many. */
static size_t fill(slabd_cache *cache, void **to)
{
	size_t n = 0;
	while ((to[n] = slabd_alloc(cache)) != NULL)
		memset(to[n++], 0x5a, SIZE);
	return n;
}

/* ---- one client --------------------------------------------------------- */

static bool is_refused(slabd_cache *cache)
{
	if (slabd_alloc(cache) != NULL)
		tap_bail("a full pool gave an object");
	return strstr(slabd_last_error(), "full") != NULL;
}

/* What slabd has refused stays so while it is stopped; before, it may have
 * been about to look at it again. */
static void fails_at_once(slabd_pool *pool, slabd_cache *cache)
{
	double until = now_ms() + SURELY_MS;
	struct slabd_stats before, after;
	fixture_halt(&fixture);
	while (!is_refused(cache) && now_ms() < until) {
		fixture_signal(&fixture, SIGCONT);
		is_refused(cache);
		fixture_halt(&fixture);
	}
	before = stats_of(pool);
	for (unsigned i = 0; i < 100; i++)
		is_refused(cache);
	after = stats_of(pool);
	fixture_signal(&fixture, SIGCONT);
	tap_is((long long)(after.failures - before.failures), 100,
	       "100 more failures are counted");
	tap_is((long long)(after.waits - before.waits), 0,
	       "and none of them waited");
}

static void fills(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	size_t n = fill(cache, all);
	(void)fd;
	(void)arg;
	expect_enomem(true, "a client that took all");
	tap_is((long long)slabd_alloc_bulk(cache, 0, NULL), 0,
	       "of none it takes none");
	tap_ok(n >= FULL * 7 / 8, "it got most of the pool");
	tap_note("%zu of %d objects", n, FULL);
	tap_ok(strstr(slabd_last_error(), "(at-limit)") != NULL &&
	               strstr(slabd_last_error(), "max") != NULL,
	       "the error says why and what to do");
	tap_note("%s", slabd_last_error());
	fails_at_once(pool, cache);
	slabd_free_bulk(cache, n / 2, all);
	tap_ok(slabd_alloc_bulk(cache, n / 2, all) == n / 2,
	       "what it frees it can allocate again");
	slabd_free_bulk(cache, n, all);
	slabd_flush(pool);
	tap_is((long long)fill(cache, all), (long long)n,
	       "and the whole of it after a flush");
	slabd_close(pool);
}

/* ---- another waits ------------------------------------------------------ */

/* Takes all; frees it when told, and flushes when told so. */
static void holder(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	size_t n = fill(cache, all);
	(void)arg;
	say(fd, n);
	n -= 10;
	if (hear(fd) == 1) {
		slabd_free_bulk(cache, n, all);
		slabd_flush(pool);
	} else {
		slabd_free_bulk(cache, n, all);
	}
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

static void waiter(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, *(const char **)arg, SIZE);
	double since;
	size_t n = 0;
	/* A cache that was in use a moment ago keeps a slab of its own. */
	all[0] = slabd_alloc(cache);
	if (strcmp(*(const char **)arg, "one") == 0)
		expect_enomem(all[0] == NULL, "another client");
	slabd_free(cache, all[0]);
	say(fd, 1);
	hear(fd);
	since = now_ms();
	while (n < FULL / 4 && now_ms() < since + SURELY_MS) {
		all[n] = slabd_alloc(cache);
		n += all[n] != NULL;
	}
	tap_is((long long)n, FULL / 4,
	       "it gets memory once the first has freed");
	tap_note("after %.1f ms", now_ms() - since);
	slabd_close(pool);
}

static void test_wait(const char *cache, bool flush)
{
	struct child one;
	struct child two;
	child_start(&one, holder, NULL);
	hear(one.fd);
	child_start(&two, waiter, &cache);
	hear(two.fd);
	say(one.fd, flush);
	hear(one.fd);
	say(two.fd, 1);
	child_end(&two, flush ? "with a flush" : "without a flush: slabd asks");
	say(one.fd, 1);
	child_end(&one, "the first ends");
}

/* ---- another cache ------------------------------------------------------ */

static void changes_cache(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "one", SIZE);
	slabd_cache *other = fixture_cache(pool, "other", SIZE / 2);
	long long before =
		fixture_number(&fixture, "/status", "pools.0.taken_slabs");
	size_t n = fill(cache, all);
	double until = now_ms() + SURELY_MS;
	(void)fd;
	(void)arg;
	slabd_free_bulk(cache, n, all);
	slabd_flush(pool);
	/* Refused a moment ago: slabd looks again by itself. */
	while ((all[0] = slabd_alloc(other)) == NULL && now_ms() < until)
		sleep_ms(1);
	tap_ok(all[0] != NULL, "once the first is empty, the other gets on");
	tap_is((long long)slabd_alloc_bulk(other, n, all), (long long)n,
	       "with slabs that were the first one's");
	tap_ok(fixture_number(&fixture, "/status", "pools.0.taken_slabs") >
	               before,
	       "which slabd counts");
	slabd_close(pool);
}

/* ---- one who only frees ------------------------------------------------- */

#define FLOW 40000

static void frees_only(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "flow", SIZE);
	slabd_handle handle;
	(void)arg;
	say(fd, slabd_client_id(pool));
	while ((handle = hear(fd)) != SLABD_NO_HANDLE)
		slabd_free(cache, slabd_take(pool, handle));
	say(fd, 1);
	hear(fd);
	slabd_close(pool);
}

struct flow {
	int fd; /* of the one who frees */
	unsigned to;
};

static void allocates_only(int fd, void *arg)
{
	struct flow *flow = arg;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "flow", SIZE);
	unsigned failed = 0;
	(void)fd;
	for (unsigned n = 0; n < FLOW && failed < 1000;) {
		void *object = slabd_alloc(cache);
		if (object == NULL) {
			failed++;
			sleep_ms(1);
			continue;
		}
		slabd_give(pool, object, flow->to);
		say(flow->fd, slabd_handle_of(pool, object));
		n++;
	}
	say(flow->fd, SLABD_NO_HANDLE);
	tap_is(failed, 0,
	       "who allocates is never short for one who only frees");
	slabd_close(pool);
}

static void test_flow(void)
{
	struct child from;
	struct child to;
	struct flow flow;
	child_start(&to, frees_only, NULL);
	flow.to = (unsigned)hear(to.fd);
	flow.fd = to.fd;
	child_start(&from, allocates_only, &flow);
	child_end(&from, "who allocates ends well");
	hear(to.fd);
	tap_ok(fixture_client(&fixture, flow.to, "bytes") <= (8 << 20) / 2,
	       "who frees keeps no more than half of the pool");
	say(to.fd, 1);
	child_end(&to, "who frees ends well");
}

/* ---- budgets ------------------------------------------------------------ */

static void keeps_budget(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool;
	slabd_cache *caches[3];
	static const size_t sizes[3] = {64, 256, SIZE};
	static void *some[3][FULL];
	(void)fd;
	(void)arg;
	options.thread_bytes = 64 << 10;
	options.process_bytes = 256 << 10;
	pool = slabd_open(NULL, &options);
	for (unsigned c = 0; c < 3; c++) {
		caches[c] = fixture_cache(pool, c == 0   ? "b64"
		                            : c == 1 ? "b256"
		                                     : "b1024", sizes[c]);
		tap_is((long long)slabd_alloc_bulk(caches[c], FULL, some[c]),
		       FULL, "objects of %zu bytes", sizes[c]);
	}
	for (unsigned c = 0; c < 3; c++)
		slabd_free_bulk(caches[c], FULL, some[c]);
	tap_ok(fixture_client(&fixture, slabd_client_id(pool), "bytes") <=
	               (64 + 256) << 10,
	       "what is freed is kept up to the budgets, the rest goes home");
	tap_note("%lld bytes kept",
	         fixture_client(&fixture, slabd_client_id(pool), "bytes"));
	slabd_close(pool);
}

/* Of large objects, which live on the other node: each is freed there. */
static void keeps_few_remote(int fd, void *arg)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_FORCE_NODE);
	static void *some[FULL];
	slabd_pool *pool;
	slabd_cache *cache;
	long long kept;
	size_t n = 0;
	(void)fd;
	(void)arg;
	options.thread_bytes = 64 << 10;
	options.process_bytes = 1;
	pool = slabd_open(NULL, &options);
	cache = fixture_cache(pool, "remote", 20000);
	while (n < FULL && (some[n] = slabd_alloc_node(cache, 1)) != NULL)
		n++;
	slabd_free_bulk(cache, n, some);
	kept = fixture_client(&fixture, slabd_client_id(pool), "bytes");
	tap_ok(n > 10 && kept <= 64 << 10,
	       "what lives on another node is kept up to the thread's budget");
	tap_note("%lld bytes of %zu objects kept", kept, n);
	slabd_close(pool);
}

/* ---- two nodes ---------------------------------------------------------- */

static unsigned node_of(slabd_pool *pool, const void *object)
{
	return (uint32_t)slabd_handle_of(pool, object) >= 2 << 20;
}

static void strict_or_not(int fd, void *arg)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_FORCE_NODE);
	slabd_pool *pool;
	slabd_cache *strict;
	slabd_cache *cache;
	size_t n;
	size_t more = 0;
	(void)fd;
	(void)arg;
	options.node = 1;
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "near", SIZE);
	strict = slabd_cache_create(pool, "strict", SIZE, 0,
	                            SLABD_CACHE_STRICT);
	n = fill(strict, all);
	expect_enomem(true, "a strict cache whose node is full");
	tap_ok(n >= FULL * 7 / 8 && n <= FULL, "it had its own node");
	for (size_t i = 0; i < n; i++)
		more += node_of(pool, all[i]) == 1;
	tap_is((long long)more, (long long)n, "and no other");
	tap_is((long long)stats_of(pool).remote_allocs, 0, "none is remote");
	/* First what the cache kept of its own node. */
	do
		all[n] = slabd_alloc(cache);
	while (all[n] != NULL && node_of(pool, all[n]) == 1);
	tap_ok(all[n] != NULL && node_of(pool, all[n]) == 0,
	       "a cache that is not strict gets one of the other node");
	if (all[n] == NULL)
		tap_note("%s", slabd_last_error());
	tap_ok(stats_of(pool).remote_allocs >= 1, "which is counted");
	slabd_free(cache, all[n]);
	tap_is((long long)stats_of(pool).remote_frees, 1, "and when freed");
	slabd_close(pool);
	options.flags |= SLABD_STRICT_NODE;
	pool = slabd_open(NULL, &options);
	n = fill(fixture_cache(pool, "near", SIZE), all);
	expect_enomem(true, "a strict client");
	for (size_t i = more = 0; i < n; i++)
		more += node_of(pool, all[i]) == 1;
	tap_ok(n >= FULL * 7 / 8 && more == n, "gets only its own node's");
	tap_note("%zu objects, %zu of its node", n, more);
	slabd_close(pool);
}

static void named_nodes(int fd, void *arg)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_FORCE_NODE);
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "near", SIZE);
	void *object;
	(void)fd;
	(void)arg;
	for (int node = 0; node < 2; node++) {
		object = slabd_alloc_node(cache, node);
		tap_ok(object != NULL &&
		               node_of(pool, object) == (unsigned)node,
		       "slabd_alloc_node on node %d", node);
		slabd_free(cache, object);
		tap_is(slabd_thread_node(pool, node), 0, "slabd_thread_node %d",
		       node);
		object = slabd_alloc(cache);
		tap_ok(object != NULL &&
		               node_of(pool, object) == (unsigned)node,
		       "then slabd_alloc is there too");
		slabd_free(cache, object);
	}
	tap_ok(slabd_alloc_node(cache, 2) == NULL && errno == EINVAL,
	       "slabd_alloc_node on an unknown node: EINVAL");
	tap_ok(slabd_alloc_node(cache, -1) == NULL && errno == EINVAL,
	       "and on node -1");
	tap_ok(slabd_thread_node(pool, 7) < 0 && errno == EINVAL,
	       "slabd_thread_node of an unknown node: EINVAL");
	tap_ok(slabd_thread_node(pool, -2) < 0 && errno == EINVAL,
	       "and of node -2");
	tap_is(slabd_thread_node(pool, -1), 0, "slabd_thread_node -1");
	slabd_close(pool);
	options.node = 5;
	tap_ok(slabd_open(NULL, &options) == NULL && errno == EINVAL,
	       "slabd_open with an unknown node: EINVAL");
	tap_is(fixture_used(&fixture), 0, "no more is in use");
}

/* All of a node by its name, from where to points on; how many. */
static size_t fill_node(slabd_pool *pool, slabd_cache *cache, int node,
                        void **to)
{
	size_t n = 0;
	size_t own = 0;
	while ((to[n] = slabd_alloc_node(cache, node)) != NULL)
		own += node_of(pool, to[n++]) == (unsigned)node;
	expect_enomem(true, "a node that was filled by its name");
	tap_ok(n > 0 && own == n, "it gave only its own");
	tap_note("%zu objects, %zu of node %d", n, own, node);
	return n;
}

/* The same, until it comes to so many: what was lent meanwhile is held for a
 * while before it goes back. */
static bool refill_node(slabd_pool *pool, slabd_cache *cache, int node,
                        void **to, size_t want, size_t *got)
{
	double until = now_ms() + SURELY_MS;
	*got = fill_node(pool, cache, node, to);
	while (*got < want && now_ms() < until) {
		sleep_ms(10);
		to[*got] = slabd_alloc_node(cache, node);
		*got += to[*got] != NULL;
	}
	return *got >= want;
}

/* Each node to the last by name: what is lent to it is not taken, and does not
 * keep slabd from saying that there is no more; what the process keeps free is
 * found, whichever of its threads is on which node. */
static void fills_by_node(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "named", SIZE);
	size_t n = fill_node(pool, cache, 0, all);
	size_t both = n + fill_node(pool, cache, 1, all + n);
	unsigned waits = (unsigned)stats_of(pool).waits;
	size_t more[2];
	(void)fd;
	(void)arg;
	tap_ok(waits < both / 8, "without waiting for each");
	tap_note("%u waits", waits);
	tap_ok(n >= FULL / 2 && both >= FULL, "they are full");
	slabd_thread_node(pool, 1);
	slabd_free_bulk(cache, both, all);
	slabd_thread_node(pool, 0);
	tap_ok(refill_node(pool, cache, 0, all, n, &more[0]),
	       "what was freed on another node can all be had again");
	tap_ok(refill_node(pool, cache, 1, all + more[0], both - n, &more[1]),
	       "and what another node's threads keep");
	slabd_free_bulk(cache, more[0] + more[1], all);
	slabd_thread_node(pool, 1);
	slabd_free(cache, slabd_alloc(cache));
	tap_ok(fill(cache, all) >= both, "without a name too");
	slabd_close(pool);
}

/* ---- the order ---------------------------------------------------------- */

static void run(void (*what)(int fd, void *arg), const char *name)
{
	struct child child;
	child_start(&child, what, NULL);
	child_end(&child, name);
	tap_is(fixture_used(&fixture), 0, "%s: nothing is in use", name);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 2M\n");
	run(fills, "one client fills the pool");
	test_wait("one", true);
	test_wait("one", false);
	test_wait("two", true);
	test_wait("two", false);
	run(changes_cache, "slabs change their cache");
	fixture_audit(&fixture, "a full pool");
	fixture_close(&fixture);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nmax = 8M\nstart = 2M\n");
	test_flow();
	run(keeps_budget, "budgets");
	fixture_audit(&fixture, "after the flow");
	fixture_close(&fixture);
	fixture_open(&fixture, "[slabd]\ntopology = node:2 core:1 pu:1\n"
	               "[pool default]\npage = 4k\nmax = 2M\n");
	run(strict_or_not, "strict or not");
	run(named_nodes, "nodes by name");
	run(keeps_few_remote, "budgets of remote objects");
	run(fills_by_node, "all of nodes by name");
	fixture_audit(&fixture, "two nodes");
	fixture_close(&fixture);
	return tap_end();
}
