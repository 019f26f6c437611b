/* SPDX-License-Identifier: MIT */
#include "daemon/base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool due; /* under the lock */

static struct {
	pthread_t thread;
	bool runs;
	int signals; /* descriptors */
	int hold[2]; /* a pipe: the thread waits until [1] is closed */
	int came;    /* the signal; 0: none */
} watch = {.signals = -1, .hold = {-1, -1}};

bool stop_is_due(void)
{
	bool is;
	pthread_mutex_lock(&lock);
	is = due;
	pthread_mutex_unlock(&lock);
	return is;
}

void stop_set(void)
{
	pthread_mutex_lock(&lock);
	due = true;
	pthread_mutex_unlock(&lock);
}

static void *wait_for_signal(void *arg)
{
	struct pollfd fds[2] = {{.fd = watch.signals, .events = POLLIN},
	                        {.fd = watch.hold[0]}};
	struct signalfd_siginfo info;
	(void)arg;
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		continue;
	if ((fds[0].revents & POLLIN) == 0 ||
	    read(watch.signals, &info, sizeof(info)) != sizeof(info))
		return NULL;
	watch.came = (int)info.ssi_signo;
	stop_set();
	return NULL;
}

static void close_fds(void)
{
	int *fds[] = {&watch.signals, &watch.hold[0], &watch.hold[1]};
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void stop_watch(void)
{
	sigset_t set;
	sigset_t saved;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* The thread would not see one that is pending for this one alone. */
	if (sigpending(&saved) == 0 && (sigismember(&saved, SIGTERM) == 1 ||
	                                sigismember(&saved, SIGINT) == 1))
		stop_set();
	watch.signals = signalfd(-1, &set, SFD_CLOEXEC);
	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, &saved);
	watch.runs =
		watch.signals >= 0 && pipe2(watch.hold, O_CLOEXEC) == 0 &&
		pthread_create(&watch.thread, NULL, wait_for_signal, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (!watch.runs)
		close_fds();
}

void stop_unwatch(void)
{
	if (!watch.runs)
		return;
	watch.runs = false;
	/* A write could fail. */
	close(watch.hold[1]);
	watch.hold[1] = -1;
	pthread_join(watch.thread, NULL);
	close_fds();
	if (watch.came != 0)
		raise(watch.came);
}
