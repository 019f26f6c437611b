/* SPDX-License-Identifier: MIT */
#include "client/doorbell.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/resume.h"

#define RINGS_A_SECOND 1024u /* slabd bears four times as many messages */
#define SHORT_SECONDS 5u

bool doorbell_may_ring(const struct link *link)
{
	uint64_t seen = atom_load(&link->rung);
	return (seen & 0xffff) < RINGS_A_SECOND ||
	       seen >> 16 != clock_coarse_s();
}

static void count_ring(struct link *link)
{
	uint64_t second = clock_coarse_s();
	if (atom_load(&link->rung) >> 16 != second)
		atom_store(&link->rung, second << 16);
	atom_add(&link->rung, UINT64_C(1));
}

void doorbell_ring(struct link *link)
{
	struct wire_head head = {.type = WIRE_RING, .bytes = sizeof(head)};
	uint32_t up = atom_load(&link->up);
	int saved = errno;
	int held = link_hold();
	count_ring(link);
	if ((up & 1) != 0 && link_is_own(link) &&
	    send(link->events, &head, sizeof(head),
	         MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    link_is_cut(-1))
		link_cut(link, up);
	link_let_go(held);
	errno = saved;
}

static void read_events(struct link *link)
{
	uint32_t up = atom_load(&link->up);
	struct wire_head head;
	ssize_t got;
	while ((got = recv(link->events, &head, sizeof(head), MSG_DONTWAIT)) >
	       0) {
		atom_store(&link->denied, 0u);
		if ((size_t)got == sizeof(head) && head.type == WIRE_TRIM) {
			doorbell_note_short(link);
			atom_add(&link->trims, 1u);
		} else if ((size_t)got == sizeof(head) &&
		           head.type == WIRE_COUNT) {
			atom_store(&link->count_asked, head.seq);
		} else if ((size_t)got == sizeof(head) &&
		           head.type == WIRE_LOOK) {
			atom_store(&link->look_asked, head.seq);
		}
	}
	if (link_is_cut(got))
		link_cut(link, up);
	else
		link_note_denied(link);
}

void doorbell_note_short(struct link *link)
{
	atom_store(&link->short_s, clock_coarse_s() + 1);
}

bool doorbell_is_short(const struct link *link)
{
	uint64_t since = atom_load(&link->short_s);
	return since != 0 && clock_coarse_s() < since + SHORT_SECONDS;
}

/* What the timer had to tell is told by the return of doorbell_poll. */
static void clear_timer(struct link *link)
{
	uint64_t fired;
	ssize_t got;
	do
		got = read(link->timer, &fired, sizeof(fired));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		link_note_denied(link);
}

bool doorbell_poll(struct link *link)
{
	int held = link_hold();
	if (!link_is_own(link)) {
		link_let_go(held);
		return false;
	}
	if (link_is_up(link))
		read_events(link);
	if (!link_is_up(link))
		resume_step(link);
	if (link_is_lost(link))
		clear_timer(link);
	link_let_go(held);
	return link_is_up(link) && atom_load(&link->denied) == 0;
}
