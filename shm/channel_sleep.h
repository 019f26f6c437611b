/* SPDX-License-Identifier: MIT */
/*
 * Who sleeps on a channel, and since when: for reports alone, nobody is woken by it.
 * A thread has an entry of the ring's head while it sleeps:
 *
 *    63                  18 17    16 15      0
 *   +----------------------+--------+---------+
 *   | since, ms, monotonic | waits  | client  |   0: nobody's
 *   +----------------------+--------+---------+
 *
 *   0 -> entry   the sleeper, by cas
 *   entry -> 0   the sleeper, or slabd of a client that has left or ended
 *
 * Where all are taken the others sleep without. A kill leaves it to slabd.
 */
#ifndef SHM_CHANNEL_SLEEP_H
#define SHM_CHANNEL_SLEEP_H

#include "shm/channel.h"

#define CHANNEL_SLEEP_NONE UINT32_MAX

/* What an entry says, whatever a client wrote there. */
struct channel_sleeper {
	uint32_t id;    /* 0: nobody */
	uint32_t waits; /* CHANNEL_WAIT_* */
	uint64_t since_ms;
};

struct channel_sleeper channel_sleep_of(const struct channel *channel, uint32_t at);

/* Takes an entry, or CHANNEL_SLEEP_NONE: all are taken. */
uint32_t channel_sleep_begin_any(const struct channel *channel,
                                 const struct channel_sleeper *who);

/* Gives back the entry at. */
void channel_sleep_end_own(const struct channel *channel, uint32_t at);

/* A client has left: its entries are nobody's. */
void channel_sleep_forget_srv(const struct channel *channel, uint32_t id);

#endif
