/* SPDX-License-Identifier: MIT */
/* Receiving from a channel, at once or in two steps. */
#include <errno.h>
#include <string.h>

#include "client/arena_record.h"
#include "client/channel_poll.h"
#include "client/checked.h"
#include "client/error.h"
#include "client/reach.h"
#include "client/recv.h"
#include "client/tools.h"
#include "shm/atom.h"
#include "shm/channel_find.h"
#include "shm/heir.h"
#include "shm/run.h"
#include "shm/tags_pass.h"

static int no_more(void)
{
	return error_plain(EAGAIN, "the channel has no more: wait with "
	                 "slabd_channel_wait");
}

__attribute__((cold, noinline)) static int no_mapping(void)
{
	return error_set(ENOMEM, "the kernel gives this process no access to "
	                 "more of the pool: raise vm.max_map_count");
}

struct channel_run recv_rest_of(const struct taken *taken, uint32_t n)
{
	struct channel_run rest = taken->run;
	rest.off += (uint64_t)(taken->place.step * (int64_t)n);
	rest.n -= n;
	return rest;
}

/* What is not the channel's is not delivered: an entry is a hint. False: nothing of
 * it is. */
static bool check(struct slabd_channel *channel, struct taken *taken)
{
	uint16_t owner = (uint16_t)channel->ring.owner;
	struct channel_run *run = &taken->run;
	uint32_t n;
	if (!channel_find(&channel->pool->view, run, &taken->place))
		return false;
	n = tags_leading(taken->place.tag, run->n, run->down, owner, true);
	if (n == run->n)
		return true;
	if (n == 0) {
		n = tags_leading(taken->place.tag, run->n, run->down, owner,
		                 false);
		*run = recv_rest_of(taken, n);
		return run->n > 0 && check(channel, taken);
	}
	run->n = n;
	return true;
}

static bool reach_run(struct slabd_pool *pool, const struct taken *taken)
{
	struct channel_run last = recv_rest_of(taken, taken->run.n - 1);
	return reach_offset(pool, taken->run.off) &&
	       reach_offset(pool, last.off);
}

/* An entry is as it was. Who looked meanwhile, and sleeps, looks again. */
static void give_back(const struct slabd_channel *channel,
                      const struct taken *taken)
{
	int saved = errno;
	channel_put_back_own(&channel->ring, taken->ix, taken->slot, &taken->run);
	send_tell(&channel->ring, CHANNEL_WAIT_RECV);
	errno = saved;
}

bool recv_begin_one(struct slabd_channel *channel, bool first, bool sure,
                    struct taken *taken)
{
	struct slabd_pool *pool = channel->pool;
	const struct channel *ring = &channel->ring;
	for (;;) {
		taken->ix = channel_begin_any(ring, pool->user.id, &taken->slot);
		if (taken->ix == CHANNEL_NONE_IX)
			return no_more(), false;
		taken->run = channel_run_of(taken->slot);
		if (!first && taken->run.again != (atom_load(&channel->again) != 0)) {
			give_back(channel, taken);
			return no_more(), false;
		}
		if (sure ? check(channel, taken)
		         : channel_find(&pool->view, &taken->run,
		                        &taken->place))
			break;
		channel_left_own(ring, taken->ix, &taken->slot, NULL);
	}
	if (!reach_run(pool, taken)) {
		give_back(channel, taken);
		return no_mapping(), false;
	}
	view_touch_any(&pool->view, pool->user.id, taken->place.head);
	atom_store(&channel->again, (uint32_t)taken->run.again);
	return true;
}

/* What comes next is fetched while the caller looks at what it has: it was written
 * by another core. */
static void fetch_next(const struct slabd_channel *channel)
{
	const struct slabd_pool *pool = channel->pool;
	struct channel_place place;
	struct channel_run run;
	const char *at;
	if (!channel_peek_any(&channel->ring, &run) ||
	    !channel_find(&pool->view, &run, &place))
		return;
	atom_fetch_line(place.tag);
	at = pool->user.data + run.off;
	for (uint32_t i = 0; i + 1 < run.n; i += 2, at += 2 * place.step) {
		__builtin_prefetch(at);
		__builtin_prefetch(at + place.step);
	}
	if (run.n % 2 != 0)
		__builtin_prefetch(at);
}

