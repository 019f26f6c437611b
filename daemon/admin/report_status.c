/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/turn.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/waiting.h"
#include "daemon/serve/guardian.h"
#include "daemon/serve/machine.h"
#include "daemon/serve/reload.h"
#include "numa/cgroup.h"

static uint64_t resident_bytes(int fd)
{
	struct stat st;
	return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

uint64_t report_metadata_bytes(const struct pool *pool)
{
	return resident_bytes(pool->control_fd) +
	       resident_bytes(pool->shared_fd);
}

static json_int_t ready_bytes(const struct pool *pool)
{
	uint64_t pages = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		pages += pool->view.nodes[node].resident_pages;
	return report_page_bytes(pool, pages);
}

/* What has happened since the start. */
static const struct report_field counts[] = {
	REPORT_FIELD(pool_counts, deaths),
	REPORT_FIELD(pool_counts, swept_objects),
	REPORT_FIELD(pool_counts, rings),
	REPORT_FIELD(pool_counts, grown_slabs),
	REPORT_FIELD(pool_counts, taken_slabs),
	REPORT_FIELD(pool_counts, denied),
	REPORT_FIELD(pool_counts, ended_caches),
	REPORT_FIELD(pool_counts, given_back_bytes),
	REPORT_FIELD(pool_counts, refilled_bytes),
	REPORT_FIELD(pool_counts, stray_pages),
	REPORT_FIELD(pool_counts, swept_granules),
	REPORT_FIELD(pool_counts, sweep_slices),
};

json_t *report_waiting(const struct waiting *waiting, unsigned n)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < n; i++)
		report_append(&list, json_pack("{s:s, s:o, s:o, s:b}", "key",
		                               waiting[i].key, "configured",
		                               report_text(waiting[i].file),
		                               "running",
		                               report_text(waiting[i].running),
		                               "restart",
		                               waiting[i].restart));
	return list;
}

static json_t *waiting_doc(const struct pool *pool)
{
	struct waiting waiting[WAITING_MAX];
	return report_waiting(waiting, waiting_list(pool, waiting));
}

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	struct report_sums sums = {0};
	const struct usage *usage = report_usage(r, pool);
	json_t *doc;
	if (usage == NULL)
		return NULL;
	report_sum_all(pool, usage, &sums);
	doc = json_pack(
	        "{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:b, s:b, "
	        "s:o}",
	        "nodes",
	        geo->n_nodes, "page_bytes", report_page_bytes(pool, 1),
	        "max_bytes", report_count(geo->n_units << UNIT_SHIFT),
	        "ready_bytes", ready_bytes(pool), "carved_bytes",
	        sums.carved_bytes, "used_bytes", sums.used_bytes, "held_bytes",
	        sums.held_bytes, "held_unknown", report_count(usage->unknown),
	        "free_bytes", sums.free_bytes, "metadata_bytes",
	        report_count(report_metadata_bytes(pool)),
	        "caches", caches_count(pool), "clients", pool->n_clients,
	        "aside", pool->head->aside != 0,
	        "leaving", pool->config->leaving, "waiting", waiting_doc(pool));
	return report_fields(doc, &pool->counts, counts,
	                     sizeof(counts) / sizeof(counts[0]));
}

/* Why the node did not get better pages at the start: what hinders 2 MiB pages
 * is of most use to an operator. NULL if it got the best. */
static const struct backing_step *start_step(const struct backing *backing,
                                             uint32_t node)
{
	const struct backing_step *best = NULL;
	for (unsigned i = 0; i < backing->n_steps; i++) {
		const struct backing_step *step = &backing->steps[i];
		if (step->node_ix == node &&
		    (best == NULL || step->kind == BACKING_2M))
			best = step;
	}
	return best;
}

static json_t *startup_line(const struct pool *pool, uint32_t node)
{
	const struct backing_node *backing = &pool->backing.node[node];
	const struct backing_step *step = start_step(&pool->backing, node);
	return json_pack("{s:o, s:i, s:s, s:I, s:f, s:o, s:o}", "pool",
	                 report_text(pool->name), "node",
	                 pool->view.nodes[node].os_id, "backing",
	                 backing_kind_name(backing->kind), "pages",
	                 report_count(pool->start_pages[node]), "ms",
	                 (double)backing->populate_ns / 1e6, "reason",
	                 report_text(step ? step->reason : ""), "remedy",
	                 report_text(step ? step->remedy : ""));
}

static json_t *startup_doc(const struct report *r)
{
	json_t *lines = json_array();
	for (unsigned i = 0; i < r->n; i++)
		for (uint32_t k = 0; k < r->pool[i]->view.geo.n_nodes; k++)
			report_append(&lines, startup_line(r->pool[i], k));
	return lines;
}

static const char *drop_name(unsigned i)
{
	return drops_name((enum drop)i);
}

/* Whether the kernel's shortage of memory is known. */
static json_t *pressure_doc(const struct server *server)
{
	const struct remedy *lack = machine_lack(server);
	return json_pack("{s:b, s:o, s:o}", "watched", lack != NULL, "reason",
	                 report_text(lack ? lack->what : ""), "remedy",
	                 report_text(lack ? lack->todo : ""));
}

