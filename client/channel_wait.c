/* SPDX-License-Identifier: MIT */
/* Waiting for a channel, asleep in the kernel. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/channel_poll.h"
#include "client/closed.h"
#include "client/clock.h"
#include "client/error.h"
#include "client/futex.h"
#include "client/link.h"
#include "shm/atom.h"
#include "shm/channel_sleep.h"

/* Who publishes may be killed before it wakes anybody, while no slabd is there. */
#define SLICE_NS SECOND_NS
#define NO_END UINT64_MAX

/* So long a wait looks before it sleeps: what a sleep and a wake-up take. */
#define SPIN_NS UINT64_C(5000)
#define SPIN_PAUSES 8
#define SKIP_MAX 1023u

/* The end of another client, which was not told yet. */
static bool next_end(struct slabd_channel *channel)
{
	struct channel_head *head = channel->ring.head;
	uint32_t seen = atom_load(&channel->ends);
	uint32_t told = seen;
	/* pairs: channel_ended_srv */
	uint32_t ends = atom_load_acquire(&head->ends);
	if (ends == told)
		return false;
	if (ends - told > CHANNEL_ENDS)
		told = ends - CHANNEL_ENDS;
	/* pairs: next_end, of another thread: one of them tells it. */
	if (!atom_cas(&channel->ends, &seen, told + 1))
		return false;
	atom_store(&channel->ended, atom_load(&head->ended[told % CHANNEL_ENDS]));
	return true;
}

/* Of a wait that tells no ends, and is for room alone. */
#define FOR_ROOM (1u << 31)

/* 0, EOWNERDEAD, ESTALE or EAGAIN. */
static int look(struct slabd_channel *channel, unsigned for_what)
{
	if (!channel_is_there(channel))
		return ESTALE;
	if ((channel_ready_any(&channel->ring) & for_what) != 0)
		return 0;
	return (for_what & FOR_ROOM) == 0 && next_end(channel) ? EOWNERDEAD
	                                                       : EAGAIN;
}

static void sleep_on(uint32_t *word, uint32_t seen, uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / SECOND_NS),
	                      .tv_nsec = (long)(ns % SECOND_NS)};
	syscall(SYS_futex, word, FUTEX_WAIT, seen, &ts, NULL, 0);
}

/* One sleep, unless something is there by now. */
static int sleep_once(struct slabd_channel *channel, unsigned for_what,
                      uint64_t until_ns)
{
	uint32_t *word = &channel->ring.head->wake;
	/* pairs: channel_changed_any; the bit is there before this look. */
	uint32_t bits = for_what & ~FOR_ROOM;
	uint32_t seen = atom_set(word, bits) | bits;
	int r = look(channel, for_what);
	uint64_t ns = SLICE_NS;
	if (r != EAGAIN)
		return r;
	if (until_ns != NO_END) {
		uint64_t now_ns = clock_now_ns();
		if (now_ns >= until_ns)
			return ETIMEDOUT;
		ns = until_ns - now_ns < ns ? until_ns - now_ns : ns;
	}
	sleep_on(word, seen, ns);
	return look(channel, for_what);
}

/* Looks for a while, as an answer that comes at once is there before a sleep is. Who
 * looks in vain does so less and less often: 1 wait of 2, of 4, to 1,024; half as
 * much where it was not in vain. */
static int spin(struct slabd_channel *channel, unsigned for_what,
                uint64_t until_ns)
{
	uint32_t skip = atom_load(&channel->skip);
	uint32_t vain = atom_load(&channel->vain);
	uint64_t now_ns;
	uint64_t end_ns;
	int r = EAGAIN;
	if (skip > 0) {
		atom_store(&channel->skip, skip - 1);
		return r;
	}
	now_ns = clock_now_ns();
	end_ns = now_ns + SPIN_NS;
	if (end_ns > until_ns)
		return r;
	for (; r == EAGAIN && now_ns < end_ns; now_ns = clock_now_ns()) {
		for (int i = 0; i < SPIN_PAUSES; i++)
			atom_pause();
		r = look(channel, for_what);
	}
	vain = r == EAGAIN ? 2 * vain + 1 : vain / 2;
	vain = vain < SKIP_MAX ? vain : SKIP_MAX;
	atom_store(&channel->vain, vain);
	atom_store(&channel->skip, r == EAGAIN ? vain : 0u);
	return r;
}

uint32_t channel_wait_asleep(const struct slabd_channel *channel, uint32_t waits)
{
	const struct channel_sleeper self = {channel->pool->user.id, waits,
	                                     clock_now_ns() / 1000000};
	return channel_sleep_begin_any(&channel->ring, &self);
}

void channel_wait_awake(const struct slabd_channel *channel, uint32_t asleep)
{
	channel_sleep_end_own(&channel->ring, asleep);
}

static int sleep_for(struct slabd_channel *channel, unsigned for_what,
                     uint64_t until_ns)
{
	uint32_t asleep = channel_wait_asleep(channel, for_what & ~FOR_ROOM);
	int r;
	do
		r = sleep_once(channel, for_what, until_ns);
	while (r == EAGAIN);
	channel_wait_awake(channel, asleep);
	return r;
}

static int wait_for(struct slabd_channel *channel, unsigned for_what,
                    uint64_t until_ns)
{
	int r = look(channel, for_what);
	if (r == EAGAIN)
		r = spin(channel, for_what, until_ns);
	return r == EAGAIN ? sleep_for(channel, for_what, until_ns) : r;
}

int channel_wait_room(struct slabd_channel *channel, uint64_t until_ns)
{
	int held = link_hold();
	int r = wait_for(channel, SLABD_CHANNEL_SEND | FOR_ROOM, until_ns);
	link_let_go(held);
	return r;
}

int slabd_channel_slow(slabd_channel *channel, unsigned policy, int timeout_ms)
{
	uint64_t patience_ns = 0;
	if (channel == NULL)
		return error_set(EINVAL, "slabd_channel_slow of no channel");
	if (closed_is_channel(channel) && !pool_alive(channel->pool))
		return -1;
	if (policy > SLABD_CHANNEL_BLOCK)
		return error_set(EINVAL, "slabd_channel_slow with policy %u",
		                 policy);
	if (policy == SLABD_CHANNEL_BLOCK)
		patience_ns = timeout_ms < 0 ? NO_END
		                             : (uint64_t)timeout_ms * 1000000;
	atom_store(&channel->patience_ns, patience_ns);
	return 0;
}

int slabd_channel_wait(slabd_channel *channel, unsigned for_what,
                       int timeout_ms)
{
	const unsigned any = SLABD_CHANNEL_RECV | SLABD_CHANNEL_SEND;
	uint64_t until_ns = NO_END;
	int held;
	int r;
	if (!channel_usable(channel))
		return -1;
	if (for_what == 0 || (for_what & ~any) != 0)
		return error_set(EINVAL, "slabd_channel_wait for 0x%x", for_what);
	if (timeout_ms >= 0)
		until_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000;
	held = link_hold();
	r = wait_for(channel, for_what, until_ns);
	link_let_go(held);
	if (r == 0)
		return 0;
	if (channel->poll != NULL && r == ETIMEDOUT &&
	    (for_what & SLABD_CHANNEL_RECV) != 0)
		channel_poll_short(channel);
	if (r == ESTALE)
		return channel_lost();
	return error_set(r, r == ETIMEDOUT ? "nothing came in time"
	                                   : "a client of the channel has died");
}

unsigned slabd_channel_ended(const slabd_channel *channel)
{
	return channel != NULL ? atom_load(&channel->ended) : 0;
}
