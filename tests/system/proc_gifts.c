/* SPDX-License-Identifier: MIT */
/* Gifts are taken once, by a handle of the object that was meant, across deaths
 * too; who was given something finds it; and there is a bound. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "shm/atom.h"
#include "tests/lib/harness.h"
#include "tests/lib/spin_barrier.h"

#define SIZE 96
#define MANY 1000u
#define LIVES 40u
#define ROUNDS 60u
#define BIG 65536u
#define BOUND_MIB 8u /* an eighth of the pool */

static struct fixture fixture;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

/* ---- handles ------------------------------------------------------------- */

static void test_handles(slabd_pool *pool, slabd_cache *cache)
{
	unsigned bad = 0;
	void *object = slabd_alloc(cache);
	slabd_handle handle = slabd_handle_of(pool, object);
	slabd_handle next;
	tap_ok(handle != 0 && (int64_t)handle > 0,
	       "a handle is neither 0 nor negative");
	for (unsigned i = 1; i < SIZE; i++)
		bad += slabd_handle_of(pool, (char *)object + i) != 0;
	tap_is(bad, 0, "what is inside an object has none");
	fails(slabd_handle_of(pool, (char *)object + 8) == SLABD_NO_HANDLE,
	      EINVAL, "handle inside an object");
	/* A magazine keeps it, and slabd's slab gives it anew. */
	slabd_free(cache, object);
	slabd_flush(pool);
	fails(slabd_pointer(pool, handle) == NULL, EINVAL,
	      "pointer of an object that was freed");
	fails(slabd_owner(pool, handle, NULL) == 0, ENOENT,
	      "owner of an object that was freed");
	for (unsigned i = 0; i < 100000; i++)
		if (slabd_alloc(cache) == object)
			break;
	next = slabd_handle_of(pool, object);
	tap_ok(next != 0 && next != handle,
	       "the next object in its place has another");
	fails(slabd_pointer(pool, handle) == NULL, EINVAL,
	      "pointer of its predecessor");
	tap_ok(slabd_pointer(pool, next) == object, "and its own leads to it");
	fails(slabd_owner(pool, SLABD_NO_HANDLE, NULL) == 0, EINVAL,
	      "owner of no handle");
}

static void test_owner(slabd_pool *a, slabd_pool *b, slabd_cache *cache)
{
	slabd_handle handle = slabd_handle_of(a, slabd_alloc(cache));
	void *object = slabd_pointer(a, handle);
	int given = 7;
	tap_is(slabd_owner(b, handle, &given), slabd_client_id(a),
	       "any client can ask for the owner");
	tap_is(given, 0, "which has it");
	slabd_give(a, object, slabd_client_id(b));
	tap_is(slabd_owner(a, handle, &given), slabd_client_id(b),
	       "of a gift that is the receiver");
	tap_is(given, 1, "which has not taken it yet");
	object = slabd_take(b, handle);
	tap_ok(object != NULL && slabd_owner(a, handle, &given) != 0 &&
	               given == 0,
	       "until it does");
	tap_ok(slabd_handle_of(b, object) == handle,
	       "the handle is the same for all owners");
}

/* Who owns it never made one. Both clients have the pool at one distance. */
static void test_theirs(slabd_pool *a, slabd_pool *b, slabd_cache *cache)
{
	char *first = slabd_alloc(cache);
	char *object = slabd_alloc(cache);
	char *there = slabd_pointer(b, slabd_handle_of(a, first));
	slabd_handle handle = slabd_handle_of(b, object + (there - first));
	tap_ok(slabd_pointer(a, handle) == object, "others make handles, too");
	slabd_free(cache, object);
	slabd_flush(a);
	for (unsigned i = 0; i < 100000; i++)
		if (slabd_alloc(cache) == object)
			break;
	fails(slabd_pointer(b, handle) == NULL, EINVAL,
	      "once that was freed, it is not the next one's");
	tap_ok(slabd_handle_of(a, object) != handle, "which has its own");
}

/* ---- once ---------------------------------------------------------------- */

struct two {
	slabd_pool *pool;
	slabd_handle handle[MANY];
	pthread_barrier_t barrier;
	unsigned taken[2];
};

struct taker {
	struct two *two;
	unsigned ix;
};

static void *take_all(void *arg)
{
	struct taker *taker = arg;
	struct two *two = taker->two;
	pthread_barrier_wait(&two->barrier);
	for (unsigned i = 0; i < MANY; i++)
		two->taken[taker->ix] +=
			slabd_take(two->pool, two->handle[i]) != NULL;
	return NULL;
}

