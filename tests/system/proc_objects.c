/* SPDX-License-Identifier: MIT */
/* Object pools that are misused, forked, or whose process dies; and what ages by
 * itself. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/things.h"

#define SIZE THING_SIZE

static struct fixture fixture;

/* Refusals so far. */
static long long refused(slabd_objpool *objpool)
{
	return (long long)things_counts(objpool).refused;
}

/* Until there are all that a process may have. */
static void all(slabd_pool *pool)
{
	slabd_objpool *many[SLABD_OBJPOOLS_MAX];
	struct slabd_objpool_counts counts;
	unsigned n = 0;
	while (n < SLABD_OBJPOOLS_MAX &&
	       (many[n] = slabd_objpool_create(pool, "all", 8, NULL)) != NULL)
		n++;
	tap_is(n, SLABD_OBJPOOLS_MAX, "a process has many pools");
	fixture_fails(slabd_objpool_create(pool, "all", 8, NULL) == NULL,
	              EMFILE, "and no more than those");
	for (unsigned i = 0; i < n; i++)
		slabd_objpool_destroy(many[i]);
	fixture_fails(slabd_objpool_get_counts(many[0], &counts) < 0, EINVAL,
	              "one that was destroyed counts nothing");
}

/* Objects that fill a pool. */
static void full(slabd_pool *pool)
{
	static void *got[64];
	slabd_objpool *objpool =
		slabd_objpool_create(pool, "full", 1 << 20, NULL);
	unsigned n = 0;
	while (n < 64 && (got[n] = slabd_objpool_get(objpool)) != NULL)
		n++;
	fixture_fails(n < 64, ENOMEM, "there is no memory for more");
	if (n == 0)
		tap_bail("nor for any");
	slabd_objpool_put(objpool, got[--n]);
	tap_ok(slabd_objpool_get(objpool) == got[n], "what is idle is had");
	while (n > 0)
		slabd_objpool_put(objpool, got[n--]);
	slabd_objpool_put(objpool, got[0]);
	slabd_objpool_destroy(objpool);
}

static void misused(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "misused", 0, 0);
	slabd_objpool *other = things_make(pool, "misused", 0, 0);
	slabd_cache *cache = fixture_cache(pool, "misused", SIZE);
	struct thing *thing = slabd_objpool_get(objpool);
	struct thing *foreign = slabd_objpool_get(other);
	void *plain = slabd_alloc(cache);
	char *mine = malloc(SIZE);
	errno = 7;
	slabd_objpool_put(objpool, NULL);
	tap_is(refused(objpool), 0, "NULL is nothing");
	slabd_objpool_put(objpool, foreign);
	tap_is(refused(objpool), 1, "another pool's object is refused");
	slabd_objpool_put(objpool, plain);
	slabd_objpool_put(objpool, mine);
	slabd_objpool_put(objpool, &refused);
	slabd_objpool_put(objpool, (char *)thing + 32);
	slabd_objpool_put(objpool, (char *)thing + 1);
	tap_is(refused(objpool), 6, "and what is none");
	slabd_objpool_put(objpool, thing);
	slabd_objpool_put(objpool, thing);
	tap_is(refused(objpool), 7, "an object put things_wrong is, too");
	tap_is(errno, 7, "errno is left alone");
	tap_ok(strstr(slabd_last_error(), "put already") != NULL, "%s",
	       slabd_last_error());
	things_got[0] = slabd_objpool_get(objpool);
	things_got[1] = slabd_objpool_get(objpool);
	tap_ok(things_got[0] == thing && things_got[1] != thing,
	       "so nobody has it things_wrong");
	((uint64_t *)thing)[-1] = 99;
	slabd_objpool_put(objpool, thing);
	tap_is(refused(objpool), 8, "so is one before which was written");
	free(thing->buffer);
	fixture_fails(slabd_give(pool, things_got[1], slabd_client_id(pool)) <
	                      0,
	              EINVAL, "an object of a pool is not given away");
	slabd_objpool_put(objpool, things_got[1]);
	slabd_objpool_destroy(objpool);
	fixture_fails(slabd_objpool_get(objpool) == NULL, EINVAL,
	              "nothing is got from a pool that was destroyed");
	slabd_objpool_put(objpool, things_got[1]);
	slabd_objpool_destroy(objpool);
	slabd_objpool_destroy(NULL);
	slabd_objpool_put(other, foreign);
	slabd_objpool_destroy(other);
	slabd_free(cache, plain);
	slabd_cache_close(cache);
	free(mine);
}

