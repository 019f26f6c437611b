/* SPDX-License-Identifier: MIT */
/* What a client asks of slabd about channels: part of wire.h's protocol. */
#ifndef SHM_WIRE_CHANNEL_H
#define SHM_WIRE_CHANNEL_H

#include "shm/wire.h"

/* Makes the channel where there is none of that name; capacity 0: only one that
 * there is, of any capacity. The reply's cache is its row, an index. */
struct wire_join {
	struct wire_head head;
	uint64_t capacity;
	char name[NAME_BYTES];
};

struct wire_leave {
	struct wire_head head;
	uint32_t ix;
	uint32_t spare;
};

#endif
