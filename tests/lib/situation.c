/* SPDX-License-Identifier: MIT */
#include "tests/lib/situation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static void idle(struct situation_run *run)
{
	slabd_pool *pool;
	fixture_open(&run->fixture, "[pool default]\npage = 4k\n");
	pool = fixture_pool(&run->fixture);
	tap_ok(slabd_alloc(fixture_cache(pool, "orders", 64)) != NULL,
	       "one client, with one object");
	sleep_ms(situation_of(run, 300, 5000, 20000));
	tap_ok(slabd_close(pool) == 0, "and it goes");
	situation_close(run);
}

const struct situation situations[] = {
	{"idle", "one client that does nothing", idle},
	{"grow-4k", "a client grows at full speed, pages of 4 KiB",
	 situation_grow_4k},
	{"grow-2m", "the same, hugepages", situation_grow_2m},
	{"grow-1g", "the same, pages of 1 GiB", situation_grow_1g},
	{"grow-watched", "grows beside eight who look and audits",
	 situation_grow_watched},
	{"grow-stopped", "grows beside one that is stopped in its growth",
	 situation_grow_stopped},
	{"grow-ended", "SIGTERM while it grows", situation_grow_ended},
	{"files-held", "a client's calls hold the files that are punched",
	 situation_files_held},
	{"files-locked", "a client's call never lets go of the shared file",
	 situation_files_locked},
	{"rings-one", "one client rings for all lists", situation_rings_one},
	{"rings-lists", "the same, lists that are slow to look at",
	 situation_rings_lists},
	{"rings-leases", "the same, and each lease is held",
	 situation_rings_leases},
	{"rings-crowd", "500 ids of a process ring for all lists",
	 situation_rings_crowd},
	{"deaths-crowd", "400 clients die, objects of 16 B",
	 situation_deaths_crowd},
	{"deaths-ids", "400 ids of one process die, object by object",
	 situation_deaths_ids},
	{"deaths-burst", "hello and goodbye in a burst, objects of 16 B",
	 situation_deaths_burst},
	{"wide-idle", "two nodes of 1 TiB, 400 idle caches",
	 situation_wide_idle},
	{"wide-nodes", "64 nodes of 32 GiB, 128 MiB ready",
	 situation_wide_nodes},
	{"door-rights", "strangers' descriptors whose close waits",
	 situation_door_rights},
	{"door-half", "half hellos, requests that never end",
	 situation_door_half},
	{"door-readers", "who asks for much and does not read",
	 situation_door_readers},
	{"door-log", "nobody reads the log", situation_door_log},
	{NULL, NULL, NULL},
};

void situation_run(const struct situation *situation,
                   enum situation_scale scale, struct situation_run *run)
{
	memset(run, 0, sizeof(*run));
	run->scale = scale;
	tap_note("%s: %s", situation->name, situation->says);
	situation->run(run);
	if (run->skipped != NULL)
		tap_skip(run->skipped, "%s", situation->name);
}

/* ---- sizes ---------------------------------------------------------------- */

unsigned situation_of(const struct situation_run *run, unsigned shorts,
                      unsigned longs, unsigned full)
{
	if (run->scale == SITUATION_SHORT || is_sanitized())
		return shorts;
	return run->scale == SITUATION_LONG ? longs : full;
}

unsigned situation_mib(const struct situation_run *run, unsigned shorts,
                       unsigned longs, unsigned full)
{
	unsigned mib = situation_of(run, shorts, longs, full);
	uint64_t most = (uint64_t)sysconf(_SC_AVPHYS_PAGES) *
	                (uint64_t)sysconf(_SC_PAGESIZE) / 2 / MIB;
	return mib < most ? mib : (unsigned)most;
}

/* ---- the end -------------------------------------------------------------- */

void situation_look(struct situation_run *run)
{
	json_t *doc = fixture_get(&run->fixture, "/status");
	const char *what = json_string_value(json_at(doc, "turns.longest_what"));
	tap_ok(turns_read(&run->fixture, &run->turns), "turns are told");
	run->turns.longest_ns =
		json_integer_value(json_at(doc, "turns.longest_us")) * 1000;
	run->turns.silent_ns =
		json_integer_value(json_at(doc, "turns.silent_us")) * 1000;
	snprintf(run->what, sizeof(run->what), "%s", what != NULL ? what : "");
	run->turns.longest_what = run->what;
	json_decref(doc);
}

void situation_close(struct situation_run *run)
{
	fixture_audit(&run->fixture, "in the end");
	situation_look(run);
	fixture_close(&run->fixture);
}

/* ---- processes ------------------------------------------------------------ */

uint64_t situation_wants(const struct grower *grower)
{
	return grower->mib * MIB / grower->size;
}

void situation_grower(int fd, void *arg)
{
	const struct grower *grower = arg;
	struct slabd_options options = fixture_options(
		grower->fixture, grower->node >= 0 ? SLABD_FORCE_NODE : 0);
	uint64_t n = situation_wants(grower);
	uint64_t got = 0;
	slabd_pool *pool;
	slabd_cache *cache;
	options.node = grower->node;
	pool = slabd_open(grower->pool, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	cache = fixture_cache(pool, "grown", grower->size);
	for (char *object; got < n; got++) {
		object = slabd_alloc(cache);
		if (object == NULL) {
			tap_note("%s", slabd_last_error());
			break;
		}
		*object = 1;
	}
	say(fd, got);
	hear(fd);
}

struct asked {
	volatile bool stop;
	volatile uint64_t times;
	volatile uint64_t failed;
	volatile double worst_ms;
};

static bool ask(const struct asker *asker)
{
	struct slabd_options options = fixture_options(asker->fixture, 0);
	slabd_pool *pool;
	json_t *doc;
	if (asker->path == NULL) {
		pool = slabd_open(asker->pool, &options);
		return pool != NULL && slabd_close(pool) == 0;
	}
	doc = fixture_get(asker->fixture, asker->path);
	json_decref(doc);
	return doc != NULL;
}

static void asker_main(int fd, void *arg)
{
	const struct asker *asker = arg;
	struct asked *asked = asker->asked;
	(void)fd;
	while (!asked->stop) {
		double since = now_ms();
		bool good = ask(asker);
		double took = now_ms() - since;
		asked->times++;
		asked->failed += !good;
		if (took > asked->worst_ms)
			asked->worst_ms = took;
		sleep_ms(1);
	}
}

void situation_ask(struct asker *asker, struct fixture *fixture,
                   const char *path, const char *pool)
{
	*asker = (struct asker){.fixture = fixture, .path = path, .pool = pool};
	asker->asked = shared_memory(sizeof(*asker->asked));
	child_start(&asker->child, asker_main, asker);
}

void situation_asked(struct asker *asker)
{
	const char *what = asker->path != NULL ? asker->path : "clients";
	const struct asked *asked = asker->asked;
	asker->asked->stop = true;
	child_end(&asker->child, what);
	tap_ok(asked->failed == 0 && asked->times > 0,
	       "%s: who asked was answered", what);
	tap_note("%s: %llu times, %llu failed, longest %.1f ms", what,
	         (unsigned long long)asked->times,
	         (unsigned long long)asked->failed, asked->worst_ms);
}
