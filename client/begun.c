/* SPDX-License-Identifier: MIT */
/* Receiving from a channel in two steps, and what is sent on instead of the second. */
#include <errno.h>

#include "client/checked.h"
#include "client/error.h"
#include "client/recv.h"
#include "client/tools.h"
#include "shm/atom.h"
#include "shm/channel_find.h"
#include "shm/heir.h"
#include "shm/tags_pass.h"

static struct begun *begun_at(struct slabd_channel *channel, uint32_t i)
{
	return &channel->begun[(channel->first + i) % channel->ring.capacity];
}

/* The run of a slot that was begun and checked. */
static bool look_up(const struct slabd_channel *channel,
                    const struct begun *begun, struct taken *taken)
{
	taken->slot = begun->slot;
	taken->ix = begun->ix;
	taken->run = channel_run_of(begun->slot);
	return channel_find(&channel->pool->view, &taken->run, &taken->place);
}

/* Gives more of the last entry, of which a part was given. */
static size_t give_more(struct slabd_channel *channel, void **objects, size_t n)
{
	struct begun *last;
	struct taken taken;
	uint32_t more;
	if (channel->n == 0)
		return 0;
	last = begun_at(channel, channel->n - 1);
	if (!look_up(channel, last, &taken))
		return 0;
	taken.run = recv_rest_of(&taken, last->given);
	more = n < taken.run.n ? (uint32_t)n : taken.run.n;
	recv_hand_out(channel->pool, &taken, more, objects);
	last->given += more;
	return more;
}

static size_t begin(struct slabd_channel *channel, void **objects, size_t n)
{
	size_t done = give_more(channel, objects, n);
	struct taken taken;
	while (done < n && channel->n < channel->ring.capacity &&
	       recv_begin_one(channel, done == 0, true, &taken) &&
	       !recv_leaves_arena(channel, &taken)) {
		struct begun *begun = begun_at(channel, channel->n++);
		/* Only what was checked. */
		channel_left_own(&channel->ring, taken.ix, &taken.slot,
		                 &taken.run);
		begun->slot = taken.slot;
		begun->ix = taken.ix;
		begun->given = 0;
		done += give_more(channel, objects + done, n - done);
	}
	/* Who has begun all that there is room for. */
	if (done < n && channel->n == channel->ring.capacity)
		error_plain(EAGAIN, "the channel has no more than what was begun: "
		            "commit it");
	return done;
}

size_t slabd_recv_begin(slabd_channel *channel, void **objects, size_t n)
{
	size_t done;
	if (!channel_usable(channel) || error_no_array(objects, n))
		return 0;
	pthread_mutex_lock(&channel->lock);
	done = begin(channel, objects, n);
	pthread_mutex_unlock(&channel->lock);
	if (done < n && channel->poll != NULL)
		recv_came_short(channel);
	return done;
}

/* Of an entry's run the first n are given, and have an owner. */
static void leave(struct slabd_channel *channel, struct begun *begun,
                  struct taken *taken, uint32_t n)
{
	struct channel_run rest = recv_rest_of(taken, n);
	begun->given -= n;
	if (begun->given > 0)
		channel_left_own(&channel->ring, begun->ix, &begun->slot, &rest);
	else
		recv_end_one(channel, taken, n);
}

/* Of an entry's run n were asked for, and the first got could be had: where those are
 * fewer the next one is somebody else's, and is left out, too. How many have gone. */
static uint32_t leave_some(struct slabd_channel *channel, struct begun *begun,
                           struct taken *taken, uint32_t n, uint32_t got)
{
	uint32_t gone = got < n ? got + 1 : n;
	leave(channel, begun, taken, gone);
	return gone;
}

/* Commits the first of an entry, up to n, all of which were given. How many have
 * gone; of them *got_all more are this client's, and *lost more were not the channel's. */
static uint32_t commit_some(struct slabd_channel *channel, struct begun *begun,
                            uint32_t n, const void *site, uint64_t *got_all,
                            int64_t *lost)
{
	struct taken taken;
	uint32_t got;
	uint32_t gone;
	if (!look_up(channel, begun, &taken)) {
		*lost += n;
		return n;
	}
	got = recv_take(channel, &taken, n, site);
	gone = leave_some(channel, begun, &taken, n, got);
	*got_all += got;
	*lost += gone - got;
	return gone;
}

static uint64_t count_given(struct slabd_channel *channel)
{
	uint64_t given = 0;
	for (uint32_t i = 0; i < channel->n; i++)
		given += begun_at(channel, i)->given;
	return given;
}

/* The first entry was left, or has more. */
static void pop_done(struct slabd_channel *channel)
{
	if (begun_at(channel, 0)->given > 0)
		return;
	channel->first = (channel->first + 1) % channel->ring.capacity;
	channel->n--;
}

/* How many were not the channel's any more; -1: so many were not begun. *got are this
 * client's. */
static int64_t commit(struct slabd_channel *channel, size_t n,
                      const void *site, uint64_t *got)
{
	int64_t lost = 0;
	if (n > count_given(channel))
		return -1;
	while (n > 0) {
		struct begun *begun = begun_at(channel, 0);
		uint32_t some = n < begun->given ? (uint32_t)n : begun->given;
		n -= commit_some(channel, begun, some, site, got, &lost);
		pop_done(channel);
	}
	return lost;
}

