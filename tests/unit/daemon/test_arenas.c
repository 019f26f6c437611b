/* SPDX-License-Identifier: MIT */
/* Arenas that nobody resets: which are warned of, how often, and that nothing that a
 * client writes there makes more of it. */
#include "daemon/pool/arenas.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/log_file.h"
#include "daemon/pool/clients.h"
#include "tests/lib/clock.h"
#include "tests/lib/pool_fixture.h"

#define MIB FIXTURE_MIB
#define BEGIN_NS (100000 * CLOCK_S)
#define HOUR (3600 * CLOCK_S)

static struct pool_fixture fixture;
static struct pool *const pool = &fixture.pool;
static int logged; /* a file in the place of standard error */
static void *chunk[SLAB_RUN_MAX];
static uint64_t n_chunks;

static void start(void)
{
	struct slab_user user;
	bool ring;
	int cache;
	pool_fixture_start(&fixture, "node:1 core:1 pu:1", 2, 64);
	fixture.config.arena_warn_s = 6 * 3600;
	fixture.config.arena_warn_bytes = 16 * MIB;
	test_clock_set(BEGIN_NS);
	cache = pool_fixture_cache(&fixture, "arena-8192", 8192, 64, 0);
	cr_assert_gt(cache, 0);
	cr_assert_eq(clients_take(pool, getpid(), 0, "gateway"), 1);
	cr_assert_eq(wants_relieve(pool, (uint32_t)cache, 0), 0);
	user = (struct slab_user){.view = &pool->view, .data = fixture.data,
	                          .id = 1, .epoch = clients_epoch(pool, 1)};
	n_chunks = slab_claim_any(&user, (uint32_t)cache, 0, SLAB_RUN_MAX,
	                          chunk, &ring);
	cr_assert_geq(n_chunks, 6);
	logged = memfd_create("log", 0);
	cr_assert_eq(dup2(logged, STDERR_FILENO), STDERR_FILENO);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_PLAIN);
}

static void finish(void)
{
	close(logged);
	pool_fixture_stop(&fixture);
}

TestSuite(arenas, .init = start, .fini = finish);

static void write_raw(unsigned i, const struct arena_live *live)
{
	off_t at = (char *)chunk[i] - fixture.data;
	cr_assert_eq(pwrite(pool->backing.node[0].fd, live, sizeof(*live), at),
	             (ssize_t)sizeof(*live));
}

/* What a client says in a chunk. */
static void say(unsigned i, const char *name, uint64_t bytes, int64_t reset_ns)
{
	struct arena_live live = {.magic = ARENA_LIVE_MAGIC,
	                          .since_ns = BEGIN_NS,
	                          .reset_ns = (uint64_t)reset_ns,
	                          .bytes = bytes,
	                          .reset_bytes = 8192};
	strcpy(live.name, name);
	write_raw(i, &live);
}

/* A whole look; how many lines of the log have a text then. */
static unsigned lines_with(const char *text)
{
	static char log[65536];
	unsigned lines = 0;
	ssize_t n;
	test_clock_advance(CLOCK_S);
	while (arenas_look(pool))
		test_clock_advance(CLOCK_S);
	log_file_drain(10000);
	n = pread(logged, log, sizeof(log) - 1, 0);
	cr_assert_geq(n, 0);
	log[n] = '\0';
	for (char *at = log; *text && (at = strstr(at, text)) != NULL; at++)
		lines++;
	return lines;
}

Test(arenas, one_that_is_never_reset)
{
	say(0, "session", 41 * MIB, 0);
	test_clock_set(BEGIN_NS + 6 * HOUR - 10 * CLOCK_S);
	cr_expect_eq(lines_with("session"), 0);
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("arena session of client 1 (gateway, pid "), 1);
	cr_expect_eq(lines_with("never reset in 6 h, 41984 KiB"), 1);
	cr_expect_eq(lines_with("arena_warn_age = never"), 1);
}

Test(arenas, said_again_when_it_has_changed_and_an_hour_is_over)
{
	say(0, "session", 41 * MIB, 0);
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("session"), 1);
	say(0, "session", 42 * MIB, 0);
	test_clock_set(BEGIN_NS + 7 * HOUR - 10 * CLOCK_S);
	cr_expect_eq(lines_with("session"), 1);
	test_clock_set(BEGIN_NS + 7 * HOUR + 10 * CLOCK_S);
	cr_expect_eq(lines_with("session"), 2);
	test_clock_set(BEGIN_NS + 20 * HOUR);
	cr_expect_eq(lines_with("session"), 2, "it is as it was");
}

Test(arenas, one_that_is_reset_or_small_is_none)
{
	say(0, "reset", 41 * MIB, BEGIN_NS + HOUR);
	say(1, "small", 15 * MIB, 0);
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("arena"), 0);
	test_clock_set(BEGIN_NS + 7 * HOUR);
	cr_expect_eq(lines_with("not reset for 6 h"), 1);
	cr_expect_eq(lines_with("small"), 0);
}

Test(arenas, never_is_never)
{
	fixture.config.arena_warn_s = 0;
	cr_expect(!arenas_is_watched(pool));
	say(0, "session", 41 * MIB, 0);
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("session"), 0);
	fixture.config.arena_warn_s = 1;
	cr_expect(arenas_is_watched(pool));
	pool->n_clients--;
	cr_expect(!arenas_is_watched(pool), "nobody is there");
	pool->n_clients++;
}

/* Of many a few at a time, the largest first, and each in the end. */
Test(arenas, many_lose_no_name)
{
	char name[16];
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		say(i, name, (20 + i) * MIB, 0);
	}
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("many-"), ARENAS_SAY_MAX);
	cr_expect_eq(lines_with("many-"), 6);
	cr_expect_eq(lines_with("many-0"), 1);
	cr_expect_eq(lines_with("many-"), 6);
}

/* Whatever stands there: no line, or one that names the liar, once an hour. */
Test(arenas, lies)
{
	struct arena_live live;
	memset(&live, 0xff, sizeof(live));
	live.magic = ARENA_LIVE_MAGIC;
	write_raw(0, &live);
	say(1, "huge", UINT64_MAX, 0);
	say(2, "to come", 41 * MIB, INT64_MAX);
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("arena"), 0);
	say(0, "x\n<0>forged", 41 * MIB, 0);
	for (int i = 0; i < 50; i++)
		say(0, "x\n<0>forged", (uint64_t)(17 + i % 40) * MIB, i % 2),
			lines_with("");
	cr_expect_eq(lines_with("arena x\\x0a<0>forged"), 1);
	cr_expect_eq(lines_with("\n<0>"), 0);
}

/* The chunk is another client's by now. */
Test(arenas, the_next_one_of_that_place_is_another)
{
	say(0, "session", 41 * MIB, 0);
	test_clock_set(BEGIN_NS + 6 * HOUR);
	cr_expect_eq(lines_with("session"), 1);
	pool_client(pool, 1)->word += UINT64_C(1) << 8;
	cr_expect_eq(lines_with("session"), 2);
}
