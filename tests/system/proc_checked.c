/* SPDX-License-Identifier: MIT */
/* What a checked program does wrong with objects is refused at once, and said with
 * object, cache, owner and place; one that is not checked, beside it, is as ever. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/spin_barrier.h"

#define SIZE 96
#define MANY 5000u
#define KEPT_MAX 1024u
#define ROUNDS 500u

static struct fixture fixture;

/* ---- what is said -------------------------------------------------------- */

static int own_stderr, said;
static char line[1024];

static void hear_stderr(void)
{
	fflush(stderr);
	own_stderr = dup(STDERR_FILENO);
	said = memfd_create("said", 0);
	dup2(said, STDERR_FILENO);
}

static void end_stderr(void)
{
	dup2(own_stderr, STDERR_FILENO);
	close(own_stderr);
	close(said);
}

/* What came since the last time. */
static const char *new_line(void)
{
	ssize_t n = pread(said, line, sizeof(line) - 1, 0);
	line[n > 0 ? n : 0] = '\0';
	if (ftruncate(said, 0) < 0)
		tap_bail("ftruncate: %s", strerror(errno));
	lseek(said, 0, SEEK_SET);
	return line;
}

/* One result: one line on standard error has all of the words, and the error line
 * the same; what was before it is who. */
static void is_said(slabd_pool *pool, const char *what, const char *word,
                    const char *other)
{
	char who[64];
	const char *text = new_line();
	const char *end = strchr(text, '\n');
	snprintf(who, sizeof(who), "slabd: client %u of pool default, process %d",
	         slabd_client_id(pool), (int)getpid());
	if (!tap_ok(strncmp(text, who, strlen(who)) == 0 && end != NULL &&
	                    end[1] == '\0' && strstr(text, word) != NULL &&
	                    strstr(text, other) != NULL,
	            "%s is said", what))
		tap_note("%s", text);
	tap_ok(end != NULL && slabd_last_error()[0] != '\0' &&
	               strstr(text, slabd_last_error()) != NULL,
	       "and is the error line");
}

static unsigned refused(slabd_pool *pool)
{
	struct slabd_stats stats;
	slabd_get_stats(pool, &stats);
	return (unsigned)stats.refused;
}

/* ---- frees --------------------------------------------------------------- */

static void no_fault(slabd_pool *pool)
{
	tap_is(refused(pool), 0, "nothing is refused so far");
	tap_ok(new_line()[0] == '\0', "nor said");
}

static void test_double(slabd_pool *pool, slabd_cache *cache)
{
	void *object = slabd_alloc(cache);
	void *other = slabd_alloc(cache);
	unsigned before = refused(pool);
	slabd_free(cache, object);
	errno = EDOM;
	slabd_free(cache, object);
	tap_is(errno, EDOM, "a free that is refused leaves errno alone");
	is_said(pool, "a double free", "of cache checked: it was freed already at ",
	        "; called at ");
	tap_is(refused(pool), before + 1, "and is counted at once");
	tap_ok(slabd_alloc(cache) != object && slabd_alloc(cache) != object,
	       "what was freed does not come again soon");
	slabd_flush(pool);
	slabd_free(cache, object);
	is_said(pool, "one after a flush", "it was freed already at ",
	        "called at ");
	slabd_free_bulk(cache, 2, (void *[]){other, other});
	is_said(pool, "one of a bulk", "slabd_free of 0x", "freed already");
	other = slabd_alloc(cache);
	slabd_local_free(slabd_local_of(cache), other);
	slabd_local_free(slabd_local_of(cache), other);
	is_said(pool, "one by a thread's handle", "slabd_free of 0x",
	        "freed already");
}

static void test_places(slabd_pool *pool, slabd_cache *cache,
                        slabd_cache *beside)
{
	char *object = slabd_alloc(cache);
	slabd_free(cache, object + 8);
	is_said(pool, "a free of what is inside",
	        "it is no object's first byte, but byte 8", "of cache checked");
	slabd_free(beside, object);
	is_said(pool, "a free into another cache", "of cache checked",
	        "not of the cache that was named");
	slabd_free(cache, line);
	is_said(pool, "a free of a variable", "lies in no slab of pool default",
	        "called at");
	slabd_free(cache, MAP_FAILED);
	is_said(pool, "a free of MAP_FAILED", "0xffffffffffffffff",
	        "lies in no slab");
	slabd_free(cache, NULL);
	tap_ok(new_line()[0] == '\0', "a free of NULL is none");
	slabd_free(cache, object);
	tap_ok(new_line()[0] == '\0', "the object itself is freed");
}

