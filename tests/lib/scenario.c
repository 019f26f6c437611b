/* SPDX-License-Identifier: MIT */
#include "tests/lib/scenario.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/scenario_actor.h"
#include "tests/lib/scenario_channel.h"

#define LIMIT_MS 100000
#define DEAD_MAX 4 /* each adoption sweeps them all, and has more to store */
#define SOME_MS 3000 /* a client that waits for more than there is, waits on */

struct fixture scenario_fixture;
struct keeper scenario_keeper;
struct ptrace_fault scenario_fault;

static struct child watcher;

/* ---- once --------------------------------------------------------------- */

static double began;
static double quiet_since;
static uint64_t quiet_stops;
static pid_t actor;

static bool ready(void *arg)
{
	(void)arg;
	keeper_hear(&scenario_keeper, 0);
	return scenario_keeper.ready || now_ms() - began > LIMIT_MS;
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

/* The client has done its part, where slabd is not slow, and slabd, which
 * sleeps in its loop, has not stopped for a while; of a death it may not have
 * been told yet. */
static bool idle(void *arg)
{
	double now = now_ms();
	(void)arg;
	while (keeper_hear(&scenario_keeper, 0))
		continue;
	if (scenario_fault.stops != quiet_stops) {
		quiet_stops = scenario_fault.stops;
		quiet_since = now;
	}
	return now - began > LIMIT_MS ||
	       (now - quiet_since > (scenario_fault.seen == 0 ? 200 : 60) &&
	        is_still(scenario_fault.pid) &&
	        (actor == 0 || is_still(actor)) &&
	        (scenario_fault.act != PTRACE_FAULT_FAIL || has_ended(actor) ||
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
	keeper_close(&scenario_keeper);
	keeper_open(&next, &scenario_fixture);
	scenario_keeper = next;
}

static enum ptrace_fault_end start_traced(void)
{
	keeper_spawn(&scenario_keeper, &scenario_fixture, ptrace_fault_begin);
	scenario_fault.pid = scenario_fixture.pid;
	ptrace_fault_take(&scenario_fault);
	quiet_stops = 0;
	quiet_since = now_ms();
	return ptrace_fault_run(&scenario_fault);
}

/* Until the dead of earlier scenarios have had their second sweep. */
static void reap_all(void)
{
	double until = now_ms() + SURELY_MS;
	size_t n;
	do {
		json_t *doc = fixture_get(&scenario_fixture, "/clients");
		n = json_array_size(json_at(doc, "pools.0.clients"));
		json_decref(doc);
		sleep_ms(5);
	} while (n != 1 && now_ms() < until);
}

static enum ptrace_fault_end traced_start(const struct scenario *scenario)
{
	struct child child;
	actor = 0;
	if (scenario->fresh)
		forget_pool();
	if (scenario->client != NULL) {
		scenario_start_again(scenario->name);
		if (actor_serial % DEAD_MAX == 0)
			reap_all();
		child_start(&child, scenario->client, NULL);
		hear(child.fd);
		scenario_stop();
		child_kill(&child);
	}
	scenario_fault.done = scenario->client != NULL ? settled : ready;
	return start_traced();
}

static enum ptrace_fault_end traced_scenario(const struct scenario *scenario)
{
	enum ptrace_fault_end end;
	struct child child;
	if (scenario->waits) {
		child_start(&child, scenario->client, NULL);
		hear(child.fd);
	}
	scenario_fault.pid = scenario_fixture.pid;
	scenario_fault.done = idle;
	ptrace_fault_seize(&scenario_fault);
	quiet_stops = 0;
	quiet_since = now_ms();
	if (!scenario->waits)
		child_start(&child, scenario->client, NULL);
	else if (scenario->is_death)
		kill(child.pid, SIGKILL);
	else
		say(child.fd, 1);
	actor = child.pid;
	end = ptrace_fault_run(&scenario_fault);
	child_kill(&child);
	return end;
}

static void reset(uint64_t at)
{
	began = now_ms();
	scenario_fault.at = at;
	scenario_fault.seen = scenario_fault.stops = 0;
	scenario_fault.met = scenario_fault.counting = false;
}

enum ptrace_fault_end scenario_do(const struct scenario *scenario, uint64_t at)
{
	enum ptrace_fault_end end;
	actor_serial++;
	reset(at);
	end = scenario->is_start ? traced_start(scenario)
	                         : traced_scenario(scenario);
	if (end != PTRACE_FAULT_DONE ||
	    scenario_fault.act == PTRACE_FAULT_KILL_STORE)
		scenario_fixture.pid = 0;
	if (now_ms() - began > LIMIT_MS)
		tap_bail("%s, point %llu (call %ld): no end of it",
		         scenario->name, (unsigned long long)at,
		         scenario_fault.call);
	keeper_catch_up(&scenario_keeper);
	return end;
}

/* ---- before and after --------------------------------------------------- */

bool scenario_start_cut(uint64_t at)
{
	enum ptrace_fault_act act = scenario_fault.act;
	enum ptrace_fault_end end;
	reset(at);
	scenario_fault.act = PTRACE_FAULT_KILL_STORE;
	scenario_fault.done = ready;
	end = start_traced();
	scenario_fixture.pid = 0;
	if (end == PTRACE_FAULT_ENDED)
		tap_bail("slabd does not take over: status 0x%x",
		         scenario_fault.status);
	keeper_catch_up(&scenario_keeper);
	scenario_fault.act = act;
	return end == PTRACE_FAULT_MET;
}

void scenario_start_again(const char *what)
{
	int status = 0;
	if (!keeper_start(&scenario_keeper, &scenario_fixture, &status))
		tap_bail("%s: slabd does not start again: status 0x%x", what,
		         status);
}

void scenario_stop(void)
{
	if (scenario_fixture.pid == 0)
		return;
	fixture_signal(&scenario_fixture, SIGKILL);
	fixture_wait(&scenario_fixture, SURELY_MS);
	keeper_catch_up(&scenario_keeper);
}

/* What others than clients own is by tags and books alike. */
static bool agrees(const char *what)
{
	json_t *doc = fixture_get(&scenario_fixture, "/audit");
	bool good = json_is_true(json_at(doc, "agree"));
	char *text = good || doc == NULL ? NULL : json_dumps(doc, 0);
	if (!good)
		tap_note("%s: %s", what, text != NULL ? text : "no answer");
	free(text);
	json_decref(doc);
	return good;
}

/* What is left of the root, or of the channel, goes. */
static bool take_rest(const struct scenario *scenario, const char *what)
{
	bool good = !(scenario->roots || scenario->arenas) || agrees(what);
	if (scenario->roots)
		(void)fixture_post(&scenario_fixture, "/root",
		                   "action=remove&root=" SCENARIO_ROOT);
	if (scenario->arenas)
		good = scenario_channel_drain(scenario->channel_ends, what) &&
		       good;
	return good;
}

bool scenario_exact(const struct scenario *scenario, const char *what)
{
	bool rest = take_rest(scenario, what);
	bool good = fixture_until(&scenario_fixture, "/audit", "pools.0.owned",
	                      scenario->fresh ? 0 : ACTOR_KEPT, SURELY_MS) >= 0;
	double until = now_ms() + (scenario->mends ? SURELY_MS : 0);
	json_t *doc = fixture_get(&scenario_fixture, "/audit");
	while (!json_is_true(json_at(doc, "agree")) && now_ms() < until) {
		json_decref(doc);
		sleep_ms(20);
		doc = fixture_get(&scenario_fixture, "/audit");
	}
	good = good && rest && json_is_true(json_at(doc, "agree"));
	if (good && !scenario->fresh) {
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

void scenario_open(void)
{
	fixture_make(&scenario_fixture, SCENARIO_CONFIG);
	keeper_open(&scenario_keeper, &scenario_fixture);
}

void scenario_close(void)
{
	keeper_close(&scenario_keeper);
	fixture_remove(&scenario_fixture);
}

void scenario_prepare(const struct scenario *scenario)
{
	if (scenario->fresh)
		return;
	scenario_start_again(scenario->name);
	child_start(&watcher, actor_witness, NULL);
	hear(watcher.fd);
	if (scenario->is_start)
		scenario_stop();
}

void scenario_renew(const struct scenario *scenario)
{
	if (!scenario->anew)
		return;
	scenario_stop();
	child_kill(&watcher);
	forget_pool();
	scenario_prepare(scenario);
}

void scenario_finish(const struct scenario *scenario)
{
	if (!scenario->fresh) {
		say(watcher.fd, 0);
		child_end(&watcher, "the witness ends well");
	}
	scenario_stop();
	forget_pool();
}
