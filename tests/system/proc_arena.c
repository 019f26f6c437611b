/* SPDX-License-Identifier: MIT */
/* Arenas: what they hand out, when it goes, and what is refused. */
#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/rng.h"

#define MANY 20000u
#define FIRST 8192 /* the first chunk */

static struct fixture fixture;
static slabd_pool *pool;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

/* What a call that returns nothing left in errno. */
static void is_error(int err, const char *what)
{
	fails(errno == err, err, what);
	errno = 0;
}

static struct slabd_arena_stats stats_of(slabd_arena *arena)
{
	struct slabd_arena_stats stats = {0};
	slabd_arena_get_stats(arena, &stats);
	return stats;
}

/* ---- allocation ----------------------------------------------------------- */

/* Sizes and alignments at random: each lies where it should, and keeps what was
 * written into it until the end. */
static void test_patterns(slabd_arena *arena)
{
	static unsigned char *at[MANY];
	static uint32_t size[MANY];
	struct rng rng = rng_start("arena");
	unsigned wrong = 0;
	for (uint32_t i = 0; i < MANY; i++) {
		size_t align = (size_t)1 << rng_below(&rng, 13);
		size[i] = (uint32_t)rng_below(&rng, i % 100 == 0 ? 300000 : 500);
		at[i] = slabd_arena_alloc(arena, size[i], align);
		if (at[i] == NULL)
			tap_bail("slabd_arena_alloc: %s", slabd_last_error());
		wrong += ((uintptr_t)at[i] & (align - 1)) != 0;
		memset(at[i], (int)(i % 251), size[i]);
	}
	tap_is(wrong, 0, "each lies as it is aligned");
	for (uint32_t i = 0; i < MANY; i++)
		for (uint32_t k = 0; k < size[i]; k++)
			wrong += at[i][k] != i % 251;
	tap_is(wrong, 0, "none lies in another");
}

static void test_texts(slabd_arena *arena)
{
	static const char seven[8] = "seven!";
	char *zero = slabd_arena_alloc(arena, 4096, 0);
	unsigned set = 0;
	memset(zero, 1, 4096);
	slabd_arena_reset(arena);
	zero = slabd_arena_calloc(arena, 64, 32);
	for (unsigned i = 0; i < 64 * 32; i++)
		set += zero[i] != 0;
	tap_is(set, 0, "calloc is zero where something else was before");
	tap_ok(strcmp(slabd_arena_strdup(arena, "order"), "order") == 0,
	       "strdup");
	tap_ok(strcmp(slabd_arena_printf(arena, "%s-%d", "bid", 7), "bid-7") ==
	               0,
	       "printf");
	tap_is((long long)strlen(slabd_arena_printf(arena, "%9000d", 1)), 9000,
	       "printf of more than a chunk");
	tap_ok(memcmp(slabd_arena_memdup(arena, seven, 8), seven, 8) == 0,
	       "memdup");
	tap_ok(slabd_arena_memdup(arena, NULL, 0) != NULL, "memdup of nothing");
	fails(slabd_arena_memdup(arena, NULL, 1) == NULL, EINVAL,
	      "memdup of NULL");
	fails(slabd_arena_strdup(arena, NULL) == NULL, EINVAL, "strdup of NULL");
	fails(slabd_arena_calloc(arena, SIZE_MAX / 2, 3) == NULL, EINVAL,
	      "calloc of more than there is");
}

static void test_bad_sizes(slabd_arena *arena)
{
	static const size_t aligns[] = {3, 24, 8192, SIZE_MAX, SIZE_MAX - 15,
	                                (size_t)1 << 63};
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2 + 1,
	                               (size_t)1 << 40, (2u << 20) - 31};
	slabd_arena_reset(arena);
	for (unsigned i = 0; i < sizeof(aligns) / sizeof(*aligns); i++)
		fails(slabd_arena_alloc(arena, 8, aligns[i]) == NULL, EINVAL,
		      "an alignment that is none");
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		fails(slabd_arena_alloc(arena, sizes[i], 1) == NULL, EINVAL,
		      "a size beyond a page");
	tap_ok(slabd_arena_alloc(arena, (2u << 20) - 32, 16) != NULL,
	       "the largest block");
	tap_is((long long)stats_of(arena).blocks, 1, "lies by itself");
	fails(slabd_arena_alloc(arena, (2u << 20) - 32, 32) == NULL, EINVAL,
	      "no room to align it");
	slabd_arena_reset(arena);
	tap_is((long long)stats_of(arena).blocks, 0, "and goes with a reset");
}

