/* SPDX-License-Identifier: MIT */
/* What a program gets wrong: each call says so, and nothing else happens. */
#include <errno.h>
#include <string.h>

#include "tests/lib/sent.h"

#define SIZE 96

static struct fixture fixture;

static void fails(bool failed, int err, const char *what)
{
	fixture_fails(failed, err, what);
}

/* ---- a channel that is closed ---------------------------------------------- */

static void use_closed(slabd_channel *channel, slabd_channel *open,
                       slabd_arena *arena, void *object)
{
	unsigned ids[4];
	void *root;
	fails(slabd_send(channel, &object, 1) == 0, EINVAL, "slabd_send");
	fails(slabd_recv(channel, &object, 1) == 0, EINVAL, "slabd_recv");
	fails(slabd_recv_begin(channel, &object, 1) == 0, EINVAL,
	      "slabd_recv_begin");
	fails(slabd_recv_commit(channel, 0) < 0, EINVAL, "slabd_recv_commit");
	fails(slabd_forward(channel, open, 1) == 0, EINVAL, "slabd_forward");
	fails(slabd_forward(open, channel, 1) == 0, EINVAL,
	      "slabd_forward to it");
	fails(slabd_send_arena(channel, arena, NULL) < 0, EINVAL,
	      "slabd_send_arena");
	fails(slabd_recv_arena(channel, &root) == NULL, EINVAL,
	      "slabd_recv_arena");
	fails(slabd_channel_wait(channel, SLABD_CHANNEL_RECV, -1) < 0, EINVAL,
	      "slabd_channel_wait");
	fails(slabd_channel_descriptor(channel) < 0, EINVAL,
	      "slabd_channel_descriptor");
	fails(slabd_channel_peers(channel, ids, 4) == 0, EINVAL,
	      "slabd_channel_peers");
	fails(slabd_channel_slow(channel, SLABD_CHANNEL_BLOCK, -1) < 0, EINVAL,
	      "slabd_channel_slow");
	fails(slabd_channel_close(channel) < 0, EINVAL,
	      "slabd_channel_close, again");
	tap_ok(strstr(slabd_last_error(), "closed") != NULL, "which is said: %s",
	       slabd_last_error());
	tap_is(slabd_recv_again(channel), 0, "slabd_recv_again");
	tap_is(slabd_channel_ended(channel), 0, "slabd_channel_ended");
}

static void test_closed(void)
{
	slabd_pool *pool = fixture_pool(&fixture);
	slabd_cache *cache = fixture_cache(pool, "objects", SIZE);
	slabd_arena *arena = slabd_arena_create(pool, NULL, "arena");
	slabd_channel *channel = sent_channel(pool, "closed", 8);
	slabd_channel *open = sent_channel(pool, "closed", 8);
	void *object = NULL;
	void *got = NULL;
	fixture_take(cache, 1, &object);
	slabd_channel_descriptor(channel);
	tap_is(slabd_channel_close(channel), 0, "a channel closes");
	use_closed(channel, open, arena, object);
	tap_ok(slabd_send(open, &object, 1) == 1 &&
	               slabd_recv(open, &got, 1) == 1 && got == object,
	       "who has it open still goes on");
	slabd_close(pool);
	pool = fixture_pool(&fixture);
	use_closed(open, channel, NULL, object);
	slabd_close(pool);
}

int main(void)
{
	tap_start(200);
	fixture_open(&fixture, "[pool default]\nstart = 16M\nmax = 64M\n");
	test_closed();
	tap_ok(fixture_until_used(&fixture, 0, SURELY_MS) >= 0,
	       "nothing is left");
	fixture_audit(&fixture, "all is accounted for");
	fixture_close(&fixture);
	return tap_end();
}
