/* SPDX-License-Identifier: MIT */
/* A client whose calls hold a pool's files, and with them whoever punches these. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/never.h"
#include "tests/lib/raw.h"
#include "tests/lib/situation.h"

#define OTHER_MIB 24u
#define ROUNDS 3u
#define NEWCOMERS 20u

/* Fills both files, which takes the kernel long, and again while they are emptied. */
static void hog(int fd, void *arg)
{
	struct raw raw;
	struct stat st;
	bool good = true;
	raw_open(&raw, arg, "default");
	say(fd, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		good &= fstat(raw.shared, &st) == 0 &&
		        fallocate(raw.shared, 0, 0, st.st_size) == 0;
		good &= fstat(raw.data[0], &st) == 0 &&
		        fallocate(raw.data[0], 0, 0, st.st_size) == 0;
	}
	say(fd, good);
	hear(fd);
}

static bool is_exact(const struct fixture *fixture)
{
	json_t *doc = fixture_get(fixture, "/audit");
	bool agrees = json_is_true(json_at(doc, "agree"));
	json_decref(doc);
	return agrees;
}

void situation_files_held(struct situation_run *run)
{
	unsigned mib = situation_mib(run, 128, 2048, 6144);
	struct grower grower = {&run->fixture, "other", OTHER_MIB, 256, -1};
	struct asker asker[3];
	struct child client;
	struct child holder;
	double until;
	fixture_open(&run->fixture,
	             "[slabd]\ntopology = node:1 core:2 pu:1\n"
	             "[pool default]\npage = 4k\nstart = 4M\nmax = %uM\n"
	             "[pool other]\npage = 4k\nstart = 2M\nmax = %uM\n",
	             mib, OTHER_MIB + 16);
	child_start(&holder, hog, &run->fixture);
	hear(holder.fd);
	situation_ask(&asker[0], &run->fixture, NULL, "other");
	situation_ask(&asker[1], &run->fixture, NULL, "default");
	situation_ask(&asker[2], &run->fixture, "/status", NULL);
	child_start(&client, situation_grower, &grower);
	tap_is((long long)hear(client.fd), (long long)situation_wants(&grower),
	       "a client of another pool has all that it wants");
	tap_is((long long)hear(holder.fd), 1, "one fills the files");
	for (unsigned i = 0; i < 3; i++)
		situation_asked(&asker[i]);
	child_kill(&client);
	child_kill(&holder);
	until = now_ms() + SURELY_MS;
	while (!is_exact(&run->fixture) && now_ms() < until)
		sleep_ms(20);
	situation_close(run);
}

/* ---- for ever ------------------------------------------------------------- */

/* Whether a thread of slabd's waits, and nothing wakes it. */
static bool one_is_held(const struct fixture *fixture)
{
	char path[300];
	char state = 0;
	struct dirent *at;
	DIR *dir;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)fixture->pid);
	dir = opendir(path);
	while (dir != NULL && state != 'D' && (at = readdir(dir)) != NULL) {
		FILE *file;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat",
		         (int)fixture->pid, at->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fscanf(file, "%*d (slabd-shared) %c", &state) != 1)
			state = 0;
		fclose(file);
	}
	if (dir != NULL)
		closedir(dir);
	return state == 'D';
}

/* In its own pool, too, whoever comes is let in, and has what is ready. */
static void use_beside(struct situation_run *run)
{
	struct slabd_options options = fixture_options(&run->fixture, 0);
	unsigned opened = 0;
	slabd_pool *pool[NEWCOMERS];
	for (unsigned i = 0; i < NEWCOMERS; i++) {
		pool[i] = slabd_open("default", &options);
		opened += pool[i] != NULL;
	}
	tap_is(opened, NEWCOMERS, "newcomers to its pool are let in");
	for (unsigned i = 0; i < NEWCOMERS; i++)
		if (pool[i] != NULL)
			slabd_close(pool[i]);
}

/* That takes some seconds. */
static void end_beside(struct situation_run *run)
{
	static const char left[] = "slabd goes on to end without closing it";
	double until = now_ms() + SURELY_MS;
	fixture_signal(&run->fixture, SIGTERM);
	while (!fixture_logged(&run->fixture, left) && now_ms() < until)
		sleep_ms(10);
	tap_ok(fixture_logged(&run->fixture, left),
	       "slabd's end does not wait for it");
}

void situation_files_locked(struct situation_run *run)
{
	struct grower grower = {&run->fixture, "other", OTHER_MIB, 256, -1};
	struct child client;
	struct child holder;
	const struct never never = {&run->fixture, true};
	double until = now_ms() + SURELY_MS;
	fixture_open(&run->fixture,
	             "[slabd]\ntopology = node:1 core:2 pu:1\n"
	             "[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n"
	             "[pool other]\npage = 4k\nstart = 2M\nmax = %uM\n",
	             OTHER_MIB + 16);
	child_start(&holder, never_ends, (void *)(uintptr_t)&never);
	if (hear(holder.fd) == 0) {
		run->skipped = "userfaultfd is not to be had";
		child_kill(&holder);
		fixture_close(&run->fixture);
		return;
	}
	while (!one_is_held(&run->fixture) && now_ms() < until)
		sleep_ms(1);
	tap_ok(one_is_held(&run->fixture), "slabd's thread waits for the file");
	child_start(&client, situation_grower, &grower);
	tap_is((long long)hear(client.fd), (long long)situation_wants(&grower),
	       "a client of another pool has all that it wants");
	child_kill(&client);
	use_beside(run);
	situation_look(run);
	if (run->scale != SITUATION_SHORT)
		end_beside(run);
	child_kill(&holder);
	fixture_close(&run->fixture);
}
