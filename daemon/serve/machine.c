/* SPDX-License-Identifier: MIT */
/* Who is short of memory besides a pool's own clients: everybody, as the kernel
 * tells (watch/psi.h), or another pool of ours. The pools are pressed while
 * that lasts; the balance does the rest. And what the machine gains and loses
 * while slabd runs (watch/uevent.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/follow.h"
#include "daemon/watch/uevent.h"
#include "daemon/base/log.h"
#include "daemon/watch/psi.h"
#include "daemon/serve/server.h"

#define LOOK_PAGES 64u /* at one time, for those that the kernel moved */

struct watched {
	struct psi *pressure; /* NULL: no pool wants it */
	unsigned stall_ms;         /* it was opened with */
	struct event *over;        /* a shortage between pools is */
	/* Another pool lacks pages of a node. */
	struct psi_state scarce[CONFIG_POOLS_MAX][NODES_MAX];
	struct uevent *hotplug; /* NULL: simulated nodes, or no right */
	struct event *look;      /* there are more pages to look at */
	unsigned pool;           /* in which, and from where on */
	uint64_t page;
	struct topo was, now;
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- pressing ----------------------------------------------------------- */

static const char *const names[] = {
	[PLAN_CALM] = "calm", [PLAN_SOME] = "some", [PLAN_FULL] = "full",
};

/* The level that holds for a node of a pool; when it ends by itself in left. */
static enum plan_pressure level_of(const struct server *server, unsigned ix,
                                     uint32_t node, int *left)
{
	const struct watched *w = server->watched;
	enum plan_pressure scarce =
		psi_at(&w->scarce[ix][node], now_ms(), left);
	enum plan_pressure all = PLAN_CALM;
	if (w->pressure != NULL &&
	    balance_config(&server->pools[ix])->pressure_ms > 0)
		all = psi_level(w->pressure);
	return scarce > all ? scarce : all;
}

/* Tells the balance; whether anything got worse. */
static bool press_node(struct server *server, unsigned ix, uint32_t node,
                       int *next)
{
	struct pool *pool = &server->pools[ix];
	enum plan_pressure was = balance_pressure(pool, node);
	int left;
	enum plan_pressure is = level_of(server, ix, node, &left);
	if (left >= 0 && (*next < 0 || left < *next))
		*next = left;
	if (is != was)
		balance_press(pool, node, is);
	return is > was;
}

static void press(struct server *server)
{
	struct timeval tv;
	bool worse = false;
	int next = -1;
	for (unsigned i = 0; i < server->n_pools; i++)
		for (uint32_t node = 0; node < server->topo->n_nodes; node++)
			worse |= press_node(server, i, node, &next);
	if (next >= 0) {
		tv = (struct timeval){.tv_sec = next / 1000,
		                      .tv_usec = next % 1000 * 1000};
		evtimer_add(server->watched->over, &tv);
	}
	if (worse)
		duty_soon(server, 0);
}

static void on_pressure(void *arg, enum plan_pressure level)
{
	log_info("memory pressure: %s", names[level]);
	press(arg);
}

static void on_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	press(arg);
}

/* ---- between pools ------------------------------------------------------ */

/* It could have had more pages of the node, had there been any. */
static bool lacks_pages(const struct pool *pool, uint32_t node)
{
	return pool->view.nodes[node].drain == 0 &&
	       pool->pages.node[node].pages < pages_size(&pool->pages, node);
}

void machine_denied(struct server *server, const struct pool *pool,
                    const struct unmet *unmet)
{
	int64_t until = now_ms() + PSI_STAYS_MS;
	if (server->n_pools < 2)
		return;
	for (uint32_t i = 0; i < unmet->n; i++) {
		uint32_t node = unmet->want[i].node;
		if (!lacks_pages(pool, node))
			continue;
		for (unsigned k = 0; k < server->n_pools; k++)
			if (&server->pools[k] != pool)
				psi_note(
				        &server->watched->scarce[k][node],
				        PLAN_SOME, until);
	}
	press(server);
}

/* ---- settings ----------------------------------------------------------- */

