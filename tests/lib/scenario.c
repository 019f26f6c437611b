/* SPDX-License-Identifier: MIT */
#include "tests/lib/scenario.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/scenario_actor.h"

#define LIMIT_MS 100000
#define DEAD_MAX 4 /* each adoption sweeps them all, and has more to store */
#define SOME_MS 3000 /* a client that waits for more than there is, waits on */

struct bed deed_bed;
struct keeper deed_keeper;
struct tamper deed_tamper;

static struct child watcher;

/* ---- once --------------------------------------------------------------- */

static double began;
static double quiet_since;
static uint64_t quiet_stops;
static pid_t doer;

static bool ready(void *arg)
{
	(void)arg;
	keeper_hear(&deed_keeper, 0);
	return deed_keeper.ready || now_ms() - began > LIMIT_MS;
}

/* Whether a process sleeps or has ended; one that has no processor to run on
 * does not. */
static bool is_still(pid_t pid)
{
	char path[40];
	char line[128] = "";
	const char *at = NULL;
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return true;
	if (fgets(line, sizeof(line), file) != NULL)
		at = strrchr(line, ')');
	fclose(file);
	return at != NULL && (at[2] == 'S' || at[2] == 'Z');
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) <
	               0 ||
	       info.si_pid == pid;
}

/* The client has done its part, where slabd is not slow, and slabd, which sleeps
 * in its loop, has not stopped for a while; of a death it may not have been told
 * yet. */
static bool idle(void *arg)
{
	double now = now_ms();
	(void)arg;
	while (keeper_hear(&deed_keeper, 0))
		continue;
	if (deed_tamper.stops != quiet_stops) {
		quiet_stops = deed_tamper.stops;
		quiet_since = now;
	}
	return now - began > LIMIT_MS ||
	       (now - quiet_since > (deed_tamper.seen == 0 ? 200 : 60) &&
	        is_still(deed_tamper.pid) && (doer == 0 || is_still(doer)) &&
	        (deed_tamper.act != TAMPER_FAIL || has_ended(doer) ||
	         now - began > SOME_MS));
}

/* It has started, and has seen to whoever died meanwhile. */
static bool settled(void *arg)
{
	return idle(arg) && ready(arg);
}

static void forget_pool(void)
{
	struct keeper next;
	keeper_close(&deed_keeper);
	keeper_open(&next, &deed_bed);
	deed_keeper = next;
}

static enum tamper_end start_traced(void)
{
	keeper_spawn(&deed_keeper, &deed_bed, tamper_begin);
	deed_tamper.pid = deed_bed.pid;
	tamper_take(&deed_tamper);
	quiet_stops = 0;
	quiet_since = now_ms();
	return tamper_run(&deed_tamper);
}

/* Until the dead of earlier deeds have had their second sweep. */
static void bury_all(void)
{
	double until = now_ms() + SURELY_MS;
	size_t n;
	do {
		json_t *doc = bed_get(&deed_bed, "/clients");
		n = json_array_size(json_at(doc, "pools.0.clients"));
		json_decref(doc);
		sleep_ms(5);
	} while (n != 1 && now_ms() < until);
}

static enum tamper_end traced_start(const struct deed *deed)
{
	struct child child;
	doer = 0;
	if (deed->fresh)
		forget_pool();
	if (deed->client != NULL) {
		deed_start_again(deed->name);
		if (doer_serial % DEAD_MAX == 0)
			bury_all();
		child_start(&child, deed->client, NULL);
		hear(child.fd);
		deed_stop();
		child_kill(&child);
	}
	deed_tamper.done = deed->client != NULL ? settled : ready;
	return start_traced();
}