static void test_two_threads(slabd_pool *a, slabd_pool *b, slabd_cache *cache)
{
	static struct two two;
	struct taker one = {&two, 0};
	struct taker other = {&two, 1};
	pthread_t thread;
	two.pool = b;
	pthread_barrier_init(&two.barrier, NULL, 2);
	for (unsigned i = 0; i < MANY; i++) {
		void *object = slabd_alloc(cache);
		two.handle[i] = slabd_handle_of(a, object);
		slabd_give(a, object, slabd_client_id(b));
	}
	pthread_create(&thread, NULL, take_all, &one);
	take_all(&other);
	pthread_join(thread, NULL);
	tap_is(two.taken[0] + two.taken[1], MANY,
	       "of two threads one has each gift");
}

/* One of the two gives on at once what it has. */
struct passing {
	slabd_pool *pool;
	slabd_pool *to;
	slabd_handle handle[MANY];
	bool has[2][MANY];
	struct spin_barrier barrier;
};

static void *pass_on(void *arg)
{
	struct passing *p = arg;
	for (unsigned i = 0; i < MANY; i++) {
		void *object;
		spin_barrier_wait(&p->barrier, 2);
		object = slabd_take(p->pool, p->handle[i]);
		p->has[1][i] = object != NULL &&
		               slabd_give(p->pool, object,
		                          slabd_client_id(p->to)) == 0;
	}
	return NULL;
}

static void pass_round(slabd_cache *cache, struct passing *p, unsigned *wrong,
                       unsigned *lost)
{
	slabd_pool *a = p->to, *b = p->pool;
	pthread_t thread;
	for (unsigned i = 0; i < MANY; i++) {
		void *object = slabd_alloc(cache);
		p->handle[i] = slabd_handle_of(a, object);
		slabd_give(a, object, slabd_client_id(b));
	}
	pthread_create(&thread, NULL, pass_on, p);
	for (unsigned i = 0; i < MANY; i++) {
		spin_barrier_wait(&p->barrier, 2);
		p->has[0][i] = slabd_take(b, p->handle[i]) != NULL;
	}
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		*wrong += p->has[0][i] == p->has[1][i];
		*lost += p->has[1][i] && slabd_take(a, p->handle[i]) == NULL;
	}
}

static void test_pass_on(slabd_pool *a, slabd_pool *b, slabd_cache *cache)
{
	static struct passing p;
	unsigned wrong = 0, lost = 0;
	p.pool = b;
	p.to = a;
	for (unsigned i = 0; i < ROUNDS; i++)
		pass_round(cache, &p, &wrong, &lost);
	tap_is(wrong, 0, "so it is where one gives on what it has");
	tap_is(lost, 0, "and whom it gives to takes it");
}

static void test_misuse(slabd_pool *a, slabd_pool *b, slabd_cache *ca,
                        slabd_cache *cb)
{
	unsigned to = slabd_client_id(b);
	char *object = slabd_alloc(ca);
	slabd_handle handle = slabd_handle_of(a, object);
	fails(slabd_take(a, handle) == NULL, EPERM, "take of what was never given");
	slabd_free(ca, object);
	fails(slabd_take(a, handle) == NULL, EPERM,
	      "take of what lies in one's own magazine");
	fails(slabd_give(a, object, to) < 0, EPERM, "give of what was freed");
	tap_ok(slabd_alloc(ca) == object, "it stays in the magazine");
	tap_is(slabd_give(a, object, to), 0, "allocated anew, it is given");
	fails(slabd_give(b, slabd_pointer(b, handle), slabd_client_id(a)) < 0,
	      EPERM,
	      "give of a gift that was not taken");
	tap_ok(slabd_take(b, handle) != NULL, "it is taken");
	fails(slabd_take(b, handle) == NULL, EPERM, "take it twice");
	slabd_free(cb, slabd_pointer(b, handle));
	fails(slabd_take(b, handle) == NULL, EPERM, "take it once it is freed");
	object = slabd_alloc(ca);
	handle = slabd_handle_of(a, object);
	tap_ok(slabd_give(a, object, slabd_client_id(a)) == 0 &&
	               slabd_take(a, handle) == object,
	       "one can give to oneself");
	fails(slabd_give(a, object, 32767) < 0, ESRCH,
	      "give to the number that is nobody's");
}

/* ---- many at once -------------------------------------------------------- */

