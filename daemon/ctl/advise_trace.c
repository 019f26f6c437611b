/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/advise.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/advice/play.h"

#define TELL_NS INT64_C(200000000)
#define MIB (UINT64_C(1) << 20)

/* One trace on its way through. */
struct work {
	const struct ctl_advise *ask;
	struct trace trace;
	struct profile profile;
	struct peaks peaks;
	struct choose choose;
	struct play malloc, slabd;
	struct progress progress;
	int64_t told_ns;
	bool told;
};

/* ---- how far it is ------------------------------------------------------- */

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void say(void *arg, const char *what, uint64_t done, uint64_t all)
{
	struct work *w = arg;
	int64_t now = now_ns();
	if (now - w->told_ns < TELL_NS)
		return;
	w->told_ns = now;
	w->told = true;
	if (all > 0 && done <= all)
		fprintf(stderr, "\r\033[K%s the trace: %u %%", what,
		        (unsigned)((double)done * 100 / (double)all));
	else
		fprintf(stderr, "\r\033[K%s the trace", what);
}

static void say_end(const struct work *w)
{
	if (w->told)
		fputs("\r\033[K", stderr);
}

/* ---- the document -------------------------------------------------------- */

static json_t *about_trace(const struct work *w)
{
	const struct profile *p = &w->profile;
	return json_pack(
		"{s:s, s:I, s:i, s:I, s:I, s:I, s:i, s:b, s:I, s:I, s:I, s:I, "
		"s:{s:i, s:I, s:I}}",
		"file", w->ask->trace, "events", (json_int_t)w->trace.n_events,
		"threads", (int)w->trace.n_threads, "objects",
		(json_int_t)p->n_allocs, "freed_elsewhere",
		(json_int_t)p->n_elsewhere, "never_freed",
		(json_int_t)p->n_kept, "different_sizes", (int)p->n_sizes,
		"sizes_merged", p->merged, "smallest", (json_int_t)p->smallest,
		"largest", (json_int_t)p->largest, "live_objects",
		(json_int_t)p->peak_objs, "live_bytes",
		(json_int_t)p->peak_bytes, "large", "over_bytes",
		(int)PROFILE_LARGEST, "objects", (json_int_t)p->large_allocs,
		"live_bytes", (json_int_t)p->large_bytes);
}

static json_t *sizes_of(const struct profile *p)
{
	json_t *sizes = json_array();
	for (unsigned i = 0; i < p->n_sizes; i++) {
		const struct profile_size *size = &p->sizes[i];
		json_array_append_new(
			sizes,
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "bytes",
		                  (json_int_t)size->bytes, "objects",
		                  (json_int_t)size->n_allocs, "live_objects",
		                  (json_int_t)size->n_peak, "freed_elsewhere",
		                  (json_int_t)size->n_elsewhere, "never_freed",
		                  (json_int_t)size->n_kept, "life_events",
		                  (json_int_t)profile_life(size->lives)));
	}
	return sizes;
}

/* Of the bytes of slots that were given out, those that nobody asked for. */
static double waste_of(const struct choose_cache *cache)
{
	double slots = (double)cache->n_allocs * cache->slot_bytes;
	return slots > 0 ? 100 * (1 - (double)cache->asked_bytes / slots) : 0;
}

static json_t *caches_of(const struct work *w)
{
	json_t *caches = json_array();
	json_int_t from = w->profile.smallest;
	for (unsigned i = 0; i < w->choose.n_caches; i++) {
		const struct choose_cache *cache = &w->choose.caches[i];
		json_array_append_new(
			caches,
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		                  "s:I, s:f, s:I, s:I, s:I}",
		                  "size", (json_int_t)cache->bytes, "from",
		                  from, "stride", (json_int_t)cache->slot_bytes,
		                  "slab_bytes", (json_int_t)cache->slab_bytes,
		                  "objects_per_slab",
		                  (json_int_t)cache->objs_slab, "objects",
		                  (json_int_t)cache->n_allocs, "live_objects",
		                  (json_int_t)cache->n_peak, "slabs",
		                  (json_int_t)cache->n_slabs, "held_bytes",
		                  (json_int_t)(cache->n_slabs *
		                               cache->slab_bytes),
		                  "waste_pct", waste_of(cache),
		                  "freed_elsewhere",
		                  (json_int_t)cache->n_elsewhere, "never_freed",
		                  (json_int_t)cache->n_kept, "life_events",
		                  (json_int_t)cache->life));
		from = (json_int_t)cache->bytes + 1;
	}
	return caches;
}

