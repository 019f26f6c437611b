/* SPDX-License-Identifier: MIT */
/*
 * Workers and slabd are killed at random, and the pool stays whole.
 *
 *   proc_torture [--seconds N] [--workers N] [--seed S] [--keep-slabd]
 *
 * ./dev stress runs it for as long as you like.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/super.h"
#include "tests/torture/torture.h"

#define PAUSE_MS 40u /* between two deaths, at most */
#define END_MS 60000

static struct fixture fixture;
static struct board *board;
static struct child workers[WORKERS_MAX];
static struct child killer;
static struct child reconfigurer;
static pid_t first; /* slabd */
static unsigned seconds = 20;
static bool keep_slabd;
static unsigned killed;
static unsigned left;
static unsigned n_audits;
static unsigned bad_audits;
static unsigned second_looks;
static unsigned asked_again;
static unsigned bad_ends;
static struct rng rng;

static uint32_t below(uint32_t n)
{
	return rng_below(&rng, n);
}

/* ---- arguments ---------------------------------------------------------- */

static unsigned number(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && n >= least &&
	    n <= most)
		return (unsigned)n;
	tap_note("\"%s\": a whole number, %u to %u", text, least, most);
	exit(2);
}

static void read_arguments(int argc, char **argv)
{
	static const struct option table[] = {
		{"seconds", required_argument, NULL, 's'},
		{"workers", required_argument, NULL, 'w'},
		{"seed", required_argument, NULL, 'r'},
		{"keep-slabd", no_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	int key;
	board->n_places = is_sanitized() ? 4 : 16;
	while ((key = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (key == 's')
			seconds = number(optarg, 1, 1000000);
		else if (key == 'w')
			board->n_places = number(optarg, 2, WORKERS_MAX);
		else if (key == 'r')
			setenv("SLABD_SEED", optarg, 1);
		else if (key == 'k')
			keep_slabd = true;
		else
			exit(2);
	}
}

/* ---- workers ------------------------------------------------------------ */

static void start(uint32_t i)
{
	struct torture_start arg = {
		.board = board, .place = i, .rng = rng_split(&rng)};
	atom_store(&board->places[i].leave, 0u);
	child_start(&workers[i], worker_main, &arg);
}

static void fault_of(uint32_t i, const char *what, int status)
{
	bad_ends++;
	tap_note("worker %d %s: status 0x%x", workers[i].pid, what, status);
}

/* Nobody gives to the place any more. */
static void vacate(uint32_t i)
{
	atom_store(&board->places[i].who, UINT64_C(0));
	if (workers[i].fd >= 0)
		close(workers[i].fd);
	workers[i].pid = 0;
}

static void kill_one(uint32_t i)
{
	int status = 0;
	if (waitpid(workers[i].pid, &status, WNOHANG) != 0) {
		fault_of(i, "ended by itself", status);
	} else {
		child_kill(&workers[i]);
		workers[i].fd = -1;
		killed++;
	}
	vacate(i);
}

/* Waits for a worker that was told to leave. */
/* Its threads as the kernel sees them: what they wait for, and their time. */
static void show_threads(pid_t pid)
{
	char command[160];
	snprintf(command, sizeof(command),
	         "cd /proc/%d/task && for t in *; do echo \"  $t $(cut -d' ' "
	         "-f3,14,15 $t/stat) $(cat $t/wchan)\"; done", (int)pid);
	fflush(stdout);
	if (system(command) != 0)
		printf("  its threads can't be seen\n");
}

/* Waits for a worker that was told to leave. */
static void see_off(uint32_t i)
{
	double until = now_ms() + END_MS;
	int status = -1;
	pid_t got;
	while ((got = waitpid(workers[i].pid, &status, WNOHANG)) == 0 &&
	       now_ms() < until)
		sleep_ms(1);
	if (got == 0) {
		show_threads(workers[i].pid);
		fault_of(i, "does not leave", 0);
		child_kill(&workers[i]);
		workers[i].fd = -1;
	} else if (status != 0) {
		fault_of(i, "left badly", status);
	}
	left++;
	vacate(i);
}

/* One dies or leaves; now and then half of them die at one time. */
static void replace(void)
{
	uint32_t i = below(board->n_places);
	uint32_t n = below(32) == 0 ? board->n_places / 2 : 1;
	if (below(8) == 0) {
		atom_store(&board->places[i].leave, 1u);
		see_off(i);
		start(i);
		return;
	}
	for (uint32_t k = 0; k < n; k++)
		kill_one((i + k) % board->n_places);
	for (uint32_t k = 0; k < n; k++)
		start((i + k) % board->n_places);
}

/* ---- audits ------------------------------------------------------------- */

/* Whether all that is wrong may be a client that the scheduler holds up
 * between a free tag and its list bit. */
static bool may_pass(json_t *doc)
{
	json_t *faults = json_at(doc, "pools.0.faults");
	json_t *fault;
	size_t i;
	json_array_foreach(faults, i, fault)
	{
		const char *clause =
			json_string_value(json_object_get(fault, "clause"));
		if (clause == NULL || (strcmp(clause, "list-due") != 0 &&
		                       strcmp(clause, "list-summary") != 0))
			return false;
	}
	return json_array_size(faults) > 0;
}

/* An audit that slabd did not live to answer is asked again. */
static json_t *ask(void)
{
	double until = now_ms() + SURELY_MS;
	json_t *doc;
	while ((doc = fixture_get(&fixture, "/audit")) == NULL &&
	       now_ms() < until) {
		asked_again++;
		sleep_ms(5);
	}
	return doc;
}

/* slabd's own view, in a line. The answer is the caller's to drop. */
static json_t *audit(unsigned *looks)
{
	double until = now_ms() + SURELY_MS;
	json_t *doc = NULL;
	/* Again while it may meet a client in mid-step. */
	for (*looks = 1; *looks == 1 || now_ms() < until; ++*looks) {
		json_decref(doc);
		doc = ask();
		if (json_is_true(json_at(doc, "agree")) || !may_pass(doc))
			break;
		sleep_ms(50);
	}
	n_audits++;
	second_looks += *looks > 1;
	if (!json_is_true(json_at(doc, "agree"))) {
		char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
		tap_note("the audit does not agree: %.900s",
		         text ? text : "no answer");
		free(text);
		bad_audits++;
	}
	return doc;
}

static void progress(double since)
{
	unsigned looks;
	json_t *doc = audit(&looks);
	tap_note("%3.0f s: life %llu of slabd; %u killed, %u left, %llu "
	         "forked; %llu allocations, %llu short, %llu given, %llu "
	         "taken; %lld owned, %lld orphans%s",
	         (now_ms() - since) / 1e3,
	         1 + (unsigned long long)atom_load(&board->slain), killed, left,
	         (unsigned long long)atom_load(&board->forks),
	         (unsigned long long)atom_load(&board->allocs),
	         (unsigned long long)atom_load(&board->shortages),
	         (unsigned long long)atom_load(&board->given),
	         (unsigned long long)atom_load(&board->taken),
	         (long long)json_integer_value(json_at(doc, "pools.0.owned")),
	         (long long)json_integer_value(json_at(doc, "pools.0.orphans")),
	         looks > 1 ? "; looked twice" : "");
	json_decref(doc);
}

/* ---- slabd -------------------------------------------------------------- */

static void start_killer(void)
{
	struct killer_start arg = {.board = board,
	                           .fixture = &fixture,
	                           .rng = rng_split(&rng),
	                           .pid = first};
	if (!keep_slabd)
		child_start(&killer, killer_main, &arg);
}

static void start_reconfigurer(void)
{
	struct reconfigurer_start arg = {
		.board = board, .fixture = &fixture, .rng = rng_split(&rng)};
	child_start(&reconfigurer, reconfigurer_main, &arg);
}

static void end_killer(void)
{
	atom_store(&board->peace, 1u);
	child_end(&reconfigurer, "lent, moved and drained all the while");
	tap_ok(atom_load(&board->meddled) > 0, "slabd did as it was told");
	tap_note("%llu times", (unsigned long long)atom_load(&board->meddled));
	if (keep_slabd)
		return;
	child_end(&killer, "slabd was there each time");
	tap_ok(atom_load(&board->slain) > 0, "slabd was killed");
	tap_note("%llu times; none answered for %llu ms at most; %u audits "
	         "were asked again",
	         (unsigned long long)atom_load(&board->slain),
	         (unsigned long long)atom_load(&board->away_ms), asked_again);
}

/* ---- what is under way ---------------------------------------------------- */

/* Clients that have a channel open, as far as slabd has settled their ends; -1: no
 * answer. */
static long peers(void)
{
	json_t *doc = fixture_get(&fixture, "/channels");
	json_t *rows = json_at(doc, "pools.0.channels");
	json_t *row;
	long n = rows != NULL ? 0 : -1;
	size_t i;
	json_array_foreach(rows, i, row)
		n += (long)json_integer_value(json_object_get(row, "peers"));
	json_decref(doc);
	return n;
}

/* One more worker receives what is in the channels, once all others are gone. */
static void drain(void)
{
	struct torture_start arg = {.board = board, .rng = rng_split(&rng)};
	double until = now_ms() + SURELY_MS;
	struct child last;
	long n;
	while ((n = peers()) != 0 && now_ms() < until)
		sleep_ms(10);
	tap_is(n, 0, "slabd knows that all have left the channels");
	child_start(&last, flows_drain_main, &arg);
	child_end(&last, "received what was under way");
}

static void show_flows(void)
{
	const struct flow_counts *flow = &board->flow;
	tap_note("%llu objects sent, %llu received, %llu begun again, %llu sent "
	         "on; %llu got from object pools; channels were lost %llu times",
	         (unsigned long long)flow->sent,
	         (unsigned long long)flow->received,
	         (unsigned long long)flow->again,
	         (unsigned long long)flow->sent_on,
	         (unsigned long long)flow->kept,
	         (unsigned long long)flow->stale);
	tap_note("%llu arenas sent, %llu received; %llu given, %llu taken; %llu "
	         "of them with several chunks",
	         (unsigned long long)flow->shipped,
	         (unsigned long long)flow->landed,
	         (unsigned long long)flow->given,
	         (unsigned long long)flow->taken,
	         (unsigned long long)flow->large);
}

static bool judge_flows(void)
{
	const struct flow_counts *flow = &board->flow;
	bool good = tap_is((long long)flows_count_lost(board), 0,
	                   "nothing that was sent is lost");
	good &= tap_ok(flow->received > 0 && flow->kept > 0,
	               "objects came over channels, and some were kept "
	               "constructed");
	good &= tap_ok(flow->landed > 0 && flow->taken > 0 && flow->large > 0,
	               "arenas were sent and given, large ones, too");
	show_flows();
	return good;
}

/* ---- the whole ---------------------------------------------------------- */

static void rage(void)
{
	double since = now_ms();
	double next = since + 1000;
	for (uint32_t i = 0; i < board->n_places; i++)
		start(i);
	start_killer();
	start_reconfigurer();
	while (now_ms() < since + seconds * 1e3 &&
	       atom_load(&board->faults) + bad_audits + bad_ends == 0) {
		sleep_ms(1 + below(PAUSE_MS));
		replace();
		/* Workers die while slabd is away, too. */
		if (now_ms() < next || atom_load(&board->away) != 0)
			continue;
		progress(since);
		next = now_ms() + 1000;
	}
	end_killer();
	for (uint32_t i = 0; i < board->n_places; i++)
		atom_store(&board->places[i].leave, 1u);
	for (uint32_t i = 0; i < board->n_places; i++)
		see_off(i);
	progress(since);
	drain();
	tap_note("%llu threads, %llu moves to other CPUs; who left had come "
	         "back to slabd %llu times",
	         (unsigned long long)atom_load(&board->threads),
	         (unsigned long long)atom_load(&board->moves),
	         (unsigned long long)atom_load(&board->resumes));
}

static bool judge(void)
{
	bool good = tap_is((long long)atom_load(&board->faults), 0,
	                   "no object changed in other hands, no call failed");
	good &= tap_is(bad_ends, 0, "no worker ended but as it was told");
	good &= tap_is(bad_audits, 0, "each of %u audits agrees", n_audits);
	good &= tap_ok(second_looks <= 2 + n_audits / 10,
	               "few of them had to look twice");
	good &= tap_ok(killed > 0 && left > 0, "workers were killed, and left");
	good &= tap_ok(atom_load(&board->taken) > 0 &&
	                       atom_load(&board->forks) > 0 &&
	                       atom_load(&board->shortages) > 0,
	               "objects were given, the pool was full, workers forked");
	good &= judge_flows();
	good &= tap_ok(fixture_until(&fixture, "/audit", "pools.0.owned", 0,
	                         SURELY_MS) >= 0,
	               "nothing is owned in the end");
	good &= tap_is(fixture_used(&fixture), 0, "nor in use");
	good &= tap_is(fixture_number(&fixture, "/audit", "pools.0.orphans"), 0,
	               "nor orphaned");
	return good & fixture_audit(&fixture, "at the end");
}

/* Who has what there still is. */
static void tell(const char *path)
{
	json_t *doc = fixture_get(&fixture, path);
	char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
	tap_note("%s %.2000s", path, text != NULL ? text : "is not told");
	free(text);
	json_decref(doc);
}

static void keep_log(void)
{
	const char *builddir = getenv("builddir");
	char command[1024];
	char path[512];
	snprintf(path, sizeof(path), "%s/tests/torture/proc_torture.slabd-log",
	         builddir != NULL ? builddir : ".");
	snprintf(command, sizeof(command), "cp '%s' '%s'", fixture.log, path);
	if (system(command) == 0)
		tap_note("slabd's log is kept: %s", path);
	tell("/channels");
	tell("/clients");
	tell("/roots");
	tell("/slabs?limit=20");
	tell("/caches");
}

int main(int argc, char **argv)
{
	board = shared_memory(sizeof(*board));
	read_arguments(argc, argv);
	tap_start(seconds + 400);
	rng = rng_start("proc_torture");
	sched_getaffinity(0, sizeof(board->cpus), &board->cpus);
	fixture_make(&fixture, "[slabd]\ntopology = node:2 core:1 pu:1\n"
	               "[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n");
	first = super_start(&fixture);
	setenv("SLABD_SOCKET", fixture.socket, 1);
	rage();
	if (!judge())
		keep_log();
	super_stop(&fixture, super_next(&fixture, 0), "in the end");
	super_end();
	fixture_remove(&fixture);
	return tap_end();
}
