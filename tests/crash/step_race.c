/* SPDX-License-Identifier: MIT */
/*
 * A give that meets the receiver's death, stepped:
 *
 *   giver:     sees the receiver live | store: the object is the receiver's |
 *              sees it live still, or takes the object back
 *   receiver:  dies, is swept; half a second later swept again
 *
 * The receiver dies at each place of the give, and the giver at each of those where
 * it takes the object back. Where the giver dies in its turn
 * just after the store, the object is left with a dead client that was swept
 * already: the second sweep alone finds it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client/handle.h"
#include "shm/tags.h"
#include "tests/lib/rng.h"
#include "tests/lib/step.h"
#include "tests/lib/traced_pool.h"

#define PLACES 40u
#define PLACES_SLOW 10u
#define STRESSED 3u /* times as many in ./dev stress */

static struct board {
	struct step_mark mark;
	uint32_t id;  /* of the giver */
	int32_t done; /* what slabd_give returned, plus 1 */
	int32_t err;
	uint64_t handle;
} *board;

static struct traced_pool traced;
static uint32_t cache;
static struct child receiver;
static uint32_t receiver_id;

/* ---- giver and receiver ------------------------------------------------- */

static slabd_pool *open_alone(void)
{
	struct slabd_options options = fixture_options(
		&traced.fixture, SLABD_NO_HELPER | SLABD_FORCE_NODE);
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	return pool;
}

static void receive(int fd, void *arg)
{
	(void)arg;
	say(fd, slabd_client_id(open_alone()));
	hear(fd);
}

static _Noreturn void give(void)
{
	slabd_pool *pool;
	void *object;
	int r;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pool = open_alone();
	object = slabd_alloc(fixture_cache(pool, "gifts", TRACED_POOL_SIZE));
	board->id = slabd_client_id(pool);
	board->handle = slabd_handle_of(pool, object);
	step_enter(&board->mark);
	r = slabd_give(pool, object, receiver_id);
	step_over(&board->mark);
	board->err = errno;
	atom_store(&board->done, r + 1);
	pause();
	_exit(0);
}

static uint32_t owner(void)
{
	return TAG_OWNER(atom_load(
		slab_tag_of(&traced.view, handle_off(board->handle))));
}

static void start_both(struct step *step)
{
	pid_t pid;
	child_start(&receiver, receive, NULL);
	receiver_id = (uint32_t)hear(receiver.fd);
	memset(board, 0, sizeof(*board));
	board->done = -1;
	pid = fork();
	if (pid == 0)
		give();
	if (pid < 0 || !step_wait(step, pid, &board->mark))
		tap_bail("the giver does not get there");
}

static void kill_receiver(void)
{
	child_kill(&receiver);
	traced_pool_await_death(&traced, receiver_id);
	traced_pool_barrier(&traced);
}

static void kill_giver(struct step *step)
{
	step_kill(step);
	traced_pool_await_death(&traced, board->id);
	traced_pool_barrier(&traced);
}

/* What slabd_give returned; the giver is left to its sleep. */
static int let_finish(struct step *step)
{
	double until = now_ms() + SURELY_MS;
	step_go(step, 0);
	step_leave(step);
	while (atom_load(&board->done) < 0 && now_ms() < until)
		sleep_ms(1);
	return atom_load(&board->done) - 1;
}

static bool is_second_sweep_over(void)
{
	const uint64_t *word = &traced.view.clients[receiver_id].word;
	return (atom_load(word) & 0xff) == CLIENT_FREE;
}

static void await_second_sweep(void)
{
	double until = now_ms() + SURELY_MS;
	while (!is_second_sweep_over() && now_ms() < until)
		sleep_ms(1);
	traced_pool_barrier(&traced);
}

/* ---- the store ---------------------------------------------------------- */

/* Whether the store is over at a place. */
static bool has_stored(const struct step_place *place)
{
	struct step step;
	bool stored;
	start_both(&step);
	step_to(&step, place);
	stored = owner() == receiver_id;
	kill_giver(&step);
	kill_receiver();
	return stored;
}

