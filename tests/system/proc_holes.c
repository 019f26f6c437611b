/* SPDX-License-Identifier: MIT */
/*
 * Nothing that a client does by ordinary means adds memory to a pool: memory
 * locked, dumped, populated, looked at from outside, or read past the last
 * object. What the files hold is counted before and after.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/handle.h"
#include "tests/lib/harness.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define MIB (1u << 20)
#define SIZE 256
#define READY (8u * MIB) /* of the pool, at the start */
#define TEXT "what lives is in a dump"

static struct fixture fixture;

/* What the pool's files hold, in 512 bytes. */
struct held {
	long long data;
	long long shared;
};

/* What slabd's file of that name holds, or -1. */
static long long file_held(const char *name)
{
	char path[64];
	char link[128];
	for (int fd = 3; fd < 64; fd++) {
		struct stat st;
		ssize_t n;
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)fixture.pid,
		         fd);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (strstr(link, name) != NULL && stat(path, &st) == 0)
			return (long long)st.st_blocks;
	}
	return -1;
}

static struct held held_now(void)
{
	struct held held = {.data = file_held("-node0"),
	                    .shared = file_held("-shared")};
	return held;
}

static void is_held(struct held before, const char *what)
{
	struct held now = held_now();
	tap_is(now.data, before.data, "%s: data is as it was", what);
	tap_is(now.shared, before.shared, "%s: shared is as it was", what);
}

/* An object of the cache that the test program made. */
static char *one_object(slabd_pool **pool)
{
	slabd_cache *cache;
	*pool = fixture_pool(&fixture);
	cache = fixture_cache(*pool, "holes", SIZE);
	return slabd_alloc(cache);
}

/* Where the pool's data begins here. */
static char *data_of(slabd_pool *pool, char *object)
{
	return object - handle_off(slabd_handle_of(pool, object));
}

/* ---- what a client may do ------------------------------------------------ */

static void lock_before(int fd, void *arg)
{
	slabd_pool *pool;
	char *object;
	(void)arg;
	tap_ok(mlockall(MCL_CURRENT | MCL_FUTURE) == 0, "memory is locked");
	object = one_object(&pool);
	if (object != NULL)
		memset(object, 1, SIZE);
	say(fd, object != NULL);
	hear(fd);
}

static void lock_after(int fd, void *arg)
{
	slabd_pool *pool;
	char *object = one_object(&pool);
	(void)arg;
	tap_ok(mlockall(MCL_CURRENT | MCL_FUTURE) == 0,
	       "memory is locked beside an open pool");
	if (object != NULL)
		memset(object, 1, SIZE);
	say(fd, object != NULL);
	hear(fd);
}

/* A limit that a pool does not fit into. */
static void lock_little(int fd, void *arg)
{
	struct rlimit little = {.rlim_cur = 64u * MIB, .rlim_max = 64u * MIB};
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool;
	(void)arg;
	setrlimit(RLIMIT_MEMLOCK, &little);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (setuid(65534) < 0)
		tap_bail("setuid: %s", strerror(errno));
	pool = slabd_open(NULL, &options);
	fixture_fails(pool == NULL, EAGAIN, "more locked than is allowed");
	tap_ok(strstr(slabd_last_error(), "RLIMIT_MEMLOCK") != NULL,
	       "and what to do about it is said");
	say(fd, 1);
}

static void populate(int fd, void *arg)
{
	slabd_pool *pool;
	char *object = one_object(&pool);
	char *data = data_of(pool, object);
	struct iovec all = {.iov_base = data, .iov_len = 64u * MIB};
	(void)arg;
	tap_ok(madvise(data, 64u * MIB, MADV_POPULATE_READ) < 0,
	       "what is no page is not populated");
	madvise(data, 64u * MIB, MADV_POPULATE_WRITE);
	madvise(data, 64u * MIB, MADV_WILLNEED);
	say(fd, (uint64_t)(uintptr_t)all.iov_base);
	hear(fd);
}

/* A scan of all of a client's data from another process. */
static void scan(int fd, void *arg)
{
	char *data = arg;
	pid_t of = (pid_t)hear(fd);
	char page[4096];
	unsigned got = 0;
	for (unsigned at = 0; at < 64u * MIB; at += 4096) {
		struct iovec from = {.iov_base = data + at, .iov_len = 4096};
		struct iovec to = {.iov_base = page, .iov_len = 4096};
		got += process_vm_readv(of, &to, 1, &from, 1, 0) == 4096;
	}
	tap_is(got, READY / 4096, "a scan from outside sees what is ready");
	say(fd, 1);
}

