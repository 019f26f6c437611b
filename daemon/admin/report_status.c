/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <event2/http.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t resident_bytes(int fd)
{
	struct stat st;
	return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

static uint64_t ready_bytes(const struct pool *pool)
{
	uint64_t pages = 0;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++)
		pages += pool->view.nodes[node].resident_pages;
	return pages << pool->view.geo.page_shift;
}

/* Gives object what has happened since the start. */
static json_t *with_counts(json_t *object, const struct pool_counts *counts)
{
	json_t *more = json_pack(
	        "{s:I, s:I, s:I, s:I, s:I, s:I}", "deaths",
	        report_count(counts->deaths), "swept_objects",
	        report_count(counts->swept_objects), "rings",
	        report_count(counts->rings), "grown_slabs",
	        report_count(counts->grown_slabs), "taken_slabs",
	        report_count(counts->taken_slabs), "denied",
	        report_count(counts->denied));
	return report_merge(object, more);
}

static json_t *pool_doc(struct server *server, struct pool *pool, void *arg)
{
	const struct layout_geometry *geo = &pool->view.geo;
	struct report_sums sums = {0};
	struct usage census;
	json_t *doc;
	(void)server;
	(void)arg;
	if (usage_take(&census, pool) < 0)
		return NULL;
	for (uint32_t node = 0; node < geo->n_nodes; node++)
		report_sum(pool, &census, node, &sums);
	usage_done(&census);
	doc = json_pack(
	        "{s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i}",
	        "name", report_text(pool->name), "nodes", geo->n_nodes,
	        "page_bytes", INT64_C(1) << geo->page_shift, "max_bytes",
	        report_count(geo->n_units << UNIT_SHIFT), "ready_bytes",
	        report_count(ready_bytes(pool)), "carved_bytes",
	        report_count(sums.carved_bytes), "used_bytes",
	        report_count(sums.used_bytes), "free_bytes",
	        report_count(sums.free_bytes), "metadata_bytes",
	        report_count(resident_bytes(pool->control_fd) +
	                     resident_bytes(pool->shared_fd)),
	        "caches", pool->n_caches, "clients", pool->n_clients);
	return with_counts(doc, &pool->counts);
}

/* Why the node did not get better pages at the start: what hinders 2 MiB pages
 * is of most use to an operator. NULL if it got the best. */
static const struct backing_step *start_step(const struct backing *backing,
                                             uint32_t node)
{
	const struct backing_step *told = NULL;
	for (unsigned i = 0; i < backing->n_steps; i++) {
		const struct backing_step *step = &backing->steps[i];
		if (step->node_ix == node &&
		    (told == NULL || step->kind == BACKING_2M))
			told = step;
	}
	return told;
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
	                 backing->populate_ms, "reason",
	                 report_text(step ? step->reason : ""), "remedy",
	                 report_text(step ? step->remedy : ""));
}

static json_t *startup_doc(const struct report_pools *pools)
{
	json_t *lines = json_array();
	for (unsigned i = 0; i < pools->n; i++) {
		const struct pool *pool = pools->pool[i];
		for (uint32_t k = 0; k < pool->view.geo.n_nodes; k++) {
			if (json_array_append_new(lines,
			                          startup_line(pool, k)) == 0)
				continue;
			json_decref(lines);
			return NULL;
		}
	}
	return lines;
}

static json_t *dropped_doc(const struct server *server)
{
	json_t *dropped = json_object();
	for (unsigned i = 0; i < DROPS; i++)
		json_object_set_new(
		        dropped, server_drop_name((enum drop)i),
		        json_integer(report_count(server->dropped[i])));
	return dropped;
}

/* Whether the kernel's shortage of memory is known. */
static json_t *pressure_doc(const struct server *server)
{
	const char *reason;
	const char *remedy;
	bool watched = machine_state(server, &reason, &remedy);
	return json_pack("{s:b, s:o, s:o}", "watched", watched, "reason",
	                 report_text(reason), "remedy", report_text(remedy));
}

json_t *report_status(void *arg, const struct admin_query *query, int *status)
{
	struct server *server = arg;
	struct report_pools pools;
	json_t *error = report_pick(&pools, server, query, status);
	double uptime = (double)(report_now_ns() - server->started_ns) / 1e9;
	if (*status != HTTP_OK)
		return error;
	return json_pack("{s:s, s:i, s:i, s:f, s:o, s:o, s:o, s:o}", "version",
	                 PACKAGE_VERSION, "layout_version", LAYOUT_VERSION,
	                 "pid", getpid(), "uptime_s", uptime, "dropped",
	                 dropped_doc(server), "pressure",
	                 pressure_doc(server), "pools",
	                 report_list(&pools, pool_doc, NULL), "startup",
	                 startup_doc(&pools));
}
