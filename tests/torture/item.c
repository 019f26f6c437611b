/* SPDX-License-Identifier: MIT */
/* What is written into objects, and whether it is still there. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/torture/torture.h"

#define STEP UINT64_C(0x9e3779b97f4a7c15)

/* Between a free and the next allocation slabd may make another slab of the
 * memory. The thread sanitizer sees the threads of this process alone, and not
 * that slabd orders what they do there; the words themselves tell. */
#define OBJECT_ACCESS __attribute__((no_sanitize("thread")))

const struct torture_kind torture_kinds[CACHES] = {
	{"tiny", 16, 0},     {"small", 48, 0},     {"line", 64, 64},
	{"uneven", 200, 0},  {"kilo", 1000, 0},    {"page", 4096, 4096},
	{"large", 20000, 0}, {"huge", 100000, 64},
};

void torture_fault(struct board *board, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* A flood of them says no more than the first few. */
	if (atom_add(&board->faults, 1u) < 20)
		tap_note("FAULT in %d: %s", getpid(), text);
}

/* The words after the first, which is the seed itself. */
static uint64_t word_of(const struct worker *worker, const struct item *item,
                        uint32_t i)
{
	uint64_t handle = slabd_handle_of(worker->pool, item->obj);
	return (item->seed ^ handle * STEP) + i * STEP;
}

OBJECT_ACCESS void item_stamp_as(const struct worker *worker, struct item *item,
                                 uint64_t seed)
{
	uint32_t n = torture_kinds[item->cache].size / 8;
	uint64_t *words = item->obj;
	uint64_t word;
	item->seed = seed;
	word = word_of(worker, item, 0);
	words[0] = item->seed;
	for (uint32_t i = 1; i < n; i++)
		words[i] = word += STEP;
}

void item_stamp(struct worker *worker, struct item *item)
{
	item_stamp_as(worker, item,
	              worker->life << 40 | (atom_add(&worker->seeds, 1u) + 1));
}

/* The first word that is wrong, or the number of words. */
OBJECT_ACCESS static uint32_t first_wrong(const struct worker *worker,
                                          const struct item *item)
{
	uint32_t n = torture_kinds[item->cache].size / 8;
	const uint64_t *words = item->obj;
	uint64_t word = word_of(worker, item, 0);
	if (words[0] != item->seed)
		return 0;
	for (uint32_t i = 1; i < n; i++)
		if (words[i] != (word += STEP))
			return i;
	return n;
}

bool item_intact(struct worker *worker, const struct item *item)
{
	return first_wrong(worker, item) == torture_kinds[item->cache].size / 8;
}

OBJECT_ACCESS bool item_check(struct worker *worker, const struct item *item,
                              const char *when)
{
	uint32_t i = first_wrong(worker, item);
	const uint64_t *words = item->obj;
	uint64_t want = i == 0 ? item->seed : word_of(worker, item, i);
	if (i == torture_kinds[item->cache].size / 8)
		return true;
	torture_fault(
		worker->board,
		"%s: word %u of an object of cache %s at 0x%llx, held by "
		"client %u of life %llu, is 0x%llx and should be 0x%llx; "
		"word 0 is 0x%llx (life %llu)",
		when, i, torture_kinds[item->cache].name,
		(unsigned long long)slabd_handle_of(worker->pool, item->obj),
		worker->id, (unsigned long long)worker->life,
		(unsigned long long)words[i], (unsigned long long)want,
		(unsigned long long)words[0],
		(unsigned long long)words[0] >> 40);
	return false;
}

OBJECT_ACCESS bool item_adopt(struct worker *worker, void *obj, uint32_t cache,
                              struct item *item)
{
	bool good;
	*item = (struct item){
		.obj = obj, .seed = *(uint64_t *)obj, .cache = cache};
	good = item_check(worker, item, "a gift");
	item_stamp(worker, item);
	return good;
}

OBJECT_ACCESS struct item item_of(void *obj)
{
	return (struct item){.obj = obj, .seed = *(uint64_t *)obj};
}

OBJECT_ACCESS void item_spoil(const struct item *item)
{
	uint64_t *words = item->obj;
	words[0] = words[1] = UINT64_C(0xdddddddddddddddd);
}
