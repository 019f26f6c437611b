/* SPDX-License-Identifier: MIT */
#include "daemon/base/stop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool due; /* under the lock */

static struct {
	pthread_t thread;
	bool runs;
	int signals; /* descriptors */
	int wake;
	int came; /* the signal; 0: none */
} watch = {.signals = -1, .wake = -1};

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
	                        {.fd = watch.wake, .events = POLLIN}};
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
	if (watch.signals >= 0)
		close(watch.signals);
	if (watch.wake >= 0)
		close(watch.wake);
	watch.signals = watch.wake = -1;
}

void stop_watch(void)
{
	sigset_t set;
	sigset_t saved;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	watch.signals = signalfd(-1, &set, SFD_CLOEXEC);
	watch.wake = eventfd(0, EFD_CLOEXEC);
	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, &saved);
	watch.runs =
		watch.signals >= 0 && watch.wake >= 0 &&
		pthread_create(&watch.thread, NULL, wait_for_signal, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (!watch.runs)
		close_fds();
}

void stop_unwatch(void)
{
	uint64_t one = 1;
	if (!watch.runs)
		return;
	watch.runs = false;
	(void)!write(watch.wake, &one, sizeof(one));
	pthread_join(watch.thread, NULL);
	close_fds();
	if (watch.came != 0)
		raise(watch.came);
}
