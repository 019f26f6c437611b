/* SPDX-License-Identifier: MIT */
/*
 * Any value may be freed as a pointer: what is no object of the cache is
 * refused and counted, alone or among others in bulk, and nothing else happens.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/lib/harness.h"

#define SIZE 64
#define N 64

static struct fixture fixture;

static uint64_t refused(slabd_pool *pool)
{
	struct slabd_stats stats = {0};
	slabd_get_stats(pool, &stats);
	return stats.refused;
}

/* A live object's address with other bits set, as tags are. */
static void *with_bits(const void *object, uint64_t bits)
{
	return (void *)(uintptr_t)((uintptr_t)object | bits);
}

struct wild {
	const char *what;
	void *at;
};

static unsigned make_wild(struct wild *wild, void *object, void *other)
{
	static int here;
	const struct wild all[] = {
		{"MAP_FAILED", MAP_FAILED},
		{"a small number", (void *)0x1234},
		{"a tag in the top byte", with_bits(object, 0x5aULL << 56)},
		{"a tag of 4 bits", with_bits(object, 0xfULL << 56)},
		{"the top bit", with_bits(object, 1ULL << 63)},
		{"bit 47", with_bits(object, 1ULL << 47)},
		{"bit 48", with_bits(object, 1ULL << 48)},
		{"a boxed NaN", with_bits(object, 0x7ff8ULL << 48)},
		{"a negative NaN", with_bits(object, 0xfffcULL << 48)},
		{"no canonical address", (void *)0xdeadbeefdeadbeefULL},
		{"the kernel's half", (void *)0xffff888000000000ULL},
		{"the last below 47 bits", (void *)0x7fffffffffffULL},
		{"the first above 47 bits", (void *)0x800000000000ULL},
		{"the first above 48 bits", (void *)0x1000000000000ULL},
		{"a variable", &here},
		{"an object of another cache", other},
	};
	memcpy(wild, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

static void free_each(slabd_pool *pool, slabd_cache *cache,
                      const struct wild *wild, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t before = refused(pool);
		slabd_free(cache, wild[i].at);
		tap_is((long long)(refused(pool) - before), 1, "%s is refused",
		       wild[i].what);
	}
}

/* One among objects that hit, at each place. */
static void free_among(slabd_pool *pool, slabd_cache *cache,
                       const struct wild *wild, unsigned n)
{
	void *objects[N];
	unsigned wrong = 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t before = refused(pool);
		unsigned at = i * 5 % N;
		if (slabd_alloc_bulk(cache, N, objects) != N)
			tap_bail("no objects");
		slabd_free(cache, objects[at]);
		objects[at] = wild[i].at;
		slabd_free_bulk(cache, N, objects);
		wrong += refused(pool) - before != 1;
	}
	tap_is(wrong, 0, "among %u objects each is refused, and no more", N);
}

/* Nothing of what was refused is handed out. */
static void use_all(slabd_cache *cache, const struct wild *wild, unsigned n)
{
	void *objects[4 * N];
	unsigned wrong = 0;
	size_t got = slabd_alloc_bulk(cache, 4 * N, objects);
	for (size_t i = 0; i < got; i++) {
		for (unsigned k = 0; k < n; k++)
			wrong += objects[i] == wild[k].at;
		memset(objects[i], 1, SIZE);
	}
	tap_is(wrong, 0, "none is handed out afterwards");
	slabd_free_bulk(cache, got, objects);
}

static void client(int fd, void *arg)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "wild", SIZE);
	slabd_cache *tame = fixture_cache(pool, "tame", SIZE);
	char *object = slabd_alloc(cache);
	void *other = slabd_alloc(tame);
	struct wild wild[32];
	unsigned n = make_wild(wild, object, other);
	uint64_t before = refused(pool);
	(void)fd;
	(void)arg;
	memset(object, 7, SIZE);
	free_each(pool, cache, wild, n);
	free_among(pool, cache, wild, n);
	use_all(cache, wild, n);
	tap_ok(object[0] == 7 && object[SIZE - 1] == 7,
	       "the object that they point near to is as it was");
	before = refused(pool);
	slabd_free(cache, NULL);
	slabd_free_bulk(cache, 2, (void *[]){NULL, object});
	slabd_free(tame, other);
	slabd_flush(pool);
	tap_is((long long)(refused(pool) - before), 0,
	       "NULL and what is the client's own are not");
	slabd_close(pool);
}

int main(void)
{
	struct child child;
	tap_start(60);
	fixture_open(&fixture, "[pool default]\npage = 4k\nmax = 64M\n");
	child_start(&child, client, NULL);
	child_end(&child, "the client ends well");
	tap_is(fixture_used(&fixture), 0, "nothing is in use");
	fixture_audit(&fixture, "after all that");
	fixture_close(&fixture);
	return tap_end();
}