static void test_owners(slabd_pool *a, slabd_cache *ca, slabd_pool *b,
                        slabd_cache *cb)
{
	void *object = slabd_alloc(ca);
	slabd_handle handle = slabd_handle_of(a, object);
	char owner[48];
	snprintf(owner, sizeof(owner), "client %u", slabd_client_id(b));
	slabd_give(a, object, slabd_client_id(b));
	slabd_free(ca, object);
	is_said(a, "a free after a give", owner,
	        "has it, as this client gave it away at ");
	slabd_free(cb, slabd_pointer(b, handle));
	is_said(b, "a free of a gift that was not taken", "a gift",
	        "has not taken");
	object = slabd_take(b, handle);
	tap_ok(object != NULL && new_line()[0] == '\0', "it is taken");
	slabd_free(ca, slabd_pointer(a, handle));
	is_said(a, "a free of another's", owner, "has it");
	slabd_free(cb, object);
	slabd_flush(b);
	tap_ok(new_line()[0] == '\0', "its owner frees it");
	slabd_free(ca, slabd_pointer(a, handle));
	new_line();
}

/* ---- gives and takes ----------------------------------------------------- */

static void test_gives(slabd_pool *a, slabd_cache *ca, slabd_pool *b)
{
	unsigned to = slabd_client_id(b);
	char *object = slabd_alloc(ca);
	slabd_handle handle = slabd_handle_of(a, object);
	fixture_fails(slabd_give(a, object + 8, to) < 0, EINVAL,
	              "give of what is inside");
	is_said(a, "it", "slabd_give of 0x", "but byte 8");
	tap_ok(slabd_give(a, object, to) == 0 && new_line()[0] == '\0',
	       "give");
	fixture_fails(slabd_give(a, object, to) < 0, EPERM, "give it twice");
	is_said(a, "it", "slabd_give of 0x", "gave it away at ");
	fixture_fails(slabd_take(a, handle) == NULL, EPERM,
	              "take of another's");
	is_said(a, "it", "slabd_take of 0x", "was not given");
	slabd_take(b, handle);
	fixture_fails(slabd_take(b, handle) == NULL, EPERM, "take it twice");
	is_said(b, "it", "slabd_take of 0x", "taken already");
	fixture_fails(slabd_take(b, SLABD_NO_HANDLE) == NULL, EINVAL,
	              "take of nothing");
	is_said(b, "it", "slabd_take of 0x0", "no handle");
	object = slabd_alloc(ca);
	slabd_free(ca, object);
	fixture_fails(slabd_give(a, object, to) < 0, EPERM,
	              "give of what was freed");
	is_said(a, "it", "slabd_give of 0x", "freed already at ");
	fixture_fails(slabd_give(a, slabd_alloc(ca), 32767) < 0, ESRCH,
	              "give to nobody");
	tap_ok(new_line()[0] == '\0', "which is no fault with an object");
}

/* ---- use after free ------------------------------------------------------ */

static void test_written(slabd_pool *pool, slabd_cache *cache)
{
	char *object = slabd_alloc(cache);
	slabd_free(cache, object);
	object[17] = 1;
	slabd_flush(pool);
	is_said(pool, "a use after free", "byte 17 was written to",
	        "after it was freed at ");
	object = slabd_alloc(cache);
	memset(object, 1, SIZE);
	slabd_free(cache, object);
	slabd_flush(pool);
	tap_ok(new_line()[0] == '\0', "one before is none");
}

/* ---- what lies on top of objects ------------------------------------------ */

/* What is put by for an allocation is nobody's: a stale pointer frees nothing of
 * it. */
static void test_put_by(slabd_pool *pool, slabd_cache *cache)
{
	void *stale[8], *object[64], *again[64];
	unsigned before = refused(pool);
	unsigned twice = 0, put_by = 0;
	slabd_free_bulk(cache, slabd_alloc_bulk(cache, 8, stale), stale);
	slabd_flush(pool);
	slabd_prefill(cache, 64);
	for (unsigned i = 0; i < 8; i++) {
		slabd_free(cache, stale[i]);
		put_by += strstr(new_line(), "put by for an alloc") != NULL;
	}
	tap_is(refused(pool), before + 8, "stale frees are refused, each");
	tap_ok(put_by > 0, "also those of what is put by");
	for (unsigned i = 0; i < 64; i++)
		object[i] = slabd_alloc(cache);
	slabd_flush(pool);
	for (unsigned i = 0; i < 64; i++)
		again[i] = slabd_alloc(cache);
	for (unsigned i = 0; i < 64 * 64; i++)
		twice += object[i / 64] == again[i % 64];
	tap_is(twice, 0, "and no object is handed out twice");
	slabd_free_bulk(cache, 64, object);
	slabd_free_bulk(cache, 64, again);
	tap_ok(new_line()[0] == '\0', "what was put by is the program's then");
}

