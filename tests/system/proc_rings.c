/* SPDX-License-Identifier: MIT */
/* Hundreds of ids of one process ring all the time, with every want of their pool
 * raised: clients beside them get what they ask for, each want is served or denied,
 * and when all of them die at once nobody else waits. */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/layout.h"
#include "shm/view.h"
#include "tests/lib/harness.h"
#include "tests/lib/raw.h"
#include "tests/lib/turns.h"

#define IDS 200u
#define CACHES 300u /* a slab of 64 KiB for each is there */
#define MORE 400u   /* and not for these */
#define MAX_MIB 32u
#define UNITS (MAX_MIB * 16)
#define SIZE 4000
#define MANY 2000u /* objects, of a pool that has room for more */
#define HELLOS 20u

static struct fixture fixture;
static struct raw ids[IDS];

/* ---- who rings ----------------------------------------------------------- */

/* One id sees the pool's memory; of the others the sockets are enough. */
static void open_ids(struct view *view)
{
	struct layout_geometry geo;
	void *control;
	void *shared;
	for (unsigned i = 0; i < IDS; i++) {
		raw_open(&ids[i], &fixture, "default");
		if (i == 0)
			continue;
		close(ids[i].control);
		close(ids[i].shared);
		close(ids[i].data[0]);
		ids[i].control = ids[i].shared = ids[i].data[0] = -1;
	}
	control = mmap(NULL, ids[0].welcome.control_bytes, PROT_READ,
	               MAP_SHARED, ids[0].control, 0);
	shared = mmap(NULL, ids[0].welcome.shared_bytes, PROT_READ | PROT_WRITE,
	              MAP_SHARED, ids[0].shared, 0);
	if (control == MAP_FAILED || shared == MAP_FAILED ||
	    layout_check(control, ids[0].welcome.control_bytes,
	                 ids[0].welcome.shared_bytes, &geo) != 0)
		tap_bail("the pool can't be mapped");
	view_init(view, &geo, control, shared);
}

static void make_caches(unsigned from, unsigned to)
{
	char name[NAME_BYTES] = "";
	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		if (raw_create(ids[i % IDS].sock, name, SIZE).error != 0)
			tap_bail("cache %u can't be made", i);
	}
}

static void raise_all(const struct view *view)
{
	for (uint64_t w = 0; w < view->geo.want_words; w++)
		atom_store(&view->wants[w], ~UINT64_C(0));
}

static bool ring(const struct raw *raw)
{
	struct wire_head head = {.type = WIRE_RING, .bytes = sizeof(head)};
	return send(raw->events, &head, sizeof(head),
	            MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(head);
}

/* Rings until it is told to stop, no id more often than it may. Says how often;
 * then, with more caches than there is memory for, raises all wants once more and
 * waits until each was taken. */
static void ringer(int fd, void *arg)
{
	volatile bool *stop = arg;
	struct view view;
	uint64_t rings = 0;
	uint64_t left = 1;
	open_ids(&view);
	make_caches(0, CACHES);
	say(fd, 1);
	for (unsigned round = 0; !*stop; round++) {
		raise_all(&view);
		for (unsigned i = 0; i < IDS; i++)
			rings += ring(&ids[i]);
		if (round % 512 == 511)
			sleep_ms(1000);
	}
	say(fd, rings);
	hear(fd);
	make_caches(CACHES, CACHES + MORE);
	raise_all(&view);
	while (left != 0) {
		ring(&ids[0]);
		sleep_ms(10);
		left = 0;
		for (uint64_t w = 0; w < view.geo.want_words; w++)
			left |= atom_load(&view.wants[w]);
	}
	say(fd, 1);
	hear(fd);
}

/* ---- who does not -------------------------------------------------------- */

/* A client of the same pool, of the same user: its wants come by as all do. */
static void grower(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "orders", SIZE);
	static void *all[MANY];
	size_t n = fixture_take(cache, MANY, all);
	(void)fd;
	(void)arg;
	tap_is((long long)n, MANY, "who rings beside them is served");
	slabd_free_bulk(cache, n, all);
	slabd_close(pool);
}

/* Comes to another pool, and goes. */
static void visitor(int fd, void *arg)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	unsigned good = 0;
	(void)fd;
	(void)arg;
	for (unsigned i = 0; i < HELLOS; i++) {
		slabd_pool *pool = slabd_open("other", &options);
		slabd_cache *cache;
		void *object;
		if (pool == NULL)
			break;
		cache = fixture_cache(pool, "visits", SIZE);
		object = slabd_alloc(cache);
		good += object != NULL;
		slabd_free(cache, object);
		slabd_close(pool);
	}
	tap_is(good, HELLOS, "another pool's clients come, have and go");
}

static void beside(const char *name)
{
	struct child grows;
	struct child visits;
	child_start(&grows, grower, NULL);
	child_start(&visits, visitor, NULL);
	child_end(&grows, name);
	child_end(&visits, name);
}

/* ---- all of it ----------------------------------------------------------- */

static void note_turns(const struct turns *before, const char *name)
{
	struct turns turns;
	tap_ok(turns_read(&fixture, &turns), "turns are told");
	turns_subtract(&turns, before);
	tap_ok(turns.count > 0 && turns_below_us(&turns) > 0,
	       "what was done is in them");
	tap_note("%s: %llu turns, 999 in 1,000 below %llu us, each below %llu "
	         "us",
	         name, (unsigned long long)turns.count,
	         (unsigned long long)turn_quantile_us(&turns, 999000),
	         (unsigned long long)turns_below_us(&turns));
}

/* The round that took the last want may go on for a while. */
static long long denied_in_the_end(void)
{
	double end = now_ms() + SURELY_MS;
	long long n = 0;
	while (n < CACHES + MORE - UNITS && now_ms() < end)
		n = fixture_number(&fixture, "/status", "pools.0.denied");
	return n;
}

static void test_rings(void)
{
	bool *stop = shared_memory(sizeof(*stop));
	struct child rings;
	struct turns before;
	long long n;
	tap_ok(turns_read(&fixture, &before), "turns are told");
	child_start(&rings, ringer, stop);
	hear(rings.fd);
	beside("beside those that ring");
	*stop = true;
	n = (long long)hear(rings.fd);
	note_turns(&before, "rings");
	tap_ok(n > 0, "they rang");
	tap_is(fixture_number(&fixture, "/status", "dropped.flood"), 0,
	       "and nobody was dropped for it");
	say(rings.fd, 1);
	hear(rings.fd);
	tap_ok(true, "each want was taken");
	tap_ok(denied_in_the_end() >= CACHES + MORE - UNITS,
	       "and lists that there was no memory for were denied");
	turns_read(&fixture, &before);
	child_kill(&rings);
	beside("beside those that die");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.deaths", IDS,
	                     SURELY_MS) >= 0,
	       "all of them are seen to be dead");
	tap_ok(fixture_until(&fixture, "/status", "pools.0.clients", 0,
	                     SURELY_MS) >= 0,
	       "and are gone");
	note_turns(&before, "deaths");
	fixture_audit(&fixture, "after that");
	tap_is(fixture_owned(&fixture), 0, "nobody has anything");
}

int main(void)
{
	tap_start(600);
	fixture_open(&fixture,
	             "[pool default]\nstart = 4M\nmax = %uM\npage = 4k\n"
	             "max_caches = 1024\n"
	             "[pool other]\nstart = 4M\nmax = 8M\npage = 4k\n",
	             MAX_MIB);
	test_rings();
	fixture_close(&fixture);
	return tap_end();
}
