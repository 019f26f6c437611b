/* SPDX-License-Identifier: MIT */
#include "tests/lib/kill.h"
#include "tests/lib/rng.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KILLS 30         /* an operation, as a rule */
#define STRESSED 20      /* times as many */
#define KILLS_SLOW 16    /* with a sanitizer, whose code is stepped too */
#define ELSEWHERE 4000   /* instructions of which none is left out */
#define ELSEWHERE_STRIDE 1000
#define FAILURES_MAX 5

static bool all;
static unsigned kills_max = KILLS;
static struct rng rng;

/* What an operation came to. */
struct score {
	unsigned kills;
	unsigned exact; /* at the very instruction that was meant */
	unsigned failures;
	long long lost;
	long long twice;
	long long swept; /* slabd's count so far */
};

void kill_start(int argc, char **argv, unsigned seconds)
{
	const char *why;
	all = (argc > 1 && strcmp(argv[1], "--all") == 0) || wants_all();
	tap_start(all ? 3600 : seconds);
	why = step_unable();
	if (why != NULL) {
		tap_skip(why, "killed at every instruction");
		exit(tap_end());
	}
	if (is_sanitized())
		kills_max = KILLS_SLOW;
	if (tap_rounds(8) > 8)
		kills_max *= STRESSED;
	rng = rng_start("kill");
	tap_note("%s", all ? "every place (--all)"
	                   : "some places, from the seed on; --all: every one");
}

/* ---- victims ------------------------------------------------------------ */