static void test_objpool(slabd_pool *pool)
{
	slabd_objpool *objpool = slabd_objpool_create(
		pool, "orders", 64, &(struct slabd_objpool_ops){.max = 8});
	char *object = slabd_objpool_get(objpool);
	slabd_objpool_put(objpool, object + 16);
	is_said(pool, "a put of what is inside", "slabd_objpool_put of 0x",
	        "object pool orders: it is no object of this pool; called at ");
	slabd_objpool_put(objpool, object);
	slabd_objpool_put(objpool, object);
	is_said(pool, "a second put", "slabd_objpool_put of 0x",
	        "object pool orders: it was put already; called at ");
	slabd_objpool_destroy(objpool);
}

static void test_arena(slabd_pool *pool)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, NULL);
	char *text = slabd_arena_strdup(arena, "text");
	slabd_handle handle;
	slabd_arena_destroy(arena);
	text[1] = 'x';
	slabd_flush(pool);
	is_said(pool, "a use of what a destroyed arena had", "of cache arena-",
	        "was written to after it was freed at ");
	arena = slabd_arena_create(pool, NULL, NULL);
	for (unsigned i = 0; i < 3; i++) {
		slabd_arena_strdup(arena, "text");
		handle = slabd_arena_give(arena, slabd_client_id(pool));
		arena = slabd_arena_take(pool, handle);
	}
	slabd_arena_destroy(arena);
	tap_ok(new_line()[0] == '\0', "one that is given and taken is as ever");
}

/* ---- threads ------------------------------------------------------------- */

static struct two {
	slabd_cache *cache;
	void *object[ROUNDS];
	struct spin_barrier barrier;
} two;

static void *free_all(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		spin_barrier_wait(&two.barrier, 2);
		slabd_free(two.cache, two.object[i]);
	}
	return NULL;
}

static void test_two_threads(slabd_pool *pool, slabd_cache *cache)
{
	unsigned before = refused(pool);
	unsigned again = 0;
	pthread_t thread;
	two.cache = cache;
	for (unsigned i = 0; i < ROUNDS; i++)
		two.object[i] = slabd_alloc(cache);
	pthread_create(&thread, NULL, free_all, NULL);
	free_all(NULL);
	pthread_join(thread, NULL);
	new_line();
	tap_is(refused(pool) - before, ROUNDS,
	       "of two threads that free an object one is refused");
	for (unsigned i = 0; i < ROUNDS; i++)
		two.object[i] = slabd_alloc(cache);
	for (unsigned i = 1; i < ROUNDS; i++)
		for (unsigned k = 0; k < i; k++)
			again += two.object[i] == two.object[k];
	tap_is(again, 0, "and each comes again once");
	slabd_free_bulk(cache, ROUNDS, two.object);
}

/* ---- what is kept -------------------------------------------------------- */

static void test_kept(slabd_pool *pool, slabd_cache *cache)
{
	static void *object[MANY];
	uint64_t in_use = 1, held = 0;
	slabd_flush(pool);
	tap_is((long long)slabd_alloc_bulk(cache, MANY, object), MANY,
	       "many are allocated");
	slabd_free_bulk(cache, MANY, object);
	slabd_cache_counts(cache, &in_use, &held);
	tap_ok(held > 0 && held <= KEPT_MAX, "so many are kept: %llu",
	       (unsigned long long)held);
	tap_is(fixture_client(&fixture, slabd_client_id(pool), "held_objects"),
	       (long long)held, "slabctl knows");
	slabd_thread_flush(pool);
	slabd_cache_counts(cache, &in_use, &held);
	tap_is((long long)held, 0, "a flush sends them home");
}

/* An allocation does not fail for what is kept. */
static void test_full(slabd_pool *pool)
{
	static void *object[400];
	slabd_cache *cache = fixture_cache(pool, "full", 65536);
	unsigned n = 0;
	while (n < 400 && (object[n] = slabd_alloc(cache)) != NULL)
		n++;
	tap_ok(n > 8 && n < 400, "the pool is used up, by %u", n);
	for (unsigned i = 0; i < 2; i++)
		slabd_free(cache, object[--n]);
	tap_ok((object[n++] = slabd_alloc(cache)) != NULL &&
	               (object[n++] = slabd_alloc(cache)) != NULL,
	       "what was freed can be had again");
	slabd_free_bulk(cache, n, object);
	tap_is(slabd_cache_close(cache), 0, "it is closed");
	tap_ok(new_line()[0] == '\0', "nothing was wrong");
}