static void test_bulk(slabd_pool *a, slabd_pool *b, slabd_cache *cache)
{
	static void *object[MANY];
	static void *out[MANY];
	static slabd_handle handle[MANY];
	slabd_handle was;
	void *kept;
	unsigned wrong = 0;
	unsigned to = slabd_client_id(b);
	fixture_take(cache, MANY, object);
	for (unsigned i = 0; i < MANY; i++)
		handle[i] = slabd_handle_of(a, object[i]);
	kept = object[700];
	object[700] = (char *)kept + 8;
	errno = 0;
	tap_is((long long)slabd_give_bulk(a, object, MANY, to), 700,
	       "many are given, up to one that can't be");
	tap_is(errno, EINVAL, "with its errno");
	object[700] = kept;
	tap_is((long long)slabd_give_bulk(a, object + 700, MANY - 700, to),
	       MANY - 700, "and the rest");
	was = handle[300];
	handle[300] = handle[299];
	tap_is((long long)slabd_take_bulk(b, handle, MANY, out), 300,
	       "many are taken, up to one that was");
	tap_is(errno, EPERM, "with its errno");
	handle[300] = was;
	tap_is((long long)slabd_take_bulk(b, handle + 300, MANY - 300,
	                                  out + 300),
	       MANY - 300, "and the rest");
	for (unsigned i = 0; i < MANY; i++)
		wrong += slabd_handle_of(b, out[i]) != handle[i];
	tap_is(wrong, 0, "in order");
	tap_is((long long)slabd_give_bulk(a, NULL, 0, to), 0, "none of none");
	tap_is((long long)slabd_take_bulk(b, NULL, 0, NULL), 0, "none of none");
}

/* ---- deaths -------------------------------------------------------------- */

static void wait_for_death(long long before)
{
	tap_ok(fixture_until(&fixture, "/status", "pools.0.deaths", before + 1,
	                     SURELY_MS) >= 0 &&
	               fixture_until(&fixture, "/audit", "pools.0.orphans", 0,
	                             SURELY_MS) >= 0,
	       "it dies");
}

static void receive_nothing(int fd, void *arg)
{
	(void)arg;
	say(fd, slabd_client_id(fixture_pool(&fixture)));
	hear(fd);
}

/* A place of A's that comes to the successor of who was given A. */
static void test_stale(slabd_pool *a, slabd_pool *b, slabd_cache *ca,
                       slabd_cache *cb, struct child *dies)
{
	static void *kept[100000];
	slabd_handle handle;
	unsigned n = 0;
	void *object = slabd_alloc(ca);
	void *place = object;
	long long deaths =
		fixture_number(&fixture, "/status", "pools.0.deaths");
	handle = slabd_handle_of(a, object);
	tap_is(slabd_give(a, object, (unsigned)hear(dies->fd)), 0,
	       "A is given to who dies");
	child_kill(dies);
	wait_for_death(deaths);
	while (n < 100000 && (kept[n] = slabd_alloc(ca)) != place)
		n++;
	tap_ok(kept[n] == place, "B comes to lie in the place of A");
	tap_is(slabd_give(a, place, slabd_client_id(b)), 0,
	       "and is given to a successor");
	fails(slabd_take(b, handle) == NULL, EPERM,
	      "the entry of A in the old queue is refused");
	object = slabd_take(b, slabd_handle_of(a, place));
	tap_ok(object != NULL, "B is taken, once");
	slabd_free(cb, object);
	tap_ok(slabd_alloc(cb) == object && slabd_alloc(cb) != object,
	       "one free is one allocation");
	while (n-- > 0)
		slabd_free(ca, kept[n]);
}

/* Every life of a place has its own handle. */
static void test_lives(slabd_pool *a, slabd_pool *b, slabd_cache *ca,
                       slabd_cache *cb)
{
	slabd_handle old[LIVES];
	unsigned again = 0;
	void *object = slabd_alloc(ca);
	void *place = object;
	for (unsigned life = 0; life < LIVES; life++) {
		old[life] = slabd_handle_of(a, place);
		slabd_give(a, place, slabd_client_id(b));
		for (unsigned i = 0; i < life; i++)
			again += slabd_take(b, old[i]) != NULL;
		if (slabd_take(b, old[life]) == NULL)
			tap_bail("take: %s", slabd_last_error());
		slabd_free(cb, slabd_pointer(b, old[life]));
		slabd_flush(b);
		for (unsigned i = 0; i < 100000; i++)
			if ((object = slabd_alloc(ca)) == place)
				break;
		if (object != place)
			tap_bail("the place does not come again");
	}
	tap_is(again, 0, "no old handle takes a new gift, %u times", LIVES);
}

static void give_and_die(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "gifts", SIZE);
	unsigned to = (unsigned)hear(fd);
	(void)arg;
	for (unsigned i = 0; i < MANY; i++) {
		uint64_t *object = slabd_alloc(cache);
		*object = i;
		if (slabd_give(pool, object, to) < 0)
			tap_bail("give: %s", slabd_last_error());
	}
	say(fd, 1);
	hear(fd);
}

/* Takes all that is listed, so many at a time. */
static unsigned take_listed(slabd_pool *pool, slabd_cache *cache, size_t step,
                            bool *seen)
{
	slabd_handle list[64];
	slabd_handle after = SLABD_NO_HANDLE;
	unsigned n = 0;
	size_t got;
	do {
		got = slabd_gifts(pool, after, step, list);
		for (size_t i = 0; i < got; i++) {
			uint64_t *object = slabd_take(pool, list[i]);
			n += object != NULL && !seen[*object];
			if (object != NULL)
				seen[*object] = true;
			slabd_free(cache, object);
		}
		after = got > 0 ? list[got - 1] : after;
	} while (got == step);
	return n;
}

