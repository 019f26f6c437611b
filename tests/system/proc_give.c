/* SPDX-License-Identifier: MIT */
/* Handles, and objects that pass from process to process. */
#include <errno.h>
#include <string.h>

#include "client/types.h"
#include "shm/view.h"
#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define SIZE 96
#define N 2000

static struct fixture fixture;

static void fails(bool failed, int err, const char *what)
{
	int was = errno;
	if (!tap_ok(failed && was == err && slabd_last_error()[0] != '\0',
	            "%s: %s", what, strerror(err)))
		tap_note("%s, errno %s, \"%s\"", failed ? "failed" : "did not",
		         strerror(was), slabd_last_error());
}

static uint64_t refused(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.refused;
}

static void write_record(char *object, uint64_t number)
{
	for (unsigned i = 0; i < SIZE; i++)
		object[i] = (char)(number * 7 + i);
}

static bool is_record(const char *object, uint64_t number)
{
	for (unsigned i = 0; i < SIZE; i++)
		if (object[i] != (char)(number * 7 + i))
			return false;
	return true;
}

/* ---- what is refused ---------------------------------------------------- */

static void check_handles(slabd_pool *pool, char *object)
{
	slabd_handle handle = slabd_handle_of(pool, object);
	int here = 0;
	tap_ok(handle != SLABD_NO_HANDLE, "an object has a handle");
	tap_ok(slabd_pointer(pool, handle) == object, "which leads back to it");
	fails(slabd_handle_of(pool, &here) == SLABD_NO_HANDLE, EINVAL,
	      "handle of what is not in the pool");
	fails(slabd_handle_of(pool, NULL) == SLABD_NO_HANDLE, EINVAL,
	      "handle of NULL");
	fails(slabd_pointer(pool, SLABD_NO_HANDLE) == NULL, EINVAL,
	      "pointer of no handle");
	fails(slabd_pointer(pool, handle + 1) == NULL, EINVAL,
	      "pointer of a handle inside an object");
	fails(slabd_pointer(pool, (UINT64_C(64) << 20) - 65536) == NULL, EINVAL,
	      "pointer of a handle where no slab is");
	fails(slabd_take(pool, handle + 1) == NULL, EINVAL,
	      "take inside an object");
	fails(slabd_take(pool, SLABD_NO_HANDLE) == NULL, EINVAL,
	      "take of no handle");
	fails(slabd_take(pool, handle) == NULL, EPERM,
	      "take of what is one's own already");
}

static void check_give(slabd_pool *pool, slabd_pool *other, char *object)
{
	unsigned to = slabd_client_id(other);
	uint64_t before;
	int here = 0;
	fails(slabd_give(pool, object, 32767) < 0, ESRCH, "give to nobody");
	fails(slabd_give(pool, object, 0) < 0, ESRCH, "give to client 0");
	fails(slabd_give(pool, object, 65536 + to) < 0, ESRCH,
	      "give to an id beyond all");
	fails(slabd_give(pool, object + 16, to) < 0, EINVAL,
	      "give of a pointer inside an object");
	fails(slabd_give(pool, &here, to) < 0, EINVAL,
	      "give of what is not in the pool");
	fails(slabd_give(pool, NULL, to) < 0, EINVAL, "give of NULL");
	fails(slabd_take(other, slabd_handle_of(pool, object)) == NULL, EPERM,
	      "take of what was not given");
	before = refused(pool);
	tap_is(slabd_give(pool, object, to), 0, "after all that, give works");
	fails(slabd_give(pool, object, to) < 0, EPERM, "give it twice");
	fails(slabd_give(pool, object, slabd_client_id(pool)) < 0, EPERM,
	      "give it to oneself afterwards");
	tap_is((long long)(refused(pool) - before), 2, "both were counted");
	fails(slabd_take(pool, slabd_handle_of(pool, object)) == NULL, EPERM,
	      "take back what was given");
}

