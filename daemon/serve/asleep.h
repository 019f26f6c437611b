/* SPDX-License-Identifier: MIT */
/*
 * Which clients have not run since they said what they hold: it is what they hold
 * still, and they are not asked again. A host has thousands of workers that sleep,
 * and to wake them costs more than all else that a report does.
 *
 *   asleep_ask --> question --> the helper's answer --> asleep_hear
 *       |                                                   |
 *   time of the process but for the helper's           (helper sleeps)
 *       '-------------- alike  <-- asleep_is ---------------'
 *                          |
 *       then the time of the whole process is what it is asleep by, and one look at
 *       that (base/ran.h) is all that it takes from then on
 *
 * The helper itself changes what a client holds where slabd asks for that, or an
 * alarm of its own is due: so between the two it is to have run once, for the
 * answer, and slabd has sent nothing else. A client says which thread is its
 * helper; a wrong number makes that two times are not the same, or hides changes
 * of its own numbers from those who look.
 */
#ifndef DAEMON_SERVE_ASLEEP_H
#define DAEMON_SERVE_ASLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct peer;

/* It is about to be asked. */
void asleep_ask(struct peer *peer);

/* It has answered, the thread of that number: WIRE_HELD_ALL is none. */
void asleep_hear(struct peer *peer, uint32_t teller);

/* It is asked something else, on which it may act. */
void asleep_end(struct peer *peer);

/* When a look is worth while, by clock_ns, at who may have slept since a time; 0: it
 * is to be asked. */
int64_t asleep_look_ns(const struct peer *peer, int64_t since_ns);

/* Whether it holds what it said, at any time until asleep_look_ns, which has come. */
bool asleep_is(struct peer *peer);

#endif
