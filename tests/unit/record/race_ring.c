/* SPDX-License-Identifier: MIT */
/* Threads put events into a ring while one takes them out: all come, each once, and
 * none before what its thread knew to be put. Signal handlers put some in between,
 * and leave others half way by longjmp: that takes nothing from the rest. When
 * who takes is gone, nobody waits for it. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/ring.h"
#include "shm/atom.h"
#include "tests/lib/harness.h"

#define THREADS 4u
#define PUTS 400000u /* a thread; all of them are more than the ring takes */
#define BATCH 1000u

static struct ring *ring;
static struct ring_file *file;
static uint32_t put_by[2 * THREADS]; /* events that are surely in */
static uint32_t tried_by[2 * THREADS];
static uint32_t n_over;
static bool jumps; /* handlers leave by longjmp, each other time */

static __thread unsigned self;
static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t may_jump;

/* Number n of that thread; what it knows of the next one goes along. */
static void put(unsigned thread)
{
	unsigned other = (thread + 1) % THREADS;
	/* pairs: put */
	uint32_t known = atom_load_acquire(&put_by[other]);
	uint32_t n = atom_load(&tried_by[thread]) + 1;
	atom_store(&tried_by[thread], n);
	ring_put(ring, file, n, ring_what(RING_ALLOC, thread + 1, known));
	atom_store_release(&put_by[thread], n); /* pairs: put */
}

static void on_signal(int signal)
{
	(void)signal;
	put(self + THREADS);
	if (jumps && may_jump && atom_load(&put_by[self + THREADS]) % 2 == 0)
		siglongjmp(back, 1);
}

static void *producer(void *arg)
{
	self = (unsigned)(uintptr_t)arg;
	while (atom_load(&tried_by[self]) < PUTS) {
		if (sigsetjmp(back, 1) == 0) {
			may_jump = 1;
			put(self);
		}
		may_jump = 0;
	}
	signal(SIGUSR1, SIG_IGN);
	atom_add(&n_over, 1);
	return NULL;
}

struct sums {
	uint32_t last[2 * THREADS], n[2 * THREADS];
	unsigned backwards, early, strange;
};

static void check(struct sums *sums, const uint64_t event[2])
{
	unsigned thread = ((unsigned)(event[1] >> 32) & RING_THREADS_MAX) - 1;
	uint32_t known = (uint32_t)event[1];
	if (event[1] >> 48 != RING_ALLOC || thread >= 2 * THREADS) {
		sums->strange++;
		return;
	}
	sums->backwards += event[0] <= sums->last[thread];
	sums->early += sums->last[(thread + 1) % THREADS] < known;
	sums->last[thread] = (uint32_t)event[0];
	sums->n[thread]++;
}

static void hold(void)
{
	pthread_mutexattr_t kind;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&file->alive, &kind);
	pthread_mutex_lock(&file->alive);
}

static void *hold_and_go(void *arg)
{
	hold();
	return arg;
}

static void clear(void)
{
	memset(ring, 0, sizeof(*ring));
	memset(put_by, 0, sizeof(put_by));
	memset(tried_by, 0, sizeof(tried_by));
	n_over = 0;
}

static void start(pthread_t *threads)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, producer,
		                   (void *)(uintptr_t)i) != 0)
			tap_bail("no thread");
}

static void take_all(bool with_signals)
{
	static uint64_t events[BATCH][2];
	struct sums sums = {0};
	pthread_t threads[THREADS];
	uint64_t tail = 0;
	unsigned n, lost = 0;
	clear();
	hold();
	jumps = with_signals;
	signal(SIGUSR1, on_signal);
	start(threads);
	do {
		bool over = atom_load(&n_over) == THREADS;
		if (with_signals && !over)
			for (unsigned i = 0; i < THREADS; i++)
				pthread_kill(threads[i], SIGUSR1);
		n = ring_take(ring, &tail, BATCH, events);
		for (unsigned i = 0; i < n; i++)
			check(&sums, events[i]);
		if (over && n == 0)
			break;
	} while (true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_unlock(&file->alive);
	pthread_mutex_destroy(&file->alive);
	for (unsigned i = 0; i < THREADS; i++) {
		lost += sums.last[i] < put_by[i];
		lost += !with_signals && sums.n[i] != PUTS;
	}
	tap_is(sums.strange, 0, "no event is torn");
	tap_is(sums.backwards, 0,
	       "none comes twice, or out of its thread's turn");
	tap_is(sums.early, 0, "none before what its thread knew of");
	tap_is(lost, 0, "and none is lost");
	tap_ok(!with_signals || sums.n[THREADS] > 0,
	       "signals: %u handlers put theirs, of %u",
	       sums.n[THREADS] + sums.n[THREADS + 1] + sums.n[THREADS + 2] +
	               sums.n[THREADS + 3],
	       tried_by[THREADS] + tried_by[THREADS + 1] +
	               tried_by[THREADS + 2] + tried_by[THREADS + 3]);
}

static void nobody_takes(void)
{
	pthread_t threads[THREADS], holder;
	clear();
	jumps = false;
	if (pthread_create(&holder, NULL, hold_and_go, NULL) != 0)
		tap_bail("no thread");
	pthread_join(holder, NULL);
	start(threads);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tap_is(ring->off, 1, "nobody takes: who waited has switched it off");
	tap_is((long long)ring->head, (long long)RING_EVENTS,
	       "with the ring full");
}

int main(void)
{
	tap_start(300);
	ring = aligned_alloc(4096, sizeof(*ring));
	file = calloc(1, RING_FILE_BYTES);
	if (ring == NULL || file == NULL)
		tap_bail("no memory");
	take_all(false);
	if (is_sanitized())
		tap_skip("sanitizers do not follow a longjmp out of a handler",
		         "signals");
	else
		take_all(true);
	nobody_takes();
	free(ring);
	free(file);
	return tap_end();
}
