/* SPDX-License-Identifier: MIT */
/*
 * A slabd played for its supervisor: it takes slabd's place on disk, and says
 * in $PLAYED_OUT, a line at a time, how it was started and what it was passed.
 * What it keeps are memfds that hold a number; one counts its lives.
 *
 *   1  keeps 300, drops one of them, ends with 75 after more than a second
 *   2  looks at them, drops them all, keeps one of its own, is killed
 *   3  ends with status 0
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"

#define N_KEPT 300
#define DROPPED 7
#define LIFE_MS 1200 /* so that an end with 75 is no crash */

static FILE *out;

static void __attribute__((format(printf, 1, 2)))
line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fputc('\n', out);
}

static void keep(const char *name, long number)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	if (pwrite(fd, &number, sizeof(number), 0) != sizeof(number))
		line("can't write %s", name);
	fdstore_put(name, fd);
	close(fd);
}

/* The number, and the descriptor is closed; -1: none is there. */
static long number_of(const char *name)
{
	int fd = fdstore_take(name);
	long number = -1;
	if (fd < 0 || pread(fd, &number, sizeof(number), 0) != sizeof(number))
		return -1;
	close(fd);
	return number;
}

static void keep_many(void)
{
	char name[32];
	for (int i = 0; i < N_KEPT; i++) {
		snprintf(name, sizeof(name), "slabd.played.%d", i);
		keep(name, i);
	}
	snprintf(name, sizeof(name), "slabd.played.%d", DROPPED);
	fdstore_drop(name);
	fdstore_barrier();
	usleep(LIFE_MS * 1000);
}

static void look_at_many(void)
{
	char name[32];
	unsigned right = 0;
	unsigned others = 0;
	unsigned at = 0;
	for (int i = 0; i < N_KEPT; i++) {
		snprintf(name, sizeof(name), "slabd.played.%d", i);
		right += number_of(name) == i;
		fdstore_drop(name);
	}
	while (fdstore_next(&at) != NULL)
		others++;
	fdstore_close_rest();
	keep("slabd.played.own", 1);
	fdstore_barrier();
	line("%u as they were, %u others", right, others);
}

/* All that is open from 3 on was passed, but for the output. */
static void count_open(void)
{
	unsigned n = 0;
	for (int fd = 3; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0 && fd != fileno(out);
	line("%u open", n);
}

int main(int argc, char **argv)
{
	const char *names = getenv("LISTEN_FDNAMES");
	const char *path = getenv("PLAYED_OUT");
	sigset_t mask;
	long life;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	out = fopen(path != NULL ? path : "/dev/null", "ae");
	if (out == NULL)
		return 2;
	setvbuf(out, NULL, _IOLBF, 0);
	log_setup(LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	count_open();
	line("%s passed", names != NULL ? names : "nothing");
	if (fdstore_open() < 0)
		line("what was passed can't be read");
	life = number_of("slabd.played.lives") + 1;
	life += life == 0;
	line("life %ld of %s, %s mask", life, argc > 1 ? argv[1] : "no option",
	     sigismember(&mask, SIGTERM) ? "a" : "no");
	if (life == 3)
		return 0;
	keep("slabd.played.lives", life);
	if (life == 1) {
		keep_many();
		return 75;
	}
	look_at_many();
	keep("slabd.played.lives", life);
	raise(SIGUSR1);
	return 9;
}
