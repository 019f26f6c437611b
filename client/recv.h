/* SPDX-License-Identifier: MIT */
/* What is received from a channel, at once (recv.c) or in two steps (begun.c). */
#ifndef CLIENT_RECV_H
#define CLIENT_RECV_H

#include "client/channel.h"

/* One slot that this client has begun. */
struct taken {
	struct channel_run run;
	struct channel_place place;
	uint64_t slot;
	uint32_t ix;
};

/* A run without its first n. */
struct channel_run recv_rest_of(const struct taken *taken, uint32_t n);

/* Begins the next entry. False, with errno, where there is none, or it was begun
 * before and what this call has so far was not, or the other way round. sure: what is
 * not the channel's is left out; else whoever takes it finds out. */
bool recv_begin_one(struct slabd_channel *channel, bool first, bool sure,
                    struct taken *taken);

/* Whether what was begun is an arena's entry: it is as it was then, with EINVAL. */
bool recv_leaves_arena(struct slabd_channel *channel, const struct taken *taken);

/* The addresses of the first n of a run. */
void recv_hand_out(const struct slabd_pool *pool, const struct taken *taken,
                   uint32_t n, void **objects);

/* The first n of a run are this client's from now on. How many were the channel's. */
uint32_t recv_take(struct slabd_channel *channel, const struct taken *taken,
                   uint32_t n, const void *site);

/* What is left of a slot goes back, or it is free. */
void recv_end_one(struct slabd_channel *channel, struct taken *taken, uint32_t n);

/* Fewer came than were asked for: its descriptor is to tell of more. */
void recv_came_short(struct slabd_channel *channel);

/* Receives one object if it is such a one: fits() sees where the next entry's first
 * lies, and says with errno why it is not. NULL then, and it stays where it is. */
void *recv_one(struct slabd_channel *channel,
               bool (*fits)(void *arg, uint64_t off, const void *object),
               void *arg);

/* Puts back what a handle has begun. */
void begun_put_back(struct slabd_channel *channel);

#endif
