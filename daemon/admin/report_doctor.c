/* SPDX-License-Identifier: MIT */
/*
 * What is wrong, in order of urgency, each with what to do: nothing in it is
 * counted here, it is what the other documents say, judged.
 *
 *   now   somebody is refused something, or memory is nobody's
 *   soon  it will be so, or all of it runs slower than it could
 *   note  so that nobody wonders
 */
#include "daemon/admin/report.h"
#include "daemon/admin/reports.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/balance/denied.h"
#include "daemon/base/proc.h"
#include "daemon/pool/arenas.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/waiting.h"
#include "daemon/serve/fits.h"
#include "daemon/serve/guardian.h"
#include "daemon/serve/machine.h"
#include "daemon/serve/peer.h"
#include "daemon/serve/reload.h"
#include "numa/cgroup.h"

#define FULL_PERCENT 95u
#define HELD_PERCENT 25u
#define HELD_LEAST (UINT64_C(16) << 20)
#define REMOTE_PERCENT 10u
#define REMOTE_LEAST 10000u /* objects taken from slabs, to judge a client by */
#define LIMIT_PERCENT 90u
#define STOPPED_LOOKS 128u /* in /proc */
#define CLIENTS_MAX 16u /* named, of each kind */

enum urgency { NOW, SOON, NOTE, URGENCIES };

static const char *const urgencies[URGENCIES] = {"now", "soon", "note"};

/* Of a pool, or NULL; of a node by the kernel's id, or -1. */
__attribute__((format(printf, 6, 7))) static void
find(json_t **list, enum urgency urgency, const char *pool, int node,
     const char *todo, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_append(list,
	              json_pack("{s:s, s:o, s:o, s:o, s:o}", "urgency",
	                        urgencies[urgency], "pool",
	                        pool != NULL ? report_text(pool) : json_null(),
	                        "node",
	                        node >= 0 ? json_integer(node) : json_null(),
	                        "what", report_text(text), "todo",
	                        report_text(todo)));
}

/* ---- a pool's nodes ------------------------------------------------------- */

/* Clients are refused memory: each reason once, with the first cache. */
static void find_denied(json_t **list, const struct pool *pool, uint32_t node)
{
	bool said[PLAN_NO_REASON + 1] = {false};
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		enum plan_reason why = denied_why(pool, cache, node);
		const char *todo;
		if (why == PLAN_NO_REASON || said[why])
			continue;
		said[why] = true;
		todo = denied_remedy(pool, why);
		find(list, NOW, pool->name, pool->view.nodes[node].os_id,
		     todo[0] != '\0' ? todo : "slabctl plan tells what would help",
		     "clients get no memory for cache %.*s: %s",
		     (int)NAME_BYTES, pool->view.caches[cache - 1].name,
		     plan_reason_text(why));
	}
}

static void find_backing(json_t **list, const struct pool *pool, uint32_t node)
{
	const struct backing_node *backing = &pool->backing.node[node];
	if (backing->lack != BACKING_LACK_NONE)
		find(list, SOON, pool->name, pool->view.nodes[node].os_id,
		     backing->remedy, "it does not grow: %s", backing->reason);
	else if (backing->reason[0] != '\0')
		find(list, SOON, pool->name, pool->view.nodes[node].os_id,
		     backing->remedy, "its memory is in %s pages: %s",
		     backing_kind_name(backing->kind), backing->reason);
}

static void find_of_node(json_t **list, const struct pool *pool, uint32_t node)
{
	const struct layout_node *row = &pool->view.nodes[node];
	find_denied(list, pool, node);
	find_backing(list, pool, node);
	if (row->drain != 0 && row->resident_pages > 0)
		find(list, NOTE, pool->name, row->os_id,
		     "slabctl nodes names who holds what there",
		     "it is being emptied, and %llu KiB are there still",
		     (unsigned long long)row->resident_pages
		             << pool->view.geo.page_shift >> 10);
	if (pool->offline[node])
		find(list, NOTE, pool->name, row->os_id,
		     "bring its memory online again, or drain it",
		     "the kernel took its memory offline");
}

/* ---- a pool's clients ----------------------------------------------------- */

static bool is_far(const struct pool *pool, uint32_t id, unsigned *percent)
{
	uint64_t all = report_stat(pool, id, STAT_REFILLED);
	uint64_t far = report_stat(pool, id, STAT_REMOTE_ALLOCS);
	if (all < REMOTE_LEAST || far > all || far / (all / 100) < REMOTE_PERCENT)
		return false;
	*percent = (unsigned)(far / (all / 100));
	return true;
}

/* What it holds free is asked of it, in vain: others than those that did not answer
 * need no look, and of these so many that it takes no time. */
