/* SPDX-License-Identifier: MIT */
/*
 * A book that outlives its workers: they and slabd are killed again and again, and the
 * next life finds it as it was.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/types.h"
#include "shm/atom.h"
#include "shm/wire_root.h"
#include "tests/lib/keeper.h"
#include "tests/lib/rng.h"

#define LIVES 24u /* of the worker */
#ifdef SYS_poll
#define SYS_POLL_NR SYS_poll
#else
#define SYS_POLL_NR SYS_ppoll
#endif

struct order {
	slabd_handle next;
	uint64_t number;
	uint64_t check; /* ~number */
};

struct book {
	slabd_handle first;
	uint64_t n_made; /* numbers of the orders */
};

static struct fixture fixture;
static struct keeper keeper;

static bool start(void)
{
	int status = 0;
	return keeper_start(&keeper, &fixture, &status);
}

static void restart(void)
{
	keeper_catch_up(&keeper);
	fixture_signal(&fixture, SIGKILL);
	fixture_wait(&fixture, SURELY_MS);
	if (!start())
		tap_bail("the next slabd does not start");
}

static int count_one(void *object, void *arg)
{
	(void)object;
	++*(unsigned *)arg;
	return 0;
}

/* ---- what the dead asked --------------------------------------------------- */

static void set_late(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "late", 64);
	slabd_handle handle = slabd_handle_of(pool, slabd_alloc(cache));
	(void)arg;
	say(fd, handle);
	hear(fd);
	slabd_root_set(pool, "late", handle);
	tap_bail("slabd answers");
}

/* It sleeps in the wait for its answer, and nowhere else. */
static bool sleeps(pid_t pid)
{
	char path[40], text[512] = "";
	FILE *stat;
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	stat = fopen(path, "re");
	if (stat == NULL || fgets(text, sizeof(text), stat) == NULL)
		tap_bail("no %s", path);
	fclose(stat);
	return atoi(text) == SYS_POLL_NR || atoi(text) == SYS_ppoll;
}

/* Its next life may have looked meanwhile: what it asked before it died, and slabd
 * had not read, is not done any more. */
static void test_late(void)
{
	slabd_pool *pool;
	struct child child;
	child_start(&child, set_late, NULL);
	hear(child.fd);
	pool = fixture_pool(&fixture);
	fixture_halt(&fixture);
	say(child.fd, 1);
	while (!sleeps(child.pid))
		sleep_ms(1);
	child_kill(&child);
	close(child.fd);
	fixture_signal(&fixture, SIGCONT);
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 1,
	                     SURELY_MS) >= 0, "a client dies as it waits");
	fixture_fails(slabd_root_get(pool, "late") == 0, ENOENT,
	              "what it asked for");
	slabd_close(pool);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "and what it had is free");
}

/* A client that hears that slabd is another one asks again, and that one may have read
 * what waited before. */
static void test_twice(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "twice", 64);
	unsigned id = slabd_root_open(pool, "twice");
	void *object = slabd_alloc(cache);
	struct wire_root msg = {.head = {.type = WIRE_ROOT,
	                                 .bytes = sizeof(msg)},
	                        .op = WIRE_ROOT_TAKE,
	                        .handle = slabd_handle_of(pool, object)};
	slabd_give(pool, object, id);
	slabd_free(cache, slabd_take(pool, msg.handle));
	msg.head.seq = pool->link.seq;
	object = slabd_alloc(cache);
	tap_ok(slabd_handle_of(pool, object) == msg.handle,
	       "what is freed and had again has the same handle");
	slabd_give(pool, object, id);
	restart();
	/* Over a connection that stands, whether it was kept or is another. */
	if (slabd_root_open(pool, "before that") == 0)
		tap_bail("slabd_root_open: %s", slabd_last_error());
	if (send(pool->link.sock, &msg, sizeof(msg), MSG_NOSIGNAL) < 0)
		tap_bail("send: %s", strerror(errno));
	slabd_root_open(pool, "after that");
	tap_is(slabd_owner(pool, msg.handle, NULL), id,
	       "what was asked twice is done once");
	slabd_root_set(pool, "before that", 0);
	slabd_root_set(pool, "after that", 0);
	slabd_root_set(pool, "twice", 0);
	slabd_close(pool);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "and goes with its root");
}

/* ---- lives of a worker ----------------------------------------------------- */

static struct score {
	uint32_t wrong; /* orders that were not as they were made */
	uint32_t lives; /* that found the book */
	uint32_t acts;
} *score;

/* The book that its last life left, or a new one. */
static struct book *find_book(slabd_pool *pool, slabd_cache *books)
{
	slabd_handle at = slabd_root_get(pool, "book");
	struct book *book;
	if (at != SLABD_NO_HANDLE) {
		atom_add(&score->lives, 1u);
		return slabd_pointer(pool, at);
	}
	book = slabd_alloc(books);
	*book = (struct book){0};
	if (slabd_root_set(pool, "book", slabd_handle_of(pool, book)) < 0)
		tap_bail("set: %s", slabd_last_error());
	return book;
}

