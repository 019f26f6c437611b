/* SPDX-License-Identifier: MIT */
#include "daemon/admin/dump.h"
#include "daemon/admin/openmetrics.h"
#include "daemon/admin/reports.h"

#define ROUTE(path, params, changes, ...)                                      \
	{path, report_build, params, changes,                                  \
	 &(const struct report_way){__VA_ARGS__}, NULL}
#define LOOK(path, params, ...) ROUTE(path, params, false, __VA_ARGS__)
#define CHANGE(path, params, make) ROUTE(path, params, true, .whole = make)

#define METRICS                                                                \
	{"/metrics", report_build, "pool", false,                              \
	 &(const struct report_way){.whole = report_metrics, .held = true},    \
	 &(const struct dump_form){.type = OM_TYPE}}

static const struct admin_route public[] = {METRICS};

static const struct admin_route all[] = {
	METRICS,
	LOOK("/status", "pool", .whole = report_status, .held = true),
	LOOK("/nodes", "pool node", .whole = report_nodes, .held = true),
	LOOK("/caches", "pool cache node", .whole = report_caches, .held = true),
	LOOK("/clients", "pool client cache node", .whole = report_clients, .held = true),
	LOOK("/roots", "pool", .pool = report_roots, .held = true),
	LOOK("/channels", "pool", .pool = report_channels),
	LOOK("/arenas", "pool client limit", .whole = report_arenas),
	LOOK("/objpools", "pool client limit", .whole = report_objpools),
	LOOK("/leaks", "pool client limit", .whole = report_leaks,
	     .held = true),
	LOOK("/slabs", "pool cache node client limit", .whole = report_slabs),
	LOOK("/dump", "pool slab", .whole = report_dump),
	LOOK("/audit", "pool", .whole = report_audit, .audit = true),
	LOOK("/doctor", "pool", .whole = report_doctor, .held = true),
	LOOK("/plan", "pool", .pool = report_plan),
	LOOK("/log", "pool limit", .whole = report_log),
	LOOK("/history", "pool span", .whole = report_history),
	LOOK("/set", "pool", .pool = report_settings),
	LOOK("/save", NULL, .whole = report_save),
	CHANGE("/set", "pool key value", report_set),
	CHANGE("/lend", "pool cache from to n", report_lend),
	CHANGE("/migrate", "pool cache from to n", report_migrate),
	CHANGE("/drain", "pool node", report_drain),
	CHANGE("/undrain", "pool node", report_undrain),
	CHANGE("/cache", "pool action cache", report_cache),
	CHANGE("/root", "pool action root", report_root),
	CHANGE("/evict", "pool client kill", report_evict),
	CHANGE("/supervisor", "socket watchdog_us", report_supervisor),
	CHANGE("/trim", "pool node ask", report_trim),
};

void report_routes(struct server *server, struct admin_routes *routes)
{
	*routes = (struct admin_routes){all, sizeof(all) / sizeof(all[0]),
	                                server};
}

void report_public_routes(struct server *server, struct admin_routes *routes)
{
	*routes = (struct admin_routes){
	        public, sizeof(public) / sizeof(public[0]), server};
}
