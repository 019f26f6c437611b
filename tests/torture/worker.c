/* SPDX-License-Identifier: MIT */
/* A worker: threads that come and go, children, and its end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/torture/torture.h"

#define STEPS_A_LOOK 50
#define AGAIN_MS 60000
#define EXTRAS 3u

bool torture_again(const struct board *board, double *until_ms)
{
	int error = errno;
	if (*until_ms == 0)
		*until_ms = now_ms() + AGAIN_MS;
	if (atom_load(&board->slain) == 0 || now_ms() > *until_ms ||
	    (error != ENOTCONN && error != ETIMEDOUT &&
	     error != ECONNREFUSED && error != ENOENT))
		return false;
	sleep_ms(2);
	return true;
}

static void open_pool(struct worker *worker,
                      const struct slabd_options *options)
{
	double until_ms = 0;
	while ((worker->pool = slabd_open(NULL, options)) == NULL)
		if (!torture_again(worker->board, &until_ms))
			tap_bail("slabd_open: %s", slabd_last_error());
	worker->id = slabd_client_id(worker->pool);
}

static void open_cache(struct worker *worker, uint32_t i)
{
	const struct torture_kind *kind = &torture_kinds[i];
	double until_ms = 0;
	while ((worker->caches[i] = slabd_cache_create(
			worker->pool, kind->name, kind->size, kind->align,
			0)) == NULL)
		if (!torture_again(worker->board, &until_ms))
			tap_bail("slabd_cache_create: %s", slabd_last_error());
}

void worker_open(struct worker *worker, const struct slabd_options *options)
{
	open_pool(worker, options);
	for (uint32_t i = 0; i < CACHES; i++)
		open_cache(worker, i);
}

/* ---- children ----------------------------------------------------------- */

/* The hand is the parent's, which waits. If it was killed meanwhile, another
 * may be writing there. */
static void look_at_parents(struct actor *actor, pid_t parent)
{
	for (uint32_t i = 0; i < actor->n && i < 64; i++) {
		bool good = item_intact(actor->worker, &actor->hand[i]);
		if (getppid() != parent)
			_exit(0);
		if (!good)
			torture_fault(actor->worker->board,
			              "a child sees another object than its "
			              "parent had");
	}
}

static void be_no_client(struct actor *actor)
{
	struct worker *worker = actor->worker;
	errno = 0;
	if (slabd_alloc(worker->caches[0]) != NULL || errno != ENOTCONN)
		torture_fault(worker->board, "a child allocates");
	errno = 0;
	if (actor->n > 0 &&
	    (slabd_give(worker->pool, actor->hand[0].obj, worker->id) == 0 ||
	     errno != ENOTCONN))
		torture_fault(worker->board, "a child gives");
	flows_in_child(actor);
}

/* A client of its own, whose end is as sudden as its parent's. */
static void be_client(struct actor *actor)
{
	struct slabd_options options = {.flags = SLABD_NO_HELPER |
	                                         SLABD_NO_WAIT};
	struct worker worker = {.board = actor->worker->board};
	struct item item = {.cache = rng_below(&actor->rng, CACHES)};
	worker.life = atom_add(&worker.board->lives, 1u) + 1;
	worker_open(&worker, &options);
	for (int i = 0; i < 40; i++) {
		item.obj = slabd_alloc(worker.caches[item.cache]);
		if (item.obj == NULL)
			break;
		item_stamp(&worker, &item);
		item_check(&worker, &item, "in a child");
		if (i % 2 == 0)
			slabd_free(worker.caches[item.cache], item.obj);
	}
	if (rng_below(&actor->rng, 2) == 0)
		slabd_close(worker.pool);
}

