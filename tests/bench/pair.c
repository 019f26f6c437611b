/* SPDX-License-Identifier: MIT */
/*
 * Workloads of two sides. W3: two threads, each at W2. W4: side 0 allocates
 * and writes, the ring carries groups of 32, side 1 checks and frees. W5: the
 * same between two processes, where ownership is passed on as well.
 */
#include "tests/bench/keep.h"
#include "tests/bench/two_processes.h"
#include "tests/bench/who.h"

#include "shm/atom.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define W3_LIVE 256u
/* The ring, a group on either side of it, and some more. */
#define PASSED_MOST 4352u

static struct two_processes *two;
static struct who_cache *cache;
static const struct work_job *the_job;
static pthread_t second;
static two_processes_side running;

/* ---- W3 ----------------------------------------------------------------- */

static bool w3_side(struct two_processes *d, unsigned side, uint64_t n)
{
	void *live[W3_LIVE];
	(void)side;
	(void)d;
	for (uint64_t i = 0; i < n / 2; i += W3_LIVE) {
		for (unsigned k = 0; k < W3_LIVE; k++)
			live[k] = who_alloc(cache);
		for (unsigned k = 0; k < W3_LIVE; k++)
			who_free(cache, live[k]);
	}
	return true;
}

/* ---- W8two --------------------------------------------------------------- */

#ifdef WHO_BULK
static void *kept[WORK_SIDES][KEEP_MOST] __attribute__((aligned(128)));

static bool w8_side(struct two_processes *d, unsigned side, uint64_t n)
{
	(void)d;
	keep_turns(cache, n / 2, keep_of(the_job), WHO_BULK_N, kept[side]);
	return true;
}
#endif

/* ---- the ring ----------------------------------------------------------- */

/* Waits until a group fits. False: the other side gave up. */
static bool room(struct two_processes *d, uint64_t put, uint64_t *taken)
{
	while (put + TWO_PROCESSES_GROUP - *taken > TWO_PROCESSES_RING) {
		if (atom_load(&d->over) != 0)
			return false;
		two_processes_pause();
		/* pairs: done_with */
		*taken = atom_load_acquire(&d->taken);
	}
	return true;
}

static void publish(struct two_processes *d, uint64_t put)
{
	/* pairs: arrived */
	atom_store_release(&d->put, put);
}

/* Waits until a group is there. False: the other side gave up. */
static bool arrived(struct two_processes *d, uint64_t taken, uint64_t *put)
{
	while (*put < taken + TWO_PROCESSES_GROUP) {
		if (atom_load(&d->over) != 0)
			return false;
		two_processes_pause();
		/* pairs: publish */
		*put = atom_load_acquire(&d->put);
	}
	return true;
}

static void done_with(struct two_processes *d, uint64_t taken)
{
	/* pairs: room */
	atom_store_release(&d->taken, taken);
}

#ifdef WHO_RING_ALONE
static inline void *next_object(void)
{
	return who_next(cache);
}

static inline void drop_object(void *object)
{
	(void)object;
}
#else
static inline void *next_object(void)
{
	return who_alloc(cache);
}

static inline void drop_object(void *object)
{
	who_free(cache, object);
}
#endif

/* ---- W4 ----------------------------------------------------------------- */

static bool w4_put(struct two_processes *d, uint64_t n)
{
	uint64_t taken = 0;
	for (uint64_t put = 0; put < n;) {
		if (!room(d, put, &taken))
			return false;
		for (unsigned k = 0; k < TWO_PROCESSES_GROUP; k++, put++) {
			uint64_t *object = (uint64_t *)next_object();
			if (object == NULL)
				return work_fail("out of memory"), false;
			*object = put;
			d->ring[put % TWO_PROCESSES_RING] =
				(uint64_t)(uintptr_t)object;
		}
		publish(d, put);
	}
	return true;
}

static bool w4_take(struct two_processes *d, uint64_t n)
{
	uint64_t put = 0;
	for (uint64_t taken = 0; taken < n;) {
		if (!arrived(d, taken, &put))
			return false;
		for (unsigned k = 0; k < TWO_PROCESSES_GROUP; k++, taken++) {
			uint64_t *object =
				(uint64_t *)(uintptr_t)
					d->ring[taken % TWO_PROCESSES_RING];
			if (*object != taken)
				return work_fail("not what was sent"), false;
			drop_object(object);
		}
		done_with(d, taken);
	}
	return true;
}

static bool w4_side(struct two_processes *d, unsigned side, uint64_t n)
{
	return side == 0 ? w4_put(d, n) : w4_take(d, n);
}

/* ---- W5 ----------------------------------------------------------------- */

#ifdef WHO_CHANNEL
/* False: the other side gave up. */
static bool send_group(struct two_processes *d, void *const *group)
{
	size_t sent = 0;
	while ((sent += who_send(group + sent, WHO_BULK_N - sent)) < WHO_BULK_N) {
		if (atom_load(&d->over) != 0)
			return false;
		two_processes_pause();
	}
	return true;
}

static bool w5_put(struct two_processes *d, uint64_t n)
{
	void *group[WHO_BULK_N];
	for (uint64_t put = 0; put < n;) {
		if (who_alloc_bulk(cache, WHO_BULK_N, group) != WHO_BULK_N)
			return work_fail("out of memory"), false;
		for (unsigned k = 0; k < WHO_BULK_N; k++)
			*(uint64_t *)group[k] = put++;
		if (!send_group(d, group))
			return false;
	}
	return true;
}