/* ---- how it is turned on ------------------------------------------------- */

static slabd_pool *open_with(unsigned flags)
{
	struct slabd_options options = fixture_options(&fixture, flags);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* Whether a double free is refused at once. */
static bool is_checked(unsigned flags)
{
	slabd_pool *pool = open_with(flags);
	slabd_cache *cache = fixture_cache(pool, "checked", SIZE);
	void *object = slabd_alloc(cache);
	bool is;
	slabd_free(cache, object);
	slabd_free(cache, object);
	is = refused(pool) == 1;
	slabd_close(pool);
	new_line();
	return is;
}

static void test_ways(void)
{
	unsetenv("SLABD_CHECKED");
	tap_ok(!is_checked(0), "by default nothing is checked");
	tap_ok(is_checked(SLABD_CHECKED), "by a flag it is");
	setenv("SLABD_CHECKED", "yes", 1);
	tap_ok(is_checked(0), "by the environment, too");
	setenv("SLABD_CHECKED", "no", 1);
	tap_ok(!is_checked(0), "which may say no");
	tap_ok(is_checked(SLABD_CHECKED), "where the program does not say yes");
	unsetenv("SLABD_CHECKED");
}

static void die(unsigned flags)
{
	const struct rlimit none = {0, 0};
	slabd_pool *pool;
	slabd_cache *cache;
	void *object;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGABRT, SIG_DFL);
	pool = open_with(flags);
	cache = fixture_cache(pool, "checked", SIZE);
	object = slabd_alloc(cache);
	slabd_free(cache, object);
	slabd_free(cache, object);
	_exit(0);
}

static void aborts(const char *env, unsigned flags, const char *what)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (env != NULL)
			setenv("SLABD_CHECKED", env, 1);
		die(flags);
	}
	waitpid(pid, &status, 0);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	       "%s it ends there", what);
	tap_ok(strstr(new_line(), "it was freed already at ") != NULL,
	       "and says why");
}

static void test_child(slabd_pool *pool, slabd_cache *cache)
{
	void *object = slabd_alloc(cache);
	void *freed = slabd_alloc(cache);
	int status = 0;
	pid_t pid;
	slabd_free(cache, freed);
	pid = fork();
	if (pid == 0) {
		slabd_free(cache, object);
		slabd_free(cache, freed);
		_exit(slabd_alloc(cache) == NULL && errno == ENOTCONN &&
		                      slabd_flush(pool) < 0 &&
		                      slabd_close(pool) == 0
		              ? 0
		              : 1);
	}
	waitpid(pid, &status, 0);
	tap_is(status, 0, "a forked child is no client");
	slabd_free(cache, object);
	tap_ok(new_line()[0] == '\0', "and its parent notices nothing");
}

int main(void)
{
	slabd_pool *a, *b, *plain;
	slabd_cache *ca, *cb, *beside;
	void *object;
	tap_start(120);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 4M\nmax = 8M\n");
	hear_stderr();
	aborts(NULL, SLABD_CHECKED_ABORT, "by a flag");
	aborts("abort", 0, "by the environment");
	test_ways();
	a = open_with(SLABD_CHECKED);
	b = open_with(SLABD_CHECKED);
	plain = open_with(0);
	ca = fixture_cache(a, "checked", SIZE);
	cb = fixture_cache(b, "checked", SIZE);
	beside = fixture_cache(a, "beside", SIZE);
	test_kept(a, ca);
	no_fault(a);
	test_double(a, ca);
	test_places(a, ca, beside);
	test_owners(a, ca, b, cb);
	test_gives(a, ca, b);
	test_written(a, ca);
	test_put_by(a, ca);
	test_objpool(a);
	test_arena(a);
	test_child(a, ca);
	test_two_threads(a, ca);
	cb = fixture_cache(plain, "checked", SIZE);
	object = slabd_alloc(cb);
	slabd_free(cb, object);
	tap_ok(slabd_alloc(cb) == object, "one beside has its magazines");
	tap_is(slabd_close(plain), 0, "close");
	tap_is(slabd_close(b), 0, "close");
	test_full(a);
	tap_is(slabd_close(a), 0, "close");
	end_stderr();
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is left");
	fixture_audit(&fixture, "at the end");
	fixture_close(&fixture);
	return tap_end();
}
