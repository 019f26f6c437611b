/* SPDX-License-Identifier: MIT */
/* What is read of a process, whatever its name is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/proc.h"

static pid_t child;

static void start_child(void)
{
	child = fork();
	cr_assert(child >= 0);
	if (child == 0)
		for (;;)
			pause();
}

/* Its number is nobody's for now. */
static void end_child(void)
{
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(proc, a_name_like_fields)
{
	char name[16] = "";
	uint64_t ticks, again;
	cr_assert_eq(prctl(PR_SET_NAME, "a) R 1 2 (3"), 0);
	cr_assert_eq(proc_name(getpid(), name, sizeof(name)), 0);
	cr_assert_str_eq(name, "a) R 1 2 (3");
	cr_assert_eq(proc_ticks(getpid(), &ticks), 0);
	cr_assert_eq(prctl(PR_SET_NAME, "b"), 0);
	cr_assert_eq(proc_ticks(getpid(), &again), 0);
	cr_assert(ticks > 0 && again == ticks);
	cr_assert_eq(proc_name(getpid(), name, 1), 0);
	cr_assert_str_eq(name, "");
}

Test(proc, cpu)
{
	cpu_set_t one;
	unsigned cpu = ~0u;
	int here = sched_getcpu();
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	cr_assert_eq(proc_cpu(getpid(), &cpu), 0);
	cr_assert_eq((int)cpu, here);
}

Test(proc, open)
{
	uint64_t ticks;
	int fd;
	start_child();
	cr_assert_eq(proc_ticks(child, &ticks), 0);
	fd = proc_open(child, ticks);
	cr_assert(fd >= 0);
	close(fd);
	fd = proc_open(child, 0);
	cr_assert(fd >= 0);
	close(fd);
	cr_assert_eq(proc_open(child, ticks + 1), -ESRCH, "another process");
	end_child();
}

Test(proc, stopped)
{
	start_child();
	cr_assert_not(proc_is_stopped(child));
	kill(child, SIGSTOP);
	cr_assert_eq(waitpid(child, NULL, WUNTRACED), child);
	cr_assert(proc_is_stopped(child));
	kill(child, SIGCONT);
	cr_assert_eq(waitpid(child, NULL, WCONTINUED), child);
	cr_assert_not(proc_is_stopped(child));
	end_child();
	cr_assert_not(proc_is_stopped(child));
}

Test(proc, gone)
{
	char name[16] = "as it was";
	uint64_t ticks = 1;
	unsigned cpu;
	start_child();
	end_child();
	cr_assert_eq(proc_ticks(child, &ticks), -ESRCH);
	cr_assert_eq(ticks, 0);
	cr_assert_eq(proc_cpu(child, &cpu), -ESRCH);
	cr_assert_eq(proc_name(child, name, sizeof(name)), -ESRCH);
	cr_assert_str_eq(name, "as it was");
	cr_assert_eq(proc_open(child, 0), -ESRCH);
}

static void count_cpu(void *arg, unsigned cpu)
{
	unsigned *n = arg;
	*n += cpu < 8192;
}

static void *wait_for_end(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

Test(proc, threads)
{
	pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread[3];
	unsigned seen = 0;
	int before = proc_threads(getpid(), 0, NULL, NULL);
	cr_assert_geq(before, 1);
	pthread_mutex_lock(&end);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, wait_for_end,
		                            &end), 0);
	cr_expect_eq(proc_threads(getpid(), 64, count_cpu, &seen), before + 3);
	cr_expect_eq((int)seen, before + 3);
	seen = 0;
	cr_expect_eq(proc_threads(getpid(), 2, count_cpu, &seen), before + 3);
	cr_expect_eq(seen, 2);
	pthread_mutex_unlock(&end);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(proc_threads(INT32_MAX, 2, NULL, NULL), -ESRCH);
}
