/* SPDX-License-Identifier: MIT */
#include "daemon/admin/reports.h"

static const struct admin_route all[] = {
        {"/status", report_status, "pool", false},
        {"/nodes", report_nodes, "pool", false},
        {"/caches", report_caches, "pool", false},
        {"/clients", report_clients, "pool", false},
        {"/slabs", report_slabs, "pool cache node limit", false},
        {"/audit", report_audit, "pool", false},
        {"/plan", report_plan, "pool", false},
        {"/log", report_log, "pool limit", false},
        {"/set", report_settings, "pool", false},
        {"/set", report_set, "pool key value", true},
        {"/lend", report_lend, "pool cache from to n", true},
        {"/migrate", report_migrate, "pool cache from to n", true},
        {"/drain", report_drain, "pool node", true},
        {"/undrain", report_undrain, "pool node", true},
        {"/trim", report_trim, "pool node ask", true},
};

void report_routes(struct server *server, struct admin_routes *routes)
{
	*routes = (struct admin_routes){all, sizeof(all) / sizeof(all[0]),
	                                server};
}
