/* SPDX-License-Identifier: MIT */
#include "client/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

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

const char *link_why(const struct link *link, char text[LINK_WHY])
{
	uint32_t err = atom_load(&link->resume.err);
	/* pairs: give_up */
	if (atom_load_acquire(&link->lost) != 0)
		return link->resume.why;
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

static bool is_noted(const struct link *link)
{
	uint64_t sock = atom_load(&link->sock_ino);
	uint64_t events = atom_load(&link->events_ino);
	return sock == 0 || (link_inode(link->sock, S_IFSOCK) == sock &&
	                     link_inode(link->events, S_IFSOCK) == events);
}

/* Under the lock no new sockets are being put in place. */
static bool lose(struct link *link)
{
	struct resume *r = &link->resume;
	bool is;
	pthread_mutex_lock(&r->lock);
	is = is_noted(link);
	if (!is && !link_is_lost(link))
		snprintf(r->why, sizeof(r->why), "%s", FOREIGN);
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

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void link_close(struct link *link)
{
	if (!link_is_own(link))
		return;
	close_fd(link->resume.trial);
	close_fd(link->sock);
	close_fd(link->events);
	close_fd(link->timer);
	close_fd(link->poller);
}
