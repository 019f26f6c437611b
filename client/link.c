/* SPDX-License-Identifier: MIT */
#include "client/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

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

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void link_close(struct link *link)
{
	close_fd(link->resume.trial);
	close_fd(link->sock);
	close_fd(link->events);
	close_fd(link->timer);
	close_fd(link->poller);
}