/* ---- cases --------------------------------------------------------------- */

static unsigned long resident_pages(void)
{
	unsigned long all;
	unsigned long resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2)
		tap_bail("/proc/self/statm: %s", strerror(errno));
	fclose(file);
	return resident;
}

/* Whether what is read and was never written is the one page of zeroes, as it is
 * with most kernels. */
static bool reads_are_free(void)
{
	size_t bytes = 16u * MIB;
	unsigned long before = resident_pages();
	unsigned long grown;
	void *at = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
	                -1, 0);
	for (size_t i = 0; i < bytes; i += 4096)
		(void)((volatile char *)at)[i];
	grown = resident_pages() - before;
	munmap(at, bytes);
	return grown < bytes / 4096 / 2;
}

static void stays(void (*act)(int, void *), const char *what)
{
	struct held before = held_now();
	struct child child;
	child_start(&child, act, NULL);
	tap_ok(hear(child.fd) != 0, "%s: an object is there", what);
	is_held(before, what);
	say(child.fd, 1);
	child_end(&child, what);
	is_held(before, "and at its end");
}

static void test_scan(void)
{
	struct held before = held_now();
	struct child client;
	struct child other;
	char *data;
	child_start(&client, populate, NULL);
	data = (char *)(uintptr_t)hear(client.fd);
	is_held(before, "populated");
	child_start(&other, scan, data);
	say(other.fd, (uint64_t)client.pid);
	hear(other.fd);
	child_end(&other, "a scan");
	is_held(before, "scanned");
	say(client.fd, 1);
	child_end(&client, "a client that populates");
}

static int status_of(void (*act)(void))
{
	pid_t pid = fork();
	int status = -1;
	if (pid == 0) {
		/* Not a sanitizer's. */
		signal(SIGSEGV, SIG_DFL);
		act();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void read_past(void)
{
	slabd_pool *pool;
	char *object = one_object(&pool);
	volatile char *data = data_of(pool, object);
	(void)data[READY - 1];
	(void)data[READY];
}

static void write_past(void)
{
	slabd_pool *pool;
	char *object = one_object(&pool);
	data_of(pool, object)[32u * MIB] = 1;
}

static void test_past(void)
{
	struct held before = held_now();
	int status = status_of(read_past);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	       "a read past what is ready ends its process");
	status = status_of(write_past);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	       "and so does a write");
	is_held(before, "read and written past");
}

static void dump(void)
{
	struct rlimit any = {.rlim_cur = RLIM_INFINITY,
	                     .rlim_max = RLIM_INFINITY};
	slabd_pool *pool;
	char *object = one_object(&pool);
	strcpy(object, TEXT);
	setrlimit(RLIMIT_CORE, &any);
	if (chdir(fixture.dir) == 0)
		abort();
}

/* Whether a file has the text; -1: there is none. Removes it. */
static int file_has(const char *path, const char *text, long long *kib)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *at;
	int has;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	has = at != MAP_FAILED &&
	      memmem(at, (size_t)st.st_size, text, strlen(text)) != NULL;
	*kib = (long long)st.st_size >> 10;
	munmap(at, (size_t)st.st_size);
	unlink(path);
	return has;
}

static void test_dump(bool huge)
{
	struct held before = held_now();
	char path[128];
	int status = status_of(dump);
	long long kib = 0;
	int has;
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	       "a client aborts");
	is_held(before, "dumped");
	snprintf(path, sizeof(path), "%s/core", fixture.dir);
	has = file_has(path, TEXT, &kib);
	if (has < 0) {
		tap_skip("core files go elsewhere here", "a dump");
		return;
	}
	if (!huge)
		tap_ok(has, "its objects are in the dump");
	/* A sanitizer's own memory is in it, too. */
	tap_ok(is_sanitized() || kib < 48 << 10,
	       "which is no larger than what is ready: %lld", kib >> 10);
}

