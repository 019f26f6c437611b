/* SPDX-License-Identifier: MIT */
/*
 * The way back to slabd, once it was seen to be gone.
 *
 *   connected -- hang-up --> waiting -- due --> trial: hello sent
 *       ^                     ^  ^                |      |   |
 *       |                     |  '--- refused, ---'      |   |
 *       |                     |       cut, 5 s           |   |
 *       |                     '-- 10 ms, doubling to 1 s |   |
 *       |                         (60 ms while a thread  |   |
 *       |                         waits for memory)      |   |
 *       '--------- welcome: new sockets, old numbers ----'   |
 *   lost <------------------- slabd says never --------------'
 *
 * Whoever comes by takes the next step: the helper thread, slabd_poll, a
 * request or an allocation that waits. A step never waits, so that nobody is
 * held up by another's; what has to be waited for is in the link's poller. A
 * stopped slabd is not gone: its sockets stand, and where they do not, the
 * trial waits at its door.
 */
#ifndef CLIENT_RESUME_H
#define CLIENT_RESUME_H

#include "client/link.h"

/* Takes the next step if it is due. Never waits. */
void resume_step(struct link *link);

/* The same for an allocation that waits: a try that is not due for long is
 * due in 20 to 60 ms. */
void resume_press(struct link *link);

/* Waits for the connection: 0; or -ENOTCONN at the time until_ns, or as soon
 * as there is no way back. */
int resume_wait(struct link *link, uint64_t until_ns);

/* Has the poller tell of a time, by the monotonic clock, if it is not to tell of
 * an earlier one; sets that time, 0 for none; and whether it has come. While
 * there is no connection the timer is for the way back, which is more often. */
void resume_alarm(struct link *link, uint64_t at_ns);
void resume_alarm_anew(struct link *link, uint64_t at_ns);
static inline bool resume_alarm_is_due(const struct link *link, uint64_t now_ns)
{
	uint64_t at_ns = atom_load(&link->resume.alarm_ns);
	return at_ns != 0 && now_ns >= at_ns;
}

/* Tries at once, and once: 0; or -ENOTCONN when that failed, or at until_ns. */
int resume_once(struct link *link, uint64_t until_ns);

#endif
