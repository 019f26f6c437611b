/* SPDX-License-Identifier: MIT */
#include "daemon/serve/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/balance/follow.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/timer.h"
#include "daemon/watch/uevent.h"

#define LOOK_PAGES 64u /* at one time, for those that the kernel moved */

struct machine {
	struct uevent *uevent; /* NULL: simulated nodes, or no right */
	struct event *look;    /* there are more pages to look at */
	unsigned pool;         /* in which, and from where on */
	uint64_t page;
	struct topo was, now;
};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct machine *m = server->machine;
	(void)fd;
	(void)what;
	if (m->pool < server->n_pools &&
	    !follow_pages(&server->pools[m->pool], &m->page, LOOK_PAGES)) {
		m->pool++;
		m->page = 0;
	}
	if (m->pool < server->n_pools)
		timer_set(m->look, CLOCK_MS);
	else
		duty_soon(server, 0);
}

static void say_gone(const struct topo *was, const struct topo *now)
{
	for (unsigned cpu = 0; cpu < was->n_cpus; cpu++)
		if (was->cpu_node[cpu] != TOPO_NODE_NONE &&
		    (cpu >= now->n_cpus ||
		     now->cpu_node[cpu] == TOPO_NODE_NONE))
			log_info("CPU %u is gone: its threads go on elsewhere",
			         cpu);
}

/* What is there now is looked up: messages may be lost, and tell of parts. */
static void on_change(void *arg, unsigned what)
{
	struct server *server = arg;
	struct machine *m = server->machine;
	int r = topo_load(&m->now, NULL);
	if (r < 0) {
		log_error("the machine has changed, and how can't be read: %s",
		          m->now.error);
		return;
	}
	log_debug("the machine has changed: %s%s",
	          what & UEVENT_CPUS ? "CPUs " : "",
	          what & UEVENT_MEMORY ? "memory" : "");
	say_gone(&m->was, &m->now);
	m->was = m->now;
	for (unsigned i = 0; i < server->n_pools; i++)
		follow_nodes(&server->pools[i], &m->now);
	if ((what & UEVENT_MEMORY) == 0)
		return;
	m->pool = 0;
	m->page = 0;
	event_active(m->look, EV_TIMEOUT, 0);
}

static void watch(struct server *server)
{
	struct uevent_request want = {
		.base = server->base, .changed = on_change, .arg = server};
	int r = uevent_open(&server->machine->uevent, &want);
	if (r < 0)
		log_info("CPUs and memory that come or go are not followed: no "
		         "netlink socket: %s; to repair it: let AF_NETLINK be "
		         "among RestrictAddressFamilies= of slabd.service",
		         strerrordesc_np(-r));
}

int machine_open(struct server *server)
{
	struct machine *m;
	/* A pool that was taken over may have been made with other CPUs. */
	for (unsigned i = 0; i < server->n_pools; i++)
		follow_nodes(&server->pools[i], server->topo);
	if (server->topo->simulated)
		return 0;
	m = server->machine = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->was = *server->topo;
	m->look = evtimer_new(server->base, on_look, server);
	if (m->look == NULL)
		return -ENOMEM;
	watch(server);
	return 0;
}

void machine_close(struct server *server)
{
	struct machine *m = server->machine;
	if (m == NULL)
		return;
	uevent_close(m->uevent);
	timer_free(&m->look);
	free(m);
	server->machine = NULL;
}
