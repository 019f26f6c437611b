/* SPDX-License-Identifier: MIT */
#include "daemon/serve/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/balance/balance.h"
#include "daemon/balance/follow.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/serve/duty.h"
#include "daemon/watch/psi.h"
#include "daemon/watch/uevent.h"
#include "daemon/watch/wake.h"

#define ORPHANS_AGE_NS (2 * CLOCK_S)
#define LOOK_PAGES 64u /* at one time, for those that the kernel moved */

struct machine {
	struct uevent *uevent; /* NULL: simulated nodes, or no right */
	struct event *look;    /* there are more pages to look at */
	unsigned pool;         /* in which, and from where on */
	uint64_t page;
	struct topo was, now;
	struct psi *psi;   /* NULL: no pool wants it */
	unsigned stall_ms; /* it was opened with */
	struct orphans *orphans;
	bool said_orphans;
};

static void on_look(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	struct machine *m = server->machine;
	if (m->pool < server->n_pools &&
	    !follow_pages(&server->pools[m->pool], &m->page, LOOK_PAGES)) {
		m->pool++;
		m->page = 0;
	}
	if (m->pool < server->n_pools)
		wake_set(m->look, CLOCK_MS);
	else
		duty_soon(server, 0);
}

/* At all pages, for those that the kernel moved. */
static void look_for_strays(struct server *server)
{
	struct machine *m = server->machine;
	m->pool = 0;
	m->page = 0;
	wake_set(m->look, 0);
}

static bool is_taken_over(const struct server *server)
{
	bool any = false;
	for (unsigned i = 0; i < server->n_pools; i++)
		any |= server->pools[i].adopted;
	return any;
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
		if (follow_nodes(&server->pools[i], &m->now) != FOLLOW_NOTHING)
			duty_soon(server, 0);
	if (what & UEVENT_MEMORY)
		look_for_strays(server);
}

static void watch_nodes(struct server *server)
{
	int r = uevent_open(&server->machine->uevent, server->base, on_change,
	                    server);
	if (r < 0)
		log_info("CPUs and memory that come or go are not followed: no "
		         "netlink socket: %s; to repair it: let AF_NETLINK be "
		         "among RestrictAddressFamilies= of slabd.service",
		         strerrordesc_np(-r));
}

static void on_pressure(void *arg, enum plan_pressure level)
{
	static const char *const names[] = {
		[PLAN_CALM] = "calm: pools grow as before",
		[PLAN_SOME] = "some: who wants memory waits for it; what pools "
			      "don't need goes back, step by step",
		[PLAN_FULL] = "full: all who want memory wait for it; what pools "
			      "don't need goes back at once, and they grow by free "
			      "hugepages alone",
	};
	struct server *server = arg;
	log_info("memory pressure: %s", names[level]);
	server->kernel = level;
	duty_settle_levels(server);
}

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
	struct machine *m = server->machine;
	struct psi_places places;
	struct psi_request want = {.base = server->base,
	                           .places = &places,
	                           .stall_ms = least_stall(server),
	                           .changed = on_pressure,
	                           .arg = server};
	if (want.stall_ms == m->stall_ms)
		return 0;
	psi_close(m->psi);
	m->psi = NULL;
	m->stall_ms = want.stall_ms;
	server->kernel = PLAN_CALM;
	if (want.stall_ms == 0)
		return 0;
	psi_find(&places);
	return psi_open(&m->psi, &want);
}

void machine_configure(struct server *server)
{
	int r;
	if (server->machine == NULL)
		return;
	r = watch_pressure(server);
	if (r < 0)
		log_error("memory pressure is not watched any longer: %s; "
		          "restart slabd once there is more",
		          strerrordesc_np(-r));
	duty_settle_levels(server);
}

const struct remedy *machine_lack(const struct server *server)
{
	const struct machine *m = server->machine;
	return m != NULL && m->psi != NULL ? psi_lack(m->psi) : NULL;
}

/* ---- what slabds that are gone left ---------------------------------------- */

static bool is_file(int fd, dev_t dev, ino_t ino)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

static bool is_ours(void *arg, dev_t dev, ino_t ino)
{
	const struct server *server = arg;
	bool ours = false;
	for (unsigned i = 0; i < server->n_pools; i++) {
		const struct pool *pool = &server->pools[i];
		ours |= is_file(pool->control_fd, dev, ino) ||
		        is_file(pool->shared_fd, dev, ino);
		for (unsigned n = 0; n < pool->backing.n_nodes; n++)
			ours |= is_file(pool->backing.node[n].fd, dev, ino);
	}
	return ours;
}

/* Once, after the start. */
static void on_orphans(void *arg)
{
	struct server *server = arg;
	struct machine *m = server->machine;
	unsigned n;
	const struct orphan *found = orphans_found(m->orphans, &n);
	for (unsigned i = 0; !m->said_orphans && i < n; i++)
		log_warn("pool %s: %llu MiB of a slabd that is gone live on in "
		         "%u process%s, such as %d (%s); to have them back: "
		         "end or restart %s, see slabctl status",
		         found[i].pool,
		         (unsigned long long)(found[i].bytes >> 20),
		         found[i].n_pids, found[i].n_pids == 1 ? "" : "es",
		         (int)found[i].pid[0], found[i].name[0],
		         found[i].n_pids == 1 ? "it" : "those");
	m->said_orphans = true;
}

static int look_for_orphans(struct server *server)
{
	struct orphans_request want = {.base = server->base,
	                               .is_ours = is_ours,
	                               .done = on_orphans,
	                               .arg = server};
	int r = orphans_open(&server->machine->orphans, &want);
	if (r == 0)
		orphans_scan(server->machine->orphans, 0);
	return r;
}

const struct orphan *machine_orphans(const struct server *server, unsigned *n)
{
	const struct machine *m = server->machine;
	*n = 0;
	if (m == NULL || m->orphans == NULL)
		return NULL;
	orphans_scan(m->orphans, ORPHANS_AGE_NS);
	return orphans_found(m->orphans, n);
}

int machine_open(struct server *server)
{
	int r;
	struct machine *m = server->machine = calloc(1, sizeof(*m));
	if (m == NULL ||
	    wake_timer(&m->look, server->base, on_look, server) < 0)
		return -ENOMEM;
	m->was = *server->topo;
	/* A pool that was taken over may have been made with other CPUs. */
	for (unsigned i = 0; i < server->n_pools; i++)
		follow_nodes(&server->pools[i], server->topo);
	if (!server->topo->simulated)
		watch_nodes(server);
	/* Nobody was there to hear of memory that came and went. */
	if (!server->topo->simulated && is_taken_over(server))
		look_for_strays(server);
	r = look_for_orphans(server);
	return r == 0 ? watch_pressure(server) : r;
}

void machine_close(struct server *server)
{
	struct machine *m = server->machine;
	if (m == NULL)
		return;
	orphans_close(m->orphans);
	psi_close(m->psi);
	uevent_close(m->uevent);
	wake_free(&m->look);
	free(m);
	server->machine = NULL;
}
