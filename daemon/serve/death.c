/* SPDX-License-Identifier: MIT */
#include "daemon/serve/death.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/roots.h"
#include "daemon/pool/sweep.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/files.h"
#include "daemon/serve/kept.h"
#include "daemon/serve/share.h"
#include "daemon/watch/wake.h"

#define HELLO_NS (5 * CLOCK_S)
#define SECOND_SWEEP_NS (500 * CLOCK_MS)
#define RELIST_NS (100 * CLOCK_MS) /* after a hang-up, should no death follow */
#define LAP_AFTER_NS (5 * CLOCK_S) /* after a death */
#define LAP_STEP_NS (50 * CLOCK_MS)
#define LAP_AGAIN_NS (60 * CLOCK_S) /* from one lap to the next */
#define SHARE_NS (2 * CLOCK_MS)     /* ends of processes, see serve/share.h */
#define LOOK_NS CLOCK_MS            /* a look for places, for a newcomer */

/* ---- who waits for a sweep ------------------------------------------------ */

static void put_last(struct peer_queue *queue, struct peer *peer)
{
	peer->behind = NULL;
	*(queue->first == NULL ? &queue->first : &queue->last->behind) = peer;
	queue->last = peer;
}

static void wait_for_sweep(struct peer *peer, uint64_t through)
{
	struct server *server = peer->server;
	unsigned ix = (unsigned)(peer->pool - server->pools);
	peer->through = through;
	put_last(peer->farewell != NULL && peer->state == PEER_DEAD
	                 ? &server->leaving[ix]
	                 : &server->dying[ix],
	         peer);
	wake_start(server->sweep, 0);
}

/* All that it had has come back. */
static void end_first_sweep(struct peer *peer)
{
	uint32_t n = peer->pool->due.swept.by_id[peer->id];
	bool much = peer->farewell == NULL && n >= 10000;
	marks_clear_denied(peer->pool);
	duty_soon(peer->server, DUTY_SOON_NS);
	spread_add(&peer->server->sweeps, clock_ns() - peer->died_ns);
	if (peer->pid != 0)
		log_at(much ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "pool %s: client "
		       "%u (%s, pid %d) ended: %u object%s came back, %.2f ms%s",
		       peer->pool->name, peer->id, peer->comm, peer->pid, n, n == 1 ? "" : "s",
		       (double)(clock_ns() - peer->died_ns) / (double)CLOCK_MS,
		       much ? "; it had closed nothing" : "");
	if (peer->farewell != NULL)
		peer->farewell(peer);
	peer_disconnect(peer);
	peer_enter(peer, PEER_SWEPT);
	wake_set(peer->timer, SECOND_SWEEP_NS);
}

static void end_second_sweep(struct peer *peer)
{
	char name[PEER_FDSTORE_NAME];
	peer_fdstore_name(name, peer->pool, peer->id);
	fdstore_drop(name);
	clients_free(peer->pool, peer->id);
	peer_free(peer);
}

/* Those that the sweep is through with, the first to join first: one, and as
 * many as there is time for. */
static void end_sweeps(struct server *server, unsigned ix, int64_t until_ns)
{
	struct pool *pool = &server->pools[ix];
	struct peer_queue *queue = &server->dying[ix];
	for (bool time = true; time; time = clock_ns() < until_ns) {
		struct peer *peer = queue->first;
		if (peer == NULL || !due_through(&pool->due, peer->through))
			return;
		queue->first = peer->behind;
		if (peer->state == PEER_DEAD) {
			end_first_sweep(peer);
		} else {
			end_second_sweep(peer);
		}
	}
}

/* Those who said goodbye, and wait for the answer: what they had is looked at
 * out of turn where it is little. */
static void see_off(struct server *server, unsigned ix, int64_t until_ns)
{
	struct pool *pool = &server->pools[ix];
	struct peer_queue *queue = &server->leaving[ix];
	for (bool time = true; time; time = clock_ns() < until_ns) {
		struct peer *peer = queue->first;
		if (peer == NULL)
			return;
		queue->first = peer->behind;
		if (sweep_few(pool, peer->id))
			end_first_sweep(peer);
		else
			put_last(&server->dying[ix], peer);
	}
}

static bool has_work(const struct server *server, unsigned ix)
{
	return server->leaving[ix].first != NULL ||
	       server->dying[ix].first != NULL ||
	       sweep_is_due(&server->pools[ix]);
}

static void take_turn(struct server *server, unsigned ix)
{
	struct pool *pool = &server->pools[ix];
	uint64_t swept = pool->counts.swept_objects + pool->counts.repaired_bits;
	int64_t until_ns = clock_ns() + SHARE_NS;
	see_off(server, ix, until_ns);
	sweep_slice(pool, until_ns);
	end_sweeps(server, ix, until_ns);
	/* What was refused so far may be to be had now; and who died may have
	 * raised a want before it rang. */
	if (pool->counts.swept_objects + pool->counts.repaired_bits != swept) {
		marks_clear_denied(pool);
		duty_soon(server, DUTY_SOON_NS);
	}
	duty_serve_swept(server, pool);
}

