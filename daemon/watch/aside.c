/* SPDX-License-Identifier: MIT */
#include "daemon/watch/aside.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/watch/wake.h"

#define CLOSE_MS 1000

struct aside {
	struct aside_request want;
	struct event *told;
	int ended; /* an eventfd: the thread has done its work */
	bool runs;
	pthread_t thread;
};

static void *run(void *arg)
{
	struct aside *aside = arg;
	const uint64_t one = 1;
	aside->want.run(aside->want.arg);
	/* It can't be full. */
	while (write(aside->ended, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	return NULL;
}

static void on_aside(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct aside *aside = arg;
	uint64_t n;
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	pthread_join(aside->thread, NULL);
	aside->runs = false;
	aside->want.done(aside->want.arg);
}

/* Signals are the loop's. */
int aside_start(struct aside *aside)
{
	sigset_t all;
	sigset_t old;
	int r;
	if (aside->runs)
		return -EBUSY;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&aside->thread, NULL, run, aside);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	aside->runs = r == 0;
	return -r;
}

int aside_open(struct aside **out, const struct aside_request *want)
{
	struct aside *aside = calloc(1, sizeof(*aside));
	*out = aside;
	if (aside == NULL)
		return -ENOMEM;
	aside->want = *want;
	aside->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aside->ended < 0)
		return -errno;
	return wake_on_fd(&aside->told, want->base, aside->ended, on_aside,
	                  aside);
}

/* Whether the thread is no more. */
static bool end_thread(struct aside *aside)
{
	struct pollfd at = {.fd = aside->ended, .events = POLLIN};
	if (poll(&at, 1, CLOSE_MS) == 1)
		return pthread_join(aside->thread, NULL) == 0;
	pthread_detach(aside->thread);
	return false;
}

void aside_close(struct aside *aside)
{
	if (aside == NULL)
		return;
	wake_free(&aside->told);
	/* It may still use what is aside's. */
	if (aside->runs && !end_thread(aside))
		return;
	if (aside->ended >= 0)
		close(aside->ended);
	free(aside);
}