/* ---- what stays ----------------------------------------------------------- */

static void fill(slabd_arena *arena, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += 96)
		memset(slabd_arena_alloc(arena, 96, 0), 1, 96);
}

static void test_keeps(void)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "steady");
	uint64_t bytes, chunks;
	tap_is((long long)stats_of(arena).bytes, 0, "a new arena has nothing");
	fill(arena, 100000);
	bytes = stats_of(arena).bytes;
	chunks = stats_of(arena).chunks;
	tap_ok(bytes < 4 * 100000 && chunks < 8, "chunks double: %llu",
	       (unsigned long long)chunks);
	slabd_arena_reset(arena);
	tap_is((long long)stats_of(arena).bytes, FIRST, "a first time is a burst");
	fill(arena, 100000);
	slabd_arena_reset(arena);
	tap_is((long long)stats_of(arena).bytes, (long long)bytes,
	       "what is needed again stays");
	fill(arena, 10000000);
	slabd_arena_reset(arena);
	tap_is((long long)stats_of(arena).bytes, (long long)bytes,
	       "what a burst needed does not");
	fill(arena, 1000);
	slabd_arena_reset(arena);
	tap_is((long long)stats_of(arena).bytes, FIRST,
	       "nor what is needed no more");
	tap_is((long long)stats_of(arena).resets, 4, "resets are counted");
	slabd_arena_destroy(arena);
}

/* ---- marks ---------------------------------------------------------------- */

static unsigned order;

static void note(void *arg)
{
	order = order * 10 + (unsigned)(uintptr_t)arg;
}

static void *digit(unsigned n)
{
	return (void *)(uintptr_t)n;
}

static void test_marks(void)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, NULL);
	slabd_arena *other = slabd_arena_create(pool, NULL, NULL);
	slabd_mark none = slabd_arena_mark(arena);
	char *first = slabd_arena_alloc(arena, 100, 0);
	slabd_mark one = slabd_arena_mark(arena);
	char *second = slabd_arena_alloc(arena, 100, 0);
	slabd_mark two;
	fill(arena, 100000);
	slabd_arena_alloc(arena, 300000, 0);
	two = slabd_arena_mark(arena);
	slabd_arena_cleanup(arena, note, digit(1));
	slabd_arena_cleanup(arena, note, digit(2));
	slabd_arena_rewind(arena, two);
	tap_is(order, 21, "a rewind calls what came after the mark, last first");
	slabd_arena_rewind(arena, two);
	slabd_arena_rewind(arena, one);
	tap_is((long long)stats_of(arena).blocks, 0, "and frees blocks");
	tap_ok(slabd_arena_alloc(arena, 100, 0) == second,
	       "what comes next lies where the mark was");
	errno = 0;
	slabd_arena_rewind(arena, two);
	is_error(EINVAL, "rewind past a mark");
	fill(arena, 200000);
	slabd_arena_rewind(arena, two);
	is_error(EINVAL, "rewind past a mark, with as much in it again");
	slabd_arena_rewind(other, one);
	is_error(EINVAL, "another arena's mark");
	slabd_arena_rewind(arena, none);
	tap_ok(slabd_arena_alloc(arena, 100, 0) == first,
	       "a mark from before the first chunk");
	slabd_arena_rewind(arena, one);
	is_error(EINVAL, "a mark of what is gone");
	two = slabd_arena_mark(arena);
	slabd_arena_reset(arena);
	errno = 0;
	slabd_arena_rewind(arena, two);
	is_error(EINVAL, "a mark from before a reset");
	memset(&two, 0x5a, sizeof(two));
	slabd_arena_rewind(arena, two);
	is_error(EINVAL, "no mark at all");
	slabd_arena_destroy(arena);
	slabd_arena_destroy(other);
}

/* ---- families and cleanups ------------------------------------------------ */

static slabd_arena *within;
static slabd_mark at_first; /* of it */
static unsigned busy;       /* calls that were refused */

static void use_within(void *arg)
{
	memset(slabd_arena_alloc(within, 500, 0), 1, 500);
	errno = 0;
	slabd_arena_destroy(within);
	busy += errno == EBUSY;
	errno = 0;
	slabd_arena_reset(within);
	busy += errno == EBUSY;
	errno = 0;
	slabd_arena_rewind(within, at_first);
	busy += errno == EBUSY;
	order += busy % 3 == 0 ? (unsigned)(uintptr_t)arg : 0;
	if (order < 3)
		slabd_arena_cleanup(within, use_within, arg);
}

