/* SPDX-License-Identifier: MIT */
/*
 * Several objects that pass to another owner as one: the chunks of an arena. A
 * giver may be killed between any two of them; so it says first which they are and
 * then, by one word, whose they are all to be:
 *
 *   offer      each is the giver's, plain, and waits     a kill: all are freed
 *   name       a word in its notes names the heir        a kill from here on: what
 *   hand       each is the heir's, a gift; the           the giver still has of
 *              first one, which leads to the others,     them, slabd hands on in
 *              is the last                               the same order, and only
 *   forget     the word is 0                             then calls it dead
 *
 * One thread of a process at a time is between offer and forget, and nobody of that
 * process is in the middle of giving another object of such a cache meanwhile
 * (client/turn.h): so what is the giver's, plain, and waits, is a part of it.
 *
 * A channel is an heir like that, of an arena that is sent (client/arena_send.c): the
 * parts are gifts to it, and the first one, which its entry names, is plainly its own,
 * so that it goes from hand to hand as what it is sent by itself.
 *
 *   claim      an entry of the ring names the first one   a kill: all are freed
 *   offer, name, hand                                     as above: slabd hands on,
 *              the first one last                         then the entry is READY
 *   publish, forget
 *
 * Who receives it has begun the entry, and says that it takes from that channel:
 *
 *   name       the channel, HEIR_TAKES                    a kill: slabd hands back
 *   take       each part is its own, plain, and waits     what it has, and the entry
 *                                                         comes again
 *   take the first one                                    from here on: all are freed
 *   withdraw   none of them waits
 *   forget
 *
 * The word is what a client wrote: slabd believes it no more than who the heir is,
 * and hands on to a living client, a root or a channel alone, with the same epoch. A
 * word that lies gives away what is the liar's.
 */
#ifndef SHM_HEIR_H
#define SHM_HEIR_H

#include <stdbool.h>
#include <string.h>

#include "shm/arena_live.h"
#include "shm/root_row.h"
#include "shm/tags.h"
#include "shm/view.h"

/* Of the words behind the places that a client has touched (view_gifts_at).
 *
 *    63   49   48    47        16 15       0
 *   +-------+-------+------------+----------+
 *   | zero  | takes |   epoch    |    id    |     0: nobody
 *   +-------+-------+------------+----------+
 *
 * 0 -> heir (the giver, once all is offered; who takes, before the first part), heir
 * -> 0 (it, once all is handed or taken; slabd, as the id is freed). The other one is
 * the offset of the part that leads, stored before. */
#define GIFTS_HEIR 9u
#define GIFTS_LEAD 10u
#define HEIR_ID(word) ((uint32_t)(word) & 0xffffu)
#define HEIR_TAKES (UINT64_C(1) << 48)

/* State and epoch of who may be given something: of a client that lives, or a root
 * that is there; else 0. */
static inline uint64_t heir_word(const struct view *view, uint32_t id)
{
	uint64_t word = view_client_word(view, id);
	return word != 0 ? word : root_row_word(view, id);
}

/* The same of a channel that is there. */
uint64_t heir_channel_word(const struct view *view, uint32_t id);

/* As which it is named. */
static inline uint64_t heir_make(uint32_t id, uint64_t word)
{
	return (word >> 8 & UINT32_MAX) << 16 | id;
}

/* Whether the objects of a cache may be such parts. */
static inline bool heir_has_parts(const struct layout_cache *row)
{
	return memcmp(row->name, ARENA_CACHES, strlen(ARENA_CACHES)) == 0;
}

/* The giver names the heir and the part that leads, or nobody any more. */
void heir_name_own(const struct view *view, uint32_t own, uint64_t heir,
                   uint64_t lead);
void heir_forget_own(const struct view *view, uint32_t own);

/* own -> own, plain, and waiting, in its turn. False, and nothing changed, when it
 * is not own's. */
bool heir_offer_own(uint16_t *tag, uint16_t *gen, uint16_t own);

/* What was offered is not any more. */
void heir_withdraw_own(uint16_t *tag, uint16_t *gen, uint16_t own);

/* What was offered is the heir's, a gift. False, and nothing changed, when a handle
 * was made of it meanwhile: heir_hand_known_own does it then, in its turn, unless
 * (false) somebody has taken it. */
bool heir_hand_own(uint16_t *tag, uint16_t own, uint16_t heir);
bool heir_hand_known_own(uint16_t *tag, const uint16_t *gen, uint16_t own,
                         uint16_t heir);

/* A part that is a channel's: whether it is there for the taking by its generation
 * (GEN_OBJECT). Then the one who has begun the entry makes it its own, plain, and
 * waiting; or, as in what was offered, the channel's again. False, and nothing
 * changed, when it is not so. */
bool heir_is_part(const uint16_t *tag, const uint16_t *gen, uint16_t channel,
                  uint32_t object);
bool heir_take_own(uint16_t *tag, uint16_t channel, uint16_t own);

/* ---- slabd, as a client has died ------------------------------------------ */

/* What a client is about to give away, as far as its heir lives; or what it has taken
 * of a channel's. */
struct heir {
	uint32_t from, to;
	uint64_t lead;
	bool channel;
};

/* False: nothing, or nobody lives who would have it. */
bool heir_find(const struct view *view, uint32_t id, struct heir *heir);

/* Hands on what it had offered, but for what leads, of the slabs that begin at the
 * units from first to before end; and what leads, once that was done of all. How
 * many. A kill half way leaves the rest for the next time. */
uint32_t heir_settle_srv(const struct view *view, const struct heir *heir,
                         uint32_t first, uint32_t end);
uint32_t heir_settle_lead_srv(const struct view *view, const struct heir *heir);

#endif
