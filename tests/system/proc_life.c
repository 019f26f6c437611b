/* SPDX-License-Identifier: MIT */
/* Clients that come, work, end and are killed. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define SMALL "[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n"
#define N_OBJECTS 3000
#define SIZE 96

static struct fixture fixture;

struct record {
	uint64_t owner;
	uint64_t number;
	uint64_t fill[10];
};

static void write_record(struct record *r, uint64_t owner, uint64_t number)
{
	r->owner = owner;
	r->number = number;
	for (unsigned i = 0; i < 10; i++)
		r->fill[i] = owner * 1000003 + number * 10 + i;
}

static bool is_record(const struct record *r, uint64_t owner, uint64_t number)
{
	if (r->owner != owner || r->number != number)
		return false;
	for (unsigned i = 0; i < 10; i++)
		if (r->fill[i] != owner * 1000003 + number * 10 + i)
			return false;
	return true;
}

static unsigned count_intact(struct record *const *all, unsigned n,
                             uint64_t owner)
{
	unsigned good = 0;
	for (unsigned i = 0; i < n; i++)
		good += is_record(all[i], owner, i);
	return good;
}

static unsigned fill(slabd_cache *cache, struct record **all, unsigned n,
                     uint64_t owner)
{
	unsigned got = 0;
	for (; got < n; got++) {
		all[got] = slabd_alloc(cache);
		if (all[got] == NULL)
			break;
		write_record(all[got], owner, got);
	}
	return got;
}

/* ---- open and close ----------------------------------------------------- */

static void open_and_close(int fd, void *arg)
{
	static struct record *all[N_OBJECTS];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "records", SIZE);
	unsigned aligned = 0;
	(void)fd;
	(void)arg;
	tap_ok(slabd_client_id(pool) > 0, "a client has an id");
	tap_is(fill(cache, all, N_OBJECTS, 1), N_OBJECTS, "it allocates");
	tap_is(count_intact(all, N_OBJECTS, 1), N_OBJECTS,
	       "no object overlaps another");
	for (unsigned i = 0; i < N_OBJECTS; i++)
		aligned += (uintptr_t)all[i] % 16 == 0;
	tap_is(aligned, N_OBJECTS, "all are aligned to 16 bytes");
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "objects") >=
	               N_OBJECTS,
	       1, "slabd counts them as the client's");
	slabd_free_bulk(cache, N_OBJECTS / 2, (void **)all);
	tap_ok(slabd_cache_create(pool, "records", SIZE, 0, 0) == cache,
	       "a cache opened twice is the same");
	tap_is(slabd_cache_close(cache), 0, "one close of two");
	tap_is(slabd_close(pool), 0, "slabd_close");
	tap_is(fixture_used(&fixture), 0, "and nothing is in use afterwards");
}

static void test_open_close(void)
{
	struct child child;
	long long before =
		fixture_number(&fixture, "/status", "pools.0.deaths");
	child_start(&child, open_and_close, NULL);
	child_end(&child, "a client opens, works and closes");
	tap_is(fixture_number(&fixture, "/status", "pools.0.deaths"), before,
	       "which is no death");
	fixture_audit(&fixture, "open and close");
}

/* ---- what a killed client held ------------------------------------------ */

/* Says its id and how many objects it was left with; then checks them each
 * time it is asked. */
static void keeper(int fd, void *arg)
{
	static struct record *all[N_OBJECTS];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "records", SIZE);
	unsigned id = slabd_client_id(pool);
	(void)arg;
	say(fd, id);
	say(fd, fill(cache, all, N_OBJECTS, id));
	while (hear(fd) != 0)
		say(fd, count_intact(all, N_OBJECTS, id));
	slabd_free_bulk(cache, N_OBJECTS, (void **)all);
	slabd_close(pool);
}

enum held { ALLOCATED, MAGAZINE, DEPOT, HELD };
static const char *const held_names[HELD] = {"allocated", "in a magazine",
                                             "in the depot"};

/* A client that holds objects in one way and waits to be killed. */
static void victim(int fd, void *arg)
{
	static void *all[N_OBJECTS];
	enum held how = *(enum held *)arg;
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "records", SIZE);
	struct slabd_stats stats;
	unsigned n = how == MAGAZINE ? 20 : N_OBJECTS;
	say(fd, slabd_client_id(pool));
	tap_is(slabd_alloc_bulk(cache, n, all), n, "a victim allocates");
	for (unsigned i = 0; i < n; i++)
		memset(all[i], 0xee, SIZE);
	if (how != ALLOCATED)
		slabd_free_bulk(cache, n, all);
	slabd_get_stats(pool, &stats);
	if (how != ALLOCATED)
		tap_is(stats.depot_puts > 0, how == DEPOT,
		       "what it frees is kept %s", held_names[how]);
	say(fd, (uint64_t)fixture_client(&fixture, slabd_client_id(pool),
	                                 "objects"));
	hear(fd);
}