static int not_begun(size_t n)
{
	return error_set(EINVAL, "%zu objects were not begun", n);
}

int slabd_recv_commit(slabd_channel *channel, size_t n)
{
	uint64_t got = 0;
	int64_t lost;
	if (!channel_usable(channel))
		return -1;
	pthread_mutex_lock(&channel->lock);
	lost = commit(channel, n, CHECKED_SITE(), &got);
	pthread_mutex_unlock(&channel->lock);
	if (lost < 0)
		return not_begun(n);
	if (n > 0)
		send_tell_received(&channel->ring, got);
	return lost == 0 ? 0
	                 : error_set(EPERM, "%lld objects that were begun are not "
	                             "the channel's any more", (long long)lost);
}

int slabd_recv_again(const slabd_channel *channel)
{
	return channel != NULL ? (int)atom_load(&channel->again) : 0;
}

/* ---- sent on ------------------------------------------------------------- */

/* On the way from one channel to another. */
struct onward {
	struct slabd_channel *from;
	struct slabd_channel *to;
};

static int is_full(void)
{
	return error_plain(EAGAIN, "the channel is full: wait with "
	                 "slabd_channel_wait");
}

/*
 * Of the first entry's run the first n are the other channel's, and never this
 * client's: killed in between, this one has the rest of them, and that one what it
 * got. Its entry is gone before that one's may be received: else they could be back
 * here, in another, and be named twice. How many, or -1.
 */
static int forward_run(const struct onward *way, struct begun *begun,
                       struct taken *taken, uint32_t n)
{
	const struct slabd_pool *pool = way->from->pool;
	const struct channel *to = &way->to->ring;
	struct channel_run run = taken->run;
	const char *first = pool->user.data + run.off;
	uint64_t slot;
	uint32_t ix;
	uint32_t got;
	run.n = n;
	run.again = false;
	view_touch_any(&pool->view, to->owner, taken->place.head);
	ix = channel_claim_any(to, &run, pool->user.id, &slot);
	if (ix == CHANNEL_NONE_IX)
		return is_full();
	if (atom_load(&tools_on))
		for (uint32_t i = 0; i < n; i++)
			tools_give(first + taken->place.step * (int64_t)i);
	got = tags_pass_own(taken->place.tag,
	                    slab_gen_of(&pool->view, taken->place.tag), n,
	                    run.down, (uint16_t)way->from->ring.owner,
	                    (uint16_t)to->owner);
	leave_some(way->from, begun, taken, n, got);
	channel_publish_own(to, ix, slot, got);
	return (int)got;
}

__attribute__((cold, noinline)) static bool not_channels(void)
{
	return error_set(EPERM, "an object that was begun is not the channel's any "
	                 "more: it is left out"), false;
}

/* A first part of what was begun, up to n, which are counted. False with errno. */
static bool forward_some(const struct onward *way, size_t n, size_t *done)
{
	struct begun *begun = begun_at(way->from, 0);
	uint32_t some = n < begun->given ? (uint32_t)n : begun->given;
	struct taken taken;
	int got;
	if (!look_up(way->from, begun, &taken))
		return not_channels();
	if (heir_has_parts(taken.place.cache))
		return error_set(EINVAL, "what was begun is an arena's: receive it "
		                 "by slabd_recv_arena, and send that"), false;
	got = forward_run(way, begun, &taken, some);
	if (got < 0)
		return false;
	pop_done(way->from);
	*done += (size_t)got;
	return got == (int)some || not_channels();
}

static size_t forward(const struct onward *way, size_t n)
{
	struct slabd_channel *channel = way->from;
	size_t done = 0;
	pthread_mutex_lock(&channel->lock);
	if (n > count_given(channel)) {
		not_begun(n);
		n = 0;
	}
	while (done < n && forward_some(way, n - done, &done))
		;
	pthread_mutex_unlock(&channel->lock);
	if (done > 0) {
		send_tell_sent(&way->to->ring, done);
		send_tell_received(&channel->ring, done);
	}
	return done;
}

static bool may_forward(const struct slabd_channel *channel,
                        const struct slabd_channel *to)
{
	if (channel->pool != to->pool)
		return error_plain(EINVAL, "the channels are of two pools"), false;
	if (channel->ring.owner == to->ring.owner)
		return error_plain(EINVAL, "both are the same channel"), false;
	return true;
}

size_t slabd_forward(slabd_channel *channel, slabd_channel *to, size_t n)
{
	const struct onward way = {channel, to};
	uint64_t until_ns = 0;
	size_t done;
	if (!channel_usable(channel) || !channel_usable(to) ||
	    !may_forward(channel, to))
		return 0;
	done = forward(&way, n);
	while (done < n && errno == EAGAIN && send_waits(to, &until_ns))
		done += forward(&way, n - done);
	return done;
}

void begun_put_back(struct slabd_channel *channel)
{
	for (uint32_t i = 0; i < channel->n; i++) {
		struct begun *begun = begun_at(channel, i);
		struct channel_run run = channel_run_of(begun->slot);
		run.again = true;
		channel_put_back_own(&channel->ring, begun->ix, begun->slot,
		                     &run);
	}
	if (channel->n > 0)
		send_tell(&channel->ring, CHANNEL_WAIT_RECV);
	channel->n = 0;
}
