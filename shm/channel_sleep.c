/* SPDX-License-Identifier: MIT */
#include "shm/channel_sleep.h"

#include "shm/atom.h"

#define WORD_ID(word) ((uint32_t)(word) & 0xffffu)
#define WORD_WAITS(word) ((uint32_t)((word) >> 16) & 3u)
#define WORD_SINCE(word) ((word) >> 18)

struct channel_sleeper channel_sleep_of(const struct channel *channel, uint32_t at)
{
	uint64_t word = atom_load(&channel->head->sleepers[at]);
	return (struct channel_sleeper){WORD_ID(word), WORD_WAITS(word),
	                                WORD_SINCE(word)};
}

uint32_t channel_sleep_begin_any(const struct channel *channel,
                                 const struct channel_sleeper *who)
{
	uint64_t mine = (uint64_t)who->id | (uint64_t)who->waits << 16 |
	                who->since_ms << 18;
	for (uint32_t i = 0; i < CHANNEL_SLEEPERS; i++) {
		uint32_t at = (who->id + i) % CHANNEL_SLEEPERS;
		uint64_t *entry = &channel->head->sleepers[at];
		uint64_t seen = atom_load(entry);
		/* pairs: channel_sleep_begin_any, of another; nothing is read
		 * through it. */
		if (seen == 0 && atom_cas(entry, &seen, mine))
			return at;
	}
	return CHANNEL_SLEEP_NONE;
}

void channel_sleep_end_own(const struct channel *channel, uint32_t at)
{
	if (at != CHANNEL_SLEEP_NONE)
		atom_store(&channel->head->sleepers[at], UINT64_C(0));
}

void channel_sleep_forget_srv(const struct channel *channel, uint32_t id)
{
	for (uint32_t at = 0; at < CHANNEL_SLEEPERS; at++) {
		uint64_t *entry = &channel->head->sleepers[at];
		uint64_t seen = atom_load(entry);
		if (WORD_ID(seen) == id)
			/* pairs: channel_sleep_begin_any */
			atom_cas(entry, &seen, UINT64_C(0));
	}
}
