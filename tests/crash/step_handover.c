/* SPDX-License-Identifier: MIT */
/*
 * A client killed at every instruction of a hand-over of several objects, from
 * either side, and of one that is refused; and a thread that stands still in the
 * middle of one.
 *
 *   step_handover [--all]
 *
 * Of each gift, once the victim was swept: it is the warden's, which takes it by
 * its handle, or it is free, or somebody else's by now; and it is not to be had
 * by that handle a second time.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client/handle.h"
#include "client/holds.h"
#include "client/types.h"
#include "shm/tags.h"
#include "tests/lib/kill.h"

#define CAP 32u
#define TURN_STEPS 1000000u /* more than a take has */

static struct traced_pool traced;
static uint32_t common;
static unsigned n_given;
static unsigned n_kept;
static unsigned n_twice;

static void open_common(struct kill_victim *v)
{
	kill_open(v, false, CAP);
	v->cache = fixture_cache(v->pool, TRACED_POOL_COMMON, TRACED_POOL_SIZE);
}

/* ---- the victim gives --------------------------------------------------- */

static void open_and_take(struct kill_victim *v)
{
	open_common(v);
	kill_take(v, KILL_GIFTS);
	for (unsigned i = 0; i < KILL_GIFTS; i++)
		v->board->handles[i] = slabd_handle_of(v->pool, v->objects[i]);
}

static void give_bulk(struct kill_victim *v)
{
	slabd_give_bulk(v->pool, v->objects, KILL_GIFTS, v->traced->user.id);
}

static bool warden_takes(uint64_t handle)
{
	uint16_t *tag = slab_tag_of(&traced.view, handle_off(handle));
	return tags_take_own(tag, slab_gen_of(&traced.view, tag),
	                     (uint16_t)traced.user.id, handle_object(handle));
}

/* In order: those behind the first that was not given were not, either. */
static void see_gifts(struct traced_pool *w, struct kill_board *board)
{
	bool over = false;
	for (unsigned i = 0; i < KILL_GIFTS; i++) {
		if (!warden_takes(board->handles[i])) {
			n_kept++;
			over = true;
			continue;
		}
		n_given++;
		n_twice += over || warden_takes(board->handles[i]);
		traced_pool_release_one(w, handle_off(board->handles[i]));
		n_twice += warden_takes(board->handles[i]);
	}
}

/* ---- ... the plain way ---------------------------------------------------- */

/* Known to nobody; of the victim's own magazine there is enough to look at. */
static void open_and_keep(struct kill_victim *v)
{
	uint64_t to = v->traced->user.id;
	open_common(v);
	kill_take(v, KILL_GIFTS + 2 + HOLDS_NEWEST);
	kill_drop(v, HOLDS_NEWEST);
	for (unsigned i = 0; i < KILL_GIFTS; i++) {
		uint64_t off = (uint64_t)((char *)v->objects[i] -
		                          v->pool->user.data);
		uint16_t *tag = slab_tag_of(&v->pool->view, off);
		v->board->handles[i] = handle_make(
		        off, atom_load(slab_gen_of(&v->pool->view, tag)));
	}
	/* The first one goes the long way. */
	if (slabd_give(v->pool, v->objects[KILL_GIFTS], (unsigned)to) < 0 ||
	    slabd_give(v->pool, v->objects[KILL_GIFTS + 1], (unsigned)to) < 0 ||
	    v->pool->turns.last.object != v->objects[KILL_GIFTS + 1])
		tap_bail("no give goes the plain way: %s", slabd_last_error());
	for (unsigned i = 0; i < 2; i++)
		v->board->before[i] = slabd_handle_of(
		        v->pool, v->objects[KILL_GIFTS + i]);
}

static void see_plain(struct traced_pool *w, struct kill_board *board)
{
	for (unsigned i = 0; i < 2; i++) {
		n_twice += !warden_takes(board->before[i]);
		traced_pool_release_one(w, handle_off(board->before[i]));
	}
	see_gifts(w, board);
}

/* ---- the victim takes --------------------------------------------------- */

