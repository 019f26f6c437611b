/* SPDX-License-Identifier: MIT */
/*
 * A client for what watches a program's memory, built and started by
 * test_tools.sh: with each sanitizer, and under valgrind.
 *
 *   watched good           uses objects in all ways that are right
 *   watched FAULT          does one thing that is wrong, which is to be seen
 *
 * The part is compiled without sanitizer, as libraries of others are.
 */
#include <pthread.h>
#include <slabclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *part_alloc(slabd_cache *cache);
void part_free(slabd_cache *cache, void *object);

#ifdef PART

void *part_alloc(slabd_cache *cache)
{
	return slabd_alloc(cache);
}

void part_free(slabd_cache *cache, void *object)
{
	slabd_free(cache, object);
}

#else

#define SIZE 24 /* of 32 that an object takes */
#define MANY 3000
#define THREADS 3
#define ROUNDS 20

struct item {
	char *text;
	char rest[SIZE - sizeof(char *)];
};

static slabd_pool *pool;
static slabd_cache *cache;
static struct item *kept; /* the one way to what it points at */
static volatile char sink;

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "watched: %s: %s\n", what, slabd_last_error());
	_exit(99);
}

static void begin(void)
{
	pool = slabd_open(NULL, NULL);
	need(pool != NULL, "open");
	cache = slabd_cache_create(pool, "watched", SIZE, 0, 0);
	need(cache != NULL, "cache");
}

static struct item *one(void)
{
	struct item *item = slabd_alloc(cache);
	need(item != NULL, "alloc");
	return item;
}

/* ---- what is right ------------------------------------------------------- */

/* Objects go from thread to thread through the library alone. */
static void *work(void *arg)
{
	void **own = malloc(MANY * sizeof(*own));
	need(own != NULL, "malloc");
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY / 10; i++) {
			own[i] = one();
			memset(own[i], round, SIZE);
		}
		for (int i = 0; i < MANY / 10; i++)
			slabd_free(cache, own[i]);
		if (round % 8 == 0)
			slabd_flush(pool);
	}
	free(own);
	return arg;
}