static uint32_t check_orders(slabd_pool *pool, const struct book *book,
                             unsigned id)
{
	uint32_t n = 0;
	for (slabd_handle at = book->first; at != 0; n++) {
		const struct order *order = slabd_pointer(pool, at);
		if (order == NULL || order->check != ~order->number ||
		    slabd_owner(pool, at, NULL) != id) {
			tap_note("order %u, handle 0x%llx: %s, owner %u",
			         n, (unsigned long long)at,
			         order == NULL ? slabd_last_error()
			         : order->check != ~order->number ? "changed"
			                                          : "not its",
			         slabd_owner(pool, at, NULL));
			atom_add(&score->wrong, 1u);
			break;
		}
		at = order->next;
	}
	return n;
}

static void add_order(slabd_pool *pool, slabd_cache *cache, struct book *book,
                      unsigned id)
{
	struct order *order = slabd_alloc(cache);
	slabd_handle handle;
	if (order == NULL)
		tap_bail("alloc: %s", slabd_last_error());
	handle = slabd_handle_of(pool, order);
	order->number = book->n_made++;
	order->check = ~order->number;
	order->next = book->first;
	if (slabd_give(pool, order, id) < 0)
		tap_bail("give: %s", slabd_last_error());
	atom_store_release(&book->first, handle); /* pairs: check_orders */
}

static void drop_order(slabd_pool *pool, slabd_cache *cache, struct book *book)
{
	slabd_handle first = book->first;
	struct order *order = slabd_pointer(pool, first);
	atom_store_release(&book->first, order->next); /* pairs: check_orders */
	order = slabd_take(pool, first);
	if (order == NULL)
		tap_bail("take: %s", slabd_last_error());
	slabd_free(cache, order);
}

/* The book is written anew, with all that was in it. */
static struct book *renew(slabd_pool *pool, slabd_cache *books,
                          const struct book *book)
{
	struct book *fresh = slabd_alloc(books);
	slabd_handle former;
	*fresh = *book;
	if (slabd_root_swap(pool, "book", slabd_handle_of(pool, fresh),
	                    &former) < 0)
		tap_bail("swap: %s", slabd_last_error());
	slabd_free(books, slabd_take(pool, former));
	return fresh;
}

static void work(int fd, void *arg)
{
	struct rng rng = rng_split(arg);
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *books = fixture_cache(pool, "books", sizeof(struct book));
	slabd_cache *cache = fixture_cache(pool, "orders", sizeof(struct order));
	unsigned id = slabd_root_open(pool, "book");
	struct book *book = find_book(pool, books);
	uint32_t n = check_orders(pool, book, id);
	say(fd, n);
	for (;;) {
		uint64_t act = rng_below(&rng, 16);
		atom_add(&score->acts, 1u);
		if (act < 1) {
			book = renew(pool, books, book);
		} else if (act < 8 && n > 0) {
			drop_order(pool, cache, book);
			n--;
		} else {
			add_order(pool, cache, book, id);
			n++;
		}
	}
}

/* What the root has that its book does not lead to: what some life was about. */
static void count_rest(uint32_t lives)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *books = fixture_cache(pool, "books", sizeof(struct book));
	slabd_cache *cache = fixture_cache(pool, "orders", sizeof(struct order));
	unsigned id = slabd_root_open(pool, "book");
	unsigned n_books = 0;
	unsigned n_orders = 0;
	uint32_t n = check_orders(pool, find_book(pool, books), id);
	slabd_cache_each(books, id, count_one, &n_books);
	slabd_cache_each(cache, id, count_one, &n_orders);
	tap_is(n_books, 1, "the root has one book");
	tap_ok(n_orders >= n && n_orders <= n + lives,
	       "of %u orders it leads to %u, after %u kills", n_orders, n,
	       lives);
	tap_is(fixture_used(&fixture), 1 + n_orders, "nobody else has any");
	slabd_root_set(pool, "book", 0);
	slabd_close(pool);
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "all of it goes with the root");
}

static void test_lives(void)
{
	uint32_t lives = tap_rounds(LIVES);
	struct rng rng = rng_start("proc_book");
	for (uint32_t i = 0; i < lives; i++) {
		uint32_t acts = atom_load(&score->acts);
		uint64_t more = 1 + rng_below(&rng, 400);
		struct child child;
		child_start(&child, work, &rng);
		hear(child.fd);
		while (atom_load(&score->acts) < acts + more)
			keeper_hear(&keeper, 0);
		if (i % 4 == 3)
			restart();
		child_kill(&child);
		close(child.fd);
		rng_next(&rng);
		keeper_catch_up(&keeper);
	}
	tap_is(score->wrong, 0, "each order is as it was made, %u acts",
	       score->acts);
	tap_ok(score->lives + 1 >= lives && score->lives > 0,
	       "each life but the first found the book");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0, "all lives have ended");
	fixture_audit(&fixture, "audit agrees after the kills");
	count_rest(lives);
	fixture_audit(&fixture, "audit agrees at the end");
}

int main(void)
{
	tap_start(300);
	score = shared_memory(sizeof(*score));
	fixture_make(&fixture, "[pool default]\nmax = 64M\nstart = 8M\n");
	keeper_open(&keeper, &fixture);
	if (!start() || !fixture_ready(&fixture))
		tap_bail("slabd does not start");
	test_late();
	test_twice();
	test_lives();
	fixture_signal(&fixture, SIGTERM);
	tap_is(fixture_wait(&fixture, SURELY_MS), 0, "slabd ends");
	keeper_close(&keeper);
	fixture_remove(&fixture);
	return tap_end();
}
