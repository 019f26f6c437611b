/* SPDX-License-Identifier: MIT */
/* Errors that no other test provokes: tests/lint/errors.txt has which. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define CONFIG                                                                 \
	"[pool default]\npage = 4k\nstart = 2M\nmax = 4M\nmax_caches = 1100\n"
#define LONG_NAME                                                              \
	"123456789-123456789-123456789-123456789-123456789-123456789-1234"

static struct fixture fixture;

static slabd_pool *quiet_pool(unsigned flags)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER | flags);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

/* ---- arguments ------------------------------------------------------------ */

static void test_arguments(void)
{
	slabd_pool *pool = quiet_pool(0);
	fixture_fails(slabd_close(NULL) < 0, EINVAL, "slabd_close(NULL)");
	fixture_fails(slabd_cache_close(NULL) < 0, EINVAL,
	              "slabd_cache_close(NULL)");
	fixture_fails(slabd_cache_create(pool, "", 64, 0, 0) == NULL, EINVAL,
	              "slabd_cache_create without a name");
	fixture_fails(slabd_cache_create(pool, "a\n", 64, 0, 0) == NULL,
	              EINVAL, "slabd_cache_create with a line feed");
	fixture_fails(slabd_cache_create(pool, LONG_NAME, 64, 0, 0) == NULL,
	              ENAMETOOLONG, "slabd_cache_create of a long name");
	fixture_fails(slabd_cache_remove(pool, NULL) < 0, EINVAL,
	              "slabd_cache_remove without a name");
	fixture_fails(slabd_cache_remove(pool, LONG_NAME) < 0, ENAMETOOLONG,
	              "slabd_cache_remove of a long name");
	slabd_close(pool);
}

/* Who did not look what slabd_open gave. */
static void test_no_pool(void)
{
	void *objects[2] = {NULL, NULL};
	slabd_handle handles[2] = {0, 0};
	unsigned ids[2];
#define FAILS(what) fixture_fails(what, EINVAL, #what)
	FAILS(slabd_cache_create(NULL, "a", 8, 0, 0) == NULL);
	FAILS(slabd_client_id(NULL) == 0);
	FAILS(slabd_give(NULL, objects, 1) < 0);
	FAILS(slabd_give_bulk(NULL, objects, 1, 1) == 0);
	FAILS(slabd_take(NULL, 5) == NULL);
	FAILS(slabd_take_bulk(NULL, handles, 1, objects) == 0);
	FAILS(slabd_gifts(NULL, SLABD_NO_HANDLE, 2, handles) == 0);
	FAILS(slabd_arena_create(NULL, NULL, "a") == NULL);
	FAILS(slabd_objpool_create(NULL, "a", 8, NULL) == NULL);
	FAILS(slabd_channel_open(NULL, "a", 8) == NULL);
	FAILS(slabd_send(NULL, objects, 1) == 0);
	FAILS(slabd_recv(NULL, objects, 1) == 0);
	FAILS(slabd_recv_begin(NULL, objects, 1) == 0);
	FAILS(slabd_recv_commit(NULL, 1) < 0);
	FAILS(slabd_channel_wait(NULL, SLABD_CHANNEL_RECV, 0) < 0);
	FAILS(slabd_channel_descriptor(NULL) < 0);
	FAILS(slabd_channel_slow(NULL, SLABD_CHANNEL_FAIL, 0) < 0);
	FAILS(slabd_forward(NULL, NULL, 1) == 0);
	FAILS(slabd_channel_peers(NULL, ids, 2) == 0);
	FAILS(slabd_root_set(NULL, "a", 5) < 0);
	FAILS(slabd_root_get(NULL, "a") == SLABD_NO_HANDLE);
	FAILS(slabd_prefill(NULL, 3) < 0);
	FAILS(slabd_thread_idle(NULL) < 0);
	FAILS(slabd_flush(NULL) < 0);
#undef FAILS
	tap_ok(slabd_recv_again(NULL) == 0 && slabd_channel_ended(NULL) == 0,
	       "of no channel nothing comes again, and nobody has ended");
}

/* ---- no more of it -------------------------------------------------------- */

static void test_full(void)
{
	slabd_pool *pool = quiet_pool(SLABD_NO_WAIT);
	slabd_cache *cache = slabd_cache_create(pool, "full", 65536, 0, 0);
	static void *objects[100];
	size_t n = fixture_take(cache, 60, objects);
	size_t more;
	/* Nothing is ready yet is not full. */
	do {
		more = slabd_alloc_bulk(cache, 100 - n, objects + n);
		n += more;
	} while (more > 0 ||
	         (n < 100 && strstr(slabd_last_error(), "is full") == NULL));
	fixture_fails(n < 100, ENOMEM, "slabd_alloc_bulk of a full pool");
	fixture_fails(slabd_alloc_node(cache, 0) == NULL, ENOMEM,
	              "slabd_alloc_node of a full pool");
	slabd_free_bulk(cache, n, objects);
	slabd_close(pool);
}

static void test_caches(void)
{
	slabd_pool *pool = quiet_pool(0);
	char name[16];
	unsigned n = 0;
	fixture_cache(pool, "first", 64);
	for (; n < SLABD_CACHES_MAX - 1; n++) {
		snprintf(name, sizeof(name), "many-%u", n);
		if (slabd_cache_create(pool, name, 64, 0, 0) == NULL)
			break;
	}
	tap_is(n, SLABD_CACHES_MAX - 1, "as many caches as there may be");
	fixture_fails(slabd_cache_create(pool, "more", 64, 0, 0) == NULL,
	              EMFILE, "slabd_cache_create of one more");
	fixture_fails(slabd_cache_open(pool, "full") == NULL, EMFILE,
	              "slabd_cache_open of one more");
	tap_ok(slabd_cache_open(pool, "first") != NULL,
	       "one that is open is opened");
	slabd_close(pool);
}