/* The first place after it. */
static size_t find_store(struct step_track *track)
{
	struct step step;
	size_t low = 0;
	size_t high;
	start_both(&step);
	step_record(&step, track);
	kill_giver(&step);
	kill_receiver();
	high = track->n - 1;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (has_stored(&track->places[middle]))
			high = middle;
		else
			low = middle;
	}
	tap_ok(low > 0 && high + 1 < track->n,
	       "a give has %zu instructions, and stores with number %zu",
	       track->n - 1, high);
	return high;
}

struct late {
	uint32_t before; /* whose the object is, before the store */
	uint32_t after;
};

/* Giver before its store, receiver dead and swept once, slabd stopped: then the
 * store. False where the second sweep was quicker than that. */
static bool store_once(struct step *step, const struct step_place *before,
                       struct late *late)
{
	start_both(step);
	step_to(step, before);
	kill_receiver();
	fixture_halt(&traced.fixture);
	if (is_second_sweep_over()) {
		fixture_signal(&traced.fixture, SIGCONT);
		kill_giver(step);
		return false;
	}
	late->before = owner();
	step_once(step);
	late->after = owner();
	return true;
}

/* The same until it comes to that. slabd is left stopped, and so cannot make
 * its second sweep before the caller is ready for it. */
static void store_late(struct step *step, const struct step_place *before)
{
	struct late late = {.before = 0};
	double until = now_ms() + SURELY_MS;
	while (!store_once(step, before, &late))
		if (now_ms() > until)
			tap_bail("the second sweep is always the quicker one");
	tap_is(late.before, board->id, "the giver saw the receiver live");
	tap_is(late.after, receiver_id,
	       "and gives to it after its sweep");
}

static void go_on(void)
{
	fixture_signal(&traced.fixture, SIGCONT);
}

static void expect_clean(const char *when)
{
	tap_is(fixture_number(&traced.fixture, "/audit", "pools.0.orphans") +
	               fixture_number(&traced.fixture, "/audit",
	                              "pools.0.lost"),
	       0, "%s: no orphan, nothing lost", when);
	fixture_audit(&traced.fixture, when);
}

static void test_giver_dies(const struct step_place *before)
{
	struct step step;
	store_late(&step, before);
	step_kill(&step);
	tap_is(owner(), receiver_id,
	       "the giver dies: the object is a dead client's");
	go_on();
	traced_pool_await_death(&traced, board->id);
	await_second_sweep();
	tap_is(owner(), TAG_FREE, "the second sweep frees it");
	expect_clean("giver and receiver dead");
}

static void test_giver_lives(const struct step_place *before)
{
	struct step step;
	store_late(&step, before);
	tap_is(let_finish(&step), -1, "the giver goes on: the give fails");
	tap_is(board->err, ESRCH, "with ESRCH");
	tap_is(owner(), board->id, "and the object is its own again");
	go_on();
	await_second_sweep();
	tap_is(owner(), board->id, "so that the second sweep leaves it");
	kill_giver(&step);
	expect_clean("the receiver dead");
}

/* Asked between the store and the second sweep, where slabd has time for that:
 * the sweep is due half a second after the first. */
static long long orphans_seen(struct step *step,
                              const struct step_place *before)
{
	long long orphans = -1;
	double until = now_ms() + SURELY_MS;
	for (;;) {
		store_late(step, before);
		go_on();
		orphans = fixture_number(&traced.fixture, "/audit",
		                         "pools.0.orphans");
		if (!is_second_sweep_over() || now_ms() > until)
			return orphans;
		kill_giver(step);
	}
}