static void not_made(slabd_pool *pool)
{
	char long_name[SLABD_NAME_MAX + 2] = {0};
	slabd_objpool *objpool;
	memset(long_name, 'x', sizeof(long_name) - 1);
	fixture_fails(slabd_objpool_create(pool, "", 1, NULL) == NULL, EINVAL,
	              "a pool needs a name");
	fixture_fails(slabd_objpool_create(pool, "x", 0, NULL) == NULL, EINVAL,
	              "and a size");
	fixture_fails(slabd_objpool_create(pool, "x", SIZE_MAX, NULL) == NULL,
	              EINVAL, "that there is");
	fixture_fails(slabd_objpool_create(pool, long_name, 1, NULL) == NULL,
	              ENAMETOOLONG, "and no name that is too long");
	things_fail = true;
	objpool = things_make(pool, "misused", 0, 0);
	fixture_fails(slabd_objpool_get(objpool) == NULL, EDOM, "init fails");
	things_fail = false;
	slabd_objpool_destroy(objpool);
}

/* ---- other processes -------------------------------------------------------- */

static void forked(slabd_pool *pool)
{
	slabd_objpool *objpool = things_make(pool, "forked", 0, 0);
	struct slabd_objpool_counts counts;
	int status = -1;
	pid_t pid;
	things_get(objpool, 10);
	things_put(objpool, 9);
	pid = fork();
	if (pid == 0) {
		bool good =
			slabd_objpool_get(objpool) == NULL && errno == ENOTCONN;
		slabd_objpool_put(objpool, things_got[9]);
		slabd_objpool_destroy(objpool);
		good &= slabd_objpool_create(pool, "x", 1, NULL) == NULL &&
		        errno == ENOTCONN;
		good &= slabd_objpool_get_counts(objpool, &counts) < 0 &&
		        errno == ENOTCONN;
		good &= things_ended == 0 && things_reset == 9 &&
		        slabd_close(pool) == 0;
		pool = things_open(&fixture, SLABD_NO_HELPER);
		objpool = things_make(pool, "forked", 0, 0);
		things_get(objpool, 10);
		things_put(objpool, 10);
		good &= slabd_close(pool) == 0 && things_ended == 10 &&
		        things_wrong == 0;
		_exit(good ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	tap_is(status, 0,
	       "a forked child has none of it, and may have its own");
	slabd_objpool_put(objpool, things_got[9]);
	tap_is((long long)things_counts(objpool).idle, 10,
	       "what the parent has is as it was");
	slabd_objpool_destroy(objpool);
}

static void die(int fd, void *arg)
{
	slabd_pool *pool = things_open(&fixture, 0);
	slabd_objpool *objpool = things_make(pool, "die", 0, 0);
	(void)arg;
	things_get(objpool, 500);
	things_put(objpool, 250);
	say(fd, 1);
	pause();
}

static void killed(void)
{
	struct child child;
	child_start(&child, die, NULL);
	hear(child.fd);
	tap_ok(fixture_owned(&fixture) >= 500, "slabd sees them");
	child_kill(&child);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "and frees those of the dead");
}

static void by_itself(void)
{
	slabd_pool *pool = things_open(&fixture, 0);
	slabd_objpool *objpool = things_make(pool, "by itself", 0, 10);
	double began = now_ms();
	things_get(objpool, 100);
	things_put(objpool, 100);
	while (things_counts(objpool).idle > 0 && now_ms() - began < SURELY_MS)
		sleep_ms(5);
	tap_is((long long)things_counts(objpool).idle, 0,
	       "the helper ages what nobody looks at");
	things_get(objpool, 100);
	things_put(objpool, 100);
	tap_is(slabd_close(pool), 0, "the pool is closed");
	tap_is(things_made, things_ended, "so all have ended");
	tap_is(things_wrong, 0, "each once");
}

int main(void)
{
	slabd_pool *pool;
	tap_start(120);
	fixture_open(&fixture, "[slabd]\nreserve_hugepages = no\n"
	                       "[pool default]\npage = 4k\nmax = 16M\n");
	pool = things_open(&fixture, SLABD_NO_HELPER);
	all(pool);
	full(pool);
	misused(pool);
	not_made(pool);
	forked(pool);
	slabd_close(pool);
	killed();
	by_itself();
	fixture_audit(&fixture, "the books agree");
	fixture_close(&fixture);
	return tap_end();
}