/* One process that is two clients. */
static void refusals(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_pool *other = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "gifts", SIZE);
	slabd_cache *theirs = fixture_cache(other, "gifts", SIZE);
	char *object = slabd_alloc(cache);
	slabd_handle handle = slabd_handle_of(pool, object);
	uint64_t before;
	(void)fd;
	(void)arg;
	tap_ok(slabd_client_id(pool) != slabd_client_id(other),
	       "one process can be two clients");
	write_record(object, 1);
	check_handles(pool, object);
	check_give(pool, other, object);
	before = refused(pool);
	slabd_free(cache, object);
	slabd_flush(pool);
	tap_is((long long)(refused(pool) - before), 1,
	       "free of what was given is refused at the flush");
	object = slabd_take(other, handle);
	tap_ok(object != NULL && is_record(object, 1),
	       "the receiver takes it, unharmed");
	before = refused(other);
	slabd_free(theirs, object);
	slabd_flush(other);
	tap_is((long long)(refused(other) - before), 0, "and may free it");
	fails(slabd_give(other, object, slabd_client_id(pool)) < 0, EPERM,
	      "give of what is free");
	slabd_close(pool);
	slabd_close(other);
}

/* ---- between processes -------------------------------------------------- */

/* Tells its id, hears handles up to 0 and says how many it could take and use;
 * frees them when told to. */
static void receiver(int fd, void *arg)
{
	static void *all[N];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "gifts", SIZE);
	slabd_handle handle;
	unsigned n = 0;
	unsigned good = 0;
	(void)arg;
	say(fd, slabd_client_id(pool));
	while ((handle = hear(fd)) != SLABD_NO_HANDLE) {
		all[n] = slabd_take(pool, handle);
		good += all[n] != NULL && is_record(all[n], n);
		n++;
	}
	say(fd, good);
	if (hear(fd) == 1)
		for (good = n = 0; n < N; n++)
			good += is_record(all[n], n);
	say(fd, good);
	slabd_free_bulk(cache, N, all);
	slabd_close(pool);
}

/* Gives N records to whom it is told and says their handles. */
static void giver(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "gifts", SIZE);
	unsigned to;
	(void)arg;
	say(fd, slabd_client_id(pool));
	to = (unsigned)hear(fd);
	for (uint64_t i = 0; i < N; i++) {
		char *object = slabd_alloc(cache);
		if (object == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		write_record(object, i);
		if (slabd_give(pool, object, to) < 0)
			tap_bail("slabd_give: %s", slabd_last_error());
		say(fd, slabd_handle_of(pool, object));
	}
	hear(fd);
	slabd_close(pool);
}

enum ending { BOTH_LIVE, RECEIVER_DIES, GIVER_DIES };

/* Passes the handles on, or keeps them. The giver's id. */
static unsigned relay(struct child *from, struct child *to, unsigned id,
                      bool tell)
{
	unsigned giver_id = (unsigned)hear(from->fd);
	say(from->fd, id);
	for (unsigned i = 0; i < N; i++) {
		slabd_handle handle = hear(from->fd);
		if (tell)
			say(to->fd, handle);
	}
	if (tell)
		say(to->fd, SLABD_NO_HANDLE);
	return giver_id;
}

static void end_both(struct child *from, struct child *to)
{
	say(to->fd, 1);
	tap_is((long long)hear(to->fd), N, "the records are still whole");
	child_end(to, "the receiver ends");
	if (from->pid != 0) {
		say(from->fd, 0);
		child_end(from, "the giver ends");
	}
}

static void receiver_dies(struct child *from, struct child *to,
                          unsigned giver_id)
{
	long long kept = fixture_client(&fixture, giver_id, "objects");
	child_kill(to);
	tap_ok(fixture_until_used(&fixture, kept, SURELY_MS) >= 0,
	       "the receiver dies before it takes: the objects are free");
	say(from->fd, 0);
	child_end(from, "the giver ends");
}

static void test_pass(enum ending ending)
{
	struct child from;
	struct child to;
	unsigned id;
	unsigned giver_id;
	child_start(&to, receiver, NULL);
	child_start(&from, giver, NULL);
	id = (unsigned)hear(to.fd);
	giver_id = relay(&from, &to, id, ending != RECEIVER_DIES);
	tap_ok(fixture_client(&fixture, id, "objects") >= N,
	       "what was given is the receiver's");
	if (ending == RECEIVER_DIES) {
		receiver_dies(&from, &to, giver_id);
		return;
	}
	tap_is((long long)hear(to.fd), N, "all are taken and whole");
	if (ending == GIVER_DIES) {
		long long deaths =
			fixture_number(&fixture, "/status", "pools.0.deaths");
		child_kill(&from);
		tap_ok(fixture_until(&fixture, "/status", "pools.0.deaths",
		                     deaths + 1, SURELY_MS) >= 0,
		       "the giver dies");
		tap_ok(fixture_client(&fixture, id, "objects") >= N,
		       "the objects live on with the receiver");
	}
	end_both(&from, &to);
}

