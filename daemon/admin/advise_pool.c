/* SPDX-License-Identifier: MIT */
/* What a pool begins with, keeps and may have, beside what it came to use. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admin/advise.h"
#include "daemon/base/clock.h"
#include "daemon/pool/past.h"
#include "daemon/serve/sampling.h"

#define MARKS_MAX 1024u            /* more than a ring has slots */
#define PAGE_STEP (2 * ADVISE_MIB) /* sizes are advised in steps of that */
#define FULL_PERCENT 90u
#define SPAN_LEAST_S 3600 /* to call something too large */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static uint64_t carved_of(const struct pool *pool, const struct past_sample *s)
{
	uint64_t most = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		most = s->node[node].carved > most ? s->node[node].carved : most;
	return most;
}

/* False: nothing is known of its past. */
static bool look_at_past(struct report *r, const struct pool *pool,
                         struct advise_marks *marks)
{
	static uint64_t carved[MARKS_MAX];
	const struct past *past = sampling_past(r->server, pool);
	const struct past_sample *s;
	int64_t first_ns = INT64_MAX, last_ns = 0;
	unsigned ring, n = 0;
	if (past == NULL)
		return false;
	ring = past_ring(past, PAST_SPAN_MAX_S * CLOCK_S);
	while (n < MARKS_MAX && (s = past_next(past, ring, last_ns)) != NULL) {
		first_ns = s->at_ns < first_ns ? s->at_ns : first_ns;
		last_ns = s->at_ns;
		carved[n++] = carved_of(pool, s);
	}
	if (n == 0)
		return false;
	qsort(carved, n, sizeof(carved[0]), by_value);
	marks->most = carved[n - 1];
	marks->half = carved[n / 2];
	marks->span_s = (last_ns - first_ns) / CLOCK_S;
	return true;
}

static uint64_t step_up(uint64_t bytes)
{
	uint64_t n = (bytes + PAGE_STEP - 1) / PAGE_STEP;
	return (n > 0 ? n : 1) * PAGE_STEP;
}

/* Of the smallest node: one section of configuration is there for all. */
static void look_at_config(const struct pool *pool, struct advise_marks *marks)
{
	const struct config_pool *config = pool->config;
	marks->start = config->start_bytes;
	marks->floor = config->floor_bytes == UINT64_MAX ? config->start_bytes
	                                                 : config->floor_bytes;
	marks->max = UINT64_MAX;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		uint64_t max = pool->view.nodes[node].n_units << UNIT_SHIFT;
		uint64_t most = pool->backing.node[node].most_bytes;
		if (most != 0 && most < max)
			max = most;
		if (max > 0 && max < marks->max)
			marks->max = max;
	}
}

static void set_key(json_t **keys, const char *key, uint64_t bytes,
                    const char *why)
{
	char value[32];
	snprintf(value, sizeof(value), "%" PRIu64 "M", bytes / ADVISE_MIB);
	report_append(keys, json_pack("{s:s, s:s, s:s}", "key", key, "value",
	                              value, "why", why));
}

static unsigned long long mib(uint64_t bytes)
{
	return bytes / ADVISE_MIB;
}

static const char *todo_of(char text[64], const char *key, uint64_t bytes)
{
	snprintf(text, 64, "%s = %lluM in slabd.conf", key, mib(bytes));
	return text;
}

static void advise_start(json_t **list, json_t **keys, const struct pool *pool,
                         const struct advise_marks *marks)
{
	uint64_t want = step_up(marks->most);
	uint32_t n = pool->view.geo.n_nodes;
	char todo[64];
	if (want > marks->max)
		want = marks->max / PAGE_STEP * PAGE_STEP;
	if (want > marks->start && marks->most > marks->start)
		advise_say(list, pool, NULL, "start", 0,
			   todo_of(todo, "start", want),
			   "a node had up to %llu MiB carved, and begins with %llu: "
			   "the rest was made while clients waited",
			   mib(marks->most), mib(marks->start));
	else if (want <= marks->start / 2 && marks->span_s >= SPAN_LEAST_S)
		advise_say(list, pool, NULL, "start", (marks->start - want) * n,
			   todo_of(todo, "start", want),
			   "a node begins with %llu MiB, and had up to %llu carved",
			   mib(marks->start), mib(marks->most));
	else
		return;
	set_key(keys, "start", want, "the most that a node had carved");
}

static void advise_floor(json_t **list, json_t **keys, const struct pool *pool,
                         const struct advise_marks *marks)
{
	uint64_t want = step_up(marks->half);
	char todo[64];
	if (want > marks->floor / 2 || marks->span_s < SPAN_LEAST_S)
		return;
	advise_say(list, pool, NULL, "floor",
		   (marks->floor - want) * pool->view.geo.n_nodes,
		   todo_of(todo, "floor", want),
		   "%llu MiB are kept ready on a node, and half of the time it had "
		   "%llu carved", mib(marks->floor), mib(marks->half));
	set_key(keys, "floor", want, "what a node has half of the time");
}

static void advise_max(json_t **list, json_t **keys, const struct pool *pool,
                       const struct advise_marks *marks)
{
	char todo[64];
	if (marks->most < marks->max / 100 * FULL_PERCENT)
		return;
	advise_say(list, pool, NULL, "max", 0,
		   todo_of(todo, "max", step_up(marks->max * 2)),
		   "a node had %llu of the %llu MiB carved that it may take",
		   mib(marks->most), mib(marks->max));
	set_key(keys, "max", step_up(marks->max * 2),
	        "twice what it was, which was nearly used up");
}

void advise_pool(json_t **list, json_t **keys, struct report *r,
                 const struct pool *pool, struct advise_marks *marks)
{
	memset(marks, 0, sizeof(*marks));
	look_at_config(pool, marks);
	if (!look_at_past(r, pool, marks))
		return;
	advise_max(list, keys, pool, marks);
	advise_start(list, keys, pool, marks);
	advise_floor(list, keys, pool, marks);
}