static void test_held(enum held how, struct child *keep)
{
	struct child child;
	long long before = fixture_used(&fixture);
	unsigned long long held;
	char swept[80];
	unsigned id;
	double ms;
	child_start(&child, victim, &how);
	id = (unsigned)hear(child.fd);
	held = hear(child.fd);
	tap_ok(held >= 20, "objects %s are the client's", held_names[how]);
	snprintf(swept, sizeof(swept), "pid %d) ended: %llu objects came back",
	         (int)child.pid, held);
	child_kill(&child);
	ms = fixture_until_used(&fixture, before, SURELY_MS);
	tap_ok(ms >= 0, "objects %s come back when it is killed",
	       held_names[how]);
	tap_note("death noticed and swept within %.2f ms", ms);
	tap_ok(fixture_logged(&fixture, swept),
	       "all in the first of its two sweeps");
	tap_ok(fixture_client(&fixture, id, "objects") <= 0,
	       "none is the dead one's");
	say(keep->fd, 1);
	tap_is((long long)hear(keep->fd), N_OBJECTS,
	       "the other client's objects are as they were");
	fixture_audit(&fixture, held_names[how]);
}

static void test_deaths(void)
{
	struct child keep;
	struct child twin;
	child_start(&keep, keeper, NULL);
	hear(keep.fd);
	tap_is((long long)hear(keep.fd), N_OBJECTS, "a client fills a cache");
	child_start(&twin, keeper, NULL);
	hear(twin.fd);
	tap_is((long long)hear(twin.fd), N_OBJECTS, "another the same cache");
	say(keep.fd, 1);
	tap_is((long long)hear(keep.fd), N_OBJECTS,
	       "the first one's are intact");
	say(twin.fd, 1);
	tap_is((long long)hear(twin.fd), N_OBJECTS, "and the second one's");
	for (enum held how = ALLOCATED; how < HELD; how++)
		test_held(how, &keep);
	say(twin.fd, 0);
	child_end(&twin, "one ends");
	say(keep.fd, 0);
	child_end(&keep, "the other ends");
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
}

/* ---- killed anywhere ---------------------------------------------------- */

#define WORKERS 3
#define KILLS 50
#define CACHES 4
#define LIVE 600
#define ROUNDS 250 /* of the workers, from one kill to the next, at least */

static struct stage {
	uint32_t pause;
	uint32_t paused;
	uint32_t wrong;
	uint64_t rounds;
} *stage;

/* Stands still while the test counts. */
static void meet(void)
{
	if (!atom_load(&stage->pause))
		return;
	atom_add(&stage->paused, 1u);
	while (atom_load(&stage->pause))
		sleep_ms(1);
}

/* One object more or less; what was written must still be there. */
static void step(slabd_cache *const *caches, uint64_t **live, struct rng *rng,
                 uint64_t id)
{
	uint64_t random = rng_next(rng);
	unsigned slot = (unsigned)(random >> 8) % LIVE;
	unsigned cache = slot % CACHES;
	if (live[slot] == NULL) {
		live[slot] = slabd_alloc(caches[cache]);
		if (live[slot] != NULL)
			*live[slot] = id << 32 | slot;
		return;
	}
	if (*live[slot] != (id << 32 | slot))
		atom_add(&stage->wrong, 1u);
	slabd_free(caches[cache], live[slot]);
	live[slot] = NULL;
}

static void worker(int fd, void *arg)
{
	static const char *const names[CACHES] = {"w16", "w96", "w640",
	                                          "w3000"};
	static const size_t sizes[CACHES] = {16, 96, 640, 3000};
	static uint64_t *live[LIVE];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *caches[CACHES];
	struct rng rng = {.state = (uint64_t)getpid()};
	(void)arg;
	for (unsigned i = 0; i < CACHES; i++)
		caches[i] = fixture_cache(pool, names[i], sizes[i]);
	say(fd, slabd_client_id(pool));
	for (uint64_t n = 1;; n++) {
		step(caches, live, &rng, slabd_client_id(pool));
		if (n % 256 == 0)
			slabd_flush(pool);
		if (n % 16 == 0)
			meet();
		atom_add(&stage->rounds, UINT64_C(1));
	}
}