static void test_paths(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	char path[96];
	snprintf(path, sizeof(path), "%s/loop", fixture.dir);
	if (symlink(path, path) < 0)
		tap_bail("symlink: %s", strerror(errno));
	options.socket = path;
	fixture_fails(slabd_open(NULL, &options) == NULL, ELOOP,
	              "slabd_open by a link to itself");
	unlink(path);
	options.socket = "/dev/null/slabd.sock";
	fixture_fails(slabd_open(NULL, &options) == NULL, ENOTDIR,
	              "slabd_open below what is no folder");
}

static void test_files(void)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	struct rlimit files;
	struct rlimit few;
	int next = dup(0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &files);
	few = files;
	few.rlim_cur = (rlim_t)next + 4;
	setrlimit(RLIMIT_NOFILE, &few);
	fixture_fails(slabd_open(NULL, &options) == NULL, EMFILE,
	              "slabd_open without descriptors");
	setrlimit(RLIMIT_NOFILE, &files);
}

/* A thread that has no magazines yet, and no address space for them. */
static void *without_memory(void *arg)
{
	slabd_pool *pool = arg;
	slabd_cache *cache = slabd_cache_create(pool, "first", 64, 0, 0);
	int failed[5];
	int err[5];
	struct rlimit old;
	struct rlimit none;
	getrlimit(RLIMIT_AS, &old);
	none = old;
	none.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_AS, &none);
	failed[0] = slabd_flush(pool) < 0, err[0] = errno;
	failed[1] = slabd_thread_flush(pool) < 0, err[1] = errno;
	failed[2] = slabd_thread_node(pool, 0) < 0, err[2] = errno;
	failed[3] = slabd_alloc_nowait(cache) == NULL, err[3] = errno;
	failed[4] = slabd_cache_create(pool, "n", 64, 0, 0) == NULL;
	err[4] = errno;
	setrlimit(RLIMIT_AS, &old);
	for (unsigned i = 0; i < 5; i++)
		tap_ok(failed[i] && err[i] == ENOMEM,
		       "without memory: call %u, %s", i, strerror(err[i]));
	return NULL;
}

static void test_memory(void)
{
	slabd_pool *pool;
	pthread_t thread;
	if (is_sanitized()) {
		tap_skip("sanitizers have their own", "address space");
		return;
	}
	pool = quiet_pool(0);
	fixture_cache(pool, "first", 64);
	pthread_create(&thread, NULL, without_memory, pool);
	pthread_join(thread, NULL);
	slabd_close(pool);
}

/* ---- no client ------------------------------------------------------------ */

static void forked(slabd_pool *pool, slabd_cache *cache, void *object)
{
	struct slabd_stats stats;
	void *objects[2];
	slabd_handle handle = slabd_handle_of(pool, object);
	fixture_fails(slabd_alloc_bulk(cache, 2, objects) == 0, ENOTCONN,
	              "forked: slabd_alloc_bulk");
	fixture_fails(slabd_alloc_node(cache, 0) == NULL, ENOTCONN,
	              "forked: slabd_alloc_node");
	fixture_fails(slabd_client_id(pool) == 0, ENOTCONN,
	              "forked: slabd_client_id");
	fixture_fails(slabd_get_stats(pool, &stats) < 0, ENOTCONN,
	              "forked: slabd_get_stats");
	fixture_fails(slabd_flush(pool) < 0, ENOTCONN, "forked: slabd_flush");
	fixture_fails(slabd_give(pool, object, 1) < 0, ENOTCONN,
	              "forked: slabd_give");
	fixture_fails(slabd_take(pool, handle) == NULL, ENOTCONN,
	              "forked: slabd_take");
	fixture_fails(slabd_gifts(pool, SLABD_NO_HANDLE, 1, &handle) == 0,
	              ENOTCONN, "forked: slabd_gifts");
	fixture_fails(slabd_thread_idle(pool) < 0, ENOTCONN,
	              "forked: slabd_thread_idle");
	fixture_fails(slabd_thread_node(pool, 0) < 0, ENOTCONN,
	              "forked: slabd_thread_node");
	fixture_fails(slabd_cache_remove(pool, "x") < 0, ENOTCONN,
	              "forked: slabd_cache_remove");
	fixture_fails(slabd_cache_close(cache) < 0, ENOTCONN,
	              "forked: slabd_cache_close");
}

static void test_forked(void)
{
	slabd_pool *pool = quiet_pool(0);
	slabd_cache *cache = fixture_cache(pool, "first", 64);
	void *object = slabd_alloc(cache);
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		forked(pool, cache, object);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tap_is(status, 0, "a forked child ends well");
	slabd_free(cache, object);
	slabd_close(pool);
}

int main(void)
{
	tap_start(300);
	fixture_open(&fixture, CONFIG);
	test_arguments();
	test_no_pool();
	test_full();
	test_caches();
	test_paths();
	test_files();
	test_memory();
	test_forked();
	fixture_audit(&fixture, "the accounts are exact");
	fixture_close(&fixture);
	return tap_end();
}
