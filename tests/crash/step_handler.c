/* SPDX-License-Identifier: MIT */
/*
 * A signal at every instruction of a hit, and of a miss: a handler that calls
 * nothing of the library may come at any time. One process goes through it all,
 * so what one signal spoilt would show in the rounds after it.
 *
 * A handler that leaves by longjmp is not allowed (slabclient.h), so it is not
 * tested.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/rng.h"
#include "tests/lib/step.h"

#define SIZE 64
#define WORDS (SIZE / sizeof(uint64_t))
#define KEPT 40
#define PLACES 250 /* of an act, as a rule */
#define PLACES_SLOW 25
#define LONG 8 /* of libraries' code one in so many, where it is to be short */

struct act {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
	bool is_long;
};

static struct board {
	struct step_mark mark;
	uint32_t done;    /* the tracer has seen enough */
	uint32_t handled; /* signals */
	uint32_t wrong; /* objects or results that are not what they must be */
	uint32_t id;
} *board;

static struct fixture fixture;
static slabd_pool *pool;
static slabd_cache *cache;
static uint64_t *kept[KEPT];
static volatile unsigned char scratch[256];

/* ---- the process that is interrupted ------------------------------------ */

/* Its own data, and registers enough. */
static void on_signal(int signal)
{
	(void)signal;
	for (unsigned i = 0; i < sizeof(scratch); i++)
		scratch[i] = (unsigned char)(scratch[i] * 7 + i);
	atom_add(&board->handled, 1u);
}

static void write_object(uint64_t *object, uint64_t value)
{
	for (unsigned i = 0; i < WORDS; i++)
		object[i] = value * 31 + i;
}

static void check(bool good)
{
	if (!good)
		atom_add(&board->wrong, 1u);
}

static bool is_object(const uint64_t *object, uint64_t value)
{
	bool good = true;
	for (unsigned i = 0; i < WORDS; i++)
		good &= object[i] == value * 31 + i;
	return good;
}

/* Both inline: what programs compile. */
static void hit(void)
{
	void *a = slabd_alloc(cache);
	void *b = slabd_alloc(cache);
	check(a != NULL && b != NULL && a != b);
	slabd_free(cache, a);
	slabd_free(cache, b);
}

static void warm(void)
{
	void *some[4];
	check(slabd_alloc_bulk(cache, 4, some) == 4);
	slabd_free_bulk(cache, 4, some);
}

static void miss(void)
{
	void *object = slabd_alloc(cache);
	check(object != NULL);
	slabd_free(cache, object);
	check(slabd_flush(pool) == 0);
}

static void cold(void)
{
	check(slabd_flush(pool) == 0);
}

/* The handler does not restart system calls. */
static void create(void)
{
	slabd_cache *other = slabd_cache_create(pool, "other", 200, 0, 0);
	check(other != NULL);
	if (other != NULL)
		check(slabd_cache_close(other) == 0);
}

static const struct act acts[] = {
	{.name = "two hits", .prepare = warm, .run = hit},
	{.name = "a refill and a flush", .prepare = cold, .run = miss},
	{.name = "slabd_cache_create",
	 .prepare = cold,
	 .run = create,
	 .is_long = true},
};

static void keep_some(void)
{
	for (unsigned i = 0; i < KEPT; i++) {
		kept[i] = slabd_alloc(cache);
		if (kept[i] == NULL)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		write_object(kept[i], i);
	}
}

static void look_at_all(void)
{
	for (unsigned i = 0; i < KEPT; i++)
		check(is_object(kept[i], i));
}

/* From beginning to beginning, until the tracer has had its fill. */
static void rounds(const struct act *act)
{
	for (;;) {
		act->prepare();
		look_at_all();
		atom_store(&board->mark.over, 0u);
		STEP_STAND();
		if (atom_load(&board->done))
			return;
		act->run();
		step_over(&board->mark);
	}
}

static void finish(void)
{
	struct slabd_stats stats = {0};
	slabd_flush(pool);
	slabd_get_stats(pool, &stats);
	check(stats.refused == 0);
	check(fixture_client(&fixture, board->id, "objects") == KEPT);
	slabd_free_bulk(cache, KEPT, (void **)kept);
	check(slabd_close(pool) == 0);
}

static _Noreturn void interrupted(const struct act *act)
{
	struct slabd_options options =
		fixture_options(&fixture, SLABD_NO_HELPER);
	struct sigaction action = {.sa_handler = on_signal};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &action, NULL);
	pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	board->id = slabd_client_id(pool);
	cache = fixture_cache(pool, "records", SIZE);
	keep_some();
	step_arm(&board->mark);
	rounds(act);
	finish();
	_exit(0);
}

/* ---- the tracer --------------------------------------------------------- */

static bool all;
static struct rng rng;

/* A signal at some places of the act, each in a round of its own: how many were
 * sent, of how many. */
static unsigned interrupt(struct step *step, const struct step_track *track,
                          size_t n_places, unsigned *due)
{
	size_t stride = all ? 1 : track->n / n_places + 1;
	size_t i = rng_next(&rng) % stride;
	unsigned sent = 0;
	for (; i + 1 < track->n && !step->gone && step->fault == 0;
	     i += stride) {
		++*due;
		if (step_to(step, &track->places[i])) {
			sent++;
			step_go(step, SIGUSR1);
		}
		step_again(step);
	}
	return sent;
}

static size_t places_of(const struct act *act)
{
	size_t n = is_sanitized() ? PLACES_SLOW : PLACES;
	return act->is_long && step_is_short() ? n / LONG : n;
}

static void start(const struct act *act, struct step *step)
{
	pid_t pid;
	memset(board, 0, sizeof(*board));
	pid = fork();
	if (pid == 0)
		interrupted(act);
	if (pid < 0 || !step_wait(step, pid, &board->mark))
		tap_bail("%s: the child does not get there", act->name);
}

static void test_act(const struct act *act)
{
	struct step_track track = {.n = 0};
	struct step step;
	unsigned due = 0;
	unsigned sent;
	start(act, &step);
	/* The first round is like no other: the second one counts. */
	step_go(&step, 0);
	step_again(&step);
	step_record(&step, &track);
	step_again(&step);
	sent = interrupt(&step, &track, places_of(act), &due);
	atom_store(&board->done, 1u);
	step_go(&step, 0);
	tap_ok(step.gone && step.fault == 0 && sent > 0 && sent >= due / 2 &&
	               atom_load(&board->wrong) == 0,
	       "%s: %zu instructions, a signal at %u of them, %u wrong",
	       act->name, track.n - 1, sent, atom_load(&board->wrong));
	if (step.fault != 0)
		tap_note("stopped by signal %d", step.fault);
	tap_ok(atom_load(&board->handled) > 0 &&
	               atom_load(&board->handled) <= sent,
	       "%s: %u signals were handled", act->name,
	       atom_load(&board->handled));
	if (!step.gone)
		step_kill(&step);
	tap_is(fixture_used(&fixture), 0, "%s: nothing is in use", act->name);
	fixture_audit(&fixture, act->name);
	step_forget(&track);
}

int main(int argc, char **argv)
{
	const char *why;
	all = (argc > 1 && strcmp(argv[1], "--all") == 0) || wants_all();
	tap_start(all ? 3600 : 800);
	why = step_unable();
	if (why != NULL) {
		tap_skip(why, "a signal at every instruction");
		return tap_end();
	}
	rng = rng_start("step_handler");
	board = shared_memory(sizeof(*board));
	fixture_open(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n");
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		test_act(&acts[i]);
	fixture_close(&fixture);
	return tap_end();
}
