/* SPDX-License-Identifier: MIT */
#include "daemon/advice/choose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/layout.h"

#define SAMPLES_MAX 65536u
#define PAGE_BYTES (UINT64_C(1) << CHOOSE_PAGE_SHIFT)

/* What a choice costs: less in slabs first, then in slots that are in use. */
struct cost {
	uint64_t slabs, slots;
};

/* The best that so many caches can do for the first sizes, and where the last
 * of these caches begins. */
struct best {
	struct cost cost;
	unsigned first;
};

static struct cost sum(struct cost a, struct cost b)
{
	return (struct cost){a.slabs + b.slabs, a.slots + b.slots};
}

static bool is_less(struct cost a, struct cost b)
{
	return a.slabs != b.slabs ? a.slabs < b.slabs : a.slots < b.slots;
}

static uint64_t slabs_of(const struct layout_cache *row, uint64_t n)
{
	return (n + row->n_objs - 1) / row->n_objs;
}

static struct cost cost_of(const struct layout_cache *row, uint64_t n)
{
	return (struct cost){slabs_of(row, n) * (UNIT_BYTES << row->order),
	                     n * row->stride};
}

/* The best of one cache more, for the sizes up to last. */
static void improve(struct best *more, const struct best *fewer,
                    const struct peaks *peaks, const struct layout_cache *row,
                    unsigned last)
{
	*more = fewer[last];
	for (unsigned first = 1; first <= last; first++) {
		struct cost cost =
			sum(fewer[first - 1].cost,
		            cost_of(row, peaks_of(peaks, first, last)));

		if (is_less(cost, more->cost))
			*more = (struct best){cost, first};
	}
}

/* A row for each number of caches, from 1 on. */
static void fill(struct best *best, const struct peaks *peaks,
                 const struct layout_cache *rows, unsigned n, unsigned max)
{
	for (unsigned last = 0; last < n; last++)
		best[last] = (struct best){
			cost_of(&rows[last], peaks_of(peaks, 0, last)), 0};
	for (unsigned k = 1; k < max; k++, best += n)
		for (unsigned last = 0; last < n; last++)
			improve(&best[n + last], best, peaks, &rows[last],
			        last);
}

static void describe(struct choose_cache *cache, const struct profile *profile,
                     const struct peaks *peaks, const struct layout_cache *row)
{
	uint64_t lives[PROFILE_LIVES] = {0};

	cache->bytes = row->size;
	cache->slot_bytes = row->stride;
	cache->objs_slab = row->n_objs;
	cache->slab_bytes = UNIT_BYTES << row->order;
	cache->n_peak = peaks_of(peaks, cache->first, cache->last);
	cache->n_slabs = slabs_of(row, cache->n_peak);
	for (unsigned i = cache->first; i <= cache->last; i++) {
		const struct profile_size *size = &profile->sizes[i];

		cache->n_allocs += size->n_allocs;
		cache->asked_bytes += size->asked_bytes;
		cache->n_elsewhere += size->n_elsewhere;
		cache->n_kept += size->n_kept;
		for (unsigned l = 0; l < PROFILE_LIVES; l++)
			lives[l] += size->lives[l];
	}
	cache->life = profile_life(lives);
}

/* From the last cache to the first: a row of best for each number of caches. */
static void trace_back(struct choose *choose, const struct best *best,
                       unsigned n, unsigned k)
{
	unsigned last = n - 1;

	for (;;) {
		const struct best *at = &best[(k - 1) * n + last];

		/* No worse with fewer. */
		while (k > 1 && !is_less(at->cost, (at - n)->cost)) {
			at -= n;
			k--;
		}
		choose->caches[choose->n_caches++] =
			(struct choose_cache){.first = at->first, .last = last};
		if (at->first == 0)
			return;
		last = at->first - 1;
		k--;
	}
}

static void reverse(struct choose *choose)
{
	for (unsigned i = 0, n = choose->n_caches; i < n / 2; i++) {
		struct choose_cache other = choose->caches[i];

		choose->caches[i] = choose->caches[n - 1 - i];
		choose->caches[n - 1 - i] = other;
	}
}

int choose_caches(struct choose *choose, const struct profile *profile,
                  const struct peaks *peaks, unsigned max)
{
	unsigned n = profile->n_sizes;
	struct layout_cache rows[PROFILE_SIZES_MAX];
	struct best *best;

	memset(choose, 0, sizeof(*choose));
	if (n == 0)
		return 0;
	max = max < n ? max : n;
	best = calloc((size_t)n * max, sizeof(*best));
	if (!best)
		return -ENOMEM;
	/* A size of up to PROFILE_LARGEST always fits. */
	for (unsigned i = 0; i < n; i++)
		layout_fit_cache(CHOOSE_PAGE_SHIFT, profile->sizes[i].bytes, 0,
		                 &rows[i]);
	fill(best, peaks, rows, n, max);
	trace_back(choose, best, n, max);
	reverse(choose);
	for (unsigned i = 0; i < choose->n_caches; i++) {
		struct choose_cache *cache = &choose->caches[i];

		describe(cache, profile, peaks, &rows[cache->last]);
		choose->slab_bytes += cache->n_slabs * cache->slab_bytes;
	}
	free(best);
	return 0;
}

unsigned choose_of(const struct choose *choose, unsigned size)
{
	unsigned i = 0;

	while (choose->caches[i].last < size)
		i++;
	return i;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t whole_pages(uint64_t bytes)
{
	uint64_t n = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	return (n > 0 ? n : 1) * PAGE_BYTES;
}

/* What is in use half of the time, in bytes of slots. */
static void sample(const struct choose *choose, const struct profile *profile,
                   const struct trace *trace, uint64_t *samples,
                   uint64_t *half)
{
	size_t step = trace->n_events / SAMPLES_MAX + 1, n = 0;
	uint32_t slot[PROFILE_SIZES_MAX];
	uint64_t live = 0;

	for (unsigned i = 0; i < profile->n_sizes; i++)
		slot[i] = choose->caches[choose_of(choose, i)].slot_bytes;
	for (size_t i = 0; i < trace->n_events; i++) {
		const struct trace_event *event = &trace->events[i];
		unsigned ix = profile_size_of(profile,
		                              trace->objects[event->obj].bytes);

		if (ix != PROFILE_NONE)
			live += event->op == TRACE_ALLOC ? slot[ix]
			                                 : -(uint64_t)slot[ix];
		if (i % step == 0)
			samples[n++] = live;
	}
	qsort(samples, n, sizeof(*samples), by_value);
	*half = n ? samples[n / 2] : 0;
}

int choose_pool(struct choose *choose, const struct profile *profile,
                const struct trace *trace)
{
	uint64_t *samples = calloc(SAMPLES_MAX + 1, sizeof(*samples));
	uint64_t half = 0, slots = 0;

	if (!samples)
		return -ENOMEM;
	if (choose->n_caches)
		sample(choose, profile, trace, samples, &half);
	free(samples);
	for (unsigned i = 0; i < choose->n_caches; i++)
		slots += (uint64_t)choose->caches[i].n_peak *
		         choose->caches[i].slot_bytes;
	choose->start_bytes = whole_pages(choose->slab_bytes);
	choose->floor_bytes = whole_pages(
		slots ? (uint64_t)((double)half / (double)slots *
	                           (double)choose->slab_bytes)
	              : 0);
	return 0;
}
