/* SPDX-License-Identifier: MIT */
#include "daemon/admin/reports.h"

#define ROUTE(path, params, changes, ...)                                      \
	{path, report_build, params, changes,                                  \
	 &(const struct report_way){__VA_ARGS__}}
#define LOOK(path, params, ...) ROUTE(path, params, false, __VA_ARGS__)
#define CHANGE(path, params, make) ROUTE(path, params, true, .whole = make)

static const struct admin_route all[] = {
	LOOK("/status", "pool", .whole = report_status, .held = true),
	LOOK("/nodes", "pool", .pool = report_nodes, .held = true),
	LOOK("/caches", "pool", .pool = report_caches, .held = true),
	LOOK("/clients", "pool", .pool = report_clients, .held = true),
	LOOK("/slabs", "pool cache node limit", .whole = report_slabs),
	LOOK("/audit", "pool", .whole = report_audit, .audit = true),
	LOOK("/plan", "pool", .pool = report_plan),
	LOOK("/log", "pool limit", .whole = report_log),
	LOOK("/set", "pool", .pool = report_settings),
	CHANGE("/set", "pool key value", report_set),
	CHANGE("/lend", "pool cache from to n", report_lend),
	CHANGE("/migrate", "pool cache from to n", report_migrate),
	CHANGE("/drain", "pool node", report_drain),
	CHANGE("/undrain", "pool node", report_undrain),
	CHANGE("/cache", "pool action cache", report_cache),
	CHANGE("/evict", "pool client kill", report_evict),
	CHANGE("/supervisor", "socket watchdog_us", report_supervisor),
	CHANGE("/trim", "pool node ask", report_trim),
};

void report_routes(struct server *server, struct admin_routes *routes)
{
	*routes = (struct admin_routes){all, sizeof(all) / sizeof(all[0]),
	                                server};
}
