/* SPDX-License-Identifier: MIT */
/*
 * Hugepages of one system, of which several slabds change the count: whoever is
 * in the way of another is waited for, and is no lack.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define SLABDS 2
#define OBJECTS 6000u /* of 8 KiB: 47 MiB */
#define SIZE 8192u
#define LOOKS 20u
#define DENIED "pools.0.denied"

static struct fixture fixtures[SLABDS];

static void open_one(struct fixture *fixture)
{
	fixture_open(fixture, "[pool default]\npage = 2m\nstart = 2M\n"
	                      "floor = 2M\nmax = 64M\n");
}

static bool has_hugepages(struct fixture *fixture)
{
	json_t *doc = fixture_get(fixture, "/nodes");
	const char *backing = json_string_value(
		json_at(doc, "pools.0.nodes.0.backing"));
	bool has = backing != NULL && strcmp(backing, "2m") == 0;
	json_decref(doc);
	return has;
}

/* Takes all that it is told to, says how many came, and frees them. */
static void taker(int fd, void *arg)
{
	static void *all[OBJECTS];
	struct fixture *fixture = arg;
	slabd_pool *pool = fixture_pool(fixture);
	slabd_cache *cache = fixture_cache(pool, "taken", SIZE);
	size_t n = 0;
	hear(fd);
	while (n < OBJECTS && (all[n] = slabd_alloc(cache)) != NULL)
		n++;
	say(fd, n);
	hear(fd);
	slabd_free_bulk(cache, n, all);
	slabd_close(pool);
}

/* Nobody was refused, and nothing lacked. */
static void lacks_nothing(struct fixture *fixture)
{
	tap_is(fixture_number(fixture, "/status", DENIED), 0,
	       "nobody was denied anything");
	tap_ok(!fixture_logged(fixture, "does not grow beyond"),
	       "and no lack was met");
	fixture_audit(fixture, "books");
}

static void test_two_at_once(void)
{
	struct child child[SLABDS];
	for (unsigned i = 0; i < SLABDS; i++) {
		open_one(&fixtures[i]);
		child_start(&child[i], taker, &fixtures[i]);
	}
	for (unsigned i = 0; i < SLABDS; i++)
		say(child[i].fd, 1);
	for (unsigned i = 0; i < SLABDS; i++)
		tap_is((long long)hear(child[i].fd), OBJECTS,
		       "two slabds grow at once: a client gets all");
	for (unsigned i = 0; i < SLABDS; i++) {
		lacks_nothing(&fixtures[i]);
		say(child[i].fd, 1);
		child_end(&child[i], "a client");
	}
	/* The first's go on growing while the second has its own: that all go
	 * back is seen when the first, which began before, ends last. */
	fixtures[1].huge = false;
	for (unsigned i = SLABDS; i-- > 0;)
		fixture_close(&fixtures[i]);
}

/* A slabd that is at it for long, as the kernel searches. */
static int lock_counts(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	close(fd);
	return -1;
}

static void test_one_in_the_way(void)
{
	struct fixture *fixture = &fixtures[0];
	struct child child;
	unsigned answers = 0;
	int fd;
	open_one(fixture);
	child_start(&child, taker, fixture);
	fd = lock_counts();
	if (fd < 0)
		tap_bail("the lock of root can't be had");
	say(child.fd, 1);
	for (unsigned i = 0; i < LOOKS; i++)
		answers += fixture_number(fixture, "/status", DENIED) == 0;
	tap_is(answers, LOOKS,
	       "slabd serves others while another one has the counts");
	close(fd);
	tap_is((long long)hear(child.fd), OBJECTS,
	       "who waited for memory gets all of it afterwards");
	lacks_nothing(fixture);
	fd = lock_counts();
	say(child.fd, 1);
	child_end(&child, "its client");
	tap_ok(fixture_post(fixture, "/trim", "pool=default"),
	       "a trim while another one has the counts");
	close(fd);
	tap_ok(fixture_until(fixture, "/nodes",
	                     "pools.0.nodes.0.ready_bytes", 2 << 20,
	                     SURELY_MS) >= 0,
	       "all goes back to the floor");
	fixture_close(fixture);
}

int main(void)
{
	tap_start(300);
	open_one(&fixtures[0]);
	if (geteuid() != 0 || !has_hugepages(&fixtures[0])) {
		tap_skip("no hugepages can be reserved here", "counts");
		fixture_close(&fixtures[0]);
		return tap_end();
	}
	fixture_close(&fixtures[0]);
	test_two_at_once();
	test_one_in_the_way();
	return tap_end();
}
