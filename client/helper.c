/* SPDX-License-Identifier: MIT */
/*
 * The helper thread: asleep in poll until slabd sends an event or goes away,
 * and then until it is time to look for it again. Without it the program polls
 * slabd_descriptor and calls slabd_poll.
 */
#include "client/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/doorbell.h"
#include "client/error.h"
#include "client/handshake.h"
#include "client/held.h"
#include "client/idle.h"
#include "client/look.h"
#include "client/objpool.h"
#include "client/opens.h"
#include "client/reach.h"
#include "client/thread.h"
#include "shm/atom.h"
#include "shm/wire.h"

#define LEFT_TRIES 200 /* ms */
#define DENIED_MS 1000
#define STACK_BYTES (256u << 10)
#define HELPER_NAME "slabd-helper"
#define KERNEL_CPUS 8192

/* Does what slabd asked for, and looks for it. Whether it is there. teller: as of
 * held_answer. */
static bool serve(struct slabd_pool *pool, uint32_t teller)
{
	uint32_t before = atom_load(&pool->link.trims);
	bool there = doorbell_poll(&pool->link);
	if (atom_load(&pool->link.trims) != before)
		idle_give_back(pool);
	objpool_tick(pool, clock_now_ns(),
	             atom_load(&pool->link.trims) != before);
	held_answer(pool, teller);
	look_answer(pool);
	if (there)
		opens_tell(pool);
	reach_close(pool);
	return there;
}

/* Nothing of who opened the pool: a thread with a processor of its own, or one
 * that goes before all others, is that for its own work. What a sandbox forbids
 * stays as it is. */
static void be_ordinary(void)
{
	struct sched_param param = {.sched_priority = 0};
	cpu_set_t cpus[KERNEL_CPUS / CPU_SETSIZE];
	prctl(PR_SET_NAME, HELPER_NAME);
	memset(cpus, 0xff, sizeof(cpus));
	/* The kernel takes those that it allows. */
	(void)sched_setaffinity(0, sizeof(cpus), cpus);
	/* musl's functions of these names do nothing. */
	if (syscall(SYS_sched_getscheduler, 0) != SCHED_OTHER)
		(void)syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param);
}

static void *helper_main(void *arg)
{
	struct slabd_pool *pool = arg;
	struct pollfd fds[2] = {
		{.fd = pool->helper_pipe[0], .events = POLLIN},
		{.fd = pool->link.poller, .events = POLLIN},
	};
	uint32_t denied = 0;
	uint32_t teller = (uint32_t)syscall(SYS_gettid);
	be_ordinary();
	for (;;) {
		int n = poll(fds, 2, -1);
		if (n < 0 && errno != EINTR)
			break;
		if ((n > 0 && fds[0].revents != 0) ||
		    atom_load(&pool->helper_left))
			break;
		if (n > 0 && fds[1].revents != 0)
			serve(pool, teller);
		/* What stays readable would wake it for ever. */
		if (atom_load(&pool->link.n_denied) != denied) {
			denied = atom_load(&pool->link.n_denied);
			poll(fds, 1, DENIED_MS);
		}
		/* That number is somebody else's. */
		if (atom_load(&pool->link.foreign))
			fds[1].fd = -1;
	}
	return NULL;
}

static int spawn(struct slabd_pool *pool)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	int r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&pool->helper, &attr, helper_main, pool);
	/* The program's own thread-local variables may be larger than that. */
	if (r == EINVAL)
		r = pthread_create(&pool->helper, NULL, helper_main, pool);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* 0 or -errno. */
static int make_pipe(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	fd[0] = handshake_number(fd[0]);
	fd[1] = handshake_number(fd[1]);
	if (fd[0] >= 0 && fd[1] >= 0)
		return 0;
	close(fd[0]);
	close(fd[1]);
	return -EMFILE;
}

int helper_start(struct slabd_pool *pool)
{
	int r = make_pipe(pool->helper_pipe);
	if (r < 0)
		return r;
	pool->helper_ino = link_inode(pool->helper_pipe[0], S_IFIFO);
	r = spawn(pool);
	if (r < 0)
		helper_forget(pool);
	else
		pool->has_helper = true;
	return r;
}

/* One end of the pipe, where the number is not another's by now. */
static void close_end(const struct slabd_pool *pool, unsigned end)
{
	int fd = pool->helper_pipe[end];
	if (link_inode(fd, S_IFIFO) == pool->helper_ino)
		close(fd);
}

/* A byte wakes it, or, where a sandbox forbids that, the end of the pipe. Where the
 * program has closed our ends it has woken by itself, but if a forked child has
 * copies. */
static bool wait_end(struct slabd_pool *pool)
{
	const struct timespec ts = {.tv_nsec = 1000000};
	if (link_inode(pool->helper_pipe[1], S_IFIFO) == pool->helper_ino &&
	    write(pool->helper_pipe[1], "", 1) == 1)
		return pthread_join(pool->helper, NULL) == 0;
	close_end(pool, 1);
	for (unsigned i = 0; i < LEFT_TRIES; i++) {
		if (pthread_tryjoin_np(pool->helper, NULL) == 0)
			return true;
		nanosleep(&ts, NULL);
	}
	atom_store(&pool->helper_left, true);
	return pthread_detach(pool->helper) != 0;
}

void helper_forget(struct slabd_pool *pool)
{
	close_end(pool, 0);
	close_end(pool, 1);
}

bool helper_stop(struct slabd_pool *pool)
{
	bool ended = wait_end(pool);
	helper_forget(pool);
	return ended;
}

int slabd_descriptor(slabd_pool *pool)
{
	char why[LINK_WHY];
	if (!pool_alive(pool))
		return -1;
	if (!link_is_own(&pool->link) || link_is_lost(&pool->link))
		return error_set(ENOTCONN, "%s", link_why(&pool->link, why));
	return pool->link.poller;
}

/* The caller's own magazines follow a trim at once, not at its next miss. One
 * that is idle needs no waking for that. */
static void settle_caller(struct slabd_pool *pool)
{
	struct thread *self = thread_there();
	struct attachment *att =
		self != NULL ? thread_attached(self, pool) : NULL;
	if (att != NULL && !att->idle)
		thread_settle(self, att);
}

int slabd_poll(slabd_pool *pool)
{
	char why[LINK_WHY];
	bool there;
	if (!pool_alive(pool))
		return -1;
	there = serve(pool, WIRE_HELD_ALL);
	settle_caller(pool);
	if (there)
		return 0;
	return error_set(ENOTCONN, "%s", link_why(&pool->link, why));
}
