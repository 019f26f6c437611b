/* SPDX-License-Identifier: MIT */
#include "daemon/serve/door.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/watch/wake.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* as in asm-generic, since Linux 6.16 */
#endif

#define CLOSERS 8
#define CLOSERS_A_USER 2
#define STACK_BYTES (128u << 10)
#define EMPTY_MAX 1024 /* messages; a queue of small ones has fewer */
#define NAME 256
#define READ_PARTS 8
#define NUDGE_NS (20 * CLOCK_MS) /* how long a closer waits for one file */
#define STOP_TRIES 200           /* of 5 ms */

struct entry {
	struct entry *next;
	int fd;
	uid_t uid;       /* whose it is */
	char name[NAME]; /* "": not in the store */
};

static struct door {
	pthread_mutex_t lock; /* of all up to told */
	pthread_cond_t some;
	struct entry *todo; /* the first to come first */
	struct entry **todo_end;
	struct entry *done;
	unsigned n_waiting; /* in todo, and in a closer's hands */
	struct closer {
		pthread_t thread;
		bool runs;
		bool busy;
		uid_t uid; /* of what it is busy with */
	} closers[CLOSERS];
	bool stopping;
	bool lets_in; /* this kernel can't refuse descriptors. The loop's own */
	int told_fd;  /* written when there is something in done; -1 */
	struct event *told;
	struct event *nudge;
} door = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .some = PTHREAD_COND_INITIALIZER,
          .todo_end = &door.todo,
          .told_fd = -1};

/* ---- one socket --------------------------------------------------------- */

void door_refuse(int fd)
{
	int off = 0;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0 &&
	    errno == ENOPROTOOPT)
		door.lets_in = true;
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_PASSSEC, &off, sizeof(off));
}

/* Without room for control data the kernel installs no descriptor, and says
 * that some was cut. A look drops no last reference: the queue has it. */
ssize_t door_peek(int fd, void *into, size_t bytes, bool *cut, bool *brings)
{
	struct iovec iov = {.iov_base = into, .iov_len = bytes};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &hdr, MSG_PEEK | MSG_DONTWAIT);
	*cut = n >= 0 && (hdr.msg_flags & MSG_TRUNC) != 0;
	*brings = n >= 0 && (hdr.msg_flags & MSG_CTRUNC) != 0;
	return n < 0 ? -errno : n;
}

/* An empty message reads like the end: with the sender's credentials to be had,
 * a message has those cut as well, and the end has nothing. */
static bool is_empty(int fd)
{
	int on = 1, off = 0;
	int type = SOCK_STREAM; /* which has no empty messages */
	socklen_t bytes = sizeof(type);
	bool cut, any;
	ssize_t n;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0 ||
	    type == SOCK_STREAM ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return true;
	n = door_peek(fd, NULL, 0, &cut, &any);
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	return n < 0 || !any;
}

/* Takes what brings nothing, of a socket that was shut down. True when its queue
 * is empty. */
