/* SPDX-License-Identifier: MIT */
/* Numbered objects that go over a channel, for several tests. */
#ifndef TESTS_LIB_SENT_H
#define TESTS_LIB_SENT_H

#include "tests/lib/harness.h"

#define SENT_BATCH 64u

static inline slabd_channel *sent_channel(slabd_pool *pool, const char *name,
                                   size_t capacity)
{
	slabd_channel *channel = slabd_channel_open(pool, name, capacity);
	if (channel == NULL)
		tap_bail("channel %s: %s", name, slabd_last_error());
	return channel;
}

/* Numbered objects. */
static inline void sent_make(slabd_cache *cache, unsigned n, uint64_t from, void **objects)
{
	fixture_take(cache, n, objects);
	for (unsigned i = 0; i < n; i++)
		*(uint64_t *)objects[i] = from + i;
}

/* Begins fifty, commits twenty of them, says so, and waits: its id, how many were
 * begun, what the commit returned. */
static inline void sent_begin(const struct fixture *fixture, int fd,
                              const char *name, size_t capacity)
{
	slabd_pool *pool = fixture_pool(fixture);
	slabd_channel *channel = sent_channel(pool, name, capacity);
	void *out[SENT_BATCH];
	say(fd, slabd_client_id(pool));
	say(fd, slabd_recv_begin(channel, out, 50));
	say(fd, (uint64_t)slabd_recv_commit(channel, 20));
	hear(fd);
}

#endif
