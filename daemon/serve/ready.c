/* SPDX-License-Identifier: MIT */
#include "daemon/serve/ready.h"

#include <string.h>

#include "daemon/base/log.h"
#include "daemon/manager/lastconf.h"
#include "daemon/manager/notify.h"
#include "daemon/watch/wake.h"

#define AGAIN_MS 500

static struct event *again; /* the manager could not be told */

static const char *s_of(unsigned n)
{
	return n == 1 ? "" : "s";
}

static unsigned long long ready_mib(const struct server *server)
{
	unsigned long long units = 0;
	for (unsigned i = 0; i < server->n_pools; i++)
		for (uint32_t n = 0; n < server->pools[i].view.geo.n_nodes;
		     n++)
			units += pool_ready_units(&server->pools[i], n);
	return units << UNIT_SHIFT >> 20;
}

void ready_tell(struct server *server)
{
	int r = notify_ready("%u pool%s on %u node%s, %llu MiB ready%s",
	                     server->n_pools, s_of(server->n_pools),
	                     server->topo->n_nodes,
	                     s_of(server->topo->n_nodes), ready_mib(server),
	                     lastconf_note());
	if (r == 0)
		return;
	/* The manager would wait in vain, and end us. */
	log_warn("the service manager can't be told that slabd is ready: %s; "
	         "tried again in %d ms", strerror(-r), AGAIN_MS);
	wake_start(again, AGAIN_MS * CLOCK_MS);
}

void ready_say(struct server *server)
{
	log_info("ready: %u pool%s on %u node%s, %llu MiB, clients at %s, "
	         "slabctl at %s", server->n_pools, s_of(server->n_pools),
	         server->topo->n_nodes, s_of(server->topo->n_nodes),
	         ready_mib(server), listen_path(&server->clients),
	         listen_path(&server->control));
	ready_tell(server);
}

static void on_ready_again(UNUSED evutil_socket_t fd, UNUSED short what,
                           void *arg)
{
	ready_tell(arg);
}

int ready_open(struct server *server)
{
	return wake_timer(&again, server->base, on_ready_again, server);
}

void ready_close(void)
{
	wake_free(&again);
}