static void all_cases(bool huge)
{
	slabd_pool *pool;
	char *mine = one_object(&pool);
	tap_ok(mine != NULL, "the cache is there");
	stays(lock_before, "locked before it opens");
	if (reads_are_free())
		stays(lock_after, "locked when it is open");
	else
		tap_skip("the kernel has a page for each that is read: the "
		         "16 GiB that are reserved would be memory",
		         "locked when it is open");
	test_scan();
	test_past();
	test_dump(huge);
	slabd_close(pool);
}

/* ---- what comes to a process in other ways ------------------------------- */

/* Reads an object by its handle that another process has in a page which this
 * one never had an object in. */
static void read_handle(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_handle handle;
	const char *object;
	(void)arg;
	say(fd, slabd_client_id(pool));
	while ((handle = hear(fd)) != SLABD_NO_HANDLE) {
		object = slabd_pointer(pool, handle);
		say(fd, object != NULL && strcmp(object, TEXT) == 0);
		object = slabd_take(pool, hear(fd));
		say(fd, object != NULL && strcmp(object, TEXT) == 0);
	}
}

#define MANY ((24u * MIB) / SIZE)

static void test_handles(void)
{
	static void *object[MANY];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "holes", SIZE);
	struct child child;
	size_t n;
	unsigned id;
	child_start(&child, read_handle, NULL);
	id = (unsigned)hear(child.fd);
	n = fixture_take(cache, MANY, object);
	tap_is((long long)n, MANY, "a pool grows");
	for (size_t i = 0; i + 1 < n; i += n / 8) {
		uint64_t good;
		strcpy(object[i], TEXT);
		strcpy(object[i + 1], TEXT);
		say(child.fd, slabd_handle_of(pool, object[i]));
		good = hear(child.fd);
		slabd_give(pool, object[i + 1], id);
		say(child.fd, slabd_handle_of(pool, object[i + 1]));
		good &= hear(child.fd);
		tap_ok(good, "pages %zu of 8 are read by who was given",
		       i / (n / 8));
	}
	say(child.fd, SLABD_NO_HANDLE);
	child_end(&child, "a reader");
	slabd_close(pool);
}

/* ---- closed again -------------------------------------------------------- */

static volatile char *last_page;

static void read_last(void)
{
	(void)*last_page;
}

static void test_closed(void)
{
	static void *object[MANY];
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "holes", SIZE);
	char *one = slabd_alloc(cache);
	struct held before;
	int status;
	size_t n;
	last_page = data_of(pool, one) + 26u * MIB;
	status = status_of(read_last);
	tap_ok(WIFEXITED(status), "what is ready is read by a forked child");
	tap_ok(fixture_post(&fixture, "/trim", ""), "the pool is trimmed");
	before = held_now();
	tap_is(before.data, READY / 512, "all beyond the floor went back");
	slabd_free(cache, one);
	slabd_flush(pool);
	tap_ok(slabd_alloc(cache) != NULL, "a miss");
	status = status_of(read_last);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	       "what went back is closed");
	is_held(before, "closed");
	n = fixture_take(cache, MANY, object);
	tap_is((long long)n, MANY, "it grows there once more");
	for (size_t i = 0; i < n; i++)
		memset(object[i], 2, SIZE);
	slabd_close(pool);
}

int main(void)
{
	static const char *const pages[] = {"4k", "2m"};
	struct child child;
	tap_start(300);
	for (unsigned i = 0; i < 2; i++) {
		fixture_open(&fixture,
		             "[pool default]\npage = %s\nstart = 8M\n"
		             "floor = 8M\nmax = 64M\n",
		             pages[i]);
		tap_note("pages of %s", pages[i]);
		all_cases(i == 1);
		fixture_audit(&fixture, "nothing is amiss");
		fixture_close(&fixture);
	}
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 8M\n"
	                       "floor = 8M\nmax = 64M\n");
	if (is_sanitized()) {
		tap_skip("a sanitizer lets nobody lock memory",
		         "a client that may lock little");
	} else {
		child_start(&child, lock_little, NULL);
		hear(child.fd);
		child_end(&child, "a client that may lock little");
	}
	test_handles();
	fixture_audit(&fixture, "after handles");
	fixture_close(&fixture);
	fixture_open(&fixture, "[pool default]\npage = 4k\nstart = 32M\n"
	                       "floor = 8M\nmax = 64M\n");
	test_closed();
	fixture_audit(&fixture, "after all");
	fixture_close(&fixture);
	return tap_end();
}
