/* SPDX-License-Identifier: MIT */
#include "shm/channel.h"

#include "shm/atom.h"
#include "shm/slab.h"
#include "shm/tags_pass.h"

/* What is written by others at the same time is not written here for ever. */
#define TRIES 1000u

#define POS_IX(pos) ((uint32_t)(pos) & 0xffffu)
#define POS_LAP(pos) ((uint32_t)((pos) >> 16))
#define POS_EPOCH UINT64_C(0xffff000000000000)
#define POS_EPOCH_ONE (UINT64_C(1) << 48)

void channel_map(struct channel *channel, void *at, uint32_t capacity,
                 uint32_t owner)
{
	channel->head = at;
	channel->slots = (void *)((char *)at + CHANNEL_SLOTS_OFF);
	channel->capacity = capacity;
	channel->owner = owner;
}

/* ---- words --------------------------------------------------------------- */

static uint64_t make(const struct channel_run *run, enum slot_state state,
                     uint32_t turn, uint32_t who)
{
	return (uint64_t)state | (run->again ? SLOT_AGAIN : 0) |
	       (run->down ? SLOT_DOWN : 0) | (uint64_t)(run->n - 1) << 4 |
	       (uint64_t)(turn & 3) << 9 | (uint64_t)who << 11 |
	       run->off >> 3 << 26;
}

static uint64_t make_free(uint32_t lap)
{
	return (uint64_t)(lap & 3) << 9 | (uint64_t)lap << 26;
}

struct channel_run channel_run_of(uint64_t slot)
{
	return (struct channel_run){.off = SLOT_OFF(slot),
	                            .n = SLOT_N(slot),
	                            .down = (slot & SLOT_DOWN) != 0,
	                            .again = (slot & SLOT_AGAIN) != 0};
}

/* Whatever a client wrote there, it is a slot. */
static uint32_t slot_at(const struct channel *channel, uint64_t pos)
{
	uint32_t ix = POS_IX(pos);
	return ix < channel->capacity ? ix : 0;
}

static uint64_t after(const struct channel *channel, uint64_t pos)
{
	uint64_t lap = pos & ~POS_EPOCH;
	if (slot_at(channel, pos) + 1 < channel->capacity)
		return pos + 1;
	lap = ((lap >> 16) + 1) << 16 & ~POS_EPOCH;
	return (pos & POS_EPOCH) | lap;
}

/* What a slot is once its entry is gone. Next is in the entry's lap, or in one beside
 * it. */
static uint64_t freed(const struct channel *channel, uint64_t slot)
{
	uint32_t lap = POS_LAP(atom_load(&channel->head->next));
	uint32_t d = (SLOT_TURN(slot) - lap) & 3;
	return make_free(d == 3 ? lap : lap + d + 1);
}

/* How many turns a slot is ahead of a position: 3 is one behind. */
static uint32_t ahead(uint64_t slot, uint64_t pos)
{
	return (SLOT_TURN(slot) - POS_LAP(pos)) & 3;
}

bool channel_locate(const struct view *view, const struct channel_run *run,
                    struct channel_place *place)
{
	struct slab_place first;
	if (slab_locate(view, run->off, &first) < 0)
		return false;
	if (run->down ? first.ix + 1 < run->n
	              : first.cache->n_objs - first.ix < run->n)
		return false;
	place->tag = first.tag;
	place->gen = slab_gen_of(view, first.tag);
	place->step = run->down ? -(int64_t)first.cache->stride
	                        : (int64_t)first.cache->stride;
	place->head = first.head;
	place->cache = first.cache;
	return true;
}

/* ---- sending ------------------------------------------------------------- */

static void help(uint64_t *at, uint64_t seen, uint64_t pos)
{
	/* pairs: help, of another; one of them moves it. */
	atom_cas(at, &seen, pos);
}

