/* SPDX-License-Identifier: MIT */
#include "daemon/base/log_file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define ROOM_BYTES 65536u
#define STACK_BYTES ((size_t)128 << 10)
#define PATIENCE_NS (20 * CLOCK_MS) /* in a second, for all lines together */

struct batch {
	size_t n_bytes;
	unsigned n_lines;
	char text[ROOM_BYTES];
};

/* Under the lock, but for what the thread has in hand. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t some; /* lines for the thread */
	pthread_cond_t none; /* all is written */
	pid_t pid;           /* whose thread runs; 0: none does */
	bool busy;           /* with in_hand */
	bool slow;           /* nobody waits */
	int64_t since_ns;    /* this second began */
	int64_t waited_ns;   /* in it */
	struct batch *waiting, *in_hand;
	struct log_lost lost;
} file = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct batch batches[2];

/* 0, or -errno. */
static int write_all(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDERR_FILENO, text, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		text += done;
		n -= (size_t)done;
	}
	return 0;
}

static void lose(unsigned n, int r)
{
	file.lost.n += n;
	file.lost.error = -r;
}

static void *write_batches(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&file.lock);
	for (;;) {
		struct batch *batch = file.waiting;
		int r;
		if (batch->n_bytes == 0) {
			file.slow = false;
			pthread_cond_broadcast(&file.none);
			pthread_cond_wait(&file.some, &file.lock);
			continue;
		}
		file.waiting = file.in_hand;
		file.in_hand = batch;
		file.busy = true;
		pthread_mutex_unlock(&file.lock);
		r = write_all(batch->text, batch->n_bytes);
		pthread_mutex_lock(&file.lock);
		file.busy = false;
		if (r < 0)
			lose(batch->n_lines, r);
		batch->n_bytes = 0;
		batch->n_lines = 0;
	}
	return NULL;
}

/* Whether the thread runs. Signals are the loop's. */
static bool start(void)
{
	pthread_condattr_t clock;
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r;
	file.waiting = &batches[0];
	file.in_hand = &batches[1];
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&file.some, &clock);
	pthread_cond_init(&file.none, &clock);
	pthread_condattr_destroy(&clock);
	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, write_batches, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	file.pid = r == 0 ? getpid() : 0;
	return r == 0;
}

/* The kernel's, whatever clock the rest is told. */
static int64_t real_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * CLOCK_S + now.tv_nsec;
}

/* Waits until all is written, the caller has the lock. */
static void await(int64_t ns)
{
	int64_t until_ns = real_ns() + ns;
	struct timespec until = {.tv_sec = until_ns / CLOCK_S,
	                         .tv_nsec = until_ns % CLOCK_S};
	while (file.waiting->n_bytes > 0 || file.busy)
		if (pthread_cond_timedwait(&file.none, &file.lock, &until) != 0)
			break;
	file.slow = file.waiting->n_bytes > 0 || file.busy;
}

/* So that what was said is there when slabd goes on, where that takes no time. */
static void await_line(void)
{
	int64_t now_ns = real_ns();
	if (now_ns - file.since_ns >= CLOCK_S) {
		file.since_ns = now_ns;
		file.waited_ns = 0;
	}
	if (file.slow || file.waited_ns >= PATIENCE_NS)
		return;
	await(PATIENCE_NS - file.waited_ns);
	file.waited_ns += real_ns() - now_ns;
}

static bool put(const char *line, size_t len, unsigned stands_for)
{
	struct batch *batch = file.waiting;
	unsigned before = file.lost.n;
	if (batch->n_bytes + len > sizeof(batch->text)) {
		lose(stands_for, -ETIMEDOUT);
		return false;
	}
	memcpy(batch->text + batch->n_bytes, line, len);
	batch->n_bytes += len;
	batch->n_lines += stands_for;
	pthread_cond_signal(&file.some);
	await_line();
	return file.lost.n == before;
}

bool log_file_put(const char *line, size_t len, unsigned stands_for)
{
	bool good;
	int r;
	if (file.pid == 0 ? start() : file.pid == getpid()) {
		pthread_mutex_lock(&file.lock);
		good = put(line, len, stands_for);
		pthread_mutex_unlock(&file.lock);
		return good;
	}
	r = write_all(line, len);
	if (r < 0)
		lose(stands_for, r);
	return r == 0;
}

struct log_lost log_file_lost(void)
{
	struct log_lost lost;
	bool has_thread = file.pid == getpid();
	if (has_thread)
		pthread_mutex_lock(&file.lock);
	lost = file.lost;
	file.lost.n = 0;
	if (has_thread)
		pthread_mutex_unlock(&file.lock);
	return lost;
}

void log_file_drain(unsigned ms)
{
	if (file.pid != getpid())
		return;
	pthread_mutex_lock(&file.lock);
	await(ms * CLOCK_MS);
	pthread_mutex_unlock(&file.lock);
}
