/* SPDX-License-Identifier: MIT */
#include "daemon/pool/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/stop.h"
#include "numa/types.h"

#define FILES_MAX (TOPO_NODES_MAX + 1u)
#define LOOK_MS 10 /* for a signal */

struct probe {
	int told; /* closed once all were let into */
	unsigned n;
	int fd[FILES_MAX];
};

static void end(struct probe *probe)
{
	for (unsigned i = 0; i < probe->n; i++)
		close(probe->fd[i]);
	close(probe->told);
	free(probe);
}

/* Adds no seal; the kernel locks the file all the same. */
static void *go_in(void *arg)
{
	struct probe *probe = arg;
	for (unsigned i = 0; i < probe->n; i++)
		(void)fcntl(probe->fd[i], F_ADD_SEALS, 0);
	end(probe);
	return NULL;
}

static int make(const int *fds, unsigned n, struct probe **out, int *told)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int pair[2];
	*out = probe;
	if (probe == NULL || pipe2(pair, O_CLOEXEC) < 0) {
		free(probe);
		return probe == NULL ? -ENOMEM : -errno;
	}
	*told = pair[0];
	probe->told = pair[1];
	for (; probe->n < n && probe->n < FILES_MAX; probe->n++) {
		int fd = fcntl(fds[probe->n], F_DUPFD_CLOEXEC, 0);
		int r = -errno;
		if (fd >= 0) {
			probe->fd[probe->n] = fd;
			continue;
		}
		end(probe);
		close(pair[0]);
		return r;
	}
	return 0;
}

/* Signals are the caller's. */
static int start(struct probe *probe)
{
	pthread_t thread;
	sigset_t all;
	sigset_t saved;
	int r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&thread, NULL, go_in, probe);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r == 0)
		pthread_detach(thread);
	else
		end(probe);
	return -r;
}

int probe_files(const int *fds, unsigned n)
{
	int64_t until_ns = clock_ns() + PROBE_LIMIT_NS;
	struct pollfd end_of = {.events = POLLIN};
	struct probe *probe;
	int r = make(fds, n, &probe, &end_of.fd);
	if (r < 0)
		return r;
	r = start(probe);
	while (r == 0 && poll(&end_of, 1, LOOK_MS) <= 0)
		if (stop_is_due() || clock_ns() >= until_ns)
			r = -EBUSY;
	close(end_of.fd);
	return r;
}
