/* SPDX-License-Identifier: MIT */
/* Machines with more memory, or more nodes, than a pool can hold. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/lib/harness.h"

#define TIB (INT64_C(1) << 40)
#define OBJECTS 512u
#define SIZE 4096u

static struct fixture fixture;

/* The sum of max over all nodes; -1: a node's is missing. */
static long long max_of_all(unsigned n_nodes)
{
	json_t *doc = fixture_get(&fixture, "/nodes");
	long long all = 0;
	for (unsigned i = 0; i < n_nodes; i++) {
		char at[64];
		json_t *max;
		snprintf(at, sizeof(at), "pools.0.nodes.%u.max_bytes", i);
		max = json_at(doc, at);
		if (!json_is_integer(max))
			all = INT64_MIN / 2;
		all += json_integer_value(max);
	}
	json_decref(doc);
	return all < 0 ? -1 : all;
}

/* Objects of the first node and of the last. */
static void user(int fd, void *arg)
{
	static void *all[OBJECTS];
	unsigned *n_nodes = arg;
	for (unsigned i = 0; i < 2; i++) {
		struct slabd_options options =
			fixture_options(&fixture, SLABD_FORCE_NODE);
		slabd_pool *pool;
		slabd_cache *cache;
		options.node = i == 0 ? 0 : (int)*n_nodes - 1;
		pool = slabd_open(NULL, &options);
		if (pool == NULL)
			tap_bail("slabd_open: %s", slabd_last_error());
		cache = fixture_cache(pool, "large", SIZE);
		tap_is((long long)fixture_take(cache, OBJECTS, all), OBJECTS,
		       "a client has objects of node %d", options.node);
		for (unsigned k = 0; k < OBJECTS; k++)
			memset(all[k], (int)k, SIZE);
		slabd_free_bulk(cache, OBJECTS, all);
		slabd_close(pool);
	}
	(void)fd;
}

static void use(unsigned n_nodes)
{
	const char *sanitizer = getenv("SLABD_SANITIZER");
	struct child child;
	if (sanitizer != NULL && strcmp(sanitizer, "thread") == 0) {
		tap_skip("its runtime leaves a program 1.5 TiB", "a client");
		return;
	}
	child_start(&child, user, &n_nodes);
	child_end(&child, "a client of it");
	fixture_audit(&fixture, "books of a large machine");
}

/* max is the default. */
static void test_default(unsigned n_nodes, const char *each, bool cut)
{
	long long most;
	fixture_open(&fixture,
	             "[slabd]\ntopology = node:%u(memory=%s) core:1 pu:1\n"
	             "[pool default]\npage = 4k\nstart = 2M\n",
	             n_nodes, each);
	most = max_of_all(n_nodes);
	tap_ok(most > TIB * 7 / 4 && most <= 2 * TIB,
	       "%u nodes of %s: a pool holds %lld GiB", n_nodes, each,
	       most >> 30);
	tap_is(fixture_logged(&fixture, "is more than a pool holds"), cut,
	       "it is said where that is less than its share");
	use(n_nodes);
	fixture_close(&fixture);
}

static void test_too_large(void)
{
	int status;
	fixture_make(&fixture,
	             "[slabd]\ntopology = node:4(memory=16TB) core:1 pu:1\n"
	             "[pool default]\npage = 4k\nmax = 1T\n");
	fixture_spawn(&fixture, NULL);
	status = fixture_wait(&fixture, SURELY_MS);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 1,
	       "a max that is too large for four nodes ends slabd");
	tap_ok(fixture_logged(&fixture, "max = 524288M or less"),
	       "which says how large it may be");
	fixture_remove(&fixture);
	fixture_open(&fixture,
	             "[slabd]\ntopology = node:4(memory=16TB) core:1 pu:1\n"
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 524288M\n");
	tap_is(max_of_all(4), 2 * TIB, "as large as that it may be");
	use(4);
}

/* Who has little address space left is told so. The fixture is as it was left. */
static void crowded(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	(void)fd;
	(void)arg;
	while (mmap(NULL, (size_t)TIB, PROT_NONE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	            0) != MAP_FAILED)
		continue;
	fixture_fails(slabd_open(NULL, &options) == NULL, ENOMEM,
	              "a pool that there is no address space for");
	tap_ok(strstr(slabd_last_error(), "address space") != NULL &&
	               strstr(slabd_last_error(), "lower max") != NULL,
	       "is refused with a remedy: %s", slabd_last_error());
}

static void test_address_space(void)
{
	struct child child;
	if (is_sanitized()) {
		tap_skip("a sanitizer has most of it", "address space");
	} else {
		child_start(&child, crowded, NULL);
		child_end(&child, "a client without room");
	}
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_default(1, "8TB", false);
	test_default(2, "8TB", true);
	test_default(4, "16TB", true);
	test_default(64, "1TB", true);
	test_too_large();
	test_address_space();
	return tap_end();
}
