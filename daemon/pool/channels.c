/* SPDX-License-Identifier: MIT */
#include "daemon/pool/channels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/ring.h"
#include "daemon/pool/sweep.h"
#include "shm/channel_sleep.h"
#include "shm/names.h"

/* A window that is too short tells little of rates, one that is too long nothing of
 * now. From WINDOW_NEXT_NS on the next begins as somebody looks. */
#define WINDOW_NS (200 * CLOCK_MS)
#define WINDOW_NEXT_NS CLOCK_S
#define WINDOW_MAX_NS (10 * CLOCK_S)

/* What a channel's counts were as a window began. */
struct past {
	uint32_t owner;
	uint64_t sent, received;
};

struct channels {
	struct ring row[CHANNELS_MAX];
	struct past past[CHANNELS_MAX];
	uint64_t removed; /* a bit a row: it ends with what is under way */
	int64_t past_ns; /* 0: there is no window */
};

static struct layout_channel *row_of(const struct pool *pool, uint32_t ix)
{
	return (struct layout_channel *)(uintptr_t)&pool->view.channels[ix];
}

static uint64_t *joins_of(const struct pool *pool, uint32_t id)
{
	return (uint64_t *)(uintptr_t)&pool->view.joins[id];
}

void channels_keep(const struct pool *pool)
{
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++)
		if (channels_ring(pool, ix) != NULL)
			ring_keep(pool, &pool->channels->row[ix], ix, true);
}

void channels_forget(const struct pool *pool)
{
	for (uint32_t ix = 0; pool->channels != NULL && ix < CHANNELS_MAX; ix++)
		if (channels_ring(pool, ix) != NULL)
			ring_keep(pool, &pool->channels->row[ix], ix, false);
}

/* ---- looks --------------------------------------------------------------- */

const struct channel *channels_ring(const struct pool *pool, uint32_t ix)
{
	return ix < CHANNELS_MAX && pool->channels != NULL &&
	                       pool->channels->row[ix].ring.head != NULL
	               ? &pool->channels->row[ix].ring
	               : NULL;
}

static enum channel_state state_of(const struct pool *pool, uint32_t ix)
{
	return (enum channel_state)row_of(pool, ix)->state;
}

/* The row of a channel by the id that it owns by; CHANNELS_MAX: there is none. */
static uint32_t find_owner(const struct pool *pool, uint32_t id)
{
	uint32_t ix = 0;
	while (ix < CHANNELS_MAX && (state_of(pool, ix) == CHANNEL_NONE ||
	                             row_of(pool, ix)->owner != id))
		ix++;
	return ix;
}

bool channels_has_owner(const struct pool *pool, uint32_t id)
{
	return find_owner(pool, id) < CHANNELS_MAX;
}

bool channels_is_whole(const struct pool *pool, uint32_t ix)
{
	return channels_ring(pool, ix) != NULL &&
	       ring_is_whole(pool, &pool->channels->row[ix], ix);
}

uint32_t channels_peers(const struct pool *pool, uint32_t ix)
{
	return pool->channels->row[ix].peers;
}

bool channels_has_joined(const struct pool *pool, uint32_t id, uint32_t ix)
{
	return id <= pool->head->top_id && (*joins_of(pool, id) >> ix & 1) != 0;
}

static uint32_t find(const struct pool *pool, const char *name)
{
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++)
		if (state_of(pool, ix) != CHANNEL_NONE &&
		    strncmp(row_of(pool, ix)->name, name, NAME_BYTES) == 0)
			return ix;
	return CHANNELS_MAX;
}

/* ---- rates --------------------------------------------------------------- */

static void begin_window(struct pool *pool)
{
	struct channels *channels = pool->channels;
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++) {
		struct past *past = &channels->past[ix];
		*past = (struct past){.owner = 0};
		if (!channels_is_whole(pool, ix))
			continue;
		past->owner = row_of(pool, ix)->owner;
		past->sent = atom_load(&channels->row[ix].ring.head->sent);
		past->received =
			atom_load(&channels->row[ix].ring.head->received);
	}
	channels->past_ns = clock_ns();
}

int64_t channels_window(struct pool *pool)
{
	int64_t age_ns;
	if (pool->channels == NULL)
		return 0;
	age_ns = clock_ns() - pool->channels->past_ns;
	if (pool->channels->past_ns == 0 || age_ns > WINDOW_MAX_NS) {
		begin_window(pool);
		age_ns = 0;
	}
	return age_ns < WINDOW_NS ? WINDOW_NS - age_ns : 0;
}

void channels_window_next(struct pool *pool)
{
	if (pool->channels != NULL &&
	    clock_ns() - pool->channels->past_ns >= WINDOW_NEXT_NS)
		begin_window(pool);
}