static void give_them(struct traced_pool *w, struct kill_board *board)
{
	if (traced_pool_claim(w, common, 0, KILL_GIFTS) != KILL_GIFTS)
		tap_bail("no objects for the victim");
	for (unsigned i = 0; i < KILL_GIFTS; i++) {
		uint64_t off = w->held[--w->n_held];
		uint16_t *tag = slab_tag_of(&w->view, off);
		uint16_t *gen = slab_gen_of(&w->view, tag);
		board->handles[i] = handle_make(off, atom_load(gen));
		view_touch_any(&w->view, board->id,
		               (uint32_t)(off >> UNIT_SHIFT));
		tags_give_own(tag, gen, (uint16_t)w->user.id,
		              (uint16_t)board->id);
	}
}

static void take_bulk(struct kill_victim *v)
{
	v->n = slabd_take_bulk(v->pool, v->board->handles, KILL_GIFTS,
	                       v->objects);
}

/* Whoever gave them did not tell. */
static void find_and_take(struct kill_victim *v)
{
	slabd_handle handles[KILL_GIFTS];
	size_t n = slabd_gifts(v->pool, SLABD_NO_HANDLE, KILL_GIFTS, handles);
	v->n = slabd_take_bulk(v->pool, handles, n, v->objects);
}

/* Dead, it has nothing to be taken. */
static void see_none(struct traced_pool *w, struct kill_board *board)
{
	(void)w;
	for (unsigned i = 0; i < KILL_GIFTS; i++)
		n_twice += warden_takes(board->handles[i]);
}

/* ---- what is refused ---------------------------------------------------- */

static void open_and_free(struct kill_victim *v)
{
	open_and_take(v);
	slabd_free(v->cache, v->objects[5]);
}

/* To nobody; of what was freed; of what is a gift already; back from nobody. */
static void give_in_vain(struct kill_victim *v)
{
	slabd_give(v->pool, v->objects[0], CLIENT_ID_MAX);
	slabd_give(v->pool, v->objects[5], v->traced->user.id);
	slabd_give(v->pool, v->objects[1], v->board->id);
	slabd_give(v->pool, v->objects[1], v->traced->user.id);
	slabd_take(v->pool, v->board->handles[2]);
	slabd_take(v->pool, v->board->handles[1]);
	slabd_take(v->pool, v->board->handles[1]);
}

/* ---- a thread that stands still ----------------------------------------- */

static struct still {
	struct step_mark mark;
	uint64_t turn;  /* where its word lies in the child */
	uint32_t go;    /* (A) the other thread may */
	bool shared;    /* it had a turn before */
	int32_t err[3]; /* errno of what that did; 0: it worked */
	uint32_t done;  /* (A) */
	uint32_t over;  /* (A) the first thread has gone on */
	bool has;       /* what it was at */
} *still;

static struct kill_victim v;

static void *others(void *arg)
{
	(void)arg;
	while (atom_load(&still->go) == 0)
		sleep_ms(1);
	still->err[0] = slabd_take(v.pool, v.board->handles[1]) ? 0 : errno;
	still->err[1] = slabd_give(v.pool, v.objects[0], v.board->id) < 0
	                        ? errno : 0;
	still->err[2] = slabd_take(v.pool, v.board->handles[0]) ? 0 : errno;
	atom_store(&still->done, 1u);
	return NULL;
}

static uint32_t *turn_of(const struct kill_victim *victim, unsigned i)
{
	uint64_t off = handle_off(victim->board->handles[i]);
	return &victim->pool->turns.busy[off / 64 % TURNS];
}

/* In a turn it finds that it was never given. */
static void *take_in_vain(void *arg)
{
	(void)arg;
	slabd_take(v.pool, v.board->handles[2]);
	return NULL;
}

/* The word that says that the calling thread has a turn at the first object: its own
 * while no other thread had any. */
static uint32_t *turn_at(const struct kill_victim *victim)
{
	pthread_t thread;
	if (!still->shared)
		return &victim->pool->turns.within;
	pthread_create(&thread, NULL, take_in_vain, NULL);
	pthread_join(thread, NULL);
	return turn_of(victim, 0);
}

