/* SPDX-License-Identifier: MIT */
#include "daemon/serve/death.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/marks.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/files.h"
#include "daemon/watch/wake.h"

#define HELLO_NS (5 * CLOCK_S)
#define SECOND_SWEEP_NS (500 * CLOCK_MS)
#define RELIST_NS (100 * CLOCK_MS) /* after a hang-up, should no death follow */

/* ---- a death ------------------------------------------------------------ */

/* Its process may have become another program, which sets no bit that one of
 * its threads was about to set, and sends no ring. */
static void relist(struct peer *peer)
{
	if (!clients_relist(peer->pool))
		wake_set(peer->timer, RELIST_NS);
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

static void on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct peer *peer = arg;
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

/* Frees all that the client had, which has ended; its id rests until the second
 * sweep. */
static void sweep(struct peer *peer)
{
	struct pool *pool = peer->pool;
	uint64_t before = pool->counts.swept_objects;
	clients_reap(pool, peer->id);
	log_info("pool %s: client %u (%s, pid %d) ended: %llu objects came "
	         "back, %.2f ms", pool->name, peer->id, peer->comm, peer->pid,
	         (unsigned long long)(pool->counts.swept_objects - before),
	         (double)pool->counts.last_sweep_ns / (double)CLOCK_MS);
	wake_free(&peer->on_death);
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	peer->pidfd = -1;
	peer_enter(peer, PEER_SWEPT);
	wake_set(peer->timer, SECOND_SWEEP_NS);
}

static void reap(struct peer *peer)
{
	sweep(peer);
	/* What was refused so far may be to be had now; and it may have raised
	 * a want and died before it rang. */
	marks_clear_denied(peer->pool);
	duty_serve_pool(peer->server, peer->pool);
	duty_soon(peer->server, DUTY_SOON_NS);
	files_look(peer->server, 0);
}

static void on_death(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct peer *peer = arg;
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
		wake_set(peer->timer, RELIST_NS);
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
		wake_set(peer->timer, HELLO_NS);
	return 0;
}

/* ---- clients of a slabd before this one --------------------------------- */

/* A descriptor of the client's process: the one that was kept, or where the
 * slabd before was killed before it had handed it over, one by number and the
 * time at which the process began. -ESRCH when it is gone. */
static int find_process(const struct pool *pool, uint32_t id)
{
	const struct layout_client *row = &pool->view.clients[id];
	char name[PEER_FDSTORE_NAME];
	int fd;
	peer_fdstore_name(name, pool, id);
	fd = fdstore_take(name);
	if (fd >= 0)
		return fd;
	fd = proc_open(row->pid, row->began);
	if (fd >= 0)
		fdstore_put(name, fd);
	return fd;
}

/* A peer of a client by its row, which takes over the descriptor of its
 * process, also on failure; -1: that has ended. NULL without memory. */
static struct peer *make_peer(struct server *server, struct pool *pool,
                              uint32_t id, int pidfd)
{
	const struct layout_client *row = &pool->view.clients[id];
	struct peer *peer = peer_new(server, PEER_DISCONNECTED);
	if (peer == NULL) {
		if (pidfd >= 0)
			close(pidfd);
		return NULL;
	}
	peer->pool = pool;
	peer->id = id;
	peer->pid = row->pid;
	peer->uid = row->uid;
	peer->pidfd = pidfd;
	memcpy(peer->comm, row->comm, sizeof(peer->comm));
	if (death_open(peer) == 0 && (pidfd < 0 || death_watch(peer) == 0))
		return peer;
	peer_free(peer);
	return NULL;
}

/* 1 it lives on; 0 its row is DEAD, or LIVE without a process; or -errno. */
static int adopt_client(struct server *server, struct pool *pool, uint32_t id)
{
	bool was_live = view_client_live(&pool->view, id);
	int fd = was_live ? find_process(pool, id) : -ESRCH;
	struct peer *peer = NULL;
	if (fd >= 0 || fd == -ESRCH)
		peer = make_peer(server, pool, id, fd < 0 ? -1 : fd);
	if (peer == NULL) {
		int r = fd >= 0 || fd == -ESRCH ? -ENOMEM : fd;
		log_error("pool %s: client %u (pid %d): %s: it may be alive "
		          "and can't be watched", pool->name, id,
		          pool->view.clients[id].pid, strerror(-r));
		return r;
	}
	if (fd >= 0)
		return 1;
	pool->counts.deaths += was_live;
	sweep(peer);
	return 0;
}

int death_adopt_clients(struct server *server, struct pool *pool)
{
	uint32_t living = 0;
	uint32_t ended = 0;
	/* A look at each row of a new pool would have all of them take
	 * memory. */
	if (!pool->adopted)
		return 0;
	/* Counted first: a reaping counts one less. */
	pool->n_clients = 0;
	for (uint32_t id = 1; id < CLIENT_IDS; id++)
		pool->n_clients += clients_state(pool, id) == CLIENT_LIVE;
	for (uint32_t id = 1; id < CLIENT_IDS; id++) {
		int r;
		if (clients_state(pool, id) == CLIENT_FREE)
			continue;
		r = adopt_client(server, pool, id);
		if (r < 0)
			return r;
		living += r == 1;
		ended += r == 0;
	}
	if (living + ended > 0)
		log_info("pool %s: %u clients live on, %u ended meanwhile",
		         pool->name, living, ended);
	return 0;
}