/* Clients count: it may be anything, less than before, too. */
static uint64_t rate_of(uint64_t is, uint64_t was, int64_t ns)
{
	double rate = is > was && ns > 0
	                      ? (double)(is - was) * CLOCK_S / (double)ns
	                      : 0;
	return rate < 1e15 ? (uint64_t)(rate + 0.5) : 1000000000000000;
}

void channels_rates(const struct pool *pool, uint32_t ix, uint64_t *sent,
                    uint64_t *received)
{
	const struct channel_head *head = pool->channels->row[ix].ring.head;
	const struct past *past = &pool->channels->past[ix];
	bool known = past->owner == row_of(pool, ix)->owner;
	int64_t ns = clock_ns() - pool->channels->past_ns;
	*sent = rate_of(atom_load(&head->sent), known ? past->sent : 0, ns);
	*received = rate_of(atom_load(&head->received),
	                    known ? past->received : 0, ns);
}

/* ---- made and opened ----------------------------------------------------- */

static int check(const char name[NAME_BYTES], uint64_t capacity,
                 struct remedy *why)
{
	size_t len = strnlen(name, NAME_BYTES);
	if (len == 0 || len == NAME_BYTES)
		return remedy_set(why, -EINVAL, "",
		                  "a channel's name has 1 to %u bytes",
		                  NAME_BYTES - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return remedy_set(why, -EINVAL, "",
			                  "a channel's name has no control "
			                  "characters");
	if (capacity > CHANNEL_CAPACITY_MAX)
		return remedy_set(why, -EINVAL, "",
		                  "channel %.*s: a capacity of %llu: the most is "
		                  "%u entries", (int)len, name,
		                  (unsigned long long)capacity,
		                  CHANNEL_CAPACITY_MAX);
	return 0;
}

/* Row and id last: until then there is nothing. */
static int fill_row(struct pool *pool, uint32_t ix, const char *name,
                    uint32_t capacity, struct remedy *why)
{
	struct layout_channel *row = row_of(pool, ix);
	struct ring *ring = &pool->channels->row[ix];
	int owner = clients_take_channel(pool);
	int r = owner < 0 ? owner
	                  : ring_make(pool, ring, capacity, (uint32_t)owner);
	if (r < 0) {
		/* Nobody has seen it. */
		if (owner > 0)
			clients_free(pool, (uint32_t)owner);
		return remedy_set(why, r, "close other channels",
		                  "there is no room for channel %s: %s", name,
		                  strerror(-r));
	}
	memset(row->name, 0, sizeof(row->name));
	strncpy(row->name, name, sizeof(row->name) - 1);
	row->owner = (uint32_t)owner;
	row->capacity = capacity;
	ring->peers = 0;
	ring_keep(pool, ring, ix, true);
	/* pairs: channels_adopt; the row is whole. */
	atom_store_release(&row->state, (uint32_t)CHANNEL_LIVE);
	return 0;
}

static unsigned count(const struct pool *pool)
{
	unsigned n = 0;
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++)
		n += state_of(pool, ix) != CHANNEL_NONE;
	return n;
}

/* The row of a new one, or -errno. */
static int make(struct pool *pool, const char *name, uint64_t capacity,
                struct remedy *why)
{
	uint32_t ix = 0;
	int r;
	if (capacity == 0)
		return remedy_set(why, -ENOENT, "open it with a capacity",
		                  "pool %s has no channel %s", pool->name, name);
	if (capacity > pool->config->max_channel_capacity)
		return remedy_set(why, -EINVAL,
		                  "raise max_channel_capacity in slabd.conf",
		                  "channel %s: a capacity of %llu: "
		                  "max_channel_capacity of pool %s is %u", name,
		                  (unsigned long long)capacity, pool->name,
		                  pool->config->max_channel_capacity);
	if (count(pool) >= pool->config->max_channels)
		return remedy_set(why, -ENOSPC,
		                  "close others, drained, or raise max_channels "
		                  "in slabd.conf",
		                  "channel %s: pool %s has %u channels, and "
		                  "max_channels is %u", name, pool->name,
		                  count(pool), pool->config->max_channels);
	while (ix < CHANNELS_MAX && state_of(pool, ix) != CHANNEL_NONE)
		ix++;
	if (ix == CHANNELS_MAX)
		return remedy_set(why, -ENOSPC, "close others, drained",
		                  "pool %s has %u channels, the most there can be",
		                  pool->name, CHANNELS_MAX);
	r = fill_row(pool, ix, name, (uint32_t)capacity, why);
	return r < 0 ? r : (int)ix;
}

