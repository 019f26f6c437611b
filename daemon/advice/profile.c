/* SPDX-License-Identifier: MIT */
#include "daemon/advice/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FINE_STEPS 16u /* steps that are never merged */
#define TELL_EVENTS 1048576u

/* What is live while the trace goes by. */
struct live {
	uint32_t *began; /* by object: the event */
	uint64_t objs, bytes, large_bytes;
};

/* The last step of those that count as one where sizes are many. */
static uint32_t merged_step(uint32_t step)
{
	uint32_t n = step + 1, part;

	if (n <= FINE_STEPS)
		return step;
	part = 1u << (27u - (unsigned)__builtin_clz(n - 1));
	return (n + part - 1) / part * part - 1;
}

static void find_sizes(struct profile *p, const uint32_t *most)
{
	uint32_t n = 0;

	for (uint32_t step = 0; step < PROFILE_STEPS; step++)
		n += most[step] > 0;
	p->merged = n > PROFILE_SIZES_MAX;
	memset(p->size_of, PROFILE_NONE, sizeof(p->size_of));
	for (uint32_t step = 0, last = UINT32_MAX; step < PROFILE_STEPS;
	     step++) {
		uint32_t end = p->merged ? merged_step(step) : step;

		if (most[step] == 0)
			continue;
		p->n_sizes += end != last;
		last = end;
		p->size_of[step] = (uint8_t)(p->n_sizes - 1);
		p->sizes[p->n_sizes - 1].bytes = most[step];
	}
}

/* Of each step the most bytes that are asked for. */
static int look_at_sizes(struct profile *p, const struct trace *trace)
{
	uint32_t *most = calloc(PROFILE_STEPS, sizeof(*most));

	if (!most)
		return -ENOMEM;
	p->smallest = trace->n_objects ? UINT32_MAX : 0;
	for (size_t i = 0; i < trace->n_objects; i++) {
		uint32_t bytes = trace->objects[i].bytes;
		uint32_t some = bytes > 0 ? bytes : 1;
		uint32_t step = (some - 1) / PROFILE_STEP;

		p->smallest = bytes < p->smallest ? bytes : p->smallest;
		p->largest = bytes > p->largest ? bytes : p->largest;
		if (step < PROFILE_STEPS && most[step] < some)
			most[step] = some;
	}
	find_sizes(p, most);
	free(most);
	return 0;
}

static void note_alloc(struct profile *p, struct live *live,
                       const struct trace_object *object)
{
	unsigned ix = profile_size_of(p, object->bytes);

	p->n_allocs++;
	p->n_kept += !object->freed;
	live->bytes += object->bytes;
	if (++live->objs > p->peak_objs)
		p->peak_objs = live->objs;
	if (live->bytes > p->peak_bytes)
		p->peak_bytes = live->bytes;
	if (ix == PROFILE_NONE) {
		p->large_allocs++;
		live->large_bytes += object->bytes;
		if (live->large_bytes > p->large_bytes)
			p->large_bytes = live->large_bytes;
		return;
	}
	p->sizes[ix].n_allocs++;
	p->sizes[ix].asked_bytes += object->bytes;
	p->sizes[ix].n_kept += !object->freed;
	if (++p->sizes[ix].n_live > p->sizes[ix].n_peak)
		p->sizes[ix].n_peak = p->sizes[ix].n_live;
}

static unsigned log_of(uint32_t events)
{
	return events > 1 ? 32u - (unsigned)__builtin_clz(events - 1) : 0;
}

static void note_free(struct profile *p, struct live *live,
                      const struct trace_object *object, uint8_t thread,
                      uint32_t lived)
{
	unsigned ix = profile_size_of(p, object->bytes);
	bool elsewhere = thread != object->thread;

	p->n_elsewhere += elsewhere;
	live->objs--;
	live->bytes -= object->bytes;
	if (ix == PROFILE_NONE) {
		live->large_bytes -= object->bytes;
		return;
	}
	p->sizes[ix].n_live--;
	p->sizes[ix].n_elsewhere += elsewhere;
	p->sizes[ix].lives[log_of(lived)]++;
}

int profile_trace(struct profile *profile, const struct trace *trace,
                  const struct progress *progress)
{
	struct live live = {0};
	int error;

	memset(profile, 0, sizeof(*profile));
	error = look_at_sizes(profile, trace);
	live.began = error ? NULL : calloc(trace->n_objects + 1, 4);
	if (!live.began)
		return -ENOMEM;
	for (size_t i = 0; i < trace->n_events; i++) {
		const struct trace_event *event = &trace->events[i];
		const struct trace_object *object =
			&trace->objects[event->obj];

		if (event->op == TRACE_ALLOC) {
			live.began[event->obj] = (uint32_t)i;
			note_alloc(profile, &live, object);
		} else {
			note_free(profile, &live, object, event->thread,
			          (uint32_t)i - live.began[event->obj]);
		}
		if (i % TELL_EVENTS == 0)
			progress_say(progress, "looking at", i, trace->n_events);
	}
	free(live.began);
	return 0;
}

uint64_t profile_life(const uint64_t lives[PROFILE_LIVES])
{
	uint64_t all = 0, n = 0;

	for (unsigned i = 0; i < PROFILE_LIVES; i++)
		all += lives[i];
	for (unsigned i = 0; i < PROFILE_LIVES; i++) {
		n += lives[i];
		if (all > 0 && n * 2 >= all)
			return UINT64_C(1) << i;
	}
	return 0;
}