/* With the living standing still: what is in use is theirs, to the object. */
static bool count_all(unsigned living)
{
	bool good;
	double until = now_ms() + SURELY_MS;
	atom_store(&stage->paused, 0u);
	atom_store(&stage->pause, 1u);
	while (atom_load(&stage->paused) < living && now_ms() < until)
		sleep_ms(1);
	good = fixture_used(&fixture) == fixture_owned(&fixture) &&
	       fixture_number(&fixture, "/audit", "agree") == 1 &&
	       fixture_number(&fixture, "/audit", "pools.0.orphans") == 0;
	atom_store(&stage->pause, 0u);
	return good;
}

/* Each of the living is at work again: they may have had no processor. */
static void await_work(void)
{
	double until = now_ms() + SURELY_MS;
	uint64_t from = atom_load(&stage->rounds);
	while (atom_load(&stage->rounds) < from + ROUNDS && now_ms() < until)
		sleep_ms(1);
}

static void kill_one(struct child *workers, unsigned which, unsigned *agree,
                     unsigned *noticed, double *worst)
{
	long long deaths =
		fixture_number(&fixture, "/status", "pools.0.deaths");
	double ms;
	child_kill(&workers[which]);
	ms = fixture_until(&fixture, "/status", "pools.0.deaths", deaths + 1,
	               SURELY_MS);
	*noticed += ms >= 0;
	*worst = ms > *worst ? ms : *worst;
	*agree += count_all(WORKERS - 1);
	child_start(&workers[which], worker, NULL);
	hear(workers[which].fd);
}

static void test_kills(struct rng rng)
{
	struct child workers[WORKERS];
	unsigned agree = 0;
	unsigned noticed = 0;
	double worst = 0;
	stage = shared_memory(sizeof(*stage));
	for (unsigned i = 0; i < WORKERS; i++) {
		child_start(&workers[i], worker, NULL);
		hear(workers[i].fd);
	}
	for (unsigned i = 0; i < KILLS; i++) {
		await_work();
		sleep_ms((unsigned)(rng_next(&rng) % 12));
		kill_one(workers, (unsigned)(rng_next(&rng) % WORKERS),
		         &agree, &noticed, &worst);
	}
	tap_is(noticed, KILLS, "%d random kills are noticed", KILLS);
	tap_note("the slowest within %.1f ms", worst);
	tap_is(agree, KILLS, "each time the audit and the counts agree");
	tap_is(stage->wrong, 0, "no object ever changed its content");
	tap_ok(stage->rounds > 10000, "the workers worked");
	tap_note("%llu steps", (unsigned long long)stage->rounds);
	for (unsigned i = 0; i < WORKERS; i++)
		child_kill(&workers[i]);
	tap_ok(fixture_until(&fixture, "/clients", "pools.0.clients.0.id",
	                     INT64_MIN, SURELY_MS) >= 0,
	       "in the end there are no clients");
	tap_is(fixture_used(&fixture), 0, "and nothing is in use");
	fixture_audit(&fixture, "after the kills");
}

/* ---- slabd gone, and hugepages ------------------------------------------ */

static void closes_alone(int fd, void *arg)
{
	static void *all[N_OBJECTS];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "records", SIZE);
	(void)arg;
	slabd_alloc_bulk(cache, N_OBJECTS, all);
	slabd_free_bulk(cache, N_OBJECTS / 2, all);
	say(fd, 1);
	hear(fd);
	tap_is(slabd_close(pool), 0, "slabd_close works with slabd gone");
}

static void test_close_alone(void)
{
	struct child child;
	child_start(&child, closes_alone, NULL);
	hear(child.fd);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	say(child.fd, 1);
	child_end(&child, "the client ends well");
	tap_ok(fixture_start(&fixture),
	       "the next slabd takes the sockets over");
}

static void test_hugepages(void)
{
	struct child keep;
	enum held how = ALLOCATED;
	json_t *doc;
	const char *backing;
	fixture_open(&fixture,
	             "[pool default]\npage = 2m\nstart = 4M\nmax = 16M\n");
	doc = fixture_get(&fixture, "/nodes");
	backing = json_string_value(json_at(doc, "pools.0.nodes.0.backing"));
	if (backing == NULL || strcmp(backing, "2m") != 0) {
		tap_skip("no hugepages are to be had", "hugepages of 2 MiB");
	} else {
		child_start(&keep, keeper, NULL);
		hear(keep.fd);
		tap_is((long long)hear(keep.fd), N_OBJECTS,
		       "a client fills a cache on hugepages");
		test_held(how, &keep);
		say(keep.fd, 0);
		child_end(&keep, "it ends");
	}
	json_decref(doc);
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, SMALL);
	test_open_close();
	test_deaths();
	test_kills(rng_start("proc_life"));
	test_close_alone();
	fixture_close(&fixture);
	test_hugepages();
	return tap_end();
}