/* Another ring for one that is lost, or not what it was, by what the channel owns:
 * nobody else is at work with that. It stays as it is where there is no memory. */
static void make_anew(struct pool *pool, uint32_t ix)
{
	struct layout_channel *row = row_of(pool, ix);
	struct ring ring = {.fd = -1};
	uint64_t objects;
	uint64_t left;
	int r;
	if (!holes_guard(pool))
		return;
	r = ring_make(pool, &ring, row->capacity, row->owner);
	if (r < 0) {
		log_error("pool %s: channel %s: no room for another ring: %s",
		          pool->name, row->name, strerror(-r));
		return;
	}
	objects = channel_fill_srv(&pool->view, &ring.ring, &left);
	ring_end(&pool->channels->row[ix]);
	pool->channels->row[ix] = ring;
	ring_keep(pool, &ring, ix, true);
	log_warn("pool %s: channel %s has another ring; objects that come again: %llu%s",
	         pool->name, row->name, (unsigned long long)objects,
	         left > 0 ? ", for others it has no room" : "");
	/* pairs: channels_adopt; the ring is whole. */
	atom_store_release(&row->state, (uint32_t)CHANNEL_LIVE);
}

/* Nobody has it open any more. Whether nothing is under way. */
static bool look_alone(struct pool *pool, uint32_t ix)
{
	uint64_t objects;
	if (state_of(pool, ix) == CHANNEL_LOST ||
	    (channels_is_whole(pool, ix) && pool->channels->row[ix].punched))
		make_anew(pool, ix);
	return channels_is_whole(pool, ix) &&
	       !pool->channels->row[ix].punched &&
	       channel_depth_any(channels_ring(pool, ix), &objects) == 0;
}

static bool is_removed(const struct pool *pool, uint32_t ix)
{
	return (pool->channels->removed >> ix & 1) != 0;
}

uint32_t channels_over(struct pool *pool)
{
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++)
		if (state_of(pool, ix) != CHANNEL_NONE &&
		    pool->channels->row[ix].peers == 0 &&
		    (is_removed(pool, ix) || look_alone(pool, ix)))
			return row_of(pool, ix)->owner;
	return 0;
}

int channels_remove(struct pool *pool, const char *name, struct remedy *why)
{
	uint32_t ix = find(pool, name);
	if (ix == CHANNELS_MAX)
		return remedy_set(why, -ENOENT, "slabctl channels shows which are",
		                  "pool %s has no channel %.*s", pool->name,
		                  (int)NAME_BYTES - 1, name);
	if (pool->channels->row[ix].peers > 0)
		return remedy_set(why, -EBUSY, "end them, or have them close it; "
		                  "slabctl evict ends one",
		                  "channel %s is open: clients that have it: %u", name,
		                  pool->channels->row[ix].peers);
	pool->channels->removed |= UINT64_C(1) << ix;
	return 0;
}

/* One that there is. Its row, or -errno. */
static int use(struct pool *pool, uint32_t ix, uint64_t capacity,
               struct remedy *why)
{
	const struct layout_channel *row = row_of(pool, ix);
	if (capacity != 0 && capacity != row->capacity)
		return remedy_set(why, -EEXIST, "open it with that, or with 0",
		                  "channel %s has a capacity of %u", row->name,
		                  row->capacity);
	if (pool->channels->row[ix].peers == 0)
		(void)look_alone(pool, ix);
	if (channels_ring(pool, ix) == NULL)
		return remedy_set(why, -EAGAIN, "have it closed there",
		                  "slabd has lost the ring of channel %s; clients "
		                  "that have it open: %u", row->name,
		                  pool->channels->row[ix].peers);
	return (int)ix;
}

int channels_join(struct pool *pool, uint32_t id, const char name[NAME_BYTES],
                  uint64_t capacity, int *fd, struct remedy *why)
{
	struct ring *ring;
	uint32_t ix;
	int r = check(name, capacity, why);
	if (r < 0)
		return r;
	ix = find(pool, name);
	r = ix < CHANNELS_MAX ? use(pool, ix, capacity, why)
	                      : make(pool, name, capacity, why);
	if (r < 0)
		return r;
	ring = &pool->channels->row[r];
	*fd = ring->fd;
	pool->channels->removed &= ~(UINT64_C(1) << r);
	ring->peers += (*joins_of(pool, id) >> r & 1) == 0;
	atom_store(joins_of(pool, id), *joins_of(pool, id) | UINT64_C(1) << r);
	return r;
}

/* ---- left and ended ------------------------------------------------------ */