static bool empty_bytes(int fd)
{
	char bytes[4096];
	for (int i = 0; i < EMPTY_MAX; i++) {
		bool cut, brings;
		ssize_t n = door_peek(fd, bytes, sizeof(bytes), &cut, &brings);
		if (brings)
			return false;
		/* An error that was pending is gone once it was told. */
		if (n == -ECONNRESET || n == -EINTR)
			continue;
		if (n < 0 || (n == 0 && is_empty(fd)))
			return true;
		recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	return false;
}

/* In a closer: takes everything, and waits for what it brings. */
static void empty_all(int fd)
{
	char bytes[4096];
	while (!empty_bytes(fd))
		recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

/* In place of the C library's, by which libevent reads: what brings descriptors
 * stays where it is, and reads as an error. Bytes that were looked at come before
 * any that were sent since. */
__attribute__((visibility("default"))) ssize_t
readv(int fd, const struct iovec *iov, int n_iov)
{
	struct iovec part[READ_PARTS];
	struct msghdr hdr = {.msg_iov = part};
	size_t left;
	ssize_t n;
	hdr.msg_iovlen = n_iov < READ_PARTS ? (size_t)n_iov : READ_PARTS;
	memcpy(part, iov, hdr.msg_iovlen * sizeof(*iov));
	n = recvmsg(fd, &hdr, MSG_PEEK);
	if (n < 0 && errno == ENOTSOCK)
		return syscall(SYS_readv, fd, iov, n_iov);
	if (n <= 0)
		return n;
	if ((hdr.msg_flags & MSG_CTRUNC) != 0) {
		errno = ECONNRESET;
		return -1;
	}
	left = (size_t)n;
	for (unsigned i = 0; i < hdr.msg_iovlen; i++) {
		part[i].iov_len =
			left < part[i].iov_len ? left : part[i].iov_len;
		left -= part[i].iov_len;
	}
	return recvmsg(fd, &hdr, MSG_DONTWAIT);
}

/* ---- closers ------------------------------------------------------------ */

static void tell_loop(void)
{
	uint64_t one = 1;
	if (door.told_fd >= 0 && write(door.told_fd, &one, sizeof(one)) < 0)
		log_debug("the loop has been told of sockets to close");
}

static unsigned busy_for(uid_t uid)
{
	unsigned n = 0;
	for (unsigned i = 0; i < CLOSERS; i++)
		n += door.closers[i].busy && door.closers[i].uid == uid;
	return n;
}

/* The first of a user who does not keep as many closers as one may; NULL: there
 * is none. */
static struct entry *take_entry(void)
{
	struct entry **at = &door.todo;
	struct entry *entry;
	while (*at != NULL && busy_for((*at)->uid) >= CLOSERS_A_USER)
		at = &(*at)->next;
	entry = *at;
	if (entry == NULL)
		return NULL;
	*at = entry->next;
	if (*at == NULL)
		door.todo_end = at;
	return entry;
}

static void see_to_closers(void);

static struct entry *next_entry(struct closer *self)
{
	struct entry *entry;
	while ((entry = take_entry()) == NULL && !door.stopping)
		pthread_cond_wait(&door.some, &door.lock);
	if (entry == NULL)
		return NULL;
	self->busy = true;
	self->uid = entry->uid;
	/* It may be busy for long. */
	if (door.todo != NULL)
		see_to_closers();
	return entry;
}

static void *close_them(void *arg)
{
	struct closer *self = arg;
	struct entry *entry;
	pthread_mutex_lock(&door.lock);
	while ((entry = next_entry(self)) != NULL) {
		pthread_mutex_unlock(&door.lock);
		empty_all(entry->fd);
		close(entry->fd);
		pthread_mutex_lock(&door.lock);
		self->busy = false;
		entry->next = door.done;
		door.done = entry;
		door.n_waiting--;
		tell_loop();
	}
	self->runs = false;
	pthread_mutex_unlock(&door.lock);
	return NULL;
}

/* The signal alone reaches a closer. It has the lock. */
static bool start_closer(struct closer *closer)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;
	sigfillset(&all);
	sigdelset(&all, SIGURG);
	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&closer->thread, &attr, close_them, closer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return r == 0;
}

/* One more where all are busy. What no thread can be had for waits. The caller has
 * the lock. */
static void see_to_closers(void)
{
	for (unsigned i = 0; i < CLOSERS; i++) {
		struct closer *closer = &door.closers[i];
		if (closer->runs && !closer->busy)
			break;
		if (closer->runs)
			continue;
		closer->runs = start_closer(closer);
		break;
	}
	pthread_cond_signal(&door.some);
}

/* For what slabd made itself, slabd's. */
static uid_t uid_of(int fd)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t bytes = sizeof(who);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes);
	return who.uid;
}

