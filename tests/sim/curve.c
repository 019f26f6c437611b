/* SPDX-License-Identifier: MIT */
#include "tests/sim/curve.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/replay/classes.h"
#include "daemon/advice/trace.h"

#define LARGEST (256u << 10) /* what is larger is no slab's business here */

/* Live objects of every class along one trace. */
struct counts {
	uint32_t at[CLASSES_N][CURVE_POINTS];
	uint64_t peak[CLASSES_N];
};

static void count_trace(const struct trace *trace, struct counts *counts)
{
	uint32_t live[CLASSES_N] = {0};
	size_t done = 0;
	for (uint32_t p = 0; p < CURVE_POINTS; p++) {
		size_t end = trace->n_events * (p + 1) / CURVE_POINTS;
		for (; done < end; done++) {
			const struct trace_event *event = &trace->events[done];
			uint32_t bytes = trace->objects[event->obj].bytes;
			unsigned class = classes_of(bytes);
			if (bytes <= LARGEST)
				live[class] +=
					event->op == TRACE_ALLOC ? 1 : -1u;
		}
		for (unsigned c = 0; c < CLASSES_N; c++) {
			counts->at[c][p] = live[c];
			if (live[c] > counts->peak[c])
				counts->peak[c] = live[c];
		}
	}
}

static uint64_t class_bytes(const struct counts *counts, unsigned class)
{
	return counts->peak[class] * classes_bytes(class);
}

/* The classes with most bytes over all traces. */
static void choose(struct curves *curves, const struct counts *counts,
                   unsigned *chosen)
{
	uint64_t sum[CLASSES_N] = {0};
	for (uint32_t t = 0; t < curves->n; t++)
		for (unsigned c = 0; c < CLASSES_N; c++)
			sum[c] += class_bytes(&counts[t], c);
	while (curves->n_caches < CURVE_CACHES_MAX) {
		unsigned best = 0;
		for (unsigned c = 1; c < CLASSES_N; c++)
			if (sum[c] > sum[best])
				best = c;
		if (sum[best] == 0)
			return;
		sum[best] = 0;
		curves->bytes[curves->n_caches] = (uint32_t)classes_bytes(best);
		chosen[curves->n_caches++] = best;
	}
}

static void add_best(struct curve *curve, uint32_t cache)
{
	uint32_t i = curve->n_best++;
	for (; i > 0 &&
	       curve->peak_bytes[curve->best[i - 1]] < curve->peak_bytes[cache];
	     i--)
		curve->best[i] = curve->best[i - 1];
	curve->best[i] = cache;
}

static void fill(struct curve *curve, const struct counts *counts,
                 const unsigned *chosen, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		unsigned class = chosen[i];
		curve->peak_bytes[i] = class_bytes(counts, class);
		if (counts->peak[class] == 0)
			continue;
		for (uint32_t p = 0; p < CURVE_POINTS; p++)
			curve->part[i][p] = (float)counts->at[class][p] /
			                    (float)counts->peak[class];
		add_best(curve, i);
	}
}

static int is_trace(const struct dirent *entry)
{
	const char *dot = strchr(entry->d_name, '.');
	return dot != NULL && strcmp(dot, ".trace.zst") == 0;
}

static int load_one(struct curves *curves, const char *folder, const char *name,
                    struct counts *counts, char why[256])
{
	struct trace trace;
	struct trace_fault fault;
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (trace_load(&trace, path, NULL, &fault) < 0) {
		snprintf(why, 256, "%.255s", fault.text);
		return -1;
	}
	count_trace(&trace, &counts[curves->n]);
	snprintf(curves->curve[curves->n].name, sizeof(curves->curve[0].name),
	         "%.*s", (int)strcspn(name, "."), name);
	curves->n++;
	trace_drop(&trace);
	return 0;
}

static int load_all(struct curves *curves, const char *folder,
                    struct counts *counts, char why[256])
{
	struct dirent **names;
	int n = scandir(folder, &names, is_trace, alphasort);
	int bad = 0;
	if (n <= 0)
		snprintf(why, 256, "%s has no *.trace.zst", folder);
	for (int i = 0; i < n; i++) {
		if (!bad && curves->n < CURVE_TRACES_MAX)
			bad = load_one(curves, folder, names[i]->d_name, counts,
			               why);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return bad || n <= 0 ? -1 : 0;
}

struct curves *curves_load(const char *folder, char why[256])
{
	struct curves *curves = calloc(1, sizeof(*curves));
	struct counts *counts = calloc(CURVE_TRACES_MAX, sizeof(*counts));
	unsigned chosen[CURVE_CACHES_MAX];
	if (curves == NULL || counts == NULL) {
		snprintf(why, 256, "no memory");
	} else if (load_all(curves, folder, counts, why) == 0) {
		choose(curves, counts, chosen);
		for (uint32_t t = 0; t < curves->n; t++)
			fill(&curves->curve[t], &counts[t], chosen,
			     curves->n_caches);
		free(counts);
		return curves;
	}
	free(counts);
	free(curves);
	return NULL;
}

void curves_drop(struct curves *curves)
{
	free(curves);
}