/* One slice of one pool, then all that happened meanwhile has its turn. */
static void on_sweep(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool more = false;
	for (unsigned i = 0; i < server->n_pools; i++) {
		unsigned ix = server->sweep_turn++ % server->n_pools;
		if (!has_work(server, ix))
			continue;
		take_turn(server, ix);
		break;
	}
	for (unsigned ix = 0; ix < server->n_pools; ix++)
		more |= has_work(server, ix);
	if (more)
		wake_start(server->sweep, 0);
}

static void on_lap(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool any = false;
	bool more = false;
	for (unsigned ix = 0; ix < server->n_pools; ix++) {
		any |= sweep_lap_runs(&server->pools[ix]);
		more |= sweep_lap(&server->pools[ix]);
	}
	wake_start(server->sweep, 0);
	if (more || any)
		wake_set(server->lap, more ? LAP_STEP_NS : LAP_AGAIN_NS);
}

/* ---- a death ------------------------------------------------------------- */

/* Its process may have become another program, which sets no bit that one of
 * its threads was about to set, and sends no ring. */
static void relist(struct peer *peer)
{
	if (!clients_relist(peer->pool, peer->id))
		wake_set(peer->timer, RELIST_NS);
	else
		wake_start(peer->server->sweep, 0);
}

/* Whether there is time for another process's end: of many that come at once,
 * the next shares have the rest. */
static bool has_share(struct server *server)
{
	return share_left(server, &server->deaths, SHARE_NS) > 0;
}

/* Whether it is no client any more, whatever its process does: it is
 * disconnected, never came by an object, and the kernel says that nobody has its
 * shared file. One that has objects keeps them until its process ends. */
static bool is_over(const struct peer *peer)
{
	return peer->state == PEER_DISCONNECTED && peer->lent &&
	       !clients_has_shared(peer->pool, peer->id) &&
	       !sweep_has_touched(peer->pool, peer->id);
}

static void join_again(struct peer *peer)
{
	struct server *server = peer->server;
	int64_t began_ns = clock_ns();
	if (!has_share(server)) {
		wake_set(peer->timer, 0);
		return;
	}
	wait_for_sweep(peer, sweep_join(peer->pool, peer->id));
	share_use(&server->deaths, began_ns);
}

static void leave(struct peer *peer);

static void on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct peer *peer = arg;
	switch (peer->state) {
	case PEER_PENDING:
		peer_fault(peer, DROP_TIMEOUT, "no hello in time");
		break;
	case PEER_LIVE: /* it was back before the timer */
	case PEER_DISCONNECTED:
		if (is_over(peer))
			leave(peer);
		else
			relist(peer);
		break;
	case PEER_DEAD:
		break;
	case PEER_SWEPT:
		join_again(peer);
		break;
	}
}

static void reap_alone(struct peer *peer)
{
	uint64_t through;
	/* Before what it owned is free: what it has half sent goes by that. */
	channels_leave_all(peer->pool, peer->id);
	through = clients_reap(peer->pool, peer->id);
	wake_free(&peer->on_death);
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	peer->pidfd = -1;
	evtimer_del(peer->timer);
	peer->died_ns = clock_ns();
	peer_enter(peer, PEER_DEAD);
	wait_for_sweep(peer, through);
	wake_start(peer->server->lap, LAP_AFTER_NS);
	files_look(peer->server, 0);
}

/* The client has ended. Channels that nobody has open any more may have, too. */
static void reap(struct peer *peer)
{
	reap_alone(peer);
	death_end_owners(peer->server, peer->pool);
}

static void on_death(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct peer *peer = arg;
	struct server *server = peer->server;
	int64_t began_ns = clock_ns();
	/* A pidfd says so again. */
	if (!has_share(server))
		return;
	peer_disconnect(peer);
	peer->pool->counts.deaths++;
	reap(peer);
	share_use(&server->deaths, began_ns);
}

void death_goodbye(struct peer *peer, void (*farewell)(struct peer *peer))
{
	peer->pool->counts.goodbyes++;
	peer->farewell = farewell;
	/* It has no more to say: the connection stays for the answer alone. */
	wake_free(&peer->on_sock);
	peer_close_events(peer);
	reap(peer);
}

/* As one that died: its process may, in a moment, as it hangs up first. */
static void leave(struct peer *peer)
{
	peer->pool->counts.deaths++;
	reap(peer);
}

