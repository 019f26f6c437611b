/* SPDX-License-Identifier: MIT */
/* Whether another process has run: one that sleeps has the time that it had, one that
 * does anything at all has more. */
#include "daemon/base/ran.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask[2], tell[2];
static pid_t child;

/* Echoes bytes, and sleeps. */
static void start(void)
{
	char byte;
	cr_assert_eq(pipe(ask), 0);
	cr_assert_eq(pipe(tell), 0);
	child = fork();
	if (child > 0)
		return;
	close(ask[1]);
	while (read(ask[0], &byte, 1) == 1 && write(tell[1], &byte, 1) == 1)
		continue;
	_exit(0);
}

static void finish(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TestSuite(ran, .init = start, .fini = finish, .timeout = 60);

static void poke(void)
{
	char byte = 1;
	cr_assert_eq(write(ask[1], &byte, 1), 1);
	cr_assert_eq(read(tell[0], &byte, 1), 1);
}

/* What it has had once it sleeps. */
static int64_t settled(void)
{
	int64_t last = -1;
	int64_t ns = ran_ns(child);
	while (ns != last) {
		usleep(20000);
		last = ns;
		ns = ran_ns(child);
	}
	return ns;
}

Test(ran, who_sleeps_has_no_more)
{
	struct ran_thread one, other;
	int64_t ns;
	poke();
	ns = settled();
	cr_expect_gt(ns, 0);
	cr_assert(ran_thread_get(child, child, &one));
	cr_expect_eq(one.ns, ns, "its only thread");
	cr_expect_eq(ran_ns(child), ns);
	cr_assert(ran_thread_get(child, child, &other));
	cr_expect_eq(other.turns, one.turns);
}

Test(ran, who_does_anything_has_more)
{
	struct ran_thread one, other;
	int64_t ns;
	poke();
	ns = settled();
	cr_assert(ran_thread_get(child, child, &one));
	for (int i = 0; i < 20; i++) {
		int64_t more;
		poke();
		more = settled();
		cr_expect_gt(more, ns);
		ns = more;
	}
	cr_assert(ran_thread_get(child, child, &other));
	cr_expect_geq(other.turns, one.turns + 20);
	cr_expect_eq(other.ns, ns);
}

Test(ran, who_is_not_there)
{
	struct ran_thread thread;
	cr_expect_eq(ran_ns(0), -1, "a process that can't be seen");
	cr_expect_eq(ran_ns(-1), -1);
	cr_expect_not(ran_thread_get(0, 0, &thread));
	cr_expect_not(ran_thread_get(child, getpid(), &thread),
	              "another one's thread");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	cr_expect_eq(ran_ns(child), -1);
	cr_expect_not(ran_thread_get(child, child, &thread));
}

/* No kernel has less than a thousand ticks or more than ten in a second. */
Test(ran, a_tick_is_that_of_a_kernel)
{
	int64_t ns = ran_tick_ns();
	cr_expect(ns == 0 || (ns >= 2000000 && ns <= 200000000), "%lld",
	          (long long)ns);
	cr_expect_eq(ran_tick_ns(), ns);
}