static void test_giver_stands(const struct step_place *before)
{
	struct step step;
	tap_is(orphans_seen(&step, before), 1, "slabd knows of one orphan");
	await_second_sweep();
	tap_is(owner(), TAG_FREE,
	       "the giver stands still: the second sweep frees the object");
	traced_pool_claim(&traced, cache, 0, UINT32_MAX);
	tap_is(owner(), traced.user.id, "and another client gets it");
	tap_is(let_finish(&step), 0, "the giver goes on: it was given");
	tap_is(owner(), traced.user.id, "and stays the other client's");
	kill_giver(&step);
	traced_pool_release(&traced, cache, 0);
	expect_clean("a giver that stood still");
}

/* ---- at each place ------------------------------------------------------ */

/* Where the object may be when the receiver died at a place of the give. */
static bool is_right(bool stored, int r)
{
	if (r == 0)
		return stored && owner() == TAG_FREE;
	return r == -1 && board->err == ESRCH && owner() == board->id;
}

static void test_all(const struct step_track *track, size_t store,
                     struct rng rng, bool every, size_t places)
{
	size_t stride = every ? 1 : track->n / places + 1;
	unsigned wrong = 0;
	unsigned n = 0;
	for (size_t i = rng_next(&rng) % stride; i < track->n;
	     i += stride) {
		struct step step;
		int r;
		start_both(&step);
		step_to(&step, &track->places[i]);
		kill_receiver();
		r = let_finish(&step);
		n++;
		if (!is_right(i >= store, r)) {
			wrong++;
			tap_note("at %zu: give returned %d, %s; owner %u, "
			         "giver %u, receiver %u", i, r,
			         strerror(board->err), owner(), board->id,
			         receiver_id);
		}
		kill_giver(&step);
	}
	tap_is(wrong, 0, "the receiver dies at %u places of a give: the giver "
	       "has the object, or nobody", n);
	await_second_sweep();
	expect_clean("after all that");
	tap_is((long long)traced_pool_count(&traced, traced.user.id),
	       traced.n_held, "the warden has what it had");
}

/* ---- taken back --------------------------------------------------------- */

/* The receiver is dead as the giver stores, which sees that and takes the object
 * back: it is killed so many instructions later. False where it was over. */
static bool kill_taking_back(const struct step_place *before, unsigned n)
{
	struct step step;
	bool going = true;
	start_both(&step);
	step_to(&step, before);
	kill_receiver();
	for (unsigned i = 0; i < n && going; i++)
		going = step_once(&step);
	kill_giver(&step);
	return going;
}

static void test_taken_back(const struct step_place *before, unsigned stride)
{
	unsigned kills = 0;
	for (unsigned n = 1; kill_taking_back(before, n); n += stride)
		kills++;
	tap_ok(kills > 1, "a giver is killed at %u places as it takes back",
	       kills);
	await_second_sweep();
	tap_is((long long)traced_pool_count(&traced, traced.user.id),
	       traced.n_held, "the warden has what it had");
	expect_clean("after these");
}

int main(int argc, char **argv)
{
	bool slow = is_sanitized();
	bool every = argc > 1 && strcmp(argv[1], "--all") == 0;
	bool is_stressed = getenv("SLABD_STRESS") != NULL;
	struct step_track track = {.n = 0};
	const char *why;
	size_t store;
	tap_start(every ? 3600 : 800);
	why = step_unable();
	if (why != NULL) {
		tap_skip(why, "a give and a death, stepped");
		return tap_end();
	}
	board = shared_memory(sizeof(*board));
	traced_pool_open(&traced, 2);
	cache = traced_pool_cache(&traced, "gifts", TRACED_POOL_SIZE, 0, 0);
	store = find_store(&track);
	test_giver_dies(&track.places[store - 1]);
	test_giver_lives(&track.places[store - 1]);
	test_giver_stands(&track.places[store - 1]);
	test_taken_back(&track.places[store - 1],
	                every ? 1 : slow ? 40 : is_stressed ? 3 : 27);
	test_all(&track, store, rng_start("step_race"), every,
	         (slow ? PLACES_SLOW : PLACES) * (is_stressed ? STRESSED : 1));
	step_forget(&track);
	traced_pool_close(&traced);
	return tap_end();
}