/* The control group that leaves slabd least of something, nothing without. */
static void add_limit(json_t **list, const char *of, enum cgroup_what what)
{
	struct cgroup_room room;
	cgroup_look(NULL, what, &room);
	if (room.file[0] != '\0')
		report_append(list,
		              json_pack("{s:s, s:o, s:I, s:I, s:I}", "of", of,
		                        "file", report_text(room.file),
		                        "limit_bytes",
		                        report_count(room.limit_bytes),
		                        "used_bytes",
		                        report_count(room.used_bytes),
		                        "reserve_bytes",
		                        report_count(room.reserve_bytes)));
}

static json_t *limits_doc(void)
{
	json_t *list = json_array();
	add_limit(&list, "memory", CGROUP_MEMORY);
	add_limit(&list, "2 MiB hugepages", CGROUP_HUGE_2M);
	add_limit(&list, "1 GiB hugepages", CGROUP_HUGE_1G);
	return list;
}

static json_t *orphan_doc(const struct orphan *orphan)
{
	unsigned n = orphan->n_pids < ORPHANS_PIDS ? orphan->n_pids
	                                           : ORPHANS_PIDS;
	json_t *pids = json_array();
	for (unsigned i = 0; i < n; i++)
		report_append(&pids, json_pack("{s:i, s:o}", "pid",
		                               (int)orphan->pid[i], "name",
		                               report_text(orphan->name[i])));
	return json_pack("{s:o, s:I, s:i, s:o}", "pool",
	                 report_text(orphan->pool), "bytes",
	                 report_count(orphan->bytes), "processes",
	                 (int)orphan->n_pids, "pids", pids);
}

/* Pools of slabds that are gone, which live on in processes. */
static json_t *orphans_doc(const struct server *server)
{
	unsigned n;
	const struct orphan *found = machine_orphans(server, &n);
	json_t *list = json_array();
	for (unsigned i = 0; i < n; i++)
		report_append(&list, orphan_doc(&found[i]));
	return list;
}

/* Pools that could not be taken over, and are left as they were. */
static json_t *left_doc(const struct server *server)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < server->n_left; i++)
		report_append(&list, report_text(server->left[i]));
	return list;
}

/* What is configured and not in force, of all pools: an error of slabd.conf, null
 * without; and what waits for a restart. */
static json_t *config_doc(void)
{
	const char *fault = reload_fault();
	json_t *list = json_array();
	struct apply_wait wait;
	unsigned at = 0;
	while (reload_next_wait(&at, &wait))
		report_append(&list,
		              json_pack("{s:o, s:o, s:o, s:o}", "what",
		                        report_text(wait.what), "pool",
		                        wait.of_pool != NULL
		                                ? report_text(wait.of_pool)
		                                : json_null(),
		                        "configured", report_text(wait.file),
		                        "running", report_text(wait.running)));
	return json_pack("{s:o, s:o}", "fault",
	                 fault != NULL ? report_text(fault) : json_null(),
	                 "waiting", list);
}

/* Those that anything fell into: what they are below, and how many. */
static json_t *buckets_doc(const struct turns *t)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < TURN_BUCKETS; i++)
		if (t->bucket[i] > 0)
			report_append(&list,
			              json_pack("[I, I]",
			                        report_count(turn_below_us(i)),
			                        report_count(t->bucket[i])));
	return list;
}

static json_int_t us_of(int64_t ns)
{
	return ns < 0 ? 0 : ns / CLOCK_US;
}

/* Counts know a turn's time within an eighth: none took longer than the longest. */
static json_int_t quantile_us(const struct turns *t, uint64_t ppm)
{
	json_int_t us = report_count(turn_quantile_us(t, ppm));
	return us < us_of(t->longest_ns) ? us : us_of(t->longest_ns);
}

/* How long nobody was served, while the loop had something to do. */
static json_t *turns_doc(const struct server *server)
{
	const struct turns *t = turn_counts();
	int64_t at_ns = t->longest_at_ns - server->started_ns;
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:f, s:I, s:I, s:o}",
		"count", report_count(t->count), "total_us", us_of(t->total_ns),
		"p50_us", quantile_us(t, 500000), "p99_us",
		quantile_us(t, 990000), "p999_us",
		quantile_us(t, 999000), "longest_us",
		us_of(t->longest_ns), "longest_what", t->longest_what,
		"longest_part_us", us_of(t->longest_part_ns), "longest_at_s",
		at_ns > 0 ? (double)at_ns / CLOCK_S : 0.0, "silent_us",
		us_of(t->silent_ns), "waited_us", us_of(t->waited_ns),
		"buckets", buckets_doc(t));
}

/* Its number, 0 where it is lost; null: slabd has none. */
static json_t *supervisor_doc(void)
{
	int32_t pid = guardian_pid();
	return pid == 0 ? json_null() : json_integer(pid > 0 ? pid : 0);
}

json_t *report_status(struct report *r)
{
	const struct server *server = r->server;
	double uptime = (double)(clock_ns() - server->started_ns) / CLOCK_S;
	return json_pack("{s:s, s:i, s:i, s:f, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	                 "version",
	                 PACKAGE_VERSION, "layout_version", LAYOUT_VERSION,
	                 "pid", getpid(), "uptime_s", uptime, "dropped",
	                 report_numbers(server->drops.count, DROPS, drop_name),
	                 "slowed", report_count(server->slowed), "supervisor",
	                 supervisor_doc(),
	                 "pressure", pressure_doc(server), "limits",
	                 limits_doc(), "orphans", orphans_doc(server), "left",
	                 left_doc(server), "config", config_doc(), "turns", turns_doc(server), "pools",
	                 report_list(r, pool_doc), "startup", startup_doc(r));
}