uint32_t channel_claim_any(const struct channel *channel,
                           const struct channel_run *run, uint32_t id,
                           uint64_t *slot)
{
	uint64_t *tail = &channel->head->tail;
	for (uint32_t i = 0; i < 2 * channel->capacity + 64; i++) {
		uint64_t pos = atom_load(tail);
		uint32_t ix = slot_at(channel, pos);
		/* pairs: channel_left_own; what the receiver did is over. */
		uint64_t seen = atom_load_acquire(&channel->slots[ix]);
		uint64_t mine = make(run, SLOT_CLAIMED, POS_LAP(pos), id);
		uint32_t d = ahead(seen, pos);
		bool got = d == 0 && SLOT_STATE(seen) == SLOT_FREE &&
		           /* pairs: channel_claim_any, of another sender; and
		            * channel_settle_srv, which sees the run. */
		           atom_publish(&channel->slots[ix], &seen, mine);
		if (!got && d >= 2 && atom_load(tail) == pos)
			return CHANNEL_NONE_IX;
		if (got || d < 2)
			help(tail, pos, after(channel, pos));
		if (!got)
			continue;
		*slot = mine;
		return ix;
	}
	return CHANNEL_NONE_IX;
}

void channel_publish_own(const struct channel *channel, uint32_t ix,
                         uint64_t slot, uint32_t n)
{
	struct channel_run run = channel_run_of(slot);
	uint64_t next;
	run.n = n < run.n ? n : run.n;
	/* Where next is, is the receivers' line: it is not for each send. */
	next = n > 0 ? make(&run, SLOT_READY, SLOT_TURN(slot), 0)
	             : freed(channel, slot);
	/* pairs: channel_begin_any; the tags are the channel's. */
	atom_store_release(&channel->slots[ix], next);
}

/* ---- receiving ----------------------------------------------------------- */

static bool is_ready(uint64_t slot, uint64_t pos)
{
	return ahead(slot, pos) == 0 && SLOT_STATE(slot) == SLOT_READY;
}

/* What was passed over as CLAIMED may have been published since, and what follows it
 * after that, by the same sender: the first that is READY by now, up to one that is
 * known to be. */
static uint64_t first_ready(const struct channel *channel, uint64_t passed,
                            uint64_t at)
{
	while (passed != at) {
		/* pairs: channel_publish_own; what is at was seen before. */
		uint64_t seen = atom_load_acquire(
		        &channel->slots[slot_at(channel, passed)]);
		if (is_ready(seen, passed))
			break;
		passed = after(channel, passed);
	}
	return passed;
}

/* Where a receiver is on its way. */
struct way {
	uint64_t from; /* next, as it was seen or moved to */
	uint64_t at;
};

/* One step: whether the slot there is begun, or with done, that there is none. */
static bool step(const struct channel *channel, struct way *way, uint32_t id,
                 uint64_t *slot, bool *done)
{
	uint64_t *next = &channel->head->next;
	uint64_t at = way->at;
	uint64_t *here = &channel->slots[slot_at(channel, at)];
	/* pairs: channel_publish_own */
	uint64_t seen = atom_load_acquire(here);
	uint32_t d = ahead(seen, at);
	bool got = is_ready(seen, at);
	if (d >= 2 || (d == 0 && SLOT_STATE(seen) == SLOT_FREE)) {
		/* The end, or this thread has stood still. */
		*done = atom_load(next) == way->from;
		/* pairs: set_back */
		way->at = way->from = atom_load_acquire(next);
		return false;
	}
	if (got && at != way->from) {
		way->at = first_ready(channel, way->from, at);
		if (way->at != at)
			return false;
	}
	*slot = (seen & ~SLOT_WHO_BITS) | SLOT_BEGUN | (uint64_t)id << 11;
	/* pairs: channel_publish_own; and another receiver. */
	if (got && !atom_publish(here, &seen, *slot))
		return false;
	way->at = after(channel, at);
	if (at == way->from && (d == 1 || SLOT_STATE(seen) != SLOT_CLAIMED)) {
		help(next, at, way->at);
		way->from = way->at;
	}
	return got;
}

uint32_t channel_begin_any(const struct channel *channel, uint32_t id,
                           uint64_t *slot)
{
	/* pairs: set_back; what was put back is seen to be READY. */
	uint64_t from = atom_load_acquire(&channel->head->next);
	struct way way = {from, from};
	bool done = false;
	for (uint32_t i = 0; i < 2 * channel->capacity + 64 && !done; i++) {
		uint32_t ix = slot_at(channel, way.at);
		if (step(channel, &way, id, slot, &done))
			return ix;
	}
	return CHANNEL_NONE_IX;
}

bool channel_peek_any(const struct channel *channel, struct channel_run *run)
{
	uint64_t at = atom_load(&channel->head->next);
	uint64_t slot = atom_load(&channel->slots[slot_at(channel, at)]);
	*run = channel_run_of(slot);
	return is_ready(slot, at);
}

