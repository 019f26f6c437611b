/* SPDX-License-Identifier: MIT */
/*
 * Channels in the control file: a table of them, and who has which open. The ids
 * that own what is under way are rows of the clients' table: FREE -> CHANNEL (slabd,
 * as it makes one), CHANNEL -> DEAD (slabd, at its end), and swept like a client's.
 *
 * joins has a word a client id, bit ix of the channels that it has open. 0 -> 1
 * (slabd, before the client hears of the channel), 1 -> 0 (slabd, once the client's
 * entries in the ring are settled, as it says or has ended). Relaxed: clients read it
 * to list peers alone. A kill between leaves a join that ends with the client.
 *
 * Letters as in layout.h.
 */
#ifndef SHM_CHANNEL_ROW_H
#define SHM_CHANNEL_ROW_H

#include <stdint.h>

#include "shm/layout.h"

#define CHANNELS_MAX 64u /* as many as a word of joins has bits */

/* One channel, written before state becomes CHANNEL_LIVE. 128 bytes. */
struct layout_channel {
	char name[NAME_BYTES]; /* (C) */
	/* NONE -> LIVE (slabd, once the id and the ring are there), LIVE, LOST ->
	 * NONE (slabd, before the id is dead), by a release that pairs with
	 * channels_adopt. LIVE -> LOST (slabd, which has come again and was not
	 * handed the ring), LOST -> LIVE (slabd, with another ring, once nobody has
	 * it open). Clients look before each call, relaxed: what one does in a ring
	 * that was lost just then, the tags say, and the other ring is made by them
	 * once it has left. A kill before LIVE leaves an id without a channel,
	 * which the next slabd ends, one after NONE the same. */
	uint32_t state;    /* (A) enum channel_state */
	uint32_t owner;    /* (C) its id in the tags */
	uint32_t capacity; /* (C) entries of its ring */
	uint32_t spare[13]; /* (X) */
};
enum channel_state { CHANNEL_NONE, CHANNEL_LIVE, CHANNEL_LOST };

#endif