/* What it closed last it may close in a moment. */
void death_hung_up(struct peer *peer)
{
	bool pending = peer->state == PEER_PENDING;
	peer_disconnect(peer);
	if (pending)
		return;
	if (is_over(peer))
		leave(peer);
	else
		wake_set(peer->timer, RELIST_NS);
}

void death_evict(struct peer *peer)
{
	peer_ask_trim(peer);
	clients_ban(peer->pool, peer->id);
	if (peer->state == PEER_LIVE)
		death_hung_up(peer);
	else if (is_over(peer))
		leave(peer);
}

/* The kernel looks through all clients' locks for each, so one call looks at
 * some, and the next goes on where it stopped. */
unsigned death_look(struct server *server, const struct pool *pool)
{
	int64_t until_ns = clock_ns() + LOOK_NS;
	unsigned from = server->look_from, tried = 0, n = 0, i;
	struct peer *next;
	for (unsigned lap = 0; lap < 2; lap++) {
		i = 0;
		for (struct peer *peer = server->peers; peer != NULL;
		     peer = next, i++) {
			next = peer->next;
			if ((i < from) == (lap == 0) || peer->pool != pool ||
			    peer->state != PEER_DISCONNECTED)
				continue;
			if (tried++ > 0 && clock_ns() >= until_ns) {
				server->look_from = i;
				return n;
			}
			if (is_over(peer)) {
				leave(peer);
				n++;
			}
		}
	}
	server->look_from = 0;
	return n;
}

int death_start(struct server *server)
{
	return wake_timer(&server->sweep, server->base, on_sweep, server) < 0 ||
	                       wake_timer(&server->lap, server->base, on_lap,
	                                  server) < 0
	               ? -ENOMEM
	               : 0;
}

void death_stop(struct server *server)
{
	while (server->dead != NULL)
		peer_free(server->dead);
	memset(server->dying, 0, sizeof(server->dying));
	memset(server->leaving, 0, sizeof(server->leaving));
	wake_free(&server->sweep);
	wake_free(&server->lap);
}

int death_watch(struct peer *peer)
{
	return peer_watch(peer, &peer->on_death, peer->pidfd, on_death);
}

int death_open(struct peer *peer)
{
	if (wake_timer(&peer->timer, peer->server->base, on_timer, peer) < 0)
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

/* As a client's. Without memory, with the next that ends, or with the next slabd. */
void death_end_owners(struct server *server, struct pool *pool)
{
	uint32_t id;
	while ((id = roots_over(pool)) != 0 || (id = channels_over(pool)) != 0) {
		struct peer *peer = make_peer(server, pool, id, -1);
		if (peer == NULL)
			return;
		if (clients_state(pool, id) == CLIENT_ROOT)
			roots_gone(pool, id);
		else
			channels_end(pool, id);
		reap_alone(peer);
	}
}

/* Of something that there may be more of later. */
static bool is_lack(int fd)
{
	return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM;
}

/* A client whose process can't be found, as it is in a namespace that is not
 * seen from here, and the manager had not read of it: nobody learns of its end,
 * so that its row and objects stay. 1 it lives on, or may; 0 its row is DEAD, or
 * LIVE without a process; or -errno. */
static int adopt_client(struct server *server, struct pool *pool, uint32_t id)
{
	bool was_live = view_client_live(&pool->view, id);
	int fd = was_live ? find_process(pool, id) : -ESRCH;
	struct kept_pair pair;
	struct peer *peer = NULL;
	if (!is_lack(fd))
		peer = make_peer(server, pool, id, fd < 0 ? -1 : fd);
	if (peer == NULL || (fd < 0 && fd != -ESRCH)) {
		int r = is_lack(fd) ? fd : peer == NULL ? -ENOMEM : 1;
		log_error("pool %s: client %u (pid %d): %s: it may be alive "
		          "and can't be watched; what it has stays its own",
		          pool->name, id, pool->view.clients[id].pid,
		          strerror(r == 1 ? -fd : -r));
		return r;
	}
	if (fd >= 0)
		return 1;
	/* Who waits for the answer to its goodbye is hung up on. */
	kept_take(pool, id, -1, &pair);
	pool->counts.deaths += was_live;
	reap(peer);
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
	for (uint32_t id = 1; id < CLIENT_IDS; id++) {
		int r;
		if (clients_state(pool, id) == CLIENT_FREE ||
		    roots_of(pool, id) != NULL || channels_has_owner(pool, id))
			continue;
		r = adopt_client(server, pool, id);
		if (r < 0)
			return r;
		living += r == 1;
		ended += r == 0;
	}
	if (living + ended > 0)
		log_info("pool %s: %u client%s, %u ended meanwhile",
		         pool->name, living,
		         living == 1 ? " lives on" : "s live on", ended);
	return 0;
}
