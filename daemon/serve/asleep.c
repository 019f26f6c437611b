/* SPDX-License-Identifier: MIT */
#include "daemon/serve/asleep.h"

#include "daemon/base/clock.h"
#include "daemon/base/ran.h"
#include "daemon/serve/peer.h"

#define SKIPS_MAX 16u

void asleep_end(struct peer *peer)
{
	peer->asleep.cpu_ns = 0;
	peer->asleep.noted = false;
}

/* The process's time first: the rest is no more than the others had by then. */
void asleep_ask(struct peer *peer)
{
	struct peer_asleep *of = &peer->asleep;
	struct ran_thread teller;
	int64_t cpu_ns;
	asleep_end(peer);
	if (of->teller == 0 || ran_tick_ns() == 0)
		return;
	if (of->skips > 0) {
		of->skips--;
		return;
	}
	cpu_ns = ran_ns(peer->pid);
	if (cpu_ns < 0 || !ran_thread_get(peer->pid, of->teller, &teller))
		return;
	of->noted = true;
	of->others_ns = cpu_ns - teller.ns;
	of->turns = teller.turns;
	of->moves = peer->pool->moves;
	of->told = peer->told;
}

void asleep_hear(struct peer *peer, uint32_t teller)
{
	struct peer_asleep *of = &peer->asleep;
	int32_t tid = teller > WIRE_HELD_ALL && teller <= INT32_MAX
	                      ? (int32_t)teller
	                      : 0;
	of->noted &= tid == of->teller;
	of->teller = tid;
	of->heard_ns = clock_ns();
}

int64_t asleep_look_ns(const struct peer *peer, int64_t since_ns)
{
	const struct peer_asleep *of = &peer->asleep;
	if ((of->cpu_ns == 0 && !of->noted) ||
	    of->moves != peer->pool->moves || of->told != peer->told)
		return 0;
	return (of->heard_ns > since_ns ? of->heard_ns : since_ns) +
	       ran_tick_ns();
}

/* The helper's time first: the rest is no less than the others had by the end. A
 * helper that had to wait for a CPU in the middle of its answer had several turns:
 * the next time it may not. */
static bool has_slept(struct peer *peer)
{
	struct peer_asleep *of = &peer->asleep;
	struct ran_thread teller;
	bool slept = ran_thread_get(peer->pid, of->teller, &teller);
	int64_t cpu_ns = ran_ns(peer->pid);
	bool has;
	slept = slept && cpu_ns > 0 && cpu_ns - teller.ns == of->others_ns;
	has = slept && teller.turns == of->turns + 1;
	of->noted = false;
	of->cpu_ns = has ? cpu_ns : 0;
	of->fails = slept ? 0 : of->fails + 1;
	of->skips = of->fails < SKIPS_MAX ? of->fails : SKIPS_MAX;
	return has;
}

bool asleep_is(struct peer *peer)
{
	struct peer_asleep *of = &peer->asleep;
	if (of->noted)
		return has_slept(peer);
	if (ran_ns(peer->pid) == of->cpu_ns)
		return true;
	asleep_end(peer);
	return false;
}