void channel_left_own(const struct channel *channel, uint32_t ix,
                      uint64_t *slot, const struct channel_run *left)
{
	*slot = left != NULL ? make(left, SLOT_BEGUN, SLOT_TURN(*slot),
	                            SLOT_WHO(*slot))
	                     : freed(channel, *slot);
	/* pairs: channel_claim_any, channel_settle_srv; the tags come first. */
	atom_store_release(&channel->slots[ix], *slot);
}

/* In which lap a slot's entry was put. */
static uint64_t pos_of(const struct channel *channel, uint32_t ix,
                       uint64_t slot)
{
	uint64_t tail = atom_load(&channel->head->tail);
	uint32_t lap = POS_LAP(tail);
	if (ix >= POS_IX(tail) && SLOT_TURN(slot) != (lap & 3))
		lap--;
	return (uint64_t)lap << 16 | ix;
}

static bool is_before(uint64_t pos, uint64_t other)
{
	int32_t laps = (int32_t)(POS_LAP(pos) - POS_LAP(other));
	return laps < 0 || (laps == 0 && POS_IX(pos) < POS_IX(other));
}

/* Receivers look there again. A lower one is always right: they go on over what is
 * begun or was received. */
static void set_back(const struct channel *channel, uint32_t ix, uint64_t slot)
{
	uint64_t *next = &channel->head->next;
	uint64_t pos = pos_of(channel, ix, slot);
	uint64_t seen = atom_load(next);
	uint64_t to = 0;
	bool done = false;
	for (uint32_t i = 0; i < TRIES && !done; i++) {
		uint64_t now = seen & ~POS_EPOCH;
		to = (seen + POS_EPOCH_ONE) & POS_EPOCH;
		to |= is_before(pos, now) ? pos : now;
		/* pairs: channel_begin_any, whose help then fails. */
		done = atom_publish(next, &seen, to);
	}
	if (!done)
		/* pairs: channel_begin_any; a client writes it all the time. */
		atom_store_release(next, to);
}

void channel_put_back_own(const struct channel *channel, uint32_t ix,
                          uint64_t slot, const struct channel_run *run)
{
	/* pairs: channel_begin_any */
	atom_store_release(&channel->slots[ix],
	                   make(run, SLOT_READY, SLOT_TURN(slot), 0));
	set_back(channel, ix, slot);
}

/* ---- looks --------------------------------------------------------------- */

static bool has_room(const struct channel *channel)
{
	uint64_t pos = atom_load(&channel->head->tail);
	uint64_t slot = atom_load(&channel->slots[slot_at(channel, pos)]);
	/* Where it is taken, or was received, the next sender helps along. */
	return ahead(slot, pos) < 2;
}

static bool has_ready(const struct channel *channel)
{
	uint64_t at = atom_load(&channel->head->next);
	for (uint32_t i = 0; i < channel->capacity; i++) {
		uint64_t slot = atom_load(&channel->slots[slot_at(channel, at)]);
		uint32_t d = ahead(slot, at);
		if (d == 0 && SLOT_STATE(slot) == SLOT_READY)
			return true;
		if (d >= 2 || (d == 0 && SLOT_STATE(slot) == SLOT_FREE))
			return false;
		at = after(channel, at);
	}
	return false;
}

uint32_t channel_ready_any(const struct channel *channel)
{
	return (has_ready(channel) ? CHANNEL_WAIT_RECV : 0) |
	       (has_room(channel) ? CHANNEL_WAIT_SEND : 0);
}

/* Somebody waits, as wake was seen. */
__attribute__((cold, noinline)) static bool
wake_them(const struct channel *channel, uint32_t seen)
{
	bool done = false;
	for (uint32_t i = 0; i < TRIES && !done; i++)
		/* pairs: slabd_channel_wait; nobody goes to sleep at the old
		 * count. */
		done = atom_publish(&channel->head->wake, &seen,
		                    (seen | (CHANNEL_WAKE_STEP - 1)) + 1);
	return true;
}

bool channel_changed_any(const struct channel *channel, uint32_t waits)
{
	uint32_t seen;
	/* pairs: slabd_channel_wait; what changed is there before this look. */
	atom_fence();
	seen = atom_load(&channel->head->wake);
	return (seen & waits) != 0 && wake_them(channel, seen);
}

