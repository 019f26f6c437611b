/* SPDX-License-Identifier: MIT */
#include "daemon/serve/peer_adopt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/clients.h"
#include "daemon/serve/death.h"

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

/* A peer of a client by its row; NULL without memory. */
static struct peer *make_peer(struct server *server, struct pool *pool,
                              uint32_t id)
{
	const struct layout_client *row = &pool->view.clients[id];
	struct peer *peer = peer_new(server, PEER_DISCONNECTED);
	if (peer == NULL)
		return NULL;
	peer->pool = pool;
	peer->id = id;
	peer->pid = row->pid;
	peer->uid = row->uid;
	memcpy(peer->comm, row->comm, sizeof(peer->comm));
	if (death_open(peer) == 0)
		return peer;
	peer_free(peer);
	return NULL;
}

/* Takes over pidfd, also on failure. */
static int adopt_living(struct server *server, struct pool *pool, uint32_t id,
                        int pidfd)
{
	struct peer *peer = make_peer(server, pool, id);
	if (peer == NULL) {
		close(pidfd);
		return -ENOMEM;
	}
	peer->pidfd = pidfd;
	if (death_watch(peer) == 0)
		return 0;
	peer_free(peer);
	return -ENOMEM;
}

/* A row that is DEAD, or LIVE without a process. */
static int adopt_dead(struct server *server, struct pool *pool, uint32_t id)
{
	bool died = view_client_live(&pool->view, id);
	struct peer *peer = make_peer(server, pool, id);
	if (peer == NULL)
		return -ENOMEM;
	pool->counts.deaths += died;
	death_sweep(peer);
	return 0;
}

/* 1 it lives on, 0 it has ended, or -errno. */
static int adopt_client(struct server *server, struct pool *pool, uint32_t id)
{
	int fd = -ESRCH;
	int r;
	if (clients_state(pool, id) == CLIENT_LIVE)
		fd = find_process(pool, id);
	if (fd == -ESRCH)
		r = adopt_dead(server, pool, id);
	else
		r = fd < 0 ? fd : adopt_living(server, pool, id, fd);
	if (r < 0)
		log_error("pool %s: client %u (pid %d): %s: it may be alive "
		          "and can't be watched", pool->name, id,
		          pool->view.clients[id].pid, strerror(-r));
	return r < 0 ? r : fd >= 0;
}

int peer_adopt_clients(struct server *server, struct pool *pool)
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
