# SPDX-License-Identifier: MIT
# The admin socket: HTTP, documents, what slabctl may change.
libdaemon_a_SOURCES += \
	daemon/admin/advise.c \
	daemon/admin/advise.h \
	daemon/admin/advise_caches.c \
	daemon/admin/advise_filled.c \
	daemon/admin/advise_objpools.c \
	daemon/admin/advise_pool.c \
	daemon/admin/conns.c \
	daemon/admin/conns.h \
	daemon/admin/dump.c \
	daemon/admin/dump.h \
	daemon/admin/host.c \
	daemon/admin/host.h \
	daemon/admin/http.c \
	daemon/admin/http.h \
	daemon/admin/openmetrics.c \
	daemon/admin/openmetrics.h \
	daemon/admin/owned.c \
	daemon/admin/owned.h \
	daemon/admin/page.h \
	daemon/admin/query.c \
	daemon/admin/query.h \
	daemon/admin/report.c \
	daemon/admin/report.h \
	daemon/admin/report_act.c \
	daemon/admin/report_advise.c \
	daemon/admin/report_arenas.c \
	daemon/admin/report_audit.c \
	daemon/admin/report_caches.c \
	daemon/admin/report_channels.c \
	daemon/admin/report_clients.c \
	daemon/admin/report_evict.c \
	daemon/admin/report_doctor.c \
	daemon/admin/report_dump.c \
	daemon/admin/report_history.c \
	daemon/admin/report_metrics.c \
	daemon/admin/report_objpools.c \
	daemon/admin/report_remove.c \
	daemon/admin/report_roots.c \
	daemon/admin/report_leaks.c \
	daemon/admin/report_log.c \
	daemon/admin/report_nodes.c \
	daemon/admin/report_plan.c \
	daemon/admin/report_pool.c \
	daemon/admin/report_set.c \
	daemon/admin/report_slabs.c \
	daemon/admin/report_status.c \
	daemon/admin/report_supervisor.c \
	daemon/admin/report_upgrade.c \
	daemon/admin/reports.h \
	daemon/admin/routes.c

# The page is C.
nodist_libdaemon_a_SOURCES = daemon/admin/page.c
EXTRA_DIST += daemon/admin/page.html daemon/admin/page.sh
CLEANFILES += daemon/admin/page.c
daemon/admin/page.c: daemon/admin/page.html daemon/admin/page.sh
	$(AM_V_GEN)$(MKDIR_P) daemon/admin && \
	sh $(srcdir)/daemon/admin/page.sh $(srcdir)/daemon/admin/page.html >$@.new && \
	mv $@.new $@