/* ---- a give that meets the receiver's death ----------------------------- */

#define RACES 30

/* A receiver that takes nothing has its fill at some time. */
static bool give_somehow(slabd_pool *pool, void *object, unsigned to)
{
	int r;
	do
		r = slabd_give(pool, object, to);
	while (r < 0 && errno == EAGAIN);
	return r == 0;
}

/* Gives to each id that it hears until that is refused. */
static void racer(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "gifts", SIZE);
	unsigned to;
	(void)arg;
	say(fd, slabd_client_id(pool));
	while ((to = (unsigned)hear(fd)) != 0) {
		uint64_t given = 0;
		void *object;
		say(fd, 1);
		while ((object = slabd_alloc(cache)) != NULL &&
		       give_somehow(pool, object, to))
			given++;
		/* A full pool is no failure: what was given is not freed. */
		if (object != NULL && errno != ESRCH)
			tap_bail("slabd_give: %s", slabd_last_error());
		slabd_free(cache, object);
		while (object == NULL &&
		       fixture_client(&fixture, to, "objects") > 0)
			sleep_ms(1);
		say(fd, given);
	}
	hear(fd);
}

static void idle(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	(void)arg;
	say(fd, slabd_client_id(pool));
	hear(fd);
}

static void test_races(struct rng rng)
{
	struct child from;
	uint64_t given = 0;
	unsigned id;
	child_start(&from, racer, NULL);
	id = (unsigned)hear(from.fd);
	for (unsigned i = 0; i < RACES; i++) {
		struct child to;
		child_start(&to, idle, NULL);
		say(from.fd, hear(to.fd));
		hear(from.fd);
		sleep_ms((unsigned)(rng_next(&rng) % 4));
		child_kill(&to);
		given += hear(from.fd);
	}
	say(from.fd, 0);
	tap_ok(given > RACES, "gives met the deaths of %d receivers", RACES);
	tap_note("%llu objects given", (unsigned long long)given);
	tap_ok(fixture_until(&fixture, "/clients", "pools.0.clients.1.id",
	                     INT64_MIN, SURELY_MS) >= 0,
	       "the dead are forgotten");
	tap_is(fixture_client(&fixture, id, "objects"), fixture_used(&fixture),
	       "all that is in use is the giver's");
	tap_is(fixture_number(&fixture, "/audit", "pools.0.orphans"), 0,
	       "no orphans");
	fixture_audit(&fixture, "after the races");
	child_kill(&from);
}

/* A giver's part is counted by the batch, and the rest as it leaves: the bound of who
 * hears from many that come and go stays what it is. */
static void counts(int fd, void *arg)
{
	slabd_pool *to = fixture_pool(&fixture);
	unsigned id = slabd_client_id(to);
	int64_t before = view_gifts(&to->view, id);
	(void)fd;
	(void)arg;
	for (unsigned i = 0; i < 3; i++) {
		slabd_pool *pool = fixture_pool(&fixture);
		slabd_cache *cache = fixture_cache(pool, "objects", SIZE);
		slabd_give(pool, slabd_alloc(cache), id);
		slabd_close(pool);
	}
	tap_is(view_gifts(&to->view, id) - before, 3 * SIZE,
	       "what three gave who closed the pool is counted");
	slabd_close(to);
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n");
	child_start(&child, refusals, NULL);
	child_end(&child, "what is refused");
	child_start(&child, counts, NULL);
	child_end(&child, "what is counted");
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is in use");
	test_pass(BOTH_LIVE);
	test_pass(GIVER_DIES);
	test_pass(RECEIVER_DIES);
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
	fixture_audit(&fixture, "after all that");
	test_races(rng_start("proc_give"));
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is in use");
	fixture_close(&fixture);
	return tap_end();
}
