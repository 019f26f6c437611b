/* SPDX-License-Identifier: MIT */
#include "tests/lib/scenario_channel.h"

#include <errno.h>
#include <unistd.h>

#include "client/arena_record.h"
#include "client/channel.h"
#include "client/handle.h"
#include "shm/atom.h"
#include "shm/heir.h"
#include "shm/slab.h"
#include "shm/tags_pass.h"
#include "tests/lib/scenario.h"
#include "tests/lib/scenario_actor.h"

#define NAME "stepped"
#define CAPACITY 8u
#define SEED UINT64_C(0x5eed5eed)
#define PARTS 4u  /* of the large one, behind its first chunk */
#define PIECES 6u /* that lie in it */

/* ---- arenas ----------------------------------------------------------------- */

/* What one begins with: offsets from here to what else lies in it. */
struct root {
	uint64_t seed;
	int64_t at[PIECES];
};

static void send_one(slabd_pool *pool, slabd_channel *channel, bool large)
{
	static const size_t bytes[PIECES] = {7000,  7000,  7000,
	                                     7000, 50000, 100000};
	slabd_arena *arena = slabd_arena_create(pool, NULL, NAME);
	struct root *root = slabd_arena_calloc(arena, 1, sizeof(*root));
	struct slabd_arena_stats stats;
	if (root == NULL)
		tap_bail("an arena: %s", slabd_last_error());
	root->seed = SEED;
	for (unsigned i = 0; large && i < PIECES; i++) {
		uint64_t *words = slabd_arena_alloc(arena, bytes[i], 0);
		if (words == NULL)
			tap_bail("a large arena: %s", slabd_last_error());
		words[2] = SEED + i;
		root->at[i] = (char *)words - (char *)root;
	}
	slabd_arena_get_stats(arena, &stats);
	if (stats.chunks + stats.blocks != (large ? 1 + PARTS : 1))
		tap_bail("%llu chunks, %llu blocks",
		         (unsigned long long)stats.chunks,
		         (unsigned long long)stats.blocks);
	if (slabd_send_arena(channel, arena, root) < 0)
		tap_bail("slabd_send_arena: %s", slabd_last_error());
}

/* Whether all that was written is there. */
static bool is_whole(const struct root *root)
{
	if (root == NULL || root->seed != SEED)
		return false;
	for (unsigned i = 0; i < PIECES; i++) {
		const void *at = (const char *)root + root->at[i];
		if (root->at[i] != 0 && ((const uint64_t *)at)[2] != SEED + i)
			return false;
	}
	return true;
}

/* How many came, each whole, as far as there are so many; -1: one was not. */
static int receive_all(slabd_channel *channel, double until)
{
	bool whole = true;
	int n = 0;
	do {
		void *root = NULL;
		slabd_arena *arena = slabd_recv_arena(channel, &root);
		if (arena == NULL) {
			sleep_ms(2);
			continue;
		}
		whole = whole && is_whole(root);
		slabd_arena_destroy(arena);
		n++;
	} while (n < SCENARIO_ARENAS && now_ms() < until);
	return whole ? n : -1;
}

/* ---- clients ---------------------------------------------------------------- */

/* Nothing is on it but those. */
static slabd_channel *fill(slabd_pool *pool)
{
	slabd_channel *channel = slabd_channel_open(pool, NAME, CAPACITY);
	slabd_arena *arena;
	void *root;
	if (channel == NULL)
		tap_bail("slabd_channel_open: %s", slabd_last_error());
	while ((arena = slabd_recv_arena(channel, &root)) != NULL)
		slabd_arena_destroy(arena);
	send_one(pool, channel, false);
	send_one(pool, channel, true);
	return channel;
}

/* The first n parts behind what leads are this client's, as while they are taken, or
 * not handed over yet. */
static void take_parts(struct slabd_pool *pool, uint64_t lead, unsigned owner,
                       unsigned n)
{
	const struct arena_record *record =
	        (const void *)(pool->user.data + lead);
	slabd_handle next = record->next;
	for (unsigned i = 0; i < n; i++) {
		uint64_t off = handle_off(next);
		const struct arena_part *part =
		        (const void *)(pool->user.data + off);
		view_touch_any(&pool->view, pool->user.id,
		               slab_head_of(&pool->view, off));
		if (!heir_take_own(slab_tag_of(&pool->view, off),
		                   (uint16_t)owner, (uint16_t)pool->user.id))
			tap_bail("part %u is not the channel's", i);
		next = part->next;
	}
}

/* The entry is as before it was sent: claimed, and its first chunk this client's. */
static void claim_back(struct slabd_pool *pool, const struct channel *ring,
                       uint32_t ix, uint64_t slot)
{
	uint16_t *tag = slab_tag_of(&pool->view, SLOT_OFF(slot));
	if (tags_pass_own(tag, slab_gen_of(&pool->view, tag), 1, false,
	                  (uint16_t)ring->owner, (uint16_t)pool->user.id) != 1)
		tap_bail("what leads is not the channel's");
	atom_store(&ring->slots[ix], (slot & ~UINT64_C(3)) | SLOT_CLAIMED);
}

/* In turns it sends and receives, with none to all of the parts. */
void scenario_channel_victim(int fd, void *arg)
{
	struct slabd_pool *pool = actor_open_surely(20);
	struct slabd_channel *channel = fill(pool);
	const struct channel *ring = &channel->ring;
	bool sends = actor_serial % 2 != 0;
	uint64_t heir = heir_make(ring->owner,
	                          heir_channel_word(&pool->view, ring->owner));
	uint64_t slot;
	uint32_t ix;
	(void)arg;
	channel_begin_any(ring, pool->user.id, &slot);
	ix = channel_begin_any(ring, pool->user.id, &slot);
	if (ix == CHANNEL_NONE_IX)
		tap_bail("the channel has not both");
	heir_name_own(&pool->view, pool->user.id,
	              sends ? heir : heir | HEIR_TAKES, SLOT_OFF(slot));
	take_parts(pool, SLOT_OFF(slot), ring->owner,
	           actor_serial / 2 % (PARTS + 1));
	if (sends)
		claim_back(pool, ring, ix, slot);
	say(fd, 1);
	hear(fd);
}

void scenario_channel_ender(int fd, void *arg)
{
	slabd_pool *pool = actor_open_surely(20);
	(void)arg;
	slabd_channel_close(fill(pool));
	say(fd, 1);
	hear(fd);
	fixture_post(&scenario_fixture, "/channel",
	             "action=remove&channel=" NAME);
	_exit(0);
}

/* ---- who comes after ---------------------------------------------------------- */

bool scenario_channel_drain(bool may_have_ended, const char *what)
{
	struct slabd_options options =
	        fixture_options(&scenario_fixture, SLABD_NO_HELPER);
	slabd_pool *pool = slabd_open(NULL, &options);
	slabd_channel *channel;
	int n = 0;
	if (pool == NULL)
		tap_bail("slabd_open: %s", slabd_last_error());
	channel = slabd_channel_open(pool, NAME, 0);
	if (channel != NULL)
		n = receive_all(channel, now_ms() + SURELY_MS);
	else if (!may_have_ended || errno != ENOENT)
		tap_note("%s: %s", what, slabd_last_error());
	else
		n = SCENARIO_ARENAS;
	slabd_close(pool);
	if (n != SCENARIO_ARENAS)
		tap_note("%s: %d arenas of the channel came, -1: not whole", what, n);
	return n == SCENARIO_ARENAS;
}
