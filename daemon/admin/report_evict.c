/* SPDX-License-Identifier: MIT */
/* A client that an administrator shuts out. */
#include "daemon/admin/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/serve/death.h"
#include "daemon/serve/peer.h"

#define CONFLICT 409

static struct peer *find(struct report *r, struct pool *pool, uint32_t id)
{
	struct peer *peer = report_good(r) ? peer_find(r->server, pool, id)
	                                   : NULL;
	char what[64];
	if (peer != NULL || !report_good(r))
		return peer;
	snprintf(what, sizeof(what), "no client %u lives", id);
	report_fail(r, CONFLICT, what, "slabctl clients shows which do");
	return NULL;
}

/* By its pidfd: whoever has the number by now is left alone. */
static bool kill_it(struct report *r, const struct peer *peer)
{
	char what[96];
	char todo[64];
	if (peer->pidfd >= 0 &&
	    syscall(SYS_pidfd_send_signal, peer->pidfd, SIGKILL, NULL, 0) == 0)
		return true;
	snprintf(what, sizeof(what), "slabd can't kill client %u: %s", peer->id,
	         strerror(peer->pidfd >= 0 ? errno : ESRCH));
	snprintf(todo, sizeof(todo), "it is evicted; kill %d yourself",
	         peer->pid);
	report_fail(r, CONFLICT, what, todo);
	return false;
}

/* The process ends some time later: its death is seen as any. */
json_t *report_evict(struct report *r)
{
	struct pool *pool = report_param_pool(r);
	uint32_t id = (uint32_t)report_param_count(r, "client", 1,
	                                           CLIENT_ID_MAX, 0);
	bool dies = report_param_count(r, "kill", 0, 1, 0) == 1;
	struct peer *peer;
	if (report_good(r) && id == 0)
		report_fail(r, HTTP_BADREQUEST, "no client is named",
		            "client, the id that slabctl clients shows");
	peer = find(r, pool, id);
	if (peer == NULL)
		return r->error;
	log_info("pool %s: client %u (%s, pid %d) is evicted%s; asked for by "
	         "pid %d, user %lld", pool->name, id, peer->comm, peer->pid,
	         dies ? " and killed" : "", r->query->pid,
	         (long long)r->query->uid);
	if (peer->state == PEER_LIVE || peer->state == PEER_DISCONNECTED)
		death_evict(peer);
	if (peer->state == PEER_DEAD)
		dies = false;
	if (dies && !kill_it(r, peer))
		return r->error;
	return json_pack("{s:o, s:I, s:i, s:o, s:b, s:b}", "pool",
	                 report_text(pool->name), "client", (json_int_t)id,
	                 "pid", peer->pid, "name", report_text(peer->comm),
	                 "ended", peer->state == PEER_DEAD, "killed", dies);
}