/* The triggers go off for the pool that wants to know earliest. */
static unsigned least_stall(const struct server *server)
{
	unsigned least = 0;
	for (unsigned i = 0; i < server->n_pools; i++) {
		unsigned ms = balance_config(&server->pools[i])->pressure_ms;
		if (ms > 0 && (least == 0 || ms < least))
			least = ms;
	}
	return least;
}

static int watch_pressure(struct server *server)
{
	struct watched *w = server->watched;
	struct psi_places places;
	struct psi_request want = {.base = server->base,
	                                .places = &places,
	                                .stall_ms = least_stall(server),
	                                .changed = on_pressure,
	                                .arg = server};
	if (want.stall_ms == w->stall_ms)
		return 0;
	psi_close(w->pressure);
	w->pressure = NULL;
	w->stall_ms = want.stall_ms;
	if (want.stall_ms == 0)
		return 0;
	psi_find(&places);
	return psi_open(&w->pressure, &want);
}

void machine_configure(struct server *server)
{
	int r;
	if (server->watched == NULL)
		return;
	r = watch_pressure(server);
	if (r < 0)
		log_error("memory pressure is not watched any longer: %s; "
		          "restart slabd once there is more",
		          strerrordesc_np(-r));
	press(server);
}

bool machine_state(const struct server *server, const char **reason,
                        const char **remedy)
{
	const struct watched *w = server->watched;
	*reason = *remedy = "";
	if (w == NULL || w->pressure == NULL)
		return false;
	*reason = psi_reason(w->pressure);
	*remedy = psi_remedy(w->pressure);
	return true;
}

/* ---- hotplug ------------------------------------------------------------ */

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct watched *w = server->watched;
	struct timeval soon = {.tv_usec = 1000};
	(void)fd;
	(void)what;
	if (w->pool < server->n_pools &&
	    !follow_pages(&server->pools[w->pool], &w->page,
	                          LOOK_PAGES)) {
		w->pool++;
		w->page = 0;
	}
	if (w->pool < server->n_pools)
		evtimer_add(w->look, &soon);
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
static void on_hotplug(void *arg, unsigned what)
{
	struct server *server = arg;
	struct watched *w = server->watched;
	int r = topo_load(&w->now, NULL);
	if (r < 0) {
		log_error("the machine has changed, and how can't be read: %s",
		          w->now.error);
		return;
	}
	log_debug("the machine has changed: %s%s",
	          what & UEVENT_CPUS ? "CPUs " : "",
	          what & UEVENT_MEMORY ? "memory" : "");
	say_gone(&w->was, &w->now);
	w->was = w->now;
	for (unsigned i = 0; i < server->n_pools; i++)
		follow_nodes(&server->pools[i], &w->now);
	if ((what & UEVENT_MEMORY) == 0)
		return;
	w->pool = 0;
	w->page = 0;
	event_active(w->look, EV_TIMEOUT, 0);
}

static int watch_machine(struct server *server)
{
	struct watched *w = server->watched;
	struct uevent_request want = {
		.base = server->base, .changed = on_hotplug, .arg = server};
	int r;
	/* A pool that was taken over may have been made with other CPUs. */
	for (unsigned i = 0; i < server->n_pools; i++)
		follow_nodes(&server->pools[i], server->topo);
	if (server->topo->simulated)
		return 0;
	w->was = *server->topo;
	w->look = evtimer_new(server->base, on_look, server);
	if (w->look == NULL)
		return -ENOMEM;
	r = uevent_open(&w->hotplug, &want);
	if (r < 0)
		log_info("CPUs and memory that come or go are not followed: no "
		         "netlink socket: %s; to repair it: let AF_NETLINK be "
		         "among RestrictAddressFamilies= of slabd.service",
		         strerrordesc_np(-r));
	return 0;
}

int machine_open(struct server *server)
{
	struct watched *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	server->watched = w;
	w->over = evtimer_new(server->base, on_over, server);
	if (w->over == NULL)
		return -ENOMEM;
	return watch_machine(server) < 0 ? -ENOMEM : watch_pressure(server);
}

void machine_close(struct server *server)
{
	struct watched *w = server->watched;
	if (w == NULL)
		return;
	psi_close(w->pressure);
	uevent_close(w->hotplug);
	if (w->look != NULL)
		event_free(w->look);
	if (w->over != NULL)
		event_free(w->over);
	free(w);
	server->watched = NULL;
}