static bool w5_take(struct two_processes *d, uint64_t n)
{
	void *group[WHO_BULK_N];
	for (uint64_t taken = 0; taken < n;) {
		size_t got = who_recv(group, WHO_BULK_N);
		if (got == 0 && atom_load(&d->over) != 0)
			return false;
		if (got == 0)
			two_processes_pause();
		for (size_t k = 0; k < got; k++)
			if (*(const uint64_t *)group[k] != taken++)
				return work_fail("not what was sent"), false;
		who_free_bulk(cache, got, group);
	}
	return true;
}
#elif defined(WHO_SHARED)
static bool w5_put(struct two_processes *d, uint64_t n)
{
	uint64_t taken = 0;
	for (uint64_t put = 0; put < n;) {
		if (!room(d, put, &taken))
			return false;
		for (unsigned k = 0; k < TWO_PROCESSES_GROUP; k++, put++) {
			uint64_t *object = (uint64_t *)next_object();
			if (object == NULL)
				return work_fail("out of memory"), false;
			*object = put;
			d->ring[put % TWO_PROCESSES_RING] =
				who_give(cache, object);
		}
		publish(d, put);
	}
	return true;
}

static bool w5_take(struct two_processes *d, uint64_t n)
{
	uint64_t put = 0;
	for (uint64_t taken = 0; taken < n;) {
		if (!arrived(d, taken, &put))
			return false;
		for (unsigned k = 0; k < TWO_PROCESSES_GROUP; k++, taken++) {
			uint64_t *object = (uint64_t *)who_take(
			        cache, d->ring[taken % TWO_PROCESSES_RING]);
			if (object == NULL || *object != taken)
				return work_fail("not what was sent"), false;
			drop_object(object);
		}
		done_with(d, taken);
	}
	return true;
}
#endif

#ifdef WHO_SHARED
static bool w5_side(struct two_processes *d, unsigned side, uint64_t n)
{
	return side == 0 ? w5_put(d, n) : w5_take(d, n);
}
#endif

/* ---- around it ---------------------------------------------------------- */

static int open_side(unsigned side)
{
	if (who_open(the_job, side) != 0)
		return 1;
	cache = who_make(the_job->bytes, the_job->live > PASSED_MOST / 2
	                                         ? 2 * the_job->live
	                                         : PASSED_MOST);
	return cache == NULL;
}

static void *second_thread(void *unused)
{
	(void)unused;
	work_pin(the_job->cpu[1]);
	if (who_thread(1) != 0)
		exit(1);
	two_processes_serve(two, running);
	return NULL;
}

static int start_threads(const struct work_job *job, two_processes_side side)
{
	the_job = job;
	running = side;
	two = two_processes_make();
	if (two == NULL || who_early(job) != 0 || open_side(0) != 0)
		return 1;
	work_pin(job->cpu[0]);
	if (who_thread(0) != 0)
		return 1;
	return pthread_create(&second, NULL, second_thread, NULL);
}

static void stop_threads(void)
{
	two_processes_end(two);
	pthread_join(second, NULL);
	who_close();
}

static int start_w3(const struct work_job *job)
{
	return start_threads(job, w3_side);
}

#ifdef WHO_BULK
static int start_w8(const struct work_job *job)
{
	return start_threads(job, w8_side);
}

/* Both sides go in whole turns. */
static int sample_w8(const struct work_job *job, uint64_t n,
                     struct work_result *result)
{
	uint64_t turn = WORK_SIDES * keep_of(job);
	return two_processes_sample(two, running, (n + turn - 1) / turn * turn,
	                            result);
}
#endif

static int start_w4(const struct work_job *job)
{
	return start_threads(job, w4_side);
}

#ifdef WHO_SHARED
static pid_t child;

/* The child comes to the barrier when it is open, and ends with its parent. */
static void second_process(void)
{
	int status;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_barrier_wait(&two->meet);
	status = open_side(1);
	if (status == 0) {
		work_pin(the_job->cpu[1]);
		status = who_thread(1);
	}
	two->over = (uint64_t)status;
	pthread_barrier_wait(&two->meet);
	if (status == 0)
		two_processes_serve(two, running);
	who_close();
	_exit(status);
}

static int start_w5(const struct work_job *job)
{
	the_job = job;
	running = w5_side;
	two = two_processes_make();
	if (two == NULL || who_early(job) != 0)
		return 1;
	child = fork();
	if (child < 0)
		return work_fail("fork");
	if (child == 0)
		second_process();
	if (open_side(0) != 0)
		return 1;
	pthread_barrier_wait(&two->meet);
	pthread_barrier_wait(&two->meet);
	work_pin(job->cpu[0]);
	return two->over != 0 || who_thread(0) != 0;
}

static void stop_w5(void)
{
	two_processes_end(two);
	waitpid(child, NULL, 0);
	who_close();
}
#endif

/* Both sides' loops go in whole turns of 256 or 32. */
static int sample(const struct work_job *job, uint64_t n,
                  struct work_result *result)
{
	(void)job;
	n = (n + 2 * W3_LIVE - 1) / (2 * W3_LIVE) * (2 * W3_LIVE);
	return two_processes_sample(two, running, n, result);
}

const struct work_kind two_processes_kinds[] = {
	{"W3", start_w3, sample, stop_threads},
#ifdef WHO_BULK
	{"W8two", start_w8, sample_w8, stop_threads},
#endif
	{"W4", start_w4, sample, stop_threads},
#ifdef WHO_SHARED
	{"W5", start_w5, sample, stop_w5},
#endif
	{NULL, NULL, NULL, NULL},
};
