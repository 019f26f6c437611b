/* SPDX-License-Identifier: MIT */
/* Arenas that are under way on a channel, as whoever had begun with one of them dies,
 * and as the channel ends: the clients of those scenarios, and who comes after. */
#ifndef TESTS_LIB_SCENARIO_CHANNEL_H
#define TESTS_LIB_SCENARIO_CHANNEL_H

#include <stdbool.h>

#define SCENARIO_ARENAS 2 /* on the channel: of one chunk, and of several */

/* Has begun to receive the first, and is in the middle of the other: it has taken some
 * of its parts, or has not handed over all of them yet. Says so, and is then killed. */
void scenario_channel_victim(int fd, void *arg);

/* Leaves both there, and has the channel removed once it hears of it. */
void scenario_channel_ender(int fd, void *arg);

/* Receives what is there, each whole, or, where the channel may have ended, finds none.
 * Whether it was so. */
bool scenario_channel_drain(bool may_have_ended, const char *what);

#endif
