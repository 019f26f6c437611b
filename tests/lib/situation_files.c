/* SPDX-License-Identifier: MIT */
/* A client whose calls hold a pool's files, and with them whoever punches these. */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/lib/raw.h"
#include "tests/lib/situation.h"

#define OTHER_MIB 24u
#define ROUNDS 3u

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