static _Noreturn void stand(struct kill_board *board)
{
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	v = (struct kill_victim){.traced = &traced, .board = board};
	open_and_take(&v);
	for (unsigned i = 0; i < 2; i++)
		slabd_give(v.pool, v.objects[i], board->id);
	still->turn = (uint64_t)(uintptr_t)turn_at(&v);
	if (turn_of(&v, 0) == turn_of(&v, 1))
		_exit(1);
	pthread_create(&thread, NULL, others, NULL);
	step_enter(&still->mark);
	still->has = slabd_take(v.pool, board->handles[0]) != NULL;
	step_over(&still->mark);
	atom_store(&still->over, 1u);
	pthread_join(thread, NULL);
	pause();
	_exit(0);
}

static bool wait_for(const uint32_t *word)
{
	double until = now_ms() + SURELY_MS;
	while (atom_load(word) == 0 && now_ms() < until)
		sleep_ms(1);
	return atom_load(word) != 0;
}

/* Steps on until the thread has the turn. */
static bool step_into(struct step *step)
{
	for (unsigned i = 0; i < TURN_STEPS && step_once(step); i++)
		if ((ptrace(PTRACE_PEEKDATA, step->tid,
		            (void *)(uintptr_t)still->turn, NULL) &
		     1) != 0)
			return true;
	return false;
}

/* Of turns that were its own, all are waited for; of shared ones those of what it
 * is at. */
static void test_still(bool shared)
{
	struct kill_board *board = shared_memory(sizeof(*board));
	struct step step;
	pid_t pid;
	still = shared_memory(sizeof(*still));
	still->shared = shared;
	pid = fork();
	if (pid == 0)
		stand(board);
	if (pid < 0 || !step_wait(&step, pid, &still->mark))
		tap_bail("the thread does not get to its take");
	tap_ok(step_into(&step), "a thread stands still while it takes");
	atom_store(&still->go, 1u);
	tap_ok(wait_for(&still->done), "another one of its process goes on");
	tap_is(still->err[0], shared ? 0 : EAGAIN,
	       shared ? "it takes another gift"
	              : "whose first turn comes once that is over");
	tap_is(still->err[1], EPERM, "gives none that was not taken");
	tap_is(still->err[2], EAGAIN, "and is told of the one that is taken");
	step_go(&step, 0);
	step_leave(&step);
	tap_ok(wait_for(&still->over) && still->has,
	       "which the first thread has, once it goes on");
	kill(pid, SIGKILL);
	traced_pool_await_death(&traced, board->id);
	traced.last_id = board->id;
	traced_pool_barrier(&traced);
	tap_is((long long)traced_pool_count(&traced, board->id), 0,
	       "with its end all is free");
}

int main(int argc, char **argv)
{
	static const struct kill_op ops[] = {
		{.name = "slabd_give_bulk",
		 .prepare = open_and_take,
		 .act = give_bulk,
		 .after = see_gifts,
		 .few = true},
		{.name = "slabd_give_bulk, the plain way",
		 .prepare = open_and_keep,
		 .act = give_bulk,
		 .after = see_plain,
		 .few = true},
		{.name = "slabd_take_bulk",
		 .prepare = open_common,
		 .act = take_bulk,
		 .before = give_them,
		 .after = see_none,
		 .few = true},
		{.name = "slabd_gifts, and what it finds",
		 .prepare = open_common,
		 .act = find_and_take,
		 .before = give_them,
		 .after = see_none,
		 .few = true},
		{.name = "what is refused",
		 .prepare = open_and_free,
		 .act = give_in_vain,
		 .after = see_none,
		 .few = true},
	};
	kill_start(argc, argv, 800);
	traced_pool_open(&traced, 8);
	common = traced_pool_cache(&traced, TRACED_POOL_COMMON,
	                           TRACED_POOL_SIZE, 0, 0);
	traced_pool_wake(&traced);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		kill_everywhere(&traced, &ops[i]);
	tap_ok(n_given > 0 && n_kept > 0,
	       "of the gifts %u came to pass and %u did not", n_given, n_kept);
	tap_is(n_twice, 0, "none was taken twice, after its end, or out of turn");
	/* A sanitizer's own locks would be held, too. */
	if (is_sanitized()) {
		tap_skip("done without a sanitizer", "a thread stands still");
	} else {
		test_still(true);
		test_still(false);
	}
	traced_pool_close(&traced);
	return tap_end();
}