static bool is_stopped(const struct pool *pool, uint32_t id,
                       const struct usage *usage, unsigned *looks)
{
	int32_t pid = pool->view.clients[id].pid;
	if (usage->client[id].known || usage->owners->bytes[id] == 0 || pid <= 0)
		return false;
	return (*looks)++ < STOPPED_LOOKS && proc_is_stopped(pid);
}

static void find_stopped(json_t **list, const struct pool *pool, uint32_t id,
                         const struct usage *usage)
{
	const struct layout_client *row = &pool->view.clients[id];
	char todo[64];
	snprintf(todo, sizeof(todo), "kill -CONT %d, or end it", row->pid);
	find(list, SOON, pool->name, -1, todo,
	     "client %u (pid %d, %.16s) is stopped, and owns %llu KiB, of which "
	     "nobody can have what it does not use", id, row->pid, row->comm,
	     (unsigned long long)usage->owners->bytes[id] >> 10);
}

/* A client wrote these counts itself: nothing comes of them but the words. */
static void find_of_clients(json_t **list, struct server *server,
                            const struct pool *pool, const struct usage *usage)
{
	unsigned n_far = 0;
	unsigned n_lost = 0;
	unsigned n_stopped = 0;
	unsigned looks = 0;
	for (uint32_t id = 1; id <= pool->head->top_id; id++) {
		const struct layout_client *row = &pool->view.clients[id];
		char todo[96];
		unsigned percent;
		if (!view_client_live(&pool->view, id))
			continue;
		if (is_far(pool, id, &percent) && n_far++ < CLIENTS_MAX)
			find(list, SOON, pool->name, -1,
			     "run it on the nodes that have memory to spare "
			     "(slabctl nodes), or raise max",
			     "client %u (pid %d, %.16s) gets %u %% of its objects "
			     "from other nodes", id, row->pid, row->comm, percent);
		if (is_stopped(pool, id, usage, &looks) &&
		    n_stopped++ < CLIENTS_MAX)
			find_stopped(list, pool, id, usage);
		if (peer_connected(server, pool, id) || n_lost++ >= CLIENTS_MAX)
			continue;
		if (clients_is_banned(pool, id))
			snprintf(todo, sizeof(todo), "end it: kill %d", row->pid);
		else
			snprintf(todo, sizeof(todo),
			         "end it, or slabctl evict %u", id);
		find(list, SOON, pool->name, -1, todo,
		     "client %u (pid %d, %.16s) %s", id, row->pid, row->comm,
		     clients_is_banned(pool, id)
		             ? "is shut out, by slabctl evict or for a fault, "
		               "and has what it has until it ends"
		             : "lost its connection: slabd can't ask for what "
		               "it holds");
	}
}

/* ---- a pool's arenas ------------------------------------------------------- */

static void find_overdue(struct report_job *job, const struct pool *pool,
                         const struct usage_slab *slab)
{
	struct arena_seen seen;
	uint32_t at = 0;
	while (arenas_next(pool, slab, &at, &seen)) {
		char text[480];
		if (!arenas_is_overdue(pool, &seen.live) ||
		    job->total++ >= CLIENTS_MAX)
			continue;
		arenas_text(pool, &seen, text, sizeof(text));
		find(&job->items, SOON, pool->name, -1, arenas_remedy(), "%s", text);
	}
}

/* Those that nobody resets are in r->job->items. In slices: false until the
 * last. */
static bool find_arenas(struct report *r, struct pool *pool)
{
	struct report_job *job = r->job;
	struct usage_slab slab;
	if (!report_slice(r))
		return false;
	for (; arenas_is_watched(pool) && usage_next(pool, job->at, &slab);
	     job->at = slab.head +
	               (1u << pool->view.caches[slab.cache - 1].order)) {
		job->at = slab.head;
		if (report_slice_ends(r))
			return false;
		find_overdue(job, pool, &slab);
	}
	job->total = 0;
	return true;
}

/* ---- a pool ---------------------------------------------------------------- */

/* Who has most in use. */
static uint32_t largest(const struct pool *pool, const struct usage *usage)
{
	uint32_t most = 0;
	for (uint32_t id = 1; id <= pool->head->top_id; id++)
		if (most == 0 ||
		    usage->owners->bytes[id] > usage->owners->bytes[most])
			most = id;
	return most;
}

static void find_full(json_t **list, const struct pool *pool,
                      const struct usage *usage, const struct report_sums *sums)
{
	uint64_t max = pool->view.geo.n_units << UNIT_SHIFT;
	uint32_t id = largest(pool, usage);
	char whose[64];
	if (sums->used_bytes + sums->held_bytes < max / 100 * FULL_PERCENT ||
	    id == 0)
		return;
	if (view_client_live(&pool->view, id))
		snprintf(whose, sizeof(whose), "client %u (pid %d, %.16s)", id,
		         pool->view.clients[id].pid, pool->view.clients[id].comm);
	else
		snprintf(whose, sizeof(whose), "a root or a channel, id %u", id);
	find(list, SOON, pool->name, -1,
	     "slabctl clients tells who holds how much; or raise max in "
	     "slabd.conf, end the clients, then stop slabd and start it",
	     "%llu %% of its max of %llu MiB are in use, %llu %% by %s",
	     (unsigned long long)((sums->used_bytes + sums->held_bytes) /
	                          (max / 100)),
	     (unsigned long long)max >> 20,
	     (unsigned long long)(usage->owners->bytes[id] / (max / 100)),
	     whose);
}