static enum tamper_end traced_deed(const struct deed *deed)
{
	enum tamper_end end;
	struct child child;
	if (deed->waits) {
		child_start(&child, deed->client, NULL);
		hear(child.fd);
	}
	deed_tamper.pid = deed_bed.pid;
	deed_tamper.done = idle;
	tamper_seize(&deed_tamper);
	quiet_stops = 0;
	quiet_since = now_ms();
	if (!deed->waits)
		child_start(&child, deed->client, NULL);
	else if (deed->is_death)
		kill(child.pid, SIGKILL);
	else
		say(child.fd, 1);
	doer = child.pid;
	end = tamper_run(&deed_tamper);
	child_kill(&child);
	return end;
}

static void reset(uint64_t at)
{
	began = now_ms();
	deed_tamper.at = at;
	deed_tamper.seen = deed_tamper.stops = 0;
	deed_tamper.met = deed_tamper.counting = false;
}

enum tamper_end deed_do(const struct deed *deed, uint64_t at)
{
	enum tamper_end end;
	doer_serial++;
	reset(at);
	end = deed->is_start ? traced_start(deed) : traced_deed(deed);
	if (end != TAMPER_DONE || deed_tamper.act == TAMPER_KILL_STORE)
		deed_bed.pid = 0;
	if (now_ms() - began > LIMIT_MS)
		tap_bail("%s, point %llu (call %ld): no end of it", deed->name,
		         (unsigned long long)at, deed_tamper.call);
	keeper_catch_up(&deed_keeper);
	return end;
}

/* ---- before and after --------------------------------------------------- */

bool deed_start_cut(uint64_t at)
{
	enum tamper_act act = deed_tamper.act;
	enum tamper_end end;
	reset(at);
	deed_tamper.act = TAMPER_KILL_STORE;
	deed_tamper.done = ready;
	end = start_traced();
	deed_bed.pid = 0;
	if (end == TAMPER_ENDED)
		tap_bail("slabd does not take over: status 0x%x",
		         deed_tamper.status);
	keeper_catch_up(&deed_keeper);
	deed_tamper.act = act;
	return end == TAMPER_MET;
}

void deed_start_again(const char *what)
{
	int status = 0;
	if (!keeper_start(&deed_keeper, &deed_bed, &status))
		tap_bail("%s: slabd does not start again: status 0x%x", what,
		         status);
}

void deed_stop(void)
{
	if (deed_bed.pid == 0)
		return;
	bed_signal(&deed_bed, SIGKILL);
	bed_wait(&deed_bed, SURELY_MS);
	keeper_catch_up(&deed_keeper);
}

bool deed_exact(const struct deed *deed, const char *what)
{
	bool good = bed_until(&deed_bed, "/audit", "pools.0.owned",
	                      deed->fresh ? 0 : DOER_KEPT, SURELY_MS) >= 0;
	json_t *doc = bed_get(&deed_bed, "/audit");
	good = good && json_is_true(json_at(doc, "agree"));
	if (good && !deed->fresh) {
		say(watcher.fd, 1);
		good = hear(watcher.fd) == 0;
	}
	if (!good) {
		char *text = doc != NULL ? json_dumps(doc, 0) : NULL;
		tap_note("%s: %s", what, text != NULL ? text : "no answer");
		free(text);
	}
	json_decref(doc);
	return good;
}

void deed_open(void)
{
	bed_make(&deed_bed, DEED_CONFIG);
	keeper_open(&deed_keeper, &deed_bed);
}

void deed_close(void)
{
	keeper_close(&deed_keeper);
	bed_remove(&deed_bed);
}

void deed_prepare(const struct deed *deed)
{
	if (deed->fresh)
		return;
	deed_start_again(deed->name);
	child_start(&watcher, doer_witness, NULL);
	hear(watcher.fd);
	if (deed->is_start)
		deed_stop();
}

void deed_renew(const struct deed *deed)
{
	if (!deed->anew)
		return;
	deed_stop();
	child_kill(&watcher);
	forget_pool();
	deed_prepare(deed);
}

void deed_finish(const struct deed *deed)
{
	if (!deed->fresh) {
		say(watcher.fd, 0);
		child_end(&watcher, "the witness ends well");
	}
	deed_stop();
	forget_pool();
}
