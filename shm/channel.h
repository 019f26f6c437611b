/* SPDX-License-Identifier: MIT */
/*
 * Channels: rings over which objects go from client to client. The channel itself
 * owns what is under way, by an id of its own in the tags; an entry of the ring is a
 * hint of which objects these are, a run of neighbours in a slab.
 *
 *   file  +------+---------------------------+
 *         | head | slots, a word each        |   one a channel
 *         +------+---------------------------+
 *
 * A slot:
 *    63                26 25         11 10   9 8      4  3      2      1   0
 *   +--------------------+-------------+------+--------+------+-------+-------+
 *   | first object >> 3  | who, client | turn | n - 1  | down | again | state |
 *   +--------------------+-------------+------+--------+------+-------+-------+
 *
 *   FREE -> CLAIMED   a sender, by cas, with the run that it is about to send
 *   CLAIMED -> READY  the sender, by a release, once all tags are the channel's
 *   READY -> BEGUN    a receiver, by cas, with its id
 *   BEGUN -> BEGUN    the receiver: of a run a first part is its own by now
 *   BEGUN -> FREE     the receiver, once all tags are its own; turn + 1
 *   BEGUN -> READY    the receiver puts it back, again set
 *   both -> READY, FREE   slabd, of who has ended or left, by what the tags say
 *
 * A slot that is FREE has its lap from bit 26 on, for senders that have stood still.
 * So a slot names who is at work with it, and what: a kill of the sender leaves it
 * CLAIMED, with a first part of the run the channel's and the rest the sender's; one
 * of the receiver leaves it BEGUN, a first part its own and the rest the channel's;
 * who puts back may be killed before next is set back. slabd settles all that before
 * the sweep frees what the dead owned: the slot then has what is the channel's.
 * Nobody waits for it: receivers pass over slots that are CLAIMED or BEGUN.
 *
 * Positions are hints that anybody helps along; each says which slot, and in which
 * lap, of which a slot's turn has the last two bits:
 *
 *   tail  where the next sender looks: its slot is FREE with this lap's turn
 *   next  where the next receiver looks: all before it is BEGUN, or FREE with another
 *         turn. Who puts back sets it back, with another epoch, so that nobody who
 *         has looked before moves it on
 * Of one sender's entries a receiver finds the earlier first.
 */
#ifndef SHM_CHANNEL_H
#define SHM_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/view.h"

#define CHANNEL_RUN_MAX 32u
#define CHANNEL_CAPACITY_MAX 16384u
#define CHANNEL_ENDS 8u
#define CHANNEL_SLEEPERS 64u
#define CHANNEL_SLOTS_OFF 4096u
#define CHANNEL_NONE_IX UINT32_MAX

/* The first bytes of the file. */
struct channel_head {
	/* A position. Any -> the next (a sender, or a receiver that finds it
	 * passed, by cas). Relaxed: the slot decides. */
	uint64_t tail; /* (A) */
	/* Objects sent so far; relaxed adds, for reports alone. */
	uint64_t sent; /* (A) */
	/* Whose ring it is. Written once, before anybody else has it; slabd alone
	 * reads it, as it adopts the ring, and believes it where both agree with
	 * its books. */
	uint32_t owner; /* (C) */
	uint32_t epoch; /* (C) of that id */
	char apart_1[104];
	/* A position, and in bits 48 to 63 an epoch. Any -> the next (a receiver,
	 * by cas), any -> a lower one with another epoch (who puts back). */
	uint64_t next;     /* (A) */
	uint64_t received; /* (A) like sent */
	char apart_2[112];
	/* A futex: CHANNEL_WAIT_* of who may sleep, and a count above. Bits are set
	 * (who is about to sleep), all cleared and the count moved on (who has
	 * published, freed or settled something, and saw a bit). A fence on both
	 * sides, between that and the look. A kill before the wake leaves a sleeper
	 * until the next change, or until slabd has seen the death. */
	uint32_t wake; /* (A) */
	/* Clients that ended while they had it open: so far, and the last of them.
	 * slabd alone writes, a release of ends after ended. */
	uint32_t ends;                /* (A) */
	uint32_t ended[CHANNEL_ENDS]; /* (A) by ends % CHANNEL_ENDS */
	char apart_3[216];
	uint64_t sleepers[CHANNEL_SLEEPERS]; /* (A) see channel_sleep.h */
};
#define CHANNEL_WAIT_RECV 1u
#define CHANNEL_WAIT_SEND 2u
#define CHANNEL_WAKE_STEP 4u