static void test_cleanups(void)
{
	slabd_arena *parent = slabd_arena_create(pool, NULL, "parent");
	slabd_arena *child = slabd_arena_create(pool, parent, "child");
	slabd_arena *young = slabd_arena_create(pool, parent, NULL);
	slabd_arena *grand = slabd_arena_create(pool, child, NULL);
	order = 0;
	slabd_arena_cleanup(parent, note, digit(1));
	slabd_arena_cleanup(parent, note, digit(2));
	slabd_arena_cleanup(child, note, digit(3));
	slabd_arena_cleanup(young, note, digit(4));
	slabd_arena_cleanup(grand, note, digit(5));
	fill(grand, 50000);
	slabd_arena_reset(parent);
	tap_is(order, 45321, "a reset takes the children along, before it");
	tap_is((long long)stats_of(grand).bytes, FIRST, "theirs is free, too");
	tap_ok(slabd_arena_alloc(grand, 10, 0) != NULL, "and they go on");
	order = 0;
	within = parent;
	at_first = slabd_arena_mark(parent);
	slabd_arena_cleanup(parent, use_within, digit(1));
	slabd_arena_cleanup(grand, note, digit(0));
	slabd_arena_destroy(parent);
	tap_is(order, 3, "a cleanup may allocate and register, not reset or destroy");
	fails(slabd_arena_alloc(grand, 10, 0) == NULL, EINVAL,
	      "allocation of a destroyed parent's child");
	fails(slabd_arena_alloc(parent, 0, 0) == NULL, EINVAL,
	      "allocation of a destroyed arena");
	fails(slabd_arena_create(pool, child, NULL) == NULL, EINVAL,
	      "child of a destroyed arena");
	fails(slabd_arena_cleanup(young, note, NULL) < 0, EINVAL,
	      "cleanup of a destroyed arena");
	errno = 0;
	slabd_arena_destroy(parent);
	is_error(EINVAL, "destroyed twice");
	slabd_arena_reset(child);
	is_error(EINVAL, "reset of a destroyed arena");
}

/* A chain of more than a stack would hold, and many beside each other. */
static void test_depth(void)
{
	slabd_arena *top = slabd_arena_create(pool, NULL, NULL);
	slabd_arena *at = top;
	unsigned made = 0;
	order = 0;
	for (; made < MANY && at != NULL; made++)
		at = slabd_arena_create(pool, made % 2 ? at : top, NULL);
	tap_is(made, MANY, "%u descendants", MANY);
	slabd_arena_cleanup(at, note, digit(7));
	slabd_arena_reset(top);
	tap_is(order, 7, "are all reset");
	slabd_arena_destroy(top);
}

/* ---- misuse --------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static char *vprintf_to(slabd_arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	va_start(args, format);
	text = slabd_arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

static void test_misuse(void)
{
	struct slabd_arena_stats stats;
	slabd_mark mark;
	char name[80];
	slabd_arena *arena = slabd_arena_create(pool, NULL, "misused");
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fails(slabd_arena_create(NULL, NULL, NULL) == NULL, EINVAL,
	      "arena of no pool");
	fails(slabd_arena_create(pool, NULL, name) == NULL, ENAMETOOLONG,
	      "arena with a long name");
	fails(slabd_arena_create(pool, NULL, "a\nb") == NULL, EINVAL,
	      "arena with two lines of name");
	fails(slabd_arena_alloc(NULL, 8, 0) == NULL, EINVAL, "alloc of NULL");
	fails(slabd_arena_cleanup(NULL, note, NULL) < 0, EINVAL,
	      "cleanup of NULL");
	fails(slabd_arena_cleanup(arena, NULL, NULL) < 0, EINVAL,
	      "cleanup by nobody");
	fails(slabd_arena_get_stats(arena, NULL) < 0, EINVAL, "stats to NULL");
	fails(slabd_arena_get_stats(NULL, &stats) < 0, EINVAL, "stats of NULL");
	fails(slabd_arena_first(NULL) == NULL, EINVAL, "first of NULL");
	fails(vprintf_to(NULL, "%d", 1) == NULL, EINVAL,
	      "vprintf of NULL");
	fails(slabd_arena_printf(NULL, "%d", 1) == NULL, EINVAL,
	      "printf of NULL");
	errno = 0;
	slabd_arena_reset(NULL);
	is_error(EINVAL, "reset of NULL");
	errno = 0;
	mark = slabd_arena_mark(NULL);
	is_error(EINVAL, "mark of NULL");
	errno = 0;
	slabd_arena_rewind(NULL, mark);
	is_error(EINVAL, "rewind of NULL");
	slabd_arena_destroy(NULL);
	tap_is(errno, 0, "NULL is destroyed without a word");
	slabd_arena_destroy(arena);
}

/* Nothing of the parent's does anything here, and each call says why. */
static unsigned n_forked;

