/* SPDX-License-Identifier: MIT */
/* slabd, whose objects go from process to process over a channel. */
#ifndef BENCH_WHO_CHANNEL_H
#define BENCH_WHO_CHANNEL_H

#include "tests/bench/who_slabd.h"

#define WHO_CHANNEL

extern slabd_channel *who_channel;

static inline size_t who_send(void *const *objects, size_t n)
{
	return slabd_send(who_channel, objects, n);
}

static inline size_t who_recv(void **objects, size_t n)
{
	return slabd_recv(who_channel, objects, n);
}

#endif