/* A ring as it is mapped here. */
struct channel {
	struct channel_head *head;
	uint64_t *slots; /* (A) */
	uint32_t capacity;
	uint32_t owner; /* its id in the tags */
};

enum slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_READY, SLOT_BEGUN };
#define SLOT_STATE(slot) ((enum slot_state)((slot) & 3))
#define SLOT_AGAIN UINT64_C(4)
#define SLOT_DOWN UINT64_C(8)
#define SLOT_N(slot) ((uint32_t)((slot) >> 4 & 31) + 1)
#define SLOT_TURN(slot) ((uint32_t)((slot) >> 9 & 3))
#define SLOT_WHO(slot) ((uint32_t)((slot) >> 11 & 0x7fff))
#define SLOT_OFF(slot) ((slot) >> 26 << 3)
#define SLOT_TURN_BITS (UINT64_C(3) << 9)
#define SLOT_WHO_BITS (UINT64_C(0x7fff) << 11)

/* A run of neighbours: the offset of the first, and whether the others follow
 * below it. */
struct channel_run {
	uint64_t off;
	uint32_t n; /* 1 to CHANNEL_RUN_MAX */
	bool down;
	bool again; /* somebody had begun to receive it */
};

/* Where a run's tags are, and its objects. */
struct channel_place {
	uint16_t *tag; /* of the first */
	uint16_t *gen;
	int64_t step; /* bytes from one to the next */
	uint32_t head;
	const struct layout_cache *cache;
};

static inline uint64_t channel_bytes(uint32_t capacity)
{
	return CHANNEL_SLOTS_OFF + (uint64_t)capacity * sizeof(uint64_t);
}

void channel_map(struct channel *channel, void *at, uint32_t capacity,
                 uint32_t owner);

/* The run of a slot. */
struct channel_run channel_run_of(uint64_t slot);

/* Looks up a run; false: no such objects are there. */
bool channel_locate(const struct view *view, const struct channel_run *run,
                    struct channel_place *place);

/* A slot for a run, CLAIMED by a client. Its index, or CHANNEL_NONE_IX: the ring is
 * full. *slot is what it has now. Lock-free. */
uint32_t channel_claim_any(const struct channel *channel,
                           const struct channel_run *run, uint32_t id,
                           uint64_t *slot);

/* It may be received; with n < the run's a first part, with 0 it is free again. */
void channel_publish_own(const struct channel *channel, uint32_t ix,
                         uint64_t slot, uint32_t n);

/* A slot that is READY, BEGUN by a client from now on; or CHANNEL_NONE_IX. */
uint32_t channel_begin_any(const struct channel *channel, uint32_t id,
                           uint64_t *slot);

/* The run that a receiver would find next, if it is READY by now: a hint. */
bool channel_peek_any(const struct channel *channel, struct channel_run *run);

/* Of a slot that this client has begun, a run is left; NULL: nothing is. */
void channel_left_own(const struct channel *channel, uint32_t ix,
                      uint64_t *slot, const struct channel_run *left);

/* Puts back a run of what this client has begun. */
void channel_put_back_own(const struct channel *channel, uint32_t ix,
                          uint64_t slot, const struct channel_run *run);

/* Whether there is something to receive, or room to send, as CHANNEL_WAIT_*. */
uint32_t channel_ready_any(const struct channel *channel);

/* Those sleep no longer who wait for this; true: they are to be woken by the futex. */
bool channel_changed_any(const struct channel *channel, uint32_t waits);

/* The same of objects sent, or received: counts them. */
bool channel_sent_any(const struct channel *channel, uint64_t n);
bool channel_received_any(const struct channel *channel, uint64_t n);

/* Settles what a client left in the ring, or with id 0 what anybody left who does not
 * live. How many entries were begun, or half sent. */
uint32_t channel_settle_srv(const struct view *view,
                            const struct channel *channel, uint32_t id);

/* A client has ended that had it open. */
void channel_ended_srv(const struct channel *channel, uint32_t id);

/* An entry of a ring that nobody else has yet: the next one, from 0 on. */
void channel_put_srv(const struct channel *channel, uint32_t ix,
                     const struct channel_run *run);

/* Entries of such a ring for all that the channel owns by the tags, which nobody
 * changes meanwhile, each marked as begun before. Returns how many objects; *left are
 * more than the ring has entries for. */
uint64_t channel_fill_srv(const struct view *view, const struct channel *channel,
                          uint64_t *left);

/* Entries that are not free, and their objects. */
uint32_t channel_depth_any(const struct channel *channel, uint64_t *objects);

#endif