static void settle(struct pool *pool, uint32_t id, uint32_t ix, bool died)
{
	const struct channel *ring = channels_ring(pool, ix);
	if (!channels_is_whole(pool, ix))
		return;
	channel_settle_srv(&pool->view, ring, id);
	channel_sleep_forget_srv(ring, id);
	if (died)
		channel_ended_srv(ring, id);
}

void channels_leave(struct pool *pool, uint32_t id, uint32_t ix, bool died)
{
	uint64_t *joins = joins_of(pool, id);
	if (ix >= CHANNELS_MAX || state_of(pool, ix) == CHANNEL_NONE ||
	    (*joins >> ix & 1) == 0)
		return;
	settle(pool, id, ix, died);
	atom_store(joins, *joins & ~(UINT64_C(1) << ix));
	pool->channels->row[ix].peers--;
	if (channels_is_whole(pool, ix))
		ring_wake(channels_ring(pool, ix));
}

void channels_leave_all(struct pool *pool, uint32_t id)
{
	uint64_t joins = clients_state(pool, id) == CLIENT_CHANNEL
	                         ? 0
	                         : *joins_of(pool, id);
	/* An arena that it was about to send is sent, before the ring is settled: its
	 * entry is what the tags say. */
	if (joins != 0 && clients_state(pool, id) == CLIENT_LIVE &&
	    holes_guard(pool))
		sweep_settle(pool, id);
	for (; joins != 0; joins &= joins - 1)
		channels_leave(pool, id, (uint32_t)__builtin_ctzll(joins),
		               true);
	if (*joins_of(pool, id) != 0)
		atom_store(joins_of(pool, id), UINT64_C(0));
}

void channels_end(struct pool *pool, uint32_t owner)
{
	uint32_t ix = find_owner(pool, owner);
	pool->channels->removed &= ~(UINT64_C(1) << ix);
	/* pairs: channels_adopt; then its id is reaped. */
	atom_store_release(&row_of(pool, ix)->state, (uint32_t)CHANNEL_NONE);
	ring_keep(pool, &pool->channels->row[ix], ix, false);
	ring_end(&pool->channels->row[ix]);
}

/* ---- slabd comes and goes ------------------------------------------------ */

static void close_all(struct pool *pool)
{
	for (uint32_t ix = 0; pool->channels != NULL && ix < CHANNELS_MAX; ix++)
		ring_end(&pool->channels->row[ix]);
	free(pool->channels);
	pool->channels = NULL;
}

int channels_make(struct pool *pool)
{
	pool->channels = calloc(1, sizeof(*pool->channels));
	pool->channels_done = close_all;
	return pool->channels == NULL ? -ENOMEM : 0;
}

/* A row that says there is one: its id is what it says, or nothing is to be kept of
 * it. */
static bool is_sane(const struct pool *pool, const struct layout_channel *row)
{
	return row->capacity > 0 && row->capacity <= CHANNEL_CAPACITY_MAX &&
	       row->owner - 1 < CLIENT_ID_MAX && row->name[NAME_BYTES - 1] == '\0' &&
	       clients_state(pool, row->owner) == CLIENT_CHANNEL;
}

static void adopt(struct pool *pool, uint32_t ix)
{
	struct layout_channel *row = row_of(pool, ix);
	int r;
	if (!is_sane(pool, row)) {
		/* pairs: channels_adopt, of the next slabd */
		atom_store_release(&row->state, (uint32_t)CHANNEL_NONE);
		return;
	}
	if (row->state == CHANNEL_LOST)
		return;
	r = ring_adopt(pool, &pool->channels->row[ix], ix);
	if (r == 0) {
		ring_wake(channels_ring(pool, ix));
		return;
	}
	log_error("pool %s: the ring of channel %s was not kept: what is under way "
	          "in it comes again once nobody has it open: %s", pool->name,
	          row->name, strerror(-r));
	/* pairs: channels_adopt, of the next slabd */
	atom_store_release(&row->state, (uint32_t)CHANNEL_LOST);
}

/* Those that have them open, living or not reaped yet. */
static void count_peers(struct pool *pool)
{
	for (uint32_t id = 1; id <= pool->head->top_id; id++) {
		uint64_t joins = clients_state(pool, id) == CLIENT_FREE
		                         ? 0
		                         : *joins_of(pool, id);
		for (; joins != 0; joins &= joins - 1)
			pool->channels->row[__builtin_ctzll(joins)].peers++;
	}
}

/* What those left who ended meanwhile is settled as they are reaped. */
void channels_adopt(struct pool *pool)
{
	for (uint32_t ix = 0; ix < CHANNELS_MAX; ix++)
		/* pairs: fill_row, make_anew */
		if (atom_load_acquire(&row_of(pool, ix)->state) != CHANNEL_NONE)
			adopt(pool, ix);
	count_peers(pool);
}