bool channel_sent_any(const struct channel *channel, uint64_t n)
{
	uint32_t seen;
	atom_add(&channel->head->sent, n);
	/* pairs: slabd_channel_wait, as in channel_changed_any */
	atom_fence_done();
	seen = atom_load(&channel->head->wake);
	return (seen & CHANNEL_WAIT_RECV) != 0 && wake_them(channel, seen);
}

bool channel_received_any(const struct channel *channel, uint64_t n)
{
	uint32_t seen;
	atom_add(&channel->head->received, n);
	/* pairs: slabd_channel_wait, as in channel_changed_any */
	atom_fence_done();
	seen = atom_load(&channel->head->wake);
	return (seen & CHANNEL_WAIT_SEND) != 0 && wake_them(channel, seen);
}

uint32_t channel_depth_any(const struct channel *channel, uint64_t *objects)
{
	uint32_t n = 0;
	*objects = 0;
	for (uint32_t ix = 0; ix < channel->capacity; ix++) {
		uint64_t slot = atom_load(&channel->slots[ix]);
		if (SLOT_STATE(slot) == SLOT_FREE)
			continue;
		*objects += SLOT_N(slot);
		n++;
	}
	return n;
}

/* ---- slabd's ------------------------------------------------------------- */

/* What of a run is the channel's; false: nothing. Sent, that is a first part; of
 * what was begun, the rest. */
static bool trim(const struct view *view, const struct channel *channel,
                 uint64_t slot, struct channel_run *run)
{
	uint16_t owner = (uint16_t)channel->owner;
	struct channel_place place;
	uint32_t skip = 0;
	*run = channel_run_of(slot);
	if (!channel_locate(view, run, &place))
		return false;
	if (SLOT_STATE(slot) == SLOT_CLAIMED) {
		run->n = tags_leading(place.tag, run->n, run->down, owner,
		                      true);
		return run->n > 0;
	}
	skip = tags_leading(place.tag, run->n, run->down, owner, false);
	run->off = (uint64_t)((int64_t)run->off + place.step * (int64_t)skip);
	run->n -= skip;
	return run->n > 0;
}

/* Who put it back was killed before receivers were told to look there. */
static bool is_passed(const struct channel *channel, uint32_t ix, uint64_t slot)
{
	return SLOT_STATE(slot) == SLOT_READY &&
	       is_before(pos_of(channel, ix, slot),
	                 atom_load(&channel->head->next));
}

static bool is_left(const struct view *view, uint64_t slot, uint32_t id)
{
	bool at_work = SLOT_STATE(slot) == SLOT_CLAIMED ||
	               SLOT_STATE(slot) == SLOT_BEGUN;
	if (id != 0)
		return at_work && SLOT_WHO(slot) == id;
	return at_work && !view_client_live(view, SLOT_WHO(slot));
}

uint32_t channel_settle_srv(const struct view *view,
                            const struct channel *channel, uint32_t id)
{
	uint32_t n = 0;
	for (uint32_t ix = 0; ix < channel->capacity; ix++) {
		/* pairs: channel_claim_any, channel_begin_any */
		uint64_t slot = atom_load_acquire(&channel->slots[ix]);
		struct channel_run run;
		if (is_passed(channel, ix, slot))
			set_back(channel, ix, slot);
		if (!is_left(view, slot, id))
			continue;
		n++;
		if (trim(view, channel, slot, &run)) {
			run.again |= SLOT_STATE(slot) == SLOT_BEGUN;
			channel_put_back_own(channel, ix, slot, &run);
			continue;
		}
		/* pairs: channel_claim_any */
		atom_store_release(&channel->slots[ix], freed(channel, slot));
	}
	return n;
}

void channel_put_srv(const struct channel *channel, uint32_t ix,
                     const struct channel_run *run)
{
	atom_store(&channel->slots[ix], make(run, SLOT_READY, 0, 0));
	atom_store(&channel->head->tail, after(channel, ix));
}

void channel_ended_srv(const struct channel *channel, uint32_t id)
{
	uint32_t ends = atom_load(&channel->head->ends);
	atom_store(&channel->head->ended[ends % CHANNEL_ENDS], id);
	/* pairs: next_end, in the client's channel_wait.c */
	atom_store_release(&channel->head->ends, ends + 1);
}
