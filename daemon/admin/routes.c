/* SPDX-License-Identifier: MIT */
#include "daemon/admin/dump.h"
#include "daemon/admin/openmetrics.h"
#include "daemon/admin/page.h"
#include "daemon/admin/reports.h"
#include "daemon/serve/server.h"

#define ROUTE(path, params, changes, ...)                                      \
	{path, report_build, params, changes,                                  \
	 &(const struct report_way){__VA_ARGS__}, NULL}
#define LOOK(path, params, ...) ROUTE(path, params, false, __VA_ARGS__)
#define CHANGE(path, params, make) ROUTE(path, params, true, .whole = make)

#define METRICS                                                                \
	{"/metrics", report_build, "pool", false,                              \
	 &(const struct report_way){.whole = report_metrics, .held = true},    \
	 &(const struct dump_form){.type = OM_TYPE}}

static json_t *build_page(void *arg, const struct admin_query *q, int *status)
{
	(void)arg;
	(void)q;
	(void)status;
	return json_stringn(page_html, page_html_bytes);
}

#define PAGE                                                                   \
	{"/", build_page, NULL, false, NULL,                                   \
	 &(const struct dump_form){.type = "text/html; charset=utf-8",         \
	                           .policy = page_policy}}

/* What the page shows, of what METRICS tell anybody: no user, no process but its
 * number, nobody's age, no remedy that names a file. */
#define SHOWN(path, params, keys_, ...)                                        \
	{path, report_build, params, false,                                    \
	 &(const struct report_way){__VA_ARGS__},                              \
	 &(const struct dump_form){.keys = keys_}}
#define SUMS                                                                   \
	" max_bytes ready_bytes carved_bytes used_bytes held_bytes free_bytes "
#define ALL " pools name nodes node"

static const struct admin_route public[] = {
	PAGE,
	METRICS,
	SHOWN("/status", "pool",
	      ALL SUMS "version uptime_s page_bytes metadata_bytes caches "
	               "clients deaths swept_objects rings grown_slabs "
	               "taken_slabs denied",
	      .whole = report_status, .held = true),
	SHOWN("/nodes", "pool",
	      ALL SUMS "page_bytes distance simulated backing empty_bytes "
	               "waste_bytes lent_bytes lent_used_bytes borrowed_bytes "
	               "draining offline pressure short cache text",
	      .whole = report_nodes, .held = true),
	SHOWN("/caches", "pool",
	      ALL " caches size slab_bytes waste_pct slabs used held free "
	          "empty_slabs lent openers",
	      .whole = report_caches, .held = true),
	SHOWN("/clients", "pool",
	      ALL " clients id pid bytes held_bytes refills flushes "
	          "remote_allocs remote_frees waits failures resumes",
	      .whole = report_clients, .held = true),
	SHOWN("/channels", "pool",
	      ALL " channels capacity entries objects sent received sent_per_s "
	          "received_per_s receivers_wait senders_wait",
	      .whole = report_channels),
	SHOWN("/log", "pool limit",
	      ALL " now_ms events seq at_ms last_ms kind reason text cause "
	          "cache from to donor n n_given distance bytes fresh refused "
	          "times done error",
	      .whole = report_log),
	SHOWN("/history", "pool span",
	      ALL SUMS "schema span_s step_s points at_ms ago_s owned_bytes "
	               "lent_bytes clients caches rings grown_slabs "
	               "taken_slabs denied deaths swept_objects steps "
	               "moved_bytes refills refilled flushed remote_allocs "
	               "remote_frees waits failures",
	      .whole = report_history),
};

static const struct admin_route all[] = {
	METRICS,
	LOOK("/status", "pool", .whole = report_status, .held = true),
	LOOK("/nodes", "pool node", .whole = report_nodes, .held = true),
	LOOK("/caches", "pool cache node", .whole = report_caches, .held = true),
	LOOK("/clients", "pool client cache node", .whole = report_clients, .held = true),
	LOOK("/roots", "pool cache node name", .whole = report_roots,
	     .held = true),
	LOOK("/channels", "pool cache node client name",
	     .whole = report_channels),
	LOOK("/arenas", "pool client limit", .whole = report_arenas),
	LOOK("/objpools", "pool client limit", .whole = report_objpools),
	LOOK("/leaks", "pool client limit", .whole = report_leaks,
	     .held = true),
	LOOK("/slabs", "pool cache node client limit", .whole = report_slabs),
	LOOK("/dump", "pool slab", .whole = report_dump),
	LOOK("/audit", "pool", .whole = report_audit, .audit = true),
	LOOK("/doctor", "pool", .whole = report_doctor, .held = true),
	LOOK("/advise", "pool", .whole = report_advise, .held = true),
	LOOK("/plan", "pool", .pool = report_plan),
	LOOK("/pool", "pool", .pool = report_pool),
	LOOK("/log", "pool cache node limit", .whole = report_log),
	LOOK("/history", "pool span", .whole = report_history),
	LOOK("/set", "pool", .pool = report_settings),
	LOOK("/save", NULL, .whole = report_save),
	LOOK("/upgrade", NULL, .whole = report_upgrade),
	CHANGE("/set", "pool key value", report_set),
	CHANGE("/lend", "pool cache from to n", report_lend),
	CHANGE("/migrate", "pool cache from to n", report_migrate),
	CHANGE("/drain", "pool node", report_drain),
	CHANGE("/undrain", "pool node", report_undrain),
	CHANGE("/cache", "pool action cache", report_cache),
	CHANGE("/root", "pool action root", report_root),
	CHANGE("/channel", "pool action channel", report_channel),
	CHANGE("/evict", "pool client kill", report_evict),
	CHANGE("/supervisor", "socket watchdog_us", report_supervisor),
	CHANGE("/trim", "pool node ask", report_trim),
};

void report_routes(struct server *server, struct admin_routes *routes)
{
	*routes = (struct admin_routes){
	        .route = all, .n = sizeof(all) / sizeof(all[0]),
	        .arg = server,
	        .readers = server != NULL &&
	                   server->config->control_group[0] != '\0'};
}

void report_public_routes(struct server *server, struct admin_routes *routes)
{
	*routes = (struct admin_routes){
	        .route = public, .n = sizeof(public) / sizeof(public[0]),
	        .arg = server, .browsers = true};
}
