/* SPDX-License-Identifier: MIT */
/* Growth at full speed, and what goes on beside it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/situation.h"

#define SPARE_MIB 64u
#define WATCHERS 8u
#define GIB_MIB 1024u

/* A client has grown to what it wants, and was not refused. */
static void has_grown(struct child *child, const struct grower *grower,
                      const char *what)
{
	tap_is((long long)hear(child->fd), (long long)situation_wants(grower),
	       "%s has all that it wants", what);
}

static void grow(struct situation_run *run, unsigned mib, size_t size)
{
	struct grower grower = {&run->fixture, "default", mib, size, -1};
	double since = now_ms();
	struct child child;
	child_start(&child, situation_grower, &grower);
	has_grown(&child, &grower, "a client");
	snprintf(run->note, sizeof(run->note), "%u MiB in %.0f ms", mib,
	         now_ms() - since);
	child_kill(&child);
}

void situation_grow_4k(struct situation_run *run)
{
	unsigned mib = situation_mib(run, 48, 1024, 8192);
	fixture_open(&run->fixture, "[pool default]\npage = 4k\nmax = %uM\n",
	             mib + SPARE_MIB);
	grow(run, mib, 1024);
	situation_close(run);
}

/* Whether the first pool has no other pages than these. */
static bool lies_on(const struct situation_run *run, const char *backing)
{
	json_t *doc = fixture_get(&run->fixture, "/status");
	json_t *steps = json_at(doc, "startup.0.steps");
	const char *got = json_string_value(json_at(doc, "startup.0.backing"));
	bool good = got != NULL && strcmp(got, backing) == 0 &&
	            json_array_size(steps) == 0;
	json_decref(doc);
	return good;
}

void situation_grow_2m(struct situation_run *run)
{
	unsigned mib = situation_mib(run, 48, 1024, 8192) & ~1u;
	fixture_open(&run->fixture,
	             "[pool default]\npage = 2m\nstart = 2M\nmax = %uM\n",
	             mib + SPARE_MIB);
	if (!lies_on(run, "2m")) {
		run->skipped = "no hugepages to be had";
		fixture_close(&run->fixture);
		return;
	}
	grow(run, mib, 1024);
	situation_close(run);
}

/* Whether the kernel has so many pages of 1 GiB to give. */
static bool has_large(unsigned n)
{
	static const char path[] =
		"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages";
	FILE *file = fopen(path, "r+e");
	unsigned before = 0;
	unsigned now = 0;
	if (file == NULL || fscanf(file, "%u", &before) != 1)
		return false;
	rewind(file);
	fprintf(file, "%u", before + n);
	rewind(file);
	if (fscanf(file, "%u", &now) != 1)
		now = before;
	rewind(file);
	fprintf(file, "%u", before);
	fclose(file);
	return now >= before + n;
}

void situation_grow_1g(struct situation_run *run)
{
	unsigned gib =
		situation_mib(run, 0, 2 * GIB_MIB, 4 * GIB_MIB) / GIB_MIB;
	if (gib < 2 || !has_large(gib)) {
		run->skipped = gib < 2 ? "see stress and bench"
		                       : "no pages of 1 GiB to be had";
		return;
	}
	fixture_open(&run->fixture,
	             "[pool default]\npage = 1g\nstart = 1G\nmax = %uG\n", gib);
	grow(run, gib * GIB_MIB - 256, 4096);
	situation_close(run);
}

void situation_grow_watched(struct situation_run *run)
{
	static const char *const paths[] = {"/status", "/nodes", "/caches",
	                                    "/clients", "/audit"};
	struct asker asker[WATCHERS];
	unsigned mib = situation_mib(run, 48, 1024, 8192);
	fixture_open(&run->fixture, "[pool default]\npage = 4k\nmax = %uM\n",
	             mib + SPARE_MIB);
	for (unsigned i = 0; i < WATCHERS; i++)
		situation_ask(&asker[i], &run->fixture, paths[i % 5], NULL);
	grow(run, mib, 64);
	for (unsigned i = 0; i < WATCHERS; i++)
		situation_asked(&asker[i]);
	situation_close(run);
}

/* One that is stopped half way is in nobody's way. */
void situation_grow_stopped(struct situation_run *run)
{
	unsigned mib = situation_mib(run, 24, 512, 4096);
	struct grower grower = {&run->fixture, "default", mib, 256, -1};
	struct child first;
	struct child second;
	fixture_open(&run->fixture, "[pool default]\npage = 4k\nmax = %uM\n",
	             2 * mib + SPARE_MIB);
	child_start(&first, situation_grower, &grower);
	fixture_until(&run->fixture, "/status", "pools.0.clients", 1,
	              SURELY_MS);
	kill(first.pid, SIGSTOP);
	child_start(&second, situation_grower, &grower);
	has_grown(&second, &grower, "who grows beside a stopped client");
	kill(first.pid, SIGCONT);
	has_grown(&first, &grower, "who was stopped");
	child_kill(&first);
	child_kill(&second);
	situation_close(run);
}

/* SIGTERM while a client grows is served as ever; the client goes on with what
 * it has. */
void situation_grow_ended(struct situation_run *run)
{
	unsigned mib = situation_mib(run, 256, 2048, 8192);
	struct grower grower = {&run->fixture, "default", mib, 1024, -1};
	struct child child;
	double since;
	fixture_open(&run->fixture, "[pool default]\npage = 4k\nmax = %uM\n",
	             mib + SPARE_MIB);
	child_start(&child, situation_grower, &grower);
	while (fixture_number(&run->fixture, "/status", "pools.0.ready_bytes") <
	       (long long)mib << 18)
		sleep_ms(1);
	situation_look(run);
	since = now_ms();
	fixture_close(&run->fixture);
	snprintf(run->note, sizeof(run->note),
	         "%.0f ms from SIGTERM to the end", now_ms() - since);
	child_kill(&child);
}