void recv_hand_out(const struct slabd_pool *pool, const struct taken *taken,
                   uint32_t n, void **objects)
{
	run_spread(pool->user.data + taken->run.off, taken->place.step, n,
	           objects);
	if (!atom_load(&tools_on))
		return;
	for (uint32_t i = 0; i < n; i++)
		tools_look(objects[i], taken->place.cache->size);
	tools_wrote(objects, n * sizeof(*objects));
}

uint32_t recv_take(struct slabd_channel *channel, const struct taken *taken,
                   uint32_t n, const void *site)
{
	struct slabd_pool *pool = channel->pool;
	uint32_t got = tags_pass_own(
	        taken->place.tag, slab_gen_of(&pool->view, taken->place.tag), n,
	        taken->run.down, (uint16_t)channel->ring.owner,
	        (uint16_t)pool->user.id);
	if (pool->checked != NULL)
		checked_note_recv(pool, pool->user.data + taken->run.off,
		                  taken->place.step, got, site);
	return got;
}

void recv_end_one(struct slabd_channel *channel, struct taken *taken, uint32_t n)
{
	struct channel_run rest = recv_rest_of(taken, n);
	if (rest.n > 0) {
		channel_put_back_own(&channel->ring, taken->ix, taken->slot,
		                     &rest);
		send_tell(&channel->ring, CHANNEL_WAIT_RECV);
	} else {
		channel_left_own(&channel->ring, taken->ix, &taken->slot, NULL);
	}
}

__attribute__((noinline)) void recv_came_short(struct slabd_channel *channel)
{
	int saved = errno;
	channel_poll_short(channel);
	errno = saved;
}

__attribute__((noinline)) static bool
begins_arena(const struct slabd_channel *channel, const struct taken *taken)
{
	uint64_t magic;
	const char *first = channel->pool->user.data + taken->run.off;
	if (atom_load(&tools_on))
		tools_look(first, sizeof(magic));
	memcpy(&magic, first, sizeof(magic));
	return magic == ARENA_MAGIC;
}

/* What is not the channel's is not read: nobody keeps its memory there. */
bool recv_leaves_arena(struct slabd_channel *channel, const struct taken *taken)
{
	if (!heir_has_parts(taken->place.cache) ||
	    TAG_OWNER(atom_load(taken->place.tag)) != channel->ring.owner ||
	    !begins_arena(channel, taken))
		return false;
	give_back(channel, taken);
	error_set(EINVAL, "the next entry of the channel is an arena: "
	          "slabd_recv_arena has it");
	return true;
}

size_t slabd_recv(slabd_channel *channel, void **objects, size_t n)
{
	const void *site = CHECKED_SITE();
	struct taken taken;
	size_t done = 0;
	if (!channel_usable(channel) || error_no_array(objects, n))
		return 0;
	while (done < n && recv_begin_one(channel, done == 0, false, &taken) &&
	       !recv_leaves_arena(channel, &taken)) {
		uint32_t want = n - done < taken.run.n ? (uint32_t)(n - done)
		                                       : taken.run.n;
		uint32_t got = recv_take(channel, &taken, want, site);
		recv_hand_out(channel->pool, &taken, got, objects + done);
		done += got;
		/* Of what is somebody else's nothing is left, either. */
		recv_end_one(channel, &taken, got < want ? got + 1 : got);
	}
	if (done > 0) {
		fetch_next(channel);
		send_tell_received(&channel->ring, done);
	}
	if (done < n && channel->poll != NULL)
		recv_came_short(channel);
	return done;
}

void *recv_one(struct slabd_channel *channel,
               bool (*fits)(void *arg, uint64_t off, const void *object),
               void *arg)
{
	const void *site = CHECKED_SITE();
	void *object = NULL;
	struct taken taken;
	while (object == NULL && recv_begin_one(channel, true, true, &taken)) {
		char *first = channel->pool->user.data + taken.run.off;
		if (!fits(arg, taken.run.off, first)) {
			give_back(channel, &taken);
			return NULL;
		}
		if (recv_take(channel, &taken, 1, site) == 1)
			recv_hand_out(channel->pool, &taken, 1, &object);
		recv_end_one(channel, &taken, 1);
	}
	if (object == NULL) {
		if (channel->poll != NULL)
			recv_came_short(channel);
		return NULL;
	}
	send_tell_received(&channel->ring, 1);
	return object;
}
