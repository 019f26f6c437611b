/* SPDX-License-Identifier: MIT */
/*
 * Peaks and choices of caches against what trying all of them gives, on small
 * traces of chance; what a pool is to have; and traces that are hard.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/advice/choose.h"
#include "shm/layout.h"
#include "tests/lib/rng.h"

#define EVENTS_MAX 4096u

static struct trace_event events[EVENTS_MAX];
static struct trace_object objects[EVENTS_MAX];
static struct trace trace;
static struct profile profile;
static struct peaks peaks;
static struct choose choose;

static void start(void)
{
	memset(&trace, 0, sizeof(trace));
	trace.events = events;
	trace.objects = objects;
}

static void end(void)
{
	peaks_drop(&peaks);
}

TestSuite(choose, .init = start, .fini = end);

static uint32_t begin(uint32_t bytes)
{
	uint32_t obj = (uint32_t)trace.n_objects++;

	objects[obj] = (struct trace_object){bytes, 1, 0};
	events[trace.n_events++] = (struct trace_event){obj, TRACE_ALLOC, 1};
	return obj;
}

static void finish(uint32_t obj, uint8_t thread)
{
	objects[obj].freed = 1;
	events[trace.n_events++] =
		(struct trace_event){obj, TRACE_FREE, thread};
}

static void look(unsigned max)
{
	peaks_drop(&peaks);
	cr_assert_eq(profile_trace(&profile, &trace, NULL), 0);
	cr_assert_eq(peaks_make(&peaks, &profile, &trace, NULL), 0);
	cr_assert_eq(choose_caches(&choose, &profile, &peaks, max), 0);
}

/* A trace by chance, of so many sizes; many of each, so that slabs differ. */
static void make_trace(struct rng *rng, unsigned n_sizes)
{
	static uint32_t live[EVENTS_MAX];
	uint32_t sizes[8], n = 0;

	start();
	for (unsigned i = 0; i < n_sizes; i++)
		sizes[i] = 1 + rng_below(rng, 30000);
	while (trace.n_events < EVENTS_MAX / 2) {
		if (n > 0 && rng_below(rng, 5) < 2) {
			uint32_t at = rng_below(rng, n);

			finish(live[at], 1);
			live[at] = live[--n];
		} else {
			live[n++] = begin(sizes[rng_below(rng, n_sizes)]);
		}
	}
}

/* Live at a time at most, of the sizes from first to last, counted anew. */
static uint32_t most_live(unsigned first, unsigned last)
{
	uint32_t live = 0, most = 0;

	for (size_t i = 0; i < trace.n_events; i++) {
		unsigned ix = profile_size_of(&profile,
		                              objects[events[i].obj].bytes);

		if (ix < first || ix > last)
			continue;
		live += events[i].op == TRACE_ALLOC ? 1 : -1u;
		most = live > most ? live : most;
	}
	return most;
}

static uint64_t slab_bytes(unsigned first, unsigned last)
{
	struct layout_cache row;
	uint64_t n = most_live(first, last);

	cr_assert_eq(layout_fit_cache(CHOOSE_PAGE_SHIFT,
	                              profile.sizes[last].bytes, 0, &row),
	             0);
	return (n + row.n_objs - 1) / row.n_objs * (UNIT_BYTES << row.order);
}

/* Each way to cut the sizes into at most max runs: a bit says where one ends. */
static uint64_t least_bytes(unsigned max)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t cuts = 0; cuts < 1u << (profile.n_sizes - 1); cuts++) {
		uint64_t all = 0;
		unsigned first = 0;

		if ((unsigned)__builtin_popcount(cuts) >= max)
			continue;
		for (unsigned i = 0; i < profile.n_sizes; i++) {
			if (i + 1 < profile.n_sizes && !(cuts >> i & 1))
				continue;
			all += slab_bytes(first, i);
			first = i + 1;
		}
		least = all < least ? all : least;
	}
	return least;
}

Test(choose, no_choice_of_as_many_caches_takes_less)
{
	struct rng rng = rng_start("choose");

	for (unsigned round = 0; round < 40; round++) {
		unsigned n = 1 + rng_below(&rng, 7);

		make_trace(&rng, n);
		for (unsigned max = 1; max <= n; max++) {
			look(max);
			cr_assert_leq(choose.n_caches, max);
			cr_assert_eq(choose.slab_bytes, least_bytes(max),
			             "%u caches for %u sizes: %llu bytes, not "
			             "%llu", max, profile.n_sizes,
			             (unsigned long long)choose.slab_bytes,
			             (unsigned long long)least_bytes(max));
		}
		for (unsigned i = 0; i < profile.n_sizes; i++)
			for (unsigned k = i; k < profile.n_sizes; k++)
				cr_assert_eq(peaks_of(&peaks, i, k),
				             most_live(i, k), "of %u to %u", i,
				             k);
	}
}

