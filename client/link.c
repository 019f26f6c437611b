/* SPDX-License-Identifier: MIT */
#include "client/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FORBIDDEN                                                              \
	"a sandbox forbids fstat, epoll_ctl or timerfd_gettime, by which this "   \
	"library knows its descriptors: the pool works on with what it has; "     \
	"allow them, or open it after the sandbox is set up"
#define FOREIGN                                                                \
	"this process has closed the descriptors that libslabclient had "      \
	"open (closefrom?): the pool works on with what it has; close it "     \
	"and open it again"

int link_hold(void)
{
	int before;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

void link_let_go(int before)
{
	pthread_setcancelstate(before, NULL);
}

int link_watch(struct link *link, int sock)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = sock};
	return epoll_ctl(link->poller, EPOLL_CTL_ADD, sock, &event) < 0 ? -errno
	                                                                : 0;
}

void link_unwatch(struct link *link, int sock)
{
	epoll_ctl(link->poller, EPOLL_CTL_DEL, sock, NULL);
}

void link_cut(struct link *link, uint32_t up)
{
	/* pairs: connected; it needs no order, see link->up. */
	if ((up & 1) != 0)
		atom_cas(&link->up, &up, up + 1);
}

bool link_is_cut(ssize_t got)
{
	return got == 0 || errno == EPIPE || errno == ECONNRESET ||
	       errno == ENOTCONN;
}

void link_note_denied(struct link *link)
{
	if (errno == EAGAIN || errno == EINTR)
		return;
	atom_store(&link->denied, (uint32_t)errno);
	atom_add(&link->n_denied, 1u);
}

const char *link_why(const struct link *link, char text[LINK_WHY])
{
	uint32_t err = atom_load(&link->resume.err);
	/* pairs: give_up */
	if (atom_load_acquire(&link->lost) != 0)
		return link->resume.why;
	if (link_is_up(link) && atom_load(&link->denied) != 0) {
		snprintf(text, LINK_WHY,
		         "what slabd says can't be read (%s), as a sandbox "
		         "forbids recv: trims and questions wait",
		         strerror((int)atom_load(&link->denied)));
		return text;
	}
	if (err == 0)
		return "slabd is gone: the pool works on with what it has, and "
		       "grows when slabd is there again";
	snprintf(text, LINK_WHY,
	         "slabd is gone (%s: %s): the pool works on with what it has, "
	         "and grows when slabd is there again",
	         link->resume.to.sun_path, strerror((int)err));
	return text;
}

/* ---- whose numbers ------------------------------------------------------- */

uint64_t link_inode(int fd, unsigned type)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type
	               ? st.st_ino
	               : 0;
}

void link_note(struct link *link)
{
	atom_store(&link->sock_ino, link_inode(link->sock, S_IFSOCK));
	atom_store(&link->events_ino, link_inode(link->events, S_IFSOCK));
}

/* Poller and timer have no inode of their own: but that poller alone knows that
 * timer, under its number. */
static bool has_timer(const struct link *link)
{
	struct epoll_event same = {.events = EPOLLIN, .data.fd = link->timer};
	struct itimerspec at;
	return timerfd_gettime(link->timer, &at) == 0 &&
	       epoll_ctl(link->poller, EPOLL_CTL_MOD, link->timer, &same) == 0;
}

static bool is_noted(const struct link *link)
{
	uint64_t sock = atom_load(&link->sock_ino);
	uint64_t events = atom_load(&link->events_ino);
	return sock == 0 || (link_inode(link->sock, S_IFSOCK) == sock &&
	                     link_inode(link->events, S_IFSOCK) == events &&
	                     has_timer(link));
}

/* Under the lock no new sockets are being put in place. */
static bool lose(struct link *link)
{
	struct resume *r = &link->resume;
	bool is;
	pthread_mutex_lock(&r->lock);
	errno = 0;
	is = is_noted(link);
	if (!is && !link_is_lost(link))
		snprintf(r->why, sizeof(r->why), "%s",
		         errno == EPERM || errno == EACCES || errno == ENOSYS
		                 ? FORBIDDEN
		                 : FOREIGN);
	if (!is) {
		atom_store(&link->foreign, true);
		/* pairs: link_why */
		atom_store_release(&link->lost, (uint32_t)EBADF);
		link_cut(link, atom_load(&link->up));
	}
	pthread_mutex_unlock(&r->lock);
	return is;
}

bool link_is_own(struct link *link)
{
	int saved = errno;
	bool is = !atom_load(&link->foreign) && (is_noted(link) || lose(link));
	errno = saved;
	return is;
}

/* Whether a socket is still under its number. */
static bool is_at(int fd, const uint64_t *ino)
{
	return atom_load(ino) != 0 && link_inode(fd, S_IFSOCK) == atom_load(ino);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void link_close(struct link *link)
{
	bool own = link_is_own(link);
	bool polls = own || has_timer(link);
	close_fd(own ? link->resume.trial : -1);
	close_fd(own || is_at(link->sock, &link->sock_ino) ? link->sock : -1);
	close_fd(own || is_at(link->events, &link->events_ino) ? link->events
	                                                       : -1);
	close_fd(polls ? link->timer : -1);
	close_fd(polls ? link->poller : -1);
}
