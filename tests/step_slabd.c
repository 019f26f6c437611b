/* SPDX-License-Identifier: MIT */
/*
 * slabd killed before and after every system call, and after every store to
 * the control file: while it starts, takes over, lets a client in, makes a
 * cache, carves, buries. Each time another takes over what the manager keeps,
 * and the accounts are exact.
 *
 * $SLABD_STEP=all does every point; else a stride with a random first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shm/layout.h"
#include "tests/proc/deed.h"

#define STRIDE_START 11 /* a start has hundreds of system calls */
#define STRIDE 3
#define STRIDE_STORE 5
#define PATIENCE_MS 4000 /* for one run of single steps: later ones are longer */
#define SANITIZED 5 /* times as far apart where code is many times longer */

static uint64_t state;
static bool every;
static bool sanitized;

/* One kill and one restart. False when the deed was over before the point. */
static bool once(const struct deed *deed, uint64_t at, unsigned *bad)
{
	char what[80];
	enum tamper_end end = deed_do(deed, at);
	snprintf(what, sizeof(what), "%s, point %llu", deed->name,
	         (unsigned long long)at);
	if (end == TAMPER_ENDED)
		tap_bail("%s: slabd ends by itself: status 0x%x", what,
		         deed_tamper.status);
	if (end == TAMPER_MET) {
		deed_start_again(what);
		*bad += !deed_exact(deed, what);
	}
	if (deed->client == NULL)
		deed_stop();
	return end == TAMPER_MET;
}

static void all_points(const struct deed *deed, enum tamper_act act,
                       uint64_t stride)
{
	static const char *const names[] = {
		[TAMPER_KILL_BEFORE] = "before system calls",
		[TAMPER_KILL_AFTER] = "after system calls",
		[TAMPER_KILL_STORE] = "after stores to the control file",
	};
	double since = now_ms();
	unsigned bad = 0;
	unsigned kills = 0;
	uint64_t at = 1 + random_next(&state) % stride;
	deed_tamper.act = act;
	for (double last = since; once(deed, at, &bad); at += stride) {
		double now = now_ms();
		kills++;
		if (!every && now - last > PATIENCE_MS)
			break;
		last = now;
	}
	tap_ok(bad == 0 && (kills > 0 || stride > 1),
	       "%s: %u kills %s up to %llu: %u not exact, %.1f s", deed->name,
	       kills, names[act], (unsigned long long)at - 1, bad,
	       (now_ms() - since) / 1e3);
}

/* Up to the first rows of the clients' table, which comes last and is large. */
static void watch_control(void)
{
	int control = keeper_find(&deed_keeper, "slabd.pool.default.control");
	int shared = keeper_find(&deed_keeper, "slabd.pool.default.shared");
	struct layout_geometry geo;
	struct stat st[2];
	void *at;
	if (control < 0 || fstat(control, &st[0]) < 0 || shared < 0 ||
	    fstat(shared, &st[1]) < 0)
		tap_bail("the pool's files are not kept");
	at = mmap(NULL, (size_t)st[0].st_size, PROT_READ, MAP_SHARED, control,
	          0);
	if (at == MAP_FAILED ||
	    layout_check(at, (uint64_t)st[0].st_size, (uint64_t)st[1].st_size,
	                 &geo) != 0)
		tap_bail("what is kept is no pool");
	deed_tamper.watched = at;
	deed_tamper.watched_bytes =
	        geo.clients_off + 512 * sizeof(struct layout_client);
}

static void kill_all_over(const struct deed *deed)
{
	uint64_t stride = deed->client == NULL ? STRIDE_START : STRIDE;
	stride = every ? 1 : sanitized ? stride * SANITIZED : stride;
	deed_prepare(deed);
	all_points(deed, TAMPER_KILL_BEFORE, stride);
	all_points(deed, TAMPER_KILL_AFTER, stride);
	/* Single-stepping a whole start takes seconds each time. */
	if (!deed->fresh && !sanitized && (every || deed->client != NULL)) {
		keeper_catch_up(&deed_keeper);
		watch_control();
		all_points(deed, TAMPER_KILL_STORE, every ? 1 : STRIDE_STORE);
	}
	deed_finish(deed);
}

int main(void)
{
	const char *step = getenv("SLABD_STEP");
	const char *sanitizer = getenv("SLABD_SANITIZER");
	const char *lacks = tamper_lacks();
	sanitized = sanitizer != NULL && *sanitizer != '\0';
	every = step != NULL && strcmp(step, "all") == 0;
	tap_start(every ? 3000 : 300);
	if (lacks != NULL) {
		tap_skip(lacks, "slabd killed at each system call");
		return tap_end();
	}
	state = random_seed();
	deed_open();
	for (unsigned i = 0; i < DEEDS; i++)
		kill_all_over(&deeds[i]);
	deed_close();
	return tap_end();
}