static void find_taken(json_t **list, const struct pool *pool)
{
	json_t *bounds = report_bounds(pool);
	char text[REPORT_TAKEN_BYTES];
	size_t at = 0;
	while (report_next_taken(pool, bounds, &at, text))
		find(list, SOON, pool->name, -1, report_taken_remedy, "%s", text);
	json_decref(bounds);
}

static void find_held(json_t **list, const struct pool *pool,
                      const struct report_sums *sums)
{
	uint64_t all = sums->used_bytes + sums->held_bytes;
	if (sums->held_bytes < HELD_LEAST ||
	    sums->held_bytes < all / 100 * HELD_PERCENT)
		return;
	find(list, SOON, pool->name, -1,
	     "slabctl trim asks for it now; threads that call "
	     "slabd_thread_idle before they sleep let slabd have it at any time",
	     "%llu MiB are free in clients' magazines and depots, and no other "
	     "client can have them", (unsigned long long)sums->held_bytes >> 20);
}

/* Where nobody has what is to outlive it, it does not. */
static const char *restart_todo(void)
{
	if (guardian_pid() > 0 || guardian_keeps())
		return "restart slabd, which clients do not notice";
	return "restart slabd once its clients have ended: nobody keeps its "
	       "pools, which end with it";
}

static void find_waiting(json_t **list, const struct pool *pool)
{
	struct waiting waiting[WAITING_MAX];
	unsigned n = waiting_list(pool, waiting);
	for (unsigned i = 0; i < n; i++)
		find(list, SOON, pool->name, -1,
		     waiting[i].restart ? restart_todo()
		                        : "end its clients, then stop slabd and "
		                          "start it",
		     "%s = %s in slabd.conf waits for a %s: this one goes on "
		     "with %s", waiting[i].key, waiting[i].file,
		     waiting[i].restart ? "start of slabd" : "pool made anew",
		     waiting[i].running);
	if (pool->config->leaving)
		find(list, NOTE, pool->name, -1,
		     "end its clients, or put it back into slabd.conf",
		     "it is no longer in slabd.conf: it ends with its last "
		     "client, and takes no new ones");
}

static json_t *of_pool(struct report *r, struct pool *pool)
{
	const struct usage *usage;
	struct report_sums sums = {0};
	json_t *list;
	if (!find_arenas(r, pool))
		return NULL;
	list = report_items(r);
	usage = report_usage(r, pool);
	if (usage == NULL) {
		json_decref(list);
		return NULL;
	}
	report_sum_all(pool, usage, &sums);
	if (pool->head->aside != 0)
		find(&list, NOW, pool->name, -1,
		     "end its clients: slabctl clients lists them",
		     "it is set aside, as a client took memory of its owner tags "
		     "away: it takes no clients until its own have ended");
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		find_of_node(&list, pool, node);
	find_full(&list, pool, usage, &sums);
	find_taken(&list, pool);
	find_held(&list, pool, &sums);
	find_of_clients(&list, r->server, pool, usage);
	find_waiting(&list, pool);
	return json_pack("{s:o}", "findings", list);
}

/* ---- the machine ----------------------------------------------------------- */

static void find_supervisor(json_t **list)
{
	int32_t pid = guardian_pid();
	if (pid < 0)
		find(list, NOW, NULL, -1,
		     "start slabd --supervise with the same --socket and "
		     "--control: it takes the place",
		     "slabd's supervisor is gone: nobody would start slabd "
		     "again, and nothing of its memory is kept");
	else if (pid == 0 && !guardian_keeps())
		find(list, SOON, NULL, -1,
		     "run it under systemd with slabd.service, or as slabd "
		     "--supervise",
		     "nobody supervises slabd: if it dies its pools end with "
		     "it, and clients keep what they have until they end");
}

/* Pools that slabds before this one have left. */
static void find_left(json_t **list, const struct server *server)
{
	unsigned n;
	const struct orphan *orphan = machine_orphans(server, &n);
	for (unsigned i = 0; i < server->n_left; i++)
		find(list, NOW, server->left[i], -1,
		     "slabd's log says why at its start: journalctl -u slabd",
		     "it could not be taken over, and is left as it was");
	for (unsigned i = 0; i < n; i++)
		find(list, SOON, orphan[i].pool, -1,
		     "end them: slabctl status lists them",
		     "a slabd that is gone left it: %llu MiB stay taken until "
		     "%u process%s mapped end%s, pid %d (%.16s) first",
		     (unsigned long long)orphan[i].bytes >> 20, orphan[i].n_pids,
		     orphan[i].n_pids == 1 ? " that has it" : "es that have it",
		     orphan[i].n_pids == 1 ? "s" : "", orphan[i].pid[0], orphan[i].name[0]);
}