static void hand_to_closer(int fd, const char *name)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	/* It stays open without one: better than a loop that waits. */
	if (entry == NULL) {
		log_warn("no memory to close a connection: it stays open");
		return;
	}
	entry->fd = fd;
	entry->uid = uid_of(fd);
	snprintf(entry->name, sizeof(entry->name), "%s",
	         name != NULL ? name : "");
	pthread_mutex_lock(&door.lock);
	*door.todo_end = entry;
	door.todo_end = &entry->next;
	door.n_waiting++;
	see_to_closers();
	pthread_mutex_unlock(&door.lock);
	if (door.nudge != NULL)
		wake_start(door.nudge, NUDGE_NS);
}

/* ---- the loop ----------------------------------------------------------- */

static void on_told(UNUSED evutil_socket_t fd, UNUSED short what,
                    UNUSED void *arg)
{
	struct entry *entry;
	uint64_t n;
	if (door.told_fd >= 0 && read(door.told_fd, &n, sizeof(n)) < 0)
		n = 0;
	pthread_mutex_lock(&door.lock);
	entry = door.done;
	door.done = NULL;
	pthread_mutex_unlock(&door.lock);
	while (entry != NULL) {
		struct entry *next = entry->next;
		if (entry->name[0] != '\0')
			fdstore_drop(entry->name);
		free(entry);
		entry = next;
	}
}

/* A wait that a signal ends goes on for the kernel, not for the closer. */
static bool nudge_closers(void)
{
	bool any = false;
	pthread_mutex_lock(&door.lock);
	for (unsigned i = 0; i < CLOSERS; i++)
		if (door.closers[i].runs && door.closers[i].busy) {
			pthread_kill(door.closers[i].thread, SIGURG);
			any = true;
		}
	pthread_mutex_unlock(&door.lock);
	return any;
}

static void on_nudge(UNUSED evutil_socket_t fd, UNUSED short what,
                     UNUSED void *arg)
{
	if (nudge_closers() || door_waiting() > 0)
		wake_start(door.nudge, NUDGE_NS);
}

static void on_signal(UNUSED int signal)
{
}

int door_open(struct event_base *base)
{
	struct sigaction act = {.sa_handler = on_signal};
	int r;
	sigaction(SIGURG, &act, NULL);
	door.stopping = false;
	door.told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (door.told_fd < 0)
		return -errno;
	r = wake_timer(&door.nudge, base, on_nudge, NULL);
	return r == 0 ? wake_on_fd(&door.told, base, door.told_fd, on_told,
	                           NULL)
	              : r;
}

static bool closers_run(void)
{
	bool any = false;
	pthread_mutex_lock(&door.lock);
	door.stopping = true;
	pthread_cond_broadcast(&door.some);
	for (unsigned i = 0; i < CLOSERS; i++)
		any |= door.closers[i].runs;
	pthread_mutex_unlock(&door.lock);
	return any;
}

void door_stop(void)
{
	const struct timespec pause = {0, 5 * CLOCK_MS};
	wake_free(&door.told);
	wake_free(&door.nudge);
	for (int i = 0; i < STOP_TRIES && closers_run(); i++) {
		nudge_closers();
		nanosleep(&pause, NULL);
	}
	on_told(-1, 0, NULL);
	if (door.told_fd >= 0)
		close(door.told_fd);
	door.told_fd = -1;
}

/* ---- closed ------------------------------------------------------------- */

void door_close(int fd, const char *name)
{
	if (fd < 0)
		return;
	shutdown(fd, SHUT_RDWR);
	/* A kernel of before may close others' garbage along with any socket. */
	if (door.lets_in || !empty_bytes(fd)) {
		hand_to_closer(fd, name);
		return;
	}
	if (name != NULL)
		fdstore_drop(name);
	close(fd);
}

void door_release(int fd)
{
	hand_to_closer(fd, NULL);
}

void door_close_listener(int fd)
{
	int sock;
	/* Whoever comes from now on is refused. */
	shutdown(fd, SHUT_RDWR);
	while ((sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
	       0)
		door_close(sock, NULL);
	close(fd);
}

unsigned door_waiting(void)
{
	unsigned n;
	pthread_mutex_lock(&door.lock);
	n = door.n_waiting;
	pthread_mutex_unlock(&door.lock);
	return n;
}
