/* SPDX-License-Identifier: MIT */
#include "client/request.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/handshake.h"
#include "client/resume.h"
#include "shm/abandon.h"

#define LIMIT_NS (HANDSHAKE_SECONDS * SECOND_NS)
#define SLICE_MS 100
#define BYE_READ_NS SECOND_NS
#define BEGUN_NS SECOND_NS

/* Another slabd is at the other end: what it was asked is to be sent again. */
#define AWAIT_E_AGAIN 1

/* How long a request is waited for. */
struct limit {
	uint64_t until_ns;
	uint64_t read_ns; /* by then slabd has read it, or hangs */
};

/* What came of a request besides its answer. */
struct outcome {
	uint32_t sent; /* so often */
	bool begun;    /* one of these was begun, and not answered */
};

/* Whether slabd has yet to read what was sent. */
static bool is_unread(const struct link *link)
{
	int bytes = 0;
	return ioctl(link->sock, TIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/* After a send or recv that gave got: 0 to try again, or -errno. Waits where
 * the socket is not ready; in slices, as nothing wakes a thread that begins to
 * wait when new sockets are in place already. */
static int wait_ready(const struct link *link, ssize_t got, short what,
                      uint32_t up, const struct limit *limit)
{
	struct pollfd at = {.fd = link->sock, .events = what};
	uint64_t now_ns;
	if (link_is_cut(got))
		return -ENOTCONN;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	poll(&at, 1, SLICE_MS);
	if (atom_load(&link->up) != up)
		return -ENOTCONN;
	now_ns = clock_now_ns();
	if (now_ns >= limit->read_ns && is_unread(link))
		return -ETIMEDOUT;
	return now_ns < limit->until_ns ? 0 : -ETIMEDOUT;
}

static int send_request(const struct link *link, const struct wire_head *msg,
                        uint32_t up, const struct limit *limit)
{
	int r = 0;
	while (r == 0) {
		ssize_t n = send(link->sock, msg, msg->bytes,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			return 0;
		r = wait_ready(link, n, POLLOUT, up, limit);
	}
	return r;
}

/* A reply, and the descriptor that came with it, for who wants one: the kernel
 * closes what others get. What recv gives. */
static ssize_t receive(const struct link *link, struct wire_reply *reply,
                       int *fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = reply, .iov_len = sizeof(*reply)};
	struct msghdr hdr = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = room,
	                     .msg_controllen = sizeof(room)};
	struct cmsghdr *c;
	ssize_t got;
	if (fd == NULL)
		return recv(link->sock, reply, sizeof(*reply), MSG_DONTWAIT);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	got = recvmsg(link->sock, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	c = got > 0 ? CMSG_FIRSTHDR(&hdr) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return got;
}

/* The reply to request seq; replies that came too late for theirs are left. 0,
 * AWAIT_E_AGAIN or -errno. */
static int await_reply(const struct link *link, uint32_t seq,
                       struct wire_reply *reply, int *fd, uint32_t up,
                       const struct limit *limit)
{
	int r = 0;
	while (r == 0) {
		ssize_t got = receive(link, reply, fd);
		if ((size_t)got == sizeof(reply->head) &&
		    reply->head.type == WIRE_AGAIN)
			return AWAIT_E_AGAIN;
		if (got > 0 && (size_t)got != sizeof(*reply))
			return -EPROTO;
		if (got > 0 && reply->head.seq == seq) {
			reply->text[WIRE_TEXT - 1] = '\0';
			return 0;
		}
		if (got <= 0)
			r = wait_ready(link, got, POLLIN, up, limit);
	}
	return r;
}

/* A mutex would be waited for by the time of day, which may be set back. */
static int begin_call(struct link *link, uint64_t until_ns)
{
	struct timespec at = {.tv_sec = (time_t)(until_ns / SECOND_NS),
	                      .tv_nsec = (long)(until_ns % SECOND_NS)};
	int err = 0;
	pthread_mutex_lock(&link->calls);
	while (link->calling && err == 0)
		err = pthread_cond_timedwait(&link->called, &link->calls, &at);
	if (!link->calling)
		err = 0;
	link->calling = link->calling || err == 0;
	pthread_mutex_unlock(&link->calls);
	return -err;
}

static void end_call(struct link *link)
{
	pthread_mutex_lock(&link->calls);
	link->calling = false;
	pthread_cond_signal(&link->called);
	pthread_mutex_unlock(&link->calls);
}

/* Away with what no request waits for any more. */
static void clear(const struct link *link)
{
	struct wire_reply late;
	while (recv(link->sock, &late, sizeof(late), MSG_DONTWAIT) > 0)
		continue;
}

/* Over the connection that stands. *sent counts how often. */
static int ask(const struct link *link, const struct wire_head *msg,
               struct wire_reply *reply, int *fd, uint32_t up,
               const struct limit *limit, uint32_t *sent)
{
	int r;
	clear(link);
	r = send_request(link, msg, up, limit);
	while (r == 0) {
		++*sent;
		r = await_reply(link, msg->seq, reply, fd, up, limit);
		if (r != AWAIT_E_AGAIN)
			return r;
		/* The first may have been done: its reply is here then, also
		 * where slabd has hung up after it. */
		if (send_request(link, msg, up, limit) == -ETIMEDOUT)
			return -ETIMEDOUT;
		r = 0;
	}
	return r;
}

/* What closes or ends something slabd does whenever it comes to it. */
static bool is_to_be_done(const struct wire_head *msg)
{
	return msg->type == WIRE_BYE || msg->type == WIRE_LEAVE;
}

/* It was not answered: slabd is not to do it any more. One that has begun is waited
 * for a little longer, as it is about to answer. */
static int give_up(const struct link *link, const struct wire_head *msg,
                   struct wire_reply *reply, int *fd, uint32_t up, int r,
                   struct outcome *outcome)
{
	uint64_t until_ns = clock_now_ns() + BEGUN_NS;
	const struct limit limit = {until_ns, until_ns};
	if (is_to_be_done(msg) ||
	    abandon_any(link->resume.view, link->resume.hello.id, msg->seq))
		return r;
	if (r == -ETIMEDOUT &&
	    await_reply(link, msg->seq, reply, fd, up, &limit) == 0)
		return 0;
	outcome->begun = true;
	return r;
}

/* Once, over the connection that stands. */
static int exchange(struct link *link, struct wire_head *msg, size_t bytes,
                    struct wire_reply *reply, int *fd,
                    const struct limit *limit, struct outcome *outcome)
{
	uint32_t up;
	int r = begin_call(link, limit->until_ns);
	if (r < 0)
		return r;
	up = atom_load(&link->up);
	msg->bytes = (uint32_t)bytes;
	msg->seq = ++link->seq;
	r = (up & 1) != 0 && link_is_own(link)
	            ? ask(link, msg, reply, fd, up, limit, &outcome->sent)
	            : -ENOTCONN;
	if (r < 0)
		r = give_up(link, msg, reply, fd, up, r, outcome);
	end_call(link);
	if (r == -ENOTCONN)
		link_cut(link, up);
	return r;
}

/* It was read before what slabd had said until then: a slabd that was started anew, or
 * the answer to a request that was given up. */
static bool is_early(const struct wire_reply *reply, uint64_t until_ns)
{
	return reply->error == EAGAIN && reply->cache == WIRE_UNREAD &&
	       clock_now_ns() < until_ns;
}

static int call(struct link *link, struct wire_head *msg, size_t bytes,
                struct wire_reply *reply, int *fd, bool *begun)
{
	uint64_t until_ns = clock_now_ns() + LIMIT_NS;
	const struct limit limit = {until_ns, until_ns};
	struct outcome outcome = {0};
	int held = link_hold();
	int r;
	do
		r = exchange(link, msg, bytes, reply, fd, &limit, &outcome);
	while ((r == -ENOTCONN && resume_wait(link, until_ns) == 0) ||
	       (r == 0 && fd != NULL && is_early(reply, until_ns)));
	reply->head.spare = outcome.sent > 0 ? outcome.sent - 1 : 0;
	if (fd != NULL && *fd >= 0 && (r < 0 || reply->error != 0)) {
		close(*fd);
		*fd = -1;
	}
	*begun = outcome.begun;
	link_let_go(held);
	return r;
}

int request_descriptor(struct link *link, struct wire_head *msg, size_t bytes,
                       struct wire_reply *reply, int *fd)
{
	bool begun;
	return call(link, msg, bytes, reply, fd, &begun);
}

int request_call(struct link *link, struct wire_head *msg, size_t bytes,
                 struct wire_reply *reply)
{
	return request_descriptor(link, msg, bytes, reply, NULL);
}

int request_change(struct link *link, struct wire_head *msg, size_t bytes,
                   struct wire_reply *reply)
{
	bool begun;
	int r = call(link, msg, bytes, reply, NULL, &begun);
	return r < 0 && begun ? -EINPROGRESS : r;
}

/* slabd answers once all is free again. One that has not even read it is not waited
 * for: it will, as the message outlives this end of the socket. */
void request_bye(struct link *link)
{
	struct wire_head bye = {.type = WIRE_BYE};
	struct wire_reply reply;
	uint64_t now = clock_now_ns();
	const struct limit limit = {now + LIMIT_NS, now + BYE_READ_NS};
	struct outcome outcome = {0};
	int held = link_hold();
	if (exchange(link, &bye, sizeof(bye), &reply, NULL, &limit, &outcome) ==
	            -ENOTCONN &&
	    resume_once(link, now + SECOND_NS) == 0)
		exchange(link, &bye, sizeof(bye), &reply, NULL, &limit,
		         &outcome);
	link_let_go(held);
}