static void find_limit(json_t **list, const char *of, enum cgroup_what what)
{
	struct cgroup_room room;
	uint64_t most;
	cgroup_look(NULL, what, &room);
	if (room.file[0] == '\0')
		return;
	most = room.limit_bytes > room.reserve_bytes
	               ? room.limit_bytes - room.reserve_bytes : 0;
	if (room.used_bytes >= most / 100 * LIMIT_PERCENT)
		find(list, SOON, NULL, -1,
		     "raise the limit (systemctl edit slabd), or lower max",
		     "slabd's control group leaves it %llu MiB of %s, of which "
		     "%llu are in use: %.200s", (unsigned long long)most >> 20,
		     of, (unsigned long long)room.used_bytes >> 20, room.file);
}

/* What slabd.conf says and slabd does not do. */
static void find_config(json_t **list, const struct server *server)
{
	const char *fault = reload_fault();
	struct apply_wait wait;
	unsigned at = 0;
	if (fault != NULL)
		find(list, SOON, NULL, -1,
		     "slabd --check-config names all of them; repair the file, "
		     "then systemctl reload slabd (SIGHUP)",
		     "%s has errors, and slabd goes on with what it ran with "
		     "before%s%s", server->file != NULL ? server->file : "slabd.conf",
		     fault[0] != '\0' ? ": " : ", see its log", fault);
	while (reload_next_wait(&at, &wait)) {
		const char *todo = restart_todo();
		if (wait.of_pool != NULL)
			find(list, SOON, NULL, -1, todo,
			     "%s is %s in slabd.conf, which waits for a start "
			     "of slabd", wait.what, wait.of_pool);
		else
			find(list, SOON, NULL, -1, todo,
			     "%s = %s in slabd.conf waits for a start of slabd: "
			     "this one goes on with %s", wait.what, wait.file,
			     wait.running);
	}
}

/* What the machine may turn out to lack. */
static void find_fits(json_t **list, const struct server *server)
{
	struct fits_lacks lacks = {.n = 0};
	fits_look(server->config, server->topo, &lacks);
	for (unsigned i = 0; i < lacks.n; i++)
		find(list, NOTE, NULL, -1, lacks.lack[i].todo, "%s",
		     lacks.lack[i].what);
}

static json_t *of_machine(const struct report *r)
{
	const struct remedy *lack = machine_lack(r->server);
	json_t *list = json_array();
	find_supervisor(&list);
	find_left(&list, r->server);
	find_config(&list, r->server);
	find_fits(&list, r->server);
	find_limit(&list, "memory", CGROUP_MEMORY);
	find_limit(&list, "2 MiB hugepages", CGROUP_HUGE_2M);
	find_limit(&list, "1 GiB hugepages", CGROUP_HUGE_1G);
	if (r->server->kernel == PLAN_FULL)
		find(&list, SOON, NULL, -1,
		     "end or shrink what takes memory; slabctl trim gives back "
		     "what pools don't need",
		     "the kernel is very short of memory: pools grow by free "
		     "hugepages alone");
	if (lack != NULL && lack->what[0] != '\0')
		find(&list, NOTE, NULL, -1, lack->todo,
		     "the kernel's shortage of memory can't be watched: %s",
		     lack->what);
	return list;
}

/* ---- in order -------------------------------------------------------------- */

static void add_urgent(json_t **to, const json_t *from, const char *urgency)
{
	size_t i;
	json_t *finding;
	json_array_foreach(from, i, finding)
		if (strcmp(json_string_value(json_object_get(finding, "urgency")),
		           urgency) == 0)
			report_append(to, json_incref(finding));
}

static json_t *in_order(const json_t *machine, const json_t *pools)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < URGENCIES; i++) {
		size_t k;
		json_t *pool;
		json_array_foreach(pools, k, pool)
			add_urgent(&list, json_object_get(pool, "findings"),
			           urgencies[i]);
		add_urgent(&list, machine, urgencies[i]);
	}
	return list;
}

json_t *report_doctor(struct report *r)
{
	json_t *pools = report_list(r, of_pool);
	json_t *machine;
	json_t *doc = NULL;
	if (pools == NULL)
		return NULL;
	machine = of_machine(r);
	if (machine != NULL)
		doc = json_pack("{s:o}", "findings", in_order(machine, pools));
	json_decref(machine);
	json_decref(pools);
	return doc;
}