static void test_untold(slabd_pool *b, slabd_cache *cb, struct child *dies)
{
	static bool seen[MANY];
	unsigned id = slabd_client_id(b);
	slabd_handle one;
	long long deaths =
		fixture_number(&fixture, "/status", "pools.0.deaths");
	tap_is((long long)slabd_gifts(b, SLABD_NO_HANDLE, 1, &one), 0,
	       "there are no gifts");
	say(dies->fd, id);
	hear(dies->fd);
	child_kill(dies);
	wait_for_death(deaths);
	tap_is(fixture_client(&fixture, id, "given_objects"), MANY,
	       "slabctl shows what was given and not taken");
	tap_is((long long)slabd_gifts(b, SLABD_NO_HANDLE, 1, &one), 1,
	       "who was told nothing finds gifts");
	tap_is(take_listed(b, cb, 7, seen), MANY, "all of them, once each");
	tap_is(fixture_client(&fixture, id, "given_objects"), 0,
	       "and they are its own");
}

/* ---- a bound ------------------------------------------------------------- */

static void test_bound(slabd_pool *a, slabd_pool *b)
{
	static void *object[512];
	slabd_cache *cache = fixture_cache(a, "big", BIG);
	slabd_cache *cb = fixture_cache(b, "big", BIG);
	unsigned to = slabd_client_id(b);
	unsigned most = (BOUND_MIB << 20) / BIG;
	slabd_handle handle;
	unsigned n = 0;
	while (n < 512 && (object[n] = slabd_alloc(cache)) != NULL &&
	       slabd_give(a, object[n], to) == 0)
		n++;
	/* What it takes is counted by the batch, 32 to the bound. */
	tap_ok(n <= most && n >= most - most / 32,
	       "an eighth of the pool may wait for who was given it");
	fails(n < 512 && slabd_give(a, object[n], to) < 0, EAGAIN,
	      "one gift more");
	tap_is(slabd_owner(a, slabd_handle_of(a, object[n]), NULL),
	       slabd_client_id(a), "which stays the giver's");
	tap_is(slabd_give(a, object[n], slabd_client_id(a)), 0,
	       "others may be given it");
	for (unsigned i = 0; i < n; i++) {
		handle = slabd_handle_of(a, object[i]);
		slabd_free(cb, slabd_take(b, handle));
	}
	tap_is(slabd_give(a, slabd_alloc(cache), to), 0,
	       "once it has taken them, there is room again");
}

/* A free has no result, but a line. */
static void test_strangers(slabd_pool *pool, slabd_cache *cache)
{
	slabd_cache *other = fixture_cache(pool, "others", 200);
	void *object = slabd_alloc(other);
	errno = 0;
	slabd_free(cache, object);
	tap_ok(strstr(slabd_last_error(), "in no slab of cache gifts") != NULL,
	       "who frees in the wrong cache is told so");
	tap_is(errno, 0, "without an errno");
	slabd_free(other, object);
}

/* The others are forked before this process has threads. */
static void two_clients(int fd, void *arg)
{
	struct child receiver;
	struct child giver;
	slabd_pool *a;
	slabd_pool *b;
	slabd_cache *ca;
	slabd_cache *cb;
	(void)fd;
	(void)arg;
	child_start(&receiver, receive_nothing, NULL);
	child_start(&giver, give_and_die, NULL);
	a = fixture_pool(&fixture);
	b = fixture_pool(&fixture);
	ca = fixture_cache(a, "gifts", SIZE);
	cb = fixture_cache(b, "gifts", SIZE);
	test_handles(a, ca);
	test_owner(a, b, ca);
	test_theirs(a, b, ca);
	test_two_threads(a, b, ca);
	test_pass_on(a, b, ca);
	test_misuse(a, b, ca, cb);
	test_bulk(a, b, ca);
	test_stale(a, b, ca, cb, &receiver);
	test_lives(a, b, ca, cb);
	test_untold(b, cb, &giver);
	test_bound(a, b);
	fixture_audit(&fixture, "after all that");
	test_strangers(a, ca);
	tap_ok(slabd_cache_close(cb) == 0 && slabd_cache_close(cb) == -1 &&
	               errno == EINVAL,
	       "a cache that was closed is not closed again");
	slabd_close(a);
	tap_ok(slabd_close(b) == 0 && slabd_close(b) == -1 && errno == EINVAL,
	       "nor a pool");
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n");
	child_start(&child, two_clients, NULL);
	child_end(&child, "two clients");
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is in use");
	fixture_audit(&fixture, "at the end");
	fixture_close(&fixture);
	return tap_end();
}
