/* SPDX-License-Identifier: MIT */
/*
 * A channel as this process has it open. Letters as in types.h; (B) under the
 * handle's lock.
 */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include "client/types.h"
#include "shm/channel.h"

struct channel_poll;

/* One that a pool of this process has open, however often. */
struct joined {
	struct joined *next; /* under pool->channels_lock */
	uint32_t ix;
	struct slabd_channel *handles; /* under it, too */
	struct channel ring;           /* (C) */
};

/* A slot that was begun: of its run a first part was given, and not committed. */
struct begun {
	uint64_t slot;
	uint32_t ix;
	uint32_t given;
};

struct slabd_channel {
	struct slabd_channel *next; /* as joined's handles */
	struct slabd_pool *pool; /* (C) */
	struct joined *joined;   /* (C) */
	const struct layout_channel *row; /* (C) */
	struct channel ring;     /* (C) */
	pthread_mutex_t lock;
	struct begun *begun; /* (B) as many as the ring has slots, round */
	uint32_t first;      /* (B) */
	uint32_t n;          /* (B) */
	uint32_t ends;       /* (A) ends of peers that it was told; relaxed */
	uint32_t ended;      /* (A) the last of them */
	uint32_t again;      /* (A) of the last that it received; relaxed */
	/* How long slabd_send waits for room, in ns: 0 not at all, UINT64_MAX for
	 * ever; relaxed. */
	uint64_t patience_ns;      /* (A) */
	uint32_t skip;      /* (A) waits that sleep at once; relaxed */
	uint32_t vain;      /* (A) that many, after the next one that looks in vain */
	struct channel_poll *poll; /* (B) its descriptor's, or NULL; set once */
};

/* Whether slabd has the ring that is open here. */
static inline bool channel_is_there(const struct slabd_channel *channel)
{
	return atom_load(&channel->row->state) == CHANNEL_LIVE;
}

/* Before a call of it; with errno else. */
bool channel_usable(const struct slabd_channel *channel);
int channel_lost(void);

/* Something has changed for who waits (CHANNEL_WAIT_*). */
void send_tell(const struct channel *ring, uint32_t waits);

/* The same once so many objects were sent, or received, which it counts. */
void send_tell_sent(const struct channel *ring, uint64_t n);
void send_tell_received(const struct channel *ring, uint64_t n);

/* Whether a full channel has room by now, as slabd_channel_slow says of its handle;
 * errno else. *until_ns: 0 at first. */
bool send_waits(struct slabd_channel *channel, uint64_t *until_ns);

/* Waits for room, 0 or errno; the ends of others are not told. */
int channel_wait_room(struct slabd_channel *channel, uint64_t until_ns);

/* Who looks at the channel may see that this thread sleeps on it, until it is awake:
 * what to say then. */
uint32_t channel_wait_asleep(const struct slabd_channel *channel, uint32_t waits);
void channel_wait_awake(const struct slabd_channel *channel, uint32_t asleep);

/* Closes all that a pool has open; in a forked child they are forgotten. */
void channel_close_all(struct slabd_pool *pool, bool alive);

#endif