/* event_ns NULL: nobody measured. */
static json_t *way(const char *name, json_t *held, const struct play *play)
{
	json_t *ns = play && play->is_done ? json_real(play->event_ns)
	                                   : json_null();
	return json_pack("{s:s, s:o, s:o}", "way", name, "held_bytes", held,
	                 "event_ns", ns);
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *ways_of(const struct work *w)
{
	return json_pack(
		"[o, o, o]",
		way("asked for", count(w->profile.peak_bytes), NULL),
		way("malloc", w->malloc.is_done ? count(w->malloc.heap_bytes)
	                                        : json_null(),
	            &w->malloc),
		way("slabd", count(w->choose.slab_bytes + w->profile.large_bytes),
	            &w->slabd));
}

/* What was not played. The library says itself what helps. */
static json_t *unplayed(const struct work *w)
{
	json_t *list = json_array();
	if (!w->malloc.is_done)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "way", "malloc",
		                        "what", w->malloc.what, "todo",
		                        "give a shorter trace, or look where "
		                        "memory is"));
	if (!w->slabd.is_done && w->choose.n_caches)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s}", "way", "slabd", "what",
		                  w->slabd.what, "todo",
		                  "put that right, and slabd plays it, too: all "
		                  "else here holds without"));
	return list;
}

static json_t *key(const char *name, uint64_t bytes, const char *why)
{
	char value[32];
	snprintf(value, sizeof(value), "%" PRIu64 "M", bytes / MIB);
	return json_pack("{s:s, s:s, s:s}", "key", name, "value", value, "why",
	                 why);
}

static json_t *config_of(const struct work *w)
{
	if (w->choose.n_caches == 0)
		return json_array();
	return json_pack(
		"[{s:s, s:[o, o]}]", "pool",
		w->ask->pool ? w->ask->pool : "default", "keys",
		key("start", w->choose.start_bytes, "its slabs at the peak"),
		key("floor", w->choose.floor_bytes,
	            "what is in use half of the time"));
}

static json_t *document(const struct work *w)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
	                 CTL_ADVISE_SCHEMA, "trace", about_trace(w), "ways",
	                 ways_of(w), "unplayed", unplayed(w), "caches",
	                 caches_of(w), "sizes", sizes_of(&w->profile), "config",
	                 config_of(w));
}

/* ---- the way through ----------------------------------------------------- */

/* First of all the replay by malloc, while the heap is as it was. */
static int look(struct work *w)
{
	int r;
	say(w, "playing", 0, 0);
	r = play_malloc(&w->malloc, &w->trace);
	if (r == 0)
		r = profile_trace(&w->profile, &w->trace, &w->progress);
	if (r == 0)
		r = peaks_make(&w->peaks, &w->profile, &w->trace, &w->progress);
	if (r == 0)
		r = choose_caches(&w->choose, &w->profile, &w->peaks,
		                  w->ask->max_caches);
	if (r == 0)
		r = choose_pool(&w->choose, &w->profile, &w->trace);
	say(w, "playing", 0, 0);
	if (r == 0 && w->choose.n_caches)
		r = play_slabd(&w->slabd, &w->trace, &w->profile, &w->choose,
		               w->ask->pool);
	return r;
}

static json_t *work_through(struct work *w, struct ctl_http_fault *fault)
{
	int r;
	if (w->trace.n_objects == 0) {
		snprintf(fault->what, sizeof(fault->what),
		         "%.400s: nothing is allocated there", w->ask->trace);
		strcpy(fault->remedy, "record while the program has work to do");
		return NULL;
	}
	r = look(w);
	if (r == 0)
		return document(w);
	snprintf(fault->what, sizeof(fault->what), "%.400s: %s", w->ask->trace,
	         strerror(-r));
	strcpy(fault->remedy, "record for a shorter time, or look where memory "
	                      "is");
	return NULL;
}

void ctl_advise_cache(const json_t *cache, char *name)
{
	snprintf(name, 64, PLAY_NAME "-%lld",
	         (long long)json_integer_value(json_object_get(cache, "size")));
}

json_t *ctl_advise_trace(const struct ctl_advise *advise,
                         struct ctl_http_fault *fault)
{
	static struct work w; /* large */
	struct trace_fault why;
	json_t *doc = NULL;
	memset(&w, 0, sizeof(w));
	w.ask = advise;
	w.told_ns = advise->tell ? now_ns() : INT64_MAX;
	w.progress = (struct progress){say, &w};
	if (trace_load(&w.trace, advise->trace, &w.progress, &why) == 0) {
		doc = work_through(&w, fault);
	} else {
		snprintf(fault->what, sizeof(fault->what), "%s", why.text);
		snprintf(fault->remedy, sizeof(fault->remedy), "%s", why.todo);
	}
	say_end(&w);
	peaks_drop(&w.peaks);
	trace_drop(&w.trace);
	return doc;
}
