/* SPDX-License-Identifier: MIT */
#include "client/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/handshake.h"

#define FIRST_NS UINT64_C(10000000)
#define MOST_NS SECOND_NS
#define STEADY_NS (2 * SECOND_NS)
#define SLICE_MS 10
#define PRESS_TRIES 2 /* 20 to 60 ms */

static void set_timer(struct link *link, uint64_t at_ns)
{
	struct itimerspec at = {
	        .it_value = {.tv_sec = (time_t)(at_ns / SECOND_NS),
	                     .tv_nsec = (long)(at_ns % SECOND_NS)}};
	if (timerfd_settime(link->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		link_note_denied(link);
}

/* The n-th wait of a client: 10 ms doubling to a second, and half of it more
 * or less. A thousand clients that see slabd go at the same time come back one
 * after the other. */
static uint64_t wait_of(uint32_t id, uint32_t n)
{
	uint64_t base = FIRST_NS << (n < 7 ? n : 7);
	uint64_t mixed = (id + UINT64_C(40503) * n) *
	                 UINT64_C(0x9e3779b97f4a7c15);
	if (base > MOST_NS)
		base = MOST_NS;
	return base / 2 + (mixed >> 32) % base;
}

static void back_off(struct link *link, uint64_t now)
{
	struct resume *r = &link->resume;
	r->due_ns = now + wait_of(r->hello.id, r->tries);
	r->tries++;
	set_timer(link, r->due_ns);
}

/* slabd was just seen to be gone. A connection that never stands for long is
 * not tried for at the pace of the first. */
static void begin(struct link *link, uint64_t now)
{
	link_unwatch(link, link->events);
	if (now - link->resume.stands_ns > STEADY_NS)
		link->resume.tries = 0;
	back_off(link, now);
}

/* A connection over which slabd was asked; or -errno. */
static int knock(struct link *link)
{
	struct resume *r = &link->resume;
	int sock = handshake_connect(&r->to, SOCK_NONBLOCK);
	int done = sock < 0 ? sock : handshake_hello(sock, &r->hello);
	if (done == 0)
		done = link_watch(link, sock);
	if (done >= 0)
		return sock;
	if (sock >= 0)
		close(sock);
	return done;
}

static void attempt(struct link *link, uint64_t now)
{
	struct resume *r = &link->resume;
	int sock = knock(link);
	if (sock < 0) {
		atom_store(&r->err, (uint32_t)-sock);
		back_off(link, now);
		return;
	}
	r->trial = sock;
	r->due_ns = now + HANDSHAKE_SECONDS * SECOND_NS;
	set_timer(link, r->due_ns);
}

/* Puts the new sockets in the place of the old ones, under their numbers:
 * threads ring and ask without a lock. */
static int install(struct link *link, const struct wire_welcome *msg,
                   const int *fds, unsigned n)
{
	struct resume *r = &link->resume;
	int done = 0;
	if (n != 1 || msg->id != r->hello.id || msg->epoch != r->hello.epoch)
		done = -EPROTO;
	else if (dup3(fds[0], link->events, O_CLOEXEC) < 0 ||
	         dup3(r->trial, link->sock, O_CLOEXEC) < 0)
		done = -errno;
	else
		done = link_watch(link, link->events);
	link_note(link);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	return done;
}

static void connected(struct link *link, uint64_t now)
{
	struct resume *r = &link->resume;
	r->due_ns = 0;
	r->stands_ns = now;
	atom_store(&r->err, 0u);
	set_timer(link, atom_load(&r->alarm_ns));
	view_count(r->view, r->hello.id, STAT_RESUMES, 1);
	atom_store(&link->up, atom_load(&link->up) + 1);
}

/* The descriptor is readable once more, so that slabd_poll can tell. */
static void give_up(struct link *link, int err, const char *why)
{
	snprintf(link->resume.why, sizeof(link->resume.why), "%s", why);
	/* pairs: link_why */
	atom_store_release(&link->lost, (uint32_t)err);
	set_timer(link, 1);
}

/* What slabd answers so once it answers so for ever. */
static bool is_final(int r)
{
	return r == -ESTALE || r == -EPERM || r == -EACCES || r == -EPROTO;
}

/* Looks whether the trial was answered. */
static void check_trial(struct link *link, uint64_t now)
{
	struct resume *r = &link->resume;
	struct wire_welcome msg;
	int fds[WIRE_FDS_MAX];
	unsigned n = 0;
	int sock = r->trial;
	int done = handshake_welcome(sock, &msg, fds, &n);
	if (done == HANDSHAKE_E_NONE && now < r->due_ns)
		return;
	link_unwatch(link, sock);
	if (done == 0) {
		strcpy(msg.text, "slabd took this client for another");
		done = install(link, &msg, fds, n);
	}
	/* In this order: a child forked in between must not close a number
	 * that is no socket of ours any more. */
	r->trial = -1;
	close(sock);
	if (done == 0) {
		connected(link, now);
	} else if (is_final(done)) {
		give_up(link, -done, msg.text);
	} else {
		atom_store(&r->err, done < 0 ? (uint32_t)-done
		                             : (uint32_t)ETIMEDOUT);
		back_off(link, now);
	}
}

static void step(struct link *link)
{
	struct resume *r = &link->resume;
	uint64_t now = clock_now_ns();
	if (link_is_up(link) || link_is_lost(link) || r->view == NULL)
		return;
	if (r->due_ns == 0)
		begin(link, now);
	else if (r->trial >= 0)
		check_trial(link, now);
	else if (now >= r->due_ns)
		attempt(link, now);
}

void resume_step(struct link *link)
{
	int held = link_hold();
	int saved = errno;
	if (link_is_own(link)) {
		pthread_mutex_lock(&link->resume.lock);
		step(link);
		pthread_mutex_unlock(&link->resume.lock);
	}
	errno = saved;
	link_let_go(held);
}

/* Connections that never stood for long make the waits long, and a pool that
 * can't grow meanwhile would fail what waits for it. */
void resume_press(struct link *link)
{
	struct resume *r = &link->resume;
	uint64_t soon = clock_now_ns() + wait_of(r->hello.id, PRESS_TRIES);
	if (!link_is_own(link))
		return;
	pthread_mutex_lock(&r->lock);
	if (!link_is_up(link) && r->trial < 0 && r->due_ns > soon + FIRST_NS) {
		r->due_ns = soon;
		set_timer(link, soon);
	}
	pthread_mutex_unlock(&r->lock);
	resume_step(link);
}

/* ---- the timer, while it is of no other use ------------------------------- */

static void set_alarm(struct link *link, uint64_t at_ns, bool only_earlier)
{
	struct resume *r = &link->resume;
	int held = link_hold();
	if (link_is_own(link)) {
		uint64_t before;
		pthread_mutex_lock(&r->lock);
		before = atom_load(&r->alarm_ns);
		if (!only_earlier || before == 0 || at_ns < before) {
			atom_store(&r->alarm_ns, at_ns);
			if (link_is_up(link) || link_is_lost(link))
				set_timer(link, at_ns);
		}
		pthread_mutex_unlock(&r->lock);
	}
	link_let_go(held);
}

void resume_alarm(struct link *link, uint64_t at_ns)
{
	set_alarm(link, at_ns, true);
}

void resume_alarm_anew(struct link *link, uint64_t at_ns)
{
	set_alarm(link, at_ns, false);
}

/* Whether there is anything left to wait for. */
static bool is_worth(const struct link *link, uint64_t until_ns)
{
	return !link_is_lost(link) && link->resume.view != NULL &&
	       clock_now_ns() < until_ns;
}

/* In slices: another thread may have taken the step that the poller told of,
 * and then nothing in it tells of the connection. */
static void wait_slice(const struct link *link)
{
	struct pollfd at = {.fd = link->poller, .events = POLLIN};
	int held = link_hold();
	poll(&at, 1, SLICE_MS);
	link_let_go(held);
}

int resume_wait(struct link *link, uint64_t until_ns)
{
	while (is_worth(link, until_ns)) {
		resume_step(link);
		if (link_is_up(link))
			return 0;
		wait_slice(link);
	}
	return -ENOTCONN;
}

/* The number of the try that is under way, or of the next, made due. */
static uint32_t make_due(struct link *link)
{
	struct resume *r = &link->resume;
	uint32_t tries;
	pthread_mutex_lock(&r->lock);
	if (!link_is_up(link) && r->due_ns == 0)
		begin(link, clock_now_ns());
	if (!link_is_up(link) && r->trial < 0)
		r->due_ns = 1;
	tries = r->tries;
	pthread_mutex_unlock(&r->lock);
	return tries;
}

int resume_once(struct link *link, uint64_t until_ns)
{
	struct resume *r = &link->resume;
	uint32_t at = is_worth(link, until_ns) ? make_due(link) : 0;
	bool same = true;
	while (same && is_worth(link, until_ns)) {
		resume_step(link);
		if (link_is_up(link))
			return 0;
		wait_slice(link);
		pthread_mutex_lock(&r->lock);
		same = r->tries == at;
		pthread_mutex_unlock(&r->lock);
	}
	return -ENOTCONN;
}
