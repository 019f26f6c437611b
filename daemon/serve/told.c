/* SPDX-License-Identifier: MIT */
#include "daemon/serve/told.h"

#include "daemon/base/clock.h"
#include "daemon/base/turn.h"
#include "daemon/manager/tells.h"
#include "daemon/watch/wake.h"

#define AGAIN_NS (50 * CLOCK_MS) /* after memory ran out */

static struct event_base *loop;
static struct event *room;  /* the manager has some */
static struct event *again; /* or the kernel may have */

static void on_tells(evutil_socket_t fd, short what, void *arg);

/* The socket may be there only now. */
static void await_room(UNUSED void *arg)
{
	int sock = tells_socket();
	if (room == NULL && sock >= 0)
		room = event_new(loop, sock, EV_WRITE, on_tells, NULL);
	if (room == NULL || event_add(room, NULL) < 0)
		wake_start(again, AGAIN_NS);
}

static void on_tells(UNUSED evutil_socket_t fd, UNUSED short what,
                     UNUSED void *arg)
{
	int r;
	turn_at("tells");
	r = tells_flush();
	if (r == TELLS_E_FULL)
		await_room(NULL);
	else if (r == TELLS_E_LATER)
		wake_start(again, AGAIN_NS);
}

int told_open(struct event_base *base)
{
	int r = wake_timer(&again, base, on_tells, NULL);
	if (r < 0)
		return r;
	loop = base;
	tells_on_wait(await_room, NULL);
	/* What the start left. */
	on_tells(-1, 0, NULL);
	return 0;
}

void told_close(void)
{
	tells_on_wait(NULL, NULL);
	wake_free(&room);
	wake_free(&again);
}
