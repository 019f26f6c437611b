/* SPDX-License-Identifier: MIT */
/* Work beside the loop: it is begun one at a time, and told where it was begun. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/watch/aside.h"
#include "tests/lib/harness.h"

static struct event_base *base;
static struct aside *aside;
static sem_t go;
static pthread_t loop;
static struct seen {
	unsigned runs, dones; /* the latter is the loop's alone */
	bool beside, back, blocked;
} seen;

static void run(void *arg)
{
	struct seen *s = arg;
	sigset_t now;
	while (sem_wait(&go) < 0)
		continue;
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	s->blocked = sigismember(&now, SIGHUP) == 1;
	s->beside = !pthread_equal(pthread_self(), loop);
	s->runs++;
}

static void done(void *arg)
{
	struct seen *s = arg;
	s->dones++;
	s->back = pthread_equal(pthread_self(), loop);
	event_base_loopbreak(base);
}

static void open_it(void)
{
	const struct aside_request want = {.base = base,
	                                   .run = run,
	                                   .done = done,
	                                   .arg = &seen};
	if (aside_open(&aside, &want) < 0)
		tap_bail("no eventfd");
}

static void test_one_at_a_time(void)
{
	open_it();
	tap_is(aside_start(aside), 0, "work begins");
	tap_is(aside_start(aside), -EBUSY, "one at a time");
	event_base_loop(base, EVLOOP_NONBLOCK);
	tap_is(seen.dones, 0, "it is not done, and the loop goes on");
	sem_post(&go);
	event_base_dispatch(base);
	tap_ok(seen.runs == 1 && seen.dones == 1, "it is done once");
	tap_ok(seen.beside && seen.back, "beside the loop, and told in it");
	tap_ok(seen.blocked, "signals are the loop's");
	for (int i = 0; i < 100; i++) {
		if (aside_start(aside) < 0)
			tap_bail("work %d does not begin", i);
		sem_post(&go);
		event_base_dispatch(base);
	}
	tap_ok(seen.runs == 101 && seen.dones == 101, "again and again");
	aside_close(aside);
}

static void test_close(void)
{
	unsigned before = seen.dones;
	open_it();
	aside_close(aside);
	open_it();
	tap_is(aside_start(aside), 0, "work begins");
	sem_post(&go);
	aside_close(aside);
	tap_is(seen.runs, 102, "what runs is waited for");
	tap_is(seen.dones, before, "and nobody told");
	aside_close(NULL);
}

int main(void)
{
	tap_start(60);
	base = event_base_new();
	loop = pthread_self();
	sem_init(&go, 0, 0);
	test_one_at_a_time();
	test_close();
	event_base_free(base);
	return tap_end();
}