static void use_threads(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		need(pthread_create(&threads[i], NULL, work, NULL) == 0,
		     "thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void use_bulk(void)
{
	static void *objects[MANY];
	size_t n = slabd_alloc_bulk(cache, MANY, objects);
	need(n == MANY, "bulk");
	for (size_t i = 0; i < n; i++) {
		need(objects[i] != NULL, "an object");
		memset(objects[i], 1, SIZE);
	}
	slabd_free_bulk(cache, n, objects);
	slabd_flush(pool);
	n = slabd_alloc_bulk(cache, MANY, objects);
	for (size_t i = 0; i < n; i++)
		memset(objects[i], 2, SIZE);
	slabd_free_bulk(cache, n, objects);
}

static void use_part(void)
{
	char *object = part_alloc(cache);
	need(object != NULL, "alloc in the part");
	memset(object, 3, SIZE);
	part_free(cache, object);
	object = slabd_alloc_node(cache, 0);
	need(object != NULL, "alloc on a node");
	memset(object, 4, SIZE);
	part_free(cache, object);
}

static void use_results(void)
{
	struct slabd_stats stats;
	need(slabd_get_stats(pool, &stats) == 0, "stats");
	need(stats.refilled > 0, "a count");
	need(slabd_alloc_node(cache, 99) == NULL, "no node 99");
	need(slabd_last_error()[0] == 'p', "a reason");
	need(slabd_version()[0] != '\0', "a version");
}

/* What this client has freed comes back from another, written to. */
static void other_client(int from, int to)
{
	slabd_handle handle;
	struct item *item;
	unsigned first;
	begin();
	need(read(from, &first, sizeof(first)) == sizeof(first), "hear");
	item = one();
	memset(item, 7, SIZE);
	handle = slabd_handle_of(pool, item);
	need(slabd_give(pool, item, first) == 0, "give");
	need(write(to, &handle, sizeof(handle)) == sizeof(handle), "say");
	need(slabd_close(pool) == 0, "close");
	_exit(0);
}

static void use_another_client(int to, int from)
{
	unsigned id = slabd_client_id(pool);
	slabd_handle handle = 0;
	struct item *item = one();
	slabd_free(cache, item);
	slabd_flush(pool);
	need(write(to, &id, sizeof(id)) == sizeof(id), "say");
	need(read(from, &handle, sizeof(handle)) == sizeof(handle), "hear");
	item = slabd_pointer(pool, handle);
	need(item != NULL && item->rest[0] == 7, "looked at");
	item = slabd_take(pool, handle);
	need(item != NULL && item->rest[1] == 7, "taken");
	slabd_free(cache, item);
}

/* A forked child looks at what its parent has. */
static void use_child(void)
{
	struct item *item = one();
	int status = 0;
	pid_t pid;
	memset(item, 5, SIZE);
	pid = fork();
	if (pid == 0)
		_exit(item->rest[0] == 5 ? 0 : 1);
	waitpid(pid, &status, 0);
	need(status == 0, "child");
	slabd_free(cache, item);
}

static void good(void)
{
	int there[2];
	int back[2];
	int status = 0;
	pid_t pid;
	need(pipe(there) == 0 && pipe(back) == 0, "pipe");
	pid = fork();
	if (pid == 0)
		other_client(there[0], back[1]);
	/* Twice: the address space of the first is used again. */
	begin();
	use_bulk();
	need(slabd_close(pool) == 0, "close");
	begin();
	use_bulk();
	use_part();
	use_results();
	use_threads();
	use_another_client(there[1], back[0]);
	use_child();
	waitpid(pid, &status, 0);
	need(status == 0, "the other client");
	need(slabd_cache_close(cache) == 0, "close a cache");
	need(slabd_close(pool) == 0, "close");
}

/* ---- what is wrong ------------------------------------------------------- */

static void use_freed(void)
{
	struct item *item = one();
	memset(item, 1, SIZE);
	slabd_free(cache, item);
	if (item->rest[0] == 5)
		puts("it was 5");
}

static void use_flushed(void)
{
	struct item *item = one();
	slabd_free(cache, item);
	slabd_flush(pool);
	item->rest[0] = 1;
}

static void use_beyond(void)
{
	char *object = (char *)one();
	object[SIZE] = 1;
}

static void use_next(void)
{
	char *object = (char *)one();
	object[64] = 1; /* two further on, which nobody has */
}

static void use_undefined(void)
{
	const struct item *item = one();
	if (item->rest[0] == 5)
		puts("it was 5");
}

static void *write_one(void *arg)
{
	struct item *item = arg;
	item->rest[0] = 1;
	return NULL;
}

static void use_at_once(void)
{
	struct item *item = one();
	pthread_t thread;
	need(pthread_create(&thread, NULL, write_one, item) == 0, "thread");
	/* Neither of two at the very same moment may be seen; nor does this order
	 * them for the tool. */
	usleep(20000);
	item->rest[0] = 2;
	pthread_join(thread, NULL);
}

__attribute__((noinline)) static void keep_text(void)
{
	kept = one();
	memset(kept, 0, SIZE);
	kept->text = malloc(1234);
	need(kept->text != NULL, "malloc");
	kept->text[0] = 1;
}

/* Nothing that the stack still has points at it afterwards. */
__attribute__((noinline)) static void forget(void)
{
	char room[4096];
	memset(room, 0, sizeof(room));
	sink = room[sizeof(room) / 2];
}

static void use_kept(void)
{
	keep_text();
	forget();
}

static void use_lost(void)
{
	keep_text();
	slabd_free(cache, kept);
	kept = NULL;
	forget();
}

/* For a tool that goes on after each. */
static void use_all(void)
{
	use_freed();
	use_flushed();
	use_beyond();
	use_next();
	use_undefined();
}

static const struct {
	const char *name;
	void (*act)(void);
} faults[] = {
	{"freed", use_freed},     {"flushed", use_flushed},
	{"beyond", use_beyond},   {"next", use_next},
	{"undefined", use_undefined}, {"at-once", use_at_once},
	{"kept", use_kept},       {"lost", use_lost},
	{"all", use_all},
};

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	if (strcmp(what, "good") == 0) {
		good();
		return 0;
	}
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (strcmp(what, faults[i].name) != 0)
			continue;
		begin();
		faults[i].act();
		return 0;
	}
	fprintf(stderr, "usage: watched good|FAULT\n");
	return 2;
}

#endif
