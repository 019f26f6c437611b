/* SPDX-License-Identifier: MIT */
#include "daemon/serve/death.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/marks.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/timer.h"

#define HELLO_NS (5 * CLOCK_S)
#define SECOND_SWEEP_NS (500 * CLOCK_MS)
#define RELIST_NS (100 * CLOCK_MS) /* after a hang-up, should no death follow */

/* Its process may have become another program, which sets no bit that one of
 * its threads was about to set, and sends no ring. */
static void relist(struct peer *peer)
{
	if (!clients_relist(peer->pool))
		timer_set(peer->timer, RELIST_NS);
	else
		duty_serve_pool(peer->server, peer->pool);
}

static void sweep_again(struct peer *peer)
{
	char name[PEER_FDSTORE_NAME];
	peer_fdstore_name(name, peer->pool, peer->id);
	fdstore_drop(name);
	clients_free(peer->pool, peer->id);
	peer_free(peer);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	(void)fd;
	(void)what;
	switch (peer->state) {
	case PEER_PENDING:
		peer_fault(peer, DROP_TIMEOUT, "no hello in time");
		break;
	case PEER_LIVE: /* it was back before the timer */
	case PEER_DISCONNECTED:
		relist(peer);
		break;
	case PEER_SWEPT:
		sweep_again(peer);
		break;
	}
}

void death_sweep(struct peer *peer)
{
	struct pool *pool = peer->pool;
	uint64_t before = pool->counts.swept_objects;
	clients_reap(pool, peer->id);
	log_info("pool %s: client %u (%s, pid %d) ended: %llu objects came "
	         "back, %.2f ms", pool->name, peer->id, peer->comm, peer->pid,
	         (unsigned long long)(pool->counts.swept_objects - before),
	         (double)pool->counts.last_sweep_ns / (double)CLOCK_MS);
	timer_free(&peer->on_death);
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	peer->pidfd = -1;
	peer_enter(peer, PEER_SWEPT);
	timer_set(peer->timer, SECOND_SWEEP_NS);
}

static void reap(struct peer *peer)
{
	death_sweep(peer);
	/* What was refused so far may be to be had now; and it may have raised
	 * a want and died before it rang. */
	marks_clear_denied(peer->pool);
	duty_serve_pool(peer->server, peer->pool);
	duty_soon(peer->server, DUTY_SOON_NS);
}

static void on_death(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	(void)fd;
	(void)what;
	peer_disconnect(peer);
	peer->pool->counts.deaths++;
	reap(peer);
}

void death_goodbye(struct peer *peer)
{
	peer->pool->counts.goodbyes++;
	reap(peer);
}

void death_hung_up(struct peer *peer)
{
	if (peer->state != PEER_PENDING)
		timer_set(peer->timer, RELIST_NS);
	peer_disconnect(peer);
}

int death_watch(struct peer *peer)
{
	return peer_watch(peer, &peer->on_death, peer->pidfd, on_death);
}

int death_open(struct peer *peer)
{
	peer->timer = evtimer_new(peer->server->base, on_timer, peer);
	if (peer->timer == NULL)
		return -ENOMEM;
	if (peer->state == PEER_PENDING)
		timer_set(peer->timer, HELLO_NS);
	return 0;
}
