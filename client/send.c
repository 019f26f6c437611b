/* SPDX-License-Identifier: MIT */
/* Sending over a channel: runs of neighbours, each an entry. */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/channel.h"
#include "client/checked.h"
#include "client/clock.h"
#include "client/error.h"
#include "client/futex.h"
#include "client/holds.h"
#include "client/tools.h"
#include "shm/atom.h"
#include "shm/run.h"
#include "shm/slab_find.h"
#include "shm/tags_pass.h"

__attribute__((cold, noinline)) static void wake(const struct channel *ring)
{
	syscall(SYS_futex, &ring->head->wake, FUTEX_WAKE, INT_MAX, NULL, NULL,
	        0);
}

void send_tell(const struct channel *ring, uint32_t waits)
{
	if (channel_changed_any(ring, waits))
		wake(ring);
}

void send_tell_sent(const struct channel *ring, uint64_t n)
{
	if (channel_sent_any(ring, n))
		wake(ring);
}

void send_tell_received(const struct channel *ring, uint64_t n)
{
	if (channel_received_any(ring, n))
		wake(ring);
}

static int is_full(void)
{
	return error_plain(EAGAIN, "the channel is full: wait with "
	                 "slabd_channel_wait");
}

__attribute__((cold, noinline)) static int no_object(const void *object)
{
	return error_set(EINVAL, "no object of the channel's pool starts at %p",
	                 object);
}

__attribute__((cold, noinline)) static int
not_own(const struct slabd_pool *pool, const void *object)
{
	view_count(&pool->view, pool->user.id, STAT_REFUSED, 1);
	return error_set(EPERM, "object %p is not this client's to send: it is "
	                 "free, another's, or was sent", object);
}

/* The objects from the first on that follow each other in its slab, upwards or
 * downwards. */
static void find_run(const struct slab_place *first, void *const *objects,
                     size_t n, struct channel_run *run)
{
	ptrdiff_t step = first->cache->stride;
	size_t most = first->cache->n_objs - first->ix;
	if (n > 1 && (char *)objects[1] == (char *)objects[0] - step) {
		run->down = true;
		step = -step;
		most = first->ix + 1;
	}
	n = n < most ? n : most;
	n = n < CHANNEL_RUN_MAX ? n : CHANNEL_RUN_MAX;
	run->n = run_length(objects, (uint32_t)n, step);
}

/* How many of it this thread has not freed of late, from the first on. */
static uint32_t not_freed(const struct slabd_pool *pool, void *const *objects,
                          uint32_t n)
{
	const char *a = objects[0];
	const char *b = objects[n - 1];
	uint32_t i = 0;
	if (!holds_between(pool, a < b ? a : b, a < b ? b : a))
		return n;
	while (i < n && !holds_object(pool, objects[i]))
		i++;
	return i;
}

/*
 * The channel's note of the place comes first: its sweep looks where that is. Then
 * the slot says what is about to be sent, the tags that it is, and the slot that it
 * was: see shm/channel.h for a kill in between.
 */
static int send_run(struct slabd_channel *channel, void *const *objects,
                    const struct slab_place *first, struct channel_run *run)
{
	struct slabd_pool *pool = channel->pool;
	uint32_t id = pool->user.id;
	uint64_t slot;
	uint32_t ix;
	uint32_t n;
	view_touch_any(&pool->view, channel->ring.owner, first->head);
	if (atom_load(&tools_on))
		for (uint32_t i = 0; i < run->n; i++)
			tools_give(objects[i]);
	ix = channel_claim_any(&channel->ring, run, id, &slot);
	if (ix == CHANNEL_NONE_IX)
		return is_full();
	n = tags_pass_own(first->tag, slab_gen_of(&pool->view, first->tag),
	                  run->n, run->down, (uint16_t)id,
	                  (uint16_t)channel->ring.owner);
	channel_publish_own(&channel->ring, ix, slot, n);
	return n > 0 ? (int)n : not_own(pool, objects[0]);
}

/* A first run of these objects. How many, or -1. */
static int send_some(struct slabd_channel *channel, void *const *objects,
                     size_t n)
{
	struct slabd_pool *pool = channel->pool;
	uint64_t off = (uint64_t)((char *)objects[0] - pool->user.data);
	struct channel_run run = {.off = off};
	struct slab_place first;
	if (off >= pool->data_bytes ||
	    !slab_find(&pool->view, off, &first))
		return no_object(objects[0]);
	if (!tags_has_own(first.tag, slab_gen_of(&pool->view, first.tag),
	                  (uint16_t)pool->user.id))
		return not_own(pool, objects[0]);
	find_run(&first, objects, n, &run);
	run.n = not_freed(pool, objects, run.n);
	if (run.n == 0)
		return not_own(pool, objects[0]);
	return send_run(channel, objects, &first, &run);
}

/* As many as go now, in order. */
static size_t send_now(void *arg, void *const *objects, size_t n)
{
	struct slabd_channel *channel = arg;
	size_t done = 0;
	while (done < n) {
		int sent = send_some(channel, objects + done, n - done);
		if (sent < 0)
			break;
		done += (size_t)sent;
	}
	if (done > 0) {
		holds_fetch_next(channel->pool, objects[0],
		                 done < CHANNEL_RUN_MAX ? done : CHANNEL_RUN_MAX);
		send_tell_sent(&channel->ring, done);
	}
	return done;
}

static size_t send_checked(struct slabd_channel *channel, void *const *objects,
                           size_t n, const void *site)
{
	const struct checked_sent sent = {send_now, channel, objects, n};
	if (channel->pool->checked == NULL)
		return send_now(channel, objects, n);
	return checked_send(channel->pool, &sent, channel->ring.owner, site);
}

__attribute__((noinline)) bool send_waits(struct slabd_channel *channel,
                                          uint64_t *until_ns)
{
	uint64_t patience_ns = atom_load(&channel->patience_ns);
	int r;
	if (patience_ns == 0)
		return false;
	if (*until_ns == 0)
		*until_ns = patience_ns == UINT64_MAX
		                    ? UINT64_MAX
		                    : clock_now_ns() + patience_ns;
	r = channel_wait_room(channel, *until_ns);
	if (r == ESTALE)
		channel_lost();
	else if (r != 0)
		error_plain(r, "the channel stayed full");
	return r == 0;
}

size_t slabd_send(slabd_channel *channel, void *const *objects, size_t n)
{
	const void *site = CHECKED_SITE();
	uint64_t until_ns = 0;
	size_t done;
	if (!channel_usable(channel) || error_no_array(objects, n))
		return 0;
	done = send_checked(channel, objects, n, site);
	while (done < n && errno == EAGAIN && send_waits(channel, &until_ns))
		done += send_checked(channel, objects + done, n - done, site);
	return done;
}
