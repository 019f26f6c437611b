/* SPDX-License-Identifier: MIT */
#include "client/channel_poll.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/error.h"
#include "client/futex.h"
#include "client/handshake.h"
#include "shm/atom.h"

#define STACK_BYTES (64u << 10)
#define POLL_NAME "slabd-channel"

/* ---- the thread ---------------------------------------------------------- */

static bool is_over(const struct slabd_channel *channel)
{
	return atom_load(&channel->poll->stop) != 0;
}

/* Something to receive, the end of another client, or an end of it all. */
static bool look(struct slabd_channel *channel)
{
	struct channel_poll *poll = channel->poll;
	uint32_t ends = atom_load(&channel->ring.head->ends);
	bool ended = ends != poll->ends;
	poll->ends = ends;
	return ended || is_over(channel) || !channel_is_there(channel) ||
	       (channel_ready_any(&channel->ring) & CHANNEL_WAIT_RECV) != 0;
}

static void watch_ring(struct slabd_channel *channel)
{
	uint32_t *word = &channel->ring.head->wake;
	struct timespec slice = {.tv_sec = 1};
	uint32_t asleep;
	if (look(channel))
		return;
	asleep = channel_wait_asleep(channel, CHANNEL_WAIT_RECV);
	do {
		/* pairs: channel_changed_any, channel_poll_end; the bit is there
		 * before this look. */
		uint32_t seen = atom_set(word, CHANNEL_WAIT_RECV) |
		                CHANNEL_WAIT_RECV;
		if (!look(channel))
			syscall(SYS_futex, word, FUTEX_WAIT, seen, &slice, NULL,
			        0);
	} while (!look(channel));
	channel_wait_awake(channel, asleep);
}

/* A program that closes all descriptors which it did not open itself has a file of
 * its own under that number afterwards: it is not written to, read or closed. */
static bool is_own(const struct channel_poll *poll)
{
	return poll->fd >= 0 &&
	       (poll->ino == 0 || link_inode(poll->fd, 0) == poll->ino);
}

static void tell(struct channel_poll *poll)
{
	uint64_t one = 1;
	pthread_mutex_lock(&poll->lock);
	atom_store(&poll->told, 1u);
	if (is_own(poll) && write(poll->fd, &one, sizeof(one)) < 0) {
		/* It is readable by then. */
	}
	pthread_mutex_unlock(&poll->lock);
}

static void *poll_main(void *arg)
{
	struct slabd_channel *channel = arg;
	struct channel_poll *poll = channel->poll;
	prctl(PR_SET_NAME, POLL_NAME);
	while (!is_over(channel)) {
		watch_ring(channel);
		tell(poll);
		while (atom_load(&poll->told) == 1 && !is_over(channel))
			syscall(SYS_futex, &poll->told, FUTEX_WAIT_PRIVATE, 1,
			        NULL, NULL, 0);
	}
	return NULL;
}

static int spawn(struct slabd_channel *channel)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	int r = pthread_attr_init(&attr);
	if (r != 0)
		return r;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&channel->poll->thread, &attr, poll_main, channel);
	/* The program's own thread-local variables may be larger than that. */
	if (r == EINVAL)
		r = pthread_create(&channel->poll->thread, NULL, poll_main,
		                   channel);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

/* ---- its handle ---------------------------------------------------------- */

static void drop(struct slabd_channel *channel)
{
	if (is_own(channel->poll))
		close(channel->poll->fd);
	free(channel->poll);
	channel->poll = NULL;
}

/* Under the handle's lock. */
static int make(struct slabd_channel *channel)
{
	struct channel_poll *poll = calloc(1, sizeof(*poll));
	int err;
	int fd;
	int r;
	if (poll == NULL)
		return error_set(ENOMEM, "no memory for a descriptor");
	pthread_mutex_init(&poll->lock, NULL);
	poll->ends = atom_load(&channel->ring.head->ends);
	channel->poll = poll;
	poll->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = poll->fd < 0 ? errno : EMFILE;
	poll->fd = poll->fd < 0 ? poll->fd : handshake_number(poll->fd);
	poll->ino = link_inode(poll->fd, 0);
	r = poll->fd < 0 ? err : spawn(channel);
	if (r == 0)
		return 0;
	fd = poll->fd;
	drop(channel);
	if (fd < 0)
		return error_set(r, r == EPERM || r == ENOSYS
		                 ? "a sandbox forbids eventfd, which a channel's "
		                   "descriptor is"
		                 : "this process has no room for a descriptor");
	return error_set(r, "no thread for a channel's descriptor: %s; "
	                 "slabd_channel_wait needs none",
	                 r == EAGAIN ? "raise RLIMIT_NPROC (ulimit -u, LimitNPROC=) or "
	                               "pids.max of the control group (TasksMax=)"
	                             : strerror(r));
}

int slabd_channel_descriptor(slabd_channel *channel)
{
	int r = 0;
	if (!channel_usable(channel))
		return -1;
	pthread_mutex_lock(&channel->lock);
	if (channel->poll == NULL)
		r = make(channel);
	r = r < 0 ? r : channel->poll->fd;
	pthread_mutex_unlock(&channel->lock);
	return r;
}

void channel_poll_short(struct slabd_channel *channel)
{
	struct channel_poll *poll = channel->poll;
	uint64_t told;
	int held = link_hold();
	pthread_mutex_lock(&poll->lock);
	if (atom_load(&poll->told) == 1) {
		if (is_own(poll) && read(poll->fd, &told, sizeof(told)) < 0) {
			/* The program has read it itself. */
		}
		atom_store(&poll->told, 0u);
		syscall(SYS_futex, &poll->told, FUTEX_WAKE_PRIVATE, 1, NULL,
		        NULL, 0);
	}
	pthread_mutex_unlock(&poll->lock);
	link_let_go(held);
}

void channel_poll_end(struct slabd_channel *channel, bool alive)
{
	struct channel_poll *poll = channel->poll;
	if (poll == NULL)
		return;
	if (alive) {
		atom_store(&poll->stop, 1u);
		pthread_mutex_lock(&poll->lock);
		atom_store(&poll->told, 0u);
		pthread_mutex_unlock(&poll->lock);
		syscall(SYS_futex, &poll->told, FUTEX_WAKE_PRIVATE, 1, NULL,
		        NULL, 0);
		send_tell(&channel->ring, CHANNEL_WAIT_RECV);
		pthread_join(poll->thread, NULL);
	}
	drop(channel);
}