void kill_open(struct kill_victim *victim, bool helper, unsigned cap)
{
	struct slabd_options options =
	        fixture_options(&victim->traced->fixture,
	                    SLABD_FORCE_NODE | (helper ? 0 : SLABD_NO_HELPER));
	options.thread_bytes = (size_t)cap * TRACED_POOL_SIZE * 8;
	victim->pool = slabd_open(NULL, &options);
	if (victim->pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	victim->board->id = slabd_client_id(victim->pool);
}

void kill_take(struct kill_victim *victim, size_t n)
{
	for (; n > 0; n--) {
		void *object = slabd_alloc(victim->cache);
		if (object == NULL || victim->n == KILL_OBJECTS)
			tap_bail("slabd_alloc: %s", slabd_last_error());
		memset(object, 0xee, TRACED_POOL_SIZE);
		victim->objects[victim->n++] = object;
	}
}

void kill_drop(struct kill_victim *victim, size_t n)
{
	for (; n > 0; n--)
		slabd_free(victim->cache, victim->objects[--victim->n]);
}

struct doomed {
	const struct kill_op *op;
	struct kill_victim *victim;
};

static void *thread_main(void *arg)
{
	struct doomed *doomed = arg;
	doomed->op->act(doomed->victim);
	step_enter(&doomed->victim->board->mark);
	return NULL;
}

/* No helper and no other thread where none is asked for: then nothing in the
 * process moves but what is stepped. */
static _Noreturn void victim_main(const struct kill_op *op,
                                  const struct traced_pool *traced,
                                  struct kill_board *board)
{
	static struct kill_victim victim;
	struct doomed doomed = {.op = op, .victim = &victim};
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	victim = (struct kill_victim){.traced = traced, .board = board};
	op->prepare(&victim);
	if (op->thread) {
		pthread_create(&thread, NULL, thread_main, &doomed);
		pthread_join(thread, NULL);
		pause();
	}
	step_enter(&board->mark);
	op->act(&victim);
	step_over(&board->mark);
	_exit(0);
}

static void victim_start(struct traced_pool *traced, const struct kill_op *op,
                         struct kill_board *board, struct step *step)
{
	pid_t pid;
	uint32_t turn = board->turn + 1;
	memset(board, 0, sizeof(*board));
	board->turn = turn;
	pid = fork();
	if (pid == 0)
		victim_main(op, traced, board);
	if (pid < 0 || !step_wait(step, pid, &board->mark))
		tap_bail("%s: the victim does not get to the operation",
		         op->name);
	if (op->before != NULL)
		op->before(traced, board);
}

/* ---- after the death ---------------------------------------------------- */

static void failed(struct score *score, const struct kill_op *op,
                   const struct step_place *place, const char *what,
                   long long got, long long want)
{
	score->failures++;
	tap_note("%s, %u calls and %u instructions on: %s: %lld, expected %lld",
	         op->name, place->calls, place->insns, what, got, want);
}

/* The audit with the living at a halt. */
static void check_audit(struct traced_pool *traced, const struct kill_op *op,
                        const struct step_place *place, struct score *score)
{
	json_t *doc = fixture_get(&traced->fixture, "/audit");
	json_t *pool = json_at(doc, "pools.0");
	long long owned = json_integer_value(json_at(pool, "owned"));
	long long lost = json_integer_value(json_at(pool, "lost"));
	long long twice = json_integer_value(json_at(pool, "twice"));
	long long orphans = json_integer_value(json_at(pool, "orphans"));
	score->lost += lost;
	score->twice += twice;
	if (!json_is_true(json_at(doc, "agree"))) {
		char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
		failed(score, op, place, text ? text : "no audit", 0, 1);
		free(text);
	}
	if (lost + twice + orphans != 0)
		failed(score, op, place, "lost, twice and orphans",
		       lost + twice + orphans, 0);
	if (owned != (long long)traced_pool_owned(traced))
		failed(score, op, place, "owned by the living", owned,
		       (long long)traced_pool_owned(traced));
	json_decref(doc);
}

static void check_rest(struct traced_pool *traced, const struct kill_op *op,
                       const struct step_place *place, uint32_t id,
                       struct score *score)
{
	long long mine = (long long)traced_pool_count(traced, traced->user.id);
	if (!traced_pool_halt(traced))
		tap_bail("the living do not come to a halt");
	if (!traced_pool_background_agree(traced))
		failed(score, op, place, "the living are wronged", 1, 0);
	if (mine != traced->n_held)
		failed(score, op, place, "owned by the warden", mine,
		       traced->n_held);
	if (id != 0 && traced_pool_count(traced, id) != 0)
		failed(score, op, place, "left with the dead client",
		       (long long)traced_pool_count(traced, id), 0);
	check_audit(traced, op, place, score);
	traced_pool_go_on(traced);
}

/* What slabd freed, against what carried the id before the kill. */
static void check_swept(struct traced_pool *traced, const struct kill_op *op,
                        const struct step_place *place, long long held,
                        struct score *score)
{
	json_t *doc = fixture_get(&traced->fixture, "/status");
	json_t *pool = json_at(doc, "pools.0");
	long long swept = json_integer_value(json_at(pool, "swept_objects"));
	long long clients = json_integer_value(json_at(pool, "clients"));
	if (!op->settles && swept - score->swept != held)
		failed(score, op, place, "objects that came back",
		       swept - score->swept, held);
	if (clients != 1 + (traced->at_work ? (int)TRACED_POOL_LIVING : 0))
		failed(score, op, place, "clients", clients,
		       1 + TRACED_POOL_LIVING);
	score->swept = swept;
	json_decref(doc);
}

/* ---- one death ---------------------------------------------------------- */

static long long swept_now(const struct traced_pool *traced)
{
	return fixture_number(&traced->fixture, "/status",
	                      "pools.0.swept_objects");
}

/* The victim stands at a place. */
static void kill_here(struct traced_pool *traced, const struct kill_op *op,
                      struct kill_board *board, struct step *step,
                      const struct step_place *place, struct score *score)
{
	uint32_t id = board->id;
	long long held = 0;
	if (step->fault != 0)
		failed(score, op, place, "a signal", step->fault, 0);
	if (op->leaves || op->sweeps)
		traced_pool_barrier(traced);
	if (op->leaves)
		score->swept = swept_now(traced);
	if (id != 0)
		held = (long long)(traced_pool_count(traced, id) -
		                   traced_pool_bequeathed(traced, id));
	step_kill(step);
	if (op->opens) {
		traced_pool_barrier(traced);
		id = traced_pool_find(traced, step->pid);
	}
	if (id != 0) {
		traced_pool_await_death(traced, id);
		traced->last_id = id;
	}
	check_swept(traced, op, place, held, score);
	if (op->after != NULL)
		op->after(traced, board);
	if (op->sweeps)
		score->swept = swept_now(traced);
	check_rest(traced, op, place, id, score);
	score->kills++;
}

static void kill_at(struct traced_pool *traced, const struct kill_op *op,
                    struct kill_board *board, const struct step_place *place,
                    struct score *score)
{
	struct step step;
	victim_start(traced, op, board, &step);
	if (step_to(&step, place))
		score->exact += step_is_at(&step, place);
	kill_here(traced, op, board, &step, place, score);
}

/* ---- all places --------------------------------------------------------- */

/* One in how many of the places of a kind is taken. */
struct strides {
	size_t of[3];
	size_t seen[3];
};

static struct strides plan(const struct step_track *track, unsigned most)
{
	struct strides strides = {.of = {1, 1, 1}};
	size_t n[3] = {0, 0, 0};
	size_t rest;
	for (size_t i = 0; i < track->n; i++)
		n[track->places[i].kind]++;
	if (all && n[STEP_ELSEWHERE] > ELSEWHERE)
		strides.of[STEP_ELSEWHERE] =
		        n[STEP_ELSEWHERE] / ELSEWHERE_STRIDE;
	if (!all) {
		/* What the C library does is seen half as closely. */
		rest = n[STEP_OURS] + n[STEP_ELSEWHERE] / 2;
		strides.of[STEP_CALL] = n[STEP_CALL] * 2 / most + 1;
		strides.of[STEP_OURS] = rest / most + 1;
		strides.of[STEP_ELSEWHERE] = 2 * strides.of[STEP_OURS];
		if (rest * 2 < most)
			strides.of[STEP_ELSEWHERE] = 1;
	}
	for (int kind = 0; kind < 3; kind++)
		strides.seen[kind] = rng_next(&rng) % strides.of[kind];
	return strides;
}

static bool is_due(struct strides *strides, enum step_kind kind)
{
	return strides->seen[kind]++ % strides->of[kind] == 0;
}

/* The first victim goes through the whole, and dies at the end of it. */
static void explore(struct traced_pool *traced, const struct kill_op *op,
                    struct kill_board *board, struct step_track *track,
                    struct score *score)
{
	struct step step;
	victim_start(traced, op, board, &step);
	step_record(&step, track);
	kill_here(traced, op, board, &step, &track->places[track->n - 1],
	          score);
}

void kill_everywhere(struct traced_pool *traced, const struct kill_op *op)
{
	struct kill_board *board = shared_memory(sizeof(*board));
	struct step_track track = {.n = 0};
	struct score score = {.swept = swept_now(traced)};
	double since = now_ms();
	struct strides strides;
	explore(traced, op, board, &track, &score);
	strides = plan(&track, op->few || (op->libs && step_is_short())
	                               ? kills_max / 4
	                               : kills_max);
	for (size_t i = 0; i + 1 < track.n && score.failures < FAILURES_MAX;
	     i++)
		if (is_due(&strides, track.places[i].kind))
			kill_at(traced, op, board, &track.places[i], &score);
	tap_ok(score.failures == 0,
	       "%s: %zu instructions, %u kills, %lld lost, %lld twice",
	       op->name, track.n - 1, score.kills, score.lost, score.twice);
	tap_note("%u system calls; %u at the very instruction; %.1f s, %.2f ms "
	         "a kill", track.places[track.n - 1].calls, score.exact,
	         (now_ms() - since) / 1e3, (now_ms() - since) / score.kills);
	step_forget(&track);
}