/* Each size is in one cache, whose objects are as large as its largest. */
Test(choose, the_caches_hold_every_size_once)
{
	struct rng rng = rng_start("choose");
	unsigned next = 0;

	make_trace(&rng, 8);
	look(3);
	for (unsigned i = 0; i < choose.n_caches; i++) {
		const struct choose_cache *cache = &choose.caches[i];

		cr_assert_eq(cache->first, next);
		cr_assert_eq(cache->bytes, profile.sizes[cache->last].bytes);
		for (unsigned k = cache->first; k <= cache->last; k++)
			cr_assert_eq(choose_of(&choose, k), i);
		next = cache->last + 1;
	}
	cr_assert_eq(next, profile.n_sizes);
}

/* Two sizes that are never live together share what one of them needs. */
Test(choose, what_comes_in_turn_shares_a_cache)
{
	uint32_t some[800];

	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < 800; i++)
			some[i] = begin(turn ? 1000 : 960);
		for (unsigned i = 0; i < 800; i++)
			finish(some[i], 1);
	}
	look(16);
	cr_assert_eq(choose.n_caches, 1u);
	cr_assert_eq(choose.caches[0].bytes, 1000u);
	cr_assert_eq(choose.caches[0].n_peak, 800u);
}

Test(choose, who_frees_and_for_how_long)
{
	uint32_t first = begin(100), second = begin(100);

	begin(100);
	finish(first, 2);
	finish(second, 1);
	look(16);
	cr_assert_eq(profile.n_elsewhere, 1u);
	cr_assert_eq(profile.n_kept, 1u);
	cr_assert_eq(profile.peak_objs, 3u);
	cr_assert_eq(profile.peak_bytes, 300u);
	cr_assert_eq(choose.caches[0].n_elsewhere, 1u);
	cr_assert_eq(choose.caches[0].n_kept, 1u);
	/* Both lived for three events: up to four. */
	cr_assert_eq(choose.caches[0].life, 4u);
}

/* A pool begins with its slabs at peak, and keeps what is there half the time. */
Test(choose, the_pool_by_its_high_water_mark)
{
	uint32_t some[1000];

	for (unsigned i = 0; i < 1000; i++)
		some[i] = begin(16384);
	for (unsigned i = 0; i < 1000; i++)
		finish(some[i], 1);
	for (unsigned i = 0; i < 1040; i++)
		finish(begin(16384), 1);
	look(16);
	cr_assert_eq(choose_pool(&choose, &profile, &trace), 0);
	cr_assert_geq(choose.slab_bytes, 16384000u);
	cr_assert_geq(choose.start_bytes, choose.slab_bytes);
	cr_assert_lt(choose.start_bytes - choose.slab_bytes, 2u << 20);
	cr_assert_eq(choose.start_bytes % (2u << 20), 0u);
	cr_assert_eq(choose.floor_bytes, 2u << 20);
}

/* Sizes of 0 and of all that a trace can say; nothing at all. */
Test(choose, hostile_sizes)
{
	finish(begin(0), 1);
	begin(UINT32_MAX);
	begin(UINT32_MAX);
	begin(PROFILE_LARGEST);
	begin(PROFILE_LARGEST + 1);
	look(64);
	cr_assert_eq(profile.n_sizes, 2u);
	cr_assert_eq(profile.large_allocs, 3u);
	cr_assert_eq(profile.large_bytes,
	             2 * (uint64_t)UINT32_MAX + PROFILE_LARGEST + 1);
	/* One slab has room for both. */
	cr_assert_eq(choose.n_caches, 1u);
	cr_assert_eq(choose.slab_bytes, UNIT_BYTES);
	start();
	look(16);
	cr_assert_eq(choose.n_caches, 0u);
	cr_assert_eq(choose_pool(&choose, &profile, &trace), 0);
	cr_assert_eq(choose.start_bytes, 2u << 20);
}

/* More sizes than are told apart: each is in a cache that holds it. */
Test(choose, sizes_without_number_are_merged)
{
	for (uint32_t i = 0; i < 2000; i++)
		begin(16 * (i + 1));
	look(64);
	cr_assert(profile.merged);
	cr_assert_leq(profile.n_sizes, PROFILE_SIZES_MAX);
	for (uint32_t i = 0; i < 2000; i++) {
		unsigned ix = profile_size_of(&profile, 16 * (i + 1));
		uint32_t most = profile.sizes[ix].bytes;

		cr_assert_geq(most, 16 * (i + 1));
		cr_assert_leq(most - 16 * (i + 1), most / 16);
	}
}