void actor_fork(struct actor *actor)
{
	struct board *board = actor->worker->board;
	pid_t parent = getpid();
	int status = -1;
	pid_t pid = fork();
	if (pid < 0) {
		torture_fault(board, "fork: %s", strerror(errno));
		return;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		look_at_parents(actor, parent);
		be_no_client(actor);
		if (rng_below(&actor->rng, 2) == 0)
			be_client(actor);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (status != 0)
		torture_fault(board, "a child ended with 0x%x", status);
	atom_add(&board->forks, 1u);
}

/* ---- threads ------------------------------------------------------------ */

struct extra {
	pthread_t thread;
	uint32_t done; /* 0 none runs, 1 it runs, 2 to be joined */
	uint32_t steps;
	struct actor actor;
};

static bool leaving(const struct worker *worker)
{
	return atom_load(&worker->place->leave) != 0;
}

static void *extra_main(void *arg)
{
	struct extra *extra = arg;
	for (uint32_t i = 0; i < extra->steps; i++) {
		actor_step(&extra->actor);
		if (i % STEPS_A_LOOK == 0 && leaving(extra->actor.worker))
			break;
	}
	actor_let_go(&extra->actor);
	/* pairs: tend; the hand is empty. */
	atom_store_release(&extra->done, 2u);
	return NULL;
}

/* Joins a thread that has ended, and starts another. */
static void tend(struct extra *extra, struct worker *worker, struct rng rng)
{
	/* pairs: extra_main */
	uint32_t done = atom_load_acquire(&extra->done);
	if (done == 1)
		return;
	if (done == 2)
		pthread_join(extra->thread, NULL);
	atom_store(&extra->done, 1u);
	extra->steps = rng_below(&rng, 4000);
	extra->actor.worker = worker;
	extra->actor.rng = rng;
	if (pthread_create(&extra->thread, NULL, extra_main, extra) != 0)
		tap_bail("pthread_create: %s", strerror(errno));
	atom_add(&worker->board->threads, 1u);
}

static void empty_bag(struct worker *worker)
{
	for (uint32_t i = 0; i < 128; i++) {
		struct item *item = &worker->bag[i];
		if (item->obj == NULL)
			continue;
		item_check(worker, item, "in the bag at the end");
		slabd_free(worker->caches[item->cache], item->obj);
	}
}

/* Told to go. Every other one leaves what it holds to slabd. */
static void leave(struct worker *worker, struct actor *self)
{
	struct slabd_stats stats;
	if (slabd_get_stats(worker->pool, &stats) == 0)
		atom_add(&worker->board->resumes, stats.resumes);
	if (rng_below(&self->rng, 2) == 0) {
		actor_let_go(self);
		empty_bag(worker);
		for (uint32_t i = 0; i < CACHES; i++)
			slabd_cache_close(worker->caches[i]);
	}
	if (slabd_close(worker->pool) < 0)
		torture_fault(worker->board, "slabd_close: %s",
		              slabd_last_error());
}

static void live(struct worker *worker, struct actor *self, unsigned n_extra)
{
	static struct extra extra[EXTRAS];
	for (uint32_t i = 0; !leaving(worker); i++) {
		if (i % STEPS_A_LOOK == 0)
			for (unsigned k = 0; k < n_extra; k++)
				tend(&extra[k], worker,
				     rng_split(&self->rng));
		actor_step(self);
	}
	for (unsigned k = 0; k < n_extra; k++)
		if (atom_load(&extra[k].done) != 0)
			pthread_join(extra[k].thread, NULL);
	leave(worker, self);
}

void worker_main(int fd, void *arg)
{
	static const unsigned waits_ms[4] = {1, 5, 20, 50};
	static struct actor self;
	static struct worker worker = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct torture_start *start = arg;
	struct slabd_options options = {.flags = 0};
	(void)fd;
	worker.board = start->board;
	worker.place = &start->board->places[start->place];
	worker.life = atom_add(&start->board->lives, 1u) + 1;
	self.worker = &worker;
	self.rng = start->rng;
	options.flags = rng_below(&self.rng, 2) ? SLABD_NO_WAIT : 0;
	options.wait_ms = waits_ms[rng_below(&self.rng, 4)];
	/* Half of them keep next to nothing, so that most calls are a miss. */
	options.thread_bytes = rng_below(&self.rng, 2) ? 4096 : 0;
	options.process_bytes = options.thread_bytes;
	/* pairs: give; what was meant for an earlier life is dropped. */
	for (uint32_t i = 0; i < CELLS; i++) {
		atom_swap(&worker.place->cell[i], UINT64_C(0));
		/* pairs: give, of crates.c */
		atom_swap(&worker.place->crate[i], UINT64_C(0));
	}
	worker_open(&worker, &options);
	flows_open(&worker);
	/* pairs: give; who is named can be given to. */
	atom_store_release(&worker.place->who, worker.life << 16 | worker.id);
	live(&worker, &self, 1 + rng_below(&self.rng, EXTRAS));
}
