/* SPDX-License-Identifier: MIT */
#include "daemon/advice/peaks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8u
#define TELL_EVENTS 65536u

/* Counts of objects, eight at a time; a trace has fewer than 2^31. */
typedef int32_t lanes __attribute__((vector_size(LANES * 4)));

struct sums {
	/* Live objects of the sizes up to each, that one too. */
	lanes upto[PROFILE_SIZES_MAX / LANES + 1];
	unsigned n; /* groups of lanes */
};

/* An object of size ix begins (by 1) or ends (by -1). */
static void add(struct sums *sums, unsigned ix, int32_t by)
{
	int32_t *at = (int32_t *)sums->upto;

	for (unsigned i = ix; i < sums->n * LANES; i++)
		at[i] += by;
}

/* Runs from first on whose last size is in the group of ix or behind. Where a run
 * ends before ix it has no new object: it stays as it was. */
static void lift(const struct sums *sums, lanes *row, int32_t below,
                 unsigned group)
{
	for (unsigned i = group; i < sums->n; i++) {
		lanes now = sums->upto[i] - below;
		lanes is_more = now > row[i];

		row[i] = (now & is_more) | (row[i] & ~is_more);
	}
}

static void note_alloc(struct peaks *peaks, struct sums *sums, unsigned ix)
{
	const int32_t *upto = (const int32_t *)sums->upto;

	add(sums, ix, 1);
	for (unsigned first = 0; first <= ix; first++)
		lift(sums, (lanes *)(peaks->most + (size_t)first * peaks->row),
		     first ? upto[first - 1] : 0, ix / LANES);
}

int peaks_make(struct peaks *peaks, const struct profile *profile,
               const struct trace *trace, const struct progress *progress)
{
	struct sums sums;
	size_t bytes;

	memset(&sums, 0, sizeof(sums));
	sums.n = (profile->n_sizes + LANES - 1) / LANES;
	peaks->row = sums.n * LANES;
	bytes = ((size_t)profile->n_sizes + 1) * peaks->row * 4 + sizeof(lanes);
	bytes = (bytes + sizeof(lanes) - 1) / sizeof(lanes) * sizeof(lanes);
	peaks->most = aligned_alloc(sizeof(lanes), bytes);
	if (!peaks->most)
		return -ENOMEM;
	memset(peaks->most, 0, bytes);
	for (size_t i = 0; i < trace->n_events; i++) {
		const struct trace_event *event = &trace->events[i];
		unsigned ix = profile_size_of(profile,
		                              trace->objects[event->obj].bytes);

		if (ix != PROFILE_NONE && event->op == TRACE_ALLOC)
			note_alloc(peaks, &sums, ix);
		else if (ix != PROFILE_NONE)
			add(&sums, ix, -1);
		if (i % TELL_EVENTS == 0)
			progress_say(progress, "measuring", i, trace->n_events);
	}
	return 0;
}

void peaks_drop(struct peaks *peaks)
{
	free(peaks->most);
	peaks->most = NULL;
}
