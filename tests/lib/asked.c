/* SPDX-License-Identifier: MIT */
#include "tests/lib/asked.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "client/types.h"
#include "shm/atom.h"

static _Thread_local bool counting;
static _Thread_local int64_t stands_ns; /* where the clock was stopped */
static _Thread_local int64_t waited_ns;
static _Thread_local int64_t socket_ns; /* of a wait in the socket set last */
static uint64_t polls;
static uint64_t blocking;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *at);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *at);
int __real_connect(int fd, const struct sockaddr *to, socklen_t bytes);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t bytes);
int __real_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t bytes);
int __wrap_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t bytes);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
uint32_t asked_tries(slabd_pool *pool)
{
	struct resume *r = &pool->link.resume;
	uint32_t tries;
	pthread_mutex_lock(&r->lock);
	tries = r->tries;
	pthread_mutex_unlock(&r->lock);
	return tries;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static int64_t ns_of(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

static int64_t real_ns(clockid_t clock)
{
	struct timespec ts;
	__real_clock_gettime(clock, &ts);
	return ns_of(&ts);
}

void asked_begin(void)
{
	stands_ns = real_ns(CLOCK_MONOTONIC);
	waited_ns = 0;
	counting = true;
}

double asked_end(void)
{
	counting = false;
	return (double)waited_ns / 1e6;
}

uint64_t asked_polls(void)
{
	return atom_load(&polls);
}

uint64_t asked_blocking(void)
{
	return atom_load(&blocking);
}

/* A wait of at most limit_ns is over. One that was ended early may have waited
 * for a timer, so the clock catches up as far as it may. */
static void add(int64_t limit_ns, bool ran_out)
{
	int64_t behind_ns;
	if (!counting || limit_ns <= 0)
		return;
	behind_ns = real_ns(CLOCK_MONOTONIC) - stands_ns - waited_ns;
	waited_ns += ran_out || behind_ns > limit_ns ? limit_ns : behind_ns;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = __real_clock_gettime(clock, ts);
	if (!counting || clock != CLOCK_MONOTONIC)
		return r;
	ts->tv_sec = (stands_ns + waited_ns) / 1000000000;
	ts->tv_nsec = (stands_ns + waited_ns) % 1000000000;
	return r;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	int r;
	atom_add(&polls, UINT64_C(1));
	r = __real_poll(fds, n, ms);
	add(ms * INT64_C(1000000), r == 0);
	return r;
}

/* Until a time of the clock that stands still, which the kernel knows nothing
 * of. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *at)
{
	int64_t left_ns = ns_of(at) - stands_ns - waited_ns;
	int64_t until_ns = real_ns(CLOCK_MONOTONIC) + left_ns;
	struct timespec real = {.tv_sec = until_ns / 1000000000,
	                        .tv_nsec = until_ns % 1000000000};
	int r = __real_pthread_cond_timedwait(cond, mutex,
	                                      counting ? &real : at);
	add(left_ns, r == ETIMEDOUT);
	return r;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t bytes)
{
	const struct timeval *limit = value;
	if (level == SOL_SOCKET && name == SO_RCVTIMEO)
		socket_ns = limit->tv_sec * INT64_C(1000000000) +
		            limit->tv_usec * INT64_C(1000);
	return __real_setsockopt(fd, level, name, value, bytes);
}

/* Whether a call waits in the socket, which is counted. */
static bool is_blocking(int fd, int flags)
{
	bool is = (flags & MSG_DONTWAIT) == 0 &&
	          (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
	atom_add(&blocking, (uint64_t)is);
	return is;
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t bytes)
{
	bool waits = is_blocking(fd, 0);
	int r = __real_connect(fd, to, bytes);
	if (waits && r < 0 && (errno == EAGAIN || errno == EINTR))
		add(socket_ns, errno == EAGAIN);
	return r;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	bool waits = is_blocking(fd, flags);
	ssize_t r = __real_recvmsg(fd, msg, flags);
	if (waits)
		add(socket_ns, r < 0 && errno == EAGAIN);
	return r;
}

/* All calls are passed on as they are, with what lies where arguments may: of
 * how many there are only the kernel knows. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...)
{
	const struct timespec *limit;
	long args[6];
	va_list list;
	long r;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	r = __real_syscall(number, args[0], args[1], args[2], args[3], args[4],
	                   args[5]);
	if (number != SYS_futex || args[1] != FUTEX_WAIT || args[3] == 0)
		return r;
	limit = (const struct timespec *)args[3];
	add(ns_of(limit), r < 0 && errno == ETIMEDOUT);
	return r;
}