static void is_forked(bool failed)
{
	n_forked += failed && errno == ENOTCONN;
	errno = 0;
}

static void in_fork(slabd_arena *arena, slabd_arena *empty)
{
	struct slabd_arena_stats stats;
	slabd_mark mark;
	errno = 0;
	is_forked(slabd_arena_alloc(arena, 1, 0) == NULL);
	is_forked(slabd_arena_alloc(empty, 1, 0) == NULL);
	is_forked(slabd_arena_calloc(arena, 1, 1) == NULL);
	is_forked(slabd_arena_strdup(arena, "a") == NULL);
	is_forked(slabd_arena_memdup(arena, "a", 1) == NULL);
	is_forked(slabd_arena_printf(arena, "%d", 1) == NULL);
	is_forked(vprintf_to(arena, "%d", 1) == NULL); /* slabd_arena_vprintf */
	is_forked(slabd_arena_cleanup(arena, note, NULL) < 0);
	is_forked(slabd_arena_reserve(empty, 100) < 0);
	is_forked(slabd_arena_first(arena) == NULL);
	is_forked(slabd_arena_get_stats(arena, &stats) < 0);
	is_forked(slabd_arena_give(arena, 1) == SLABD_NO_HANDLE);
	is_forked(slabd_arena_take(pool, 1) == NULL);
	is_forked(slabd_arena_create(pool, NULL, NULL) == NULL);
	mark = slabd_arena_mark(arena);
	is_forked(true);
	slabd_arena_rewind(arena, mark);
	is_forked(true);
	slabd_arena_reset(arena);
	is_forked(true);
	slabd_arena_destroy(arena);
	is_forked(true);
	slabd_close(pool);
	_exit((int)n_forked);
}

static void test_fork(void)
{
	slabd_arena *arena = slabd_arena_create(pool, NULL, "forked");
	slabd_arena *empty = slabd_arena_create(pool, arena, NULL);
	char *text = slabd_arena_strdup(arena, "the parent's");
	int status = -1;
	pid_t pid;
	fill(arena, 3000000);
	slabd_arena_cleanup(arena, note, digit(9));
	order = 0;
	pid = fork();
	if (pid == 0)
		in_fork(arena, empty);
	waitpid(pid, &status, 0);
	tap_is(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 18,
	       "a forked child has no arena, and all calls say so");
	tap_ok(strcmp(text, "the parent's") == 0 && order == 0,
	       "and does nothing to its parent's");
	slabd_arena_destroy(arena);
	tap_is(order, 9, "which goes on");
}

/* ---- the end -------------------------------------------------------------- */

static void die_with_arenas(int fd, void *arg)
{
	slabd_pool *own = fixture_pool(&fixture);
	(void)arg;
	for (unsigned i = 0; i < 20; i++)
		fill(slabd_arena_create(own, NULL, "lost"), 200000);
	say(fd, 1);
	pause();
}

static void client(int fd, void *arg)
{
	slabd_arena *arena;
	(void)fd;
	(void)arg;
	pool = fixture_pool(&fixture);
	arena = slabd_arena_create(pool, NULL, "patterns");
	test_patterns(arena);
	test_texts(arena);
	test_bad_sizes(arena);
	slabd_arena_destroy(arena);
	test_keeps();
	test_marks();
	test_cleanups();
	test_depth();
	test_misuse();
	test_fork();
	arena = slabd_arena_create(pool, NULL, "left");
	fill(slabd_arena_create(pool, arena, "its child"), 100000);
	order = 0;
	slabd_arena_cleanup(arena, note, digit(8));
	fixture_audit(&fixture, "with arenas");
	slabd_close(pool);
	tap_is(order, 8, "closing the pool destroys what is left");
}

int main(void)
{
	struct child child;
	tap_start(300);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 16M\n"
	                       "max = 96M\n");
	child_start(&child, client, NULL);
	child_end(&child, "the client");
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "all chunks are free");
	child_start(&child, die_with_arenas, NULL);
	hear(child.fd);
	tap_ok(fixture_used(&fixture) > 0, "a client has arenas");
	child_kill(&child);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "a dead one's are free");
	fixture_audit(&fixture, "at the end");
	fixture_close(&fixture);
	return tap_end();
}
