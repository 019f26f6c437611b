# SPDX-License-Identifier: MIT
# libdaemon.la is all of slabd but main(), for the tests to link too.
noinst_LTLIBRARIES += libdaemon.la
daemon_libs = $(EVENT_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(SYSTEMD_LIBS)

libdaemon_la_SOURCES =
libdaemon_la_SOURCES += daemon/config.c daemon/config.h \
	daemon/config_balance.c daemon/config_key.c daemon/config_key.h \
	daemon/config_load.c daemon/config_value.c daemon/config_value.h \
	daemon/log.c daemon/log.h daemon/options.c daemon/options.h \
	daemon/service.c daemon/service.h
libdaemon_la_SOURCES += daemon/runmap.c daemon/runmap.h
libdaemon_la_SOURCES += daemon/pagebook.c daemon/pagebook.h
libdaemon_la_SOURCES += daemon/loans.c daemon/loans.h
libdaemon_la_SOURCES += daemon/mover.c daemon/mover.h
libdaemon_la_SOURCES += daemon/balance.c daemon/balance.h daemon/balance_own.h \
	daemon/balance_hand.c daemon/balance_step.c \
	daemon/snapshot.c daemon/snapshot_pages.c
libdaemon_la_SOURCES += daemon/hotplug.c daemon/hotplug.h daemon/hotplug_follow.c
libdaemon_la_SOURCES += daemon/pressure.c daemon/pressure.h
libdaemon_la_SOURCES += daemon/adopt.c daemon/adopt_clients.c daemon/adopt.h
libdaemon_la_SOURCES += daemon/began.c daemon/began.h
libdaemon_la_SOURCES += daemon/ledger.c daemon/ledger.h
libdaemon_la_SOURCES += daemon/pool.c daemon/pool.h
libdaemon_la_SOURCES += daemon/cachetab.c daemon/cachetab.h
libdaemon_la_SOURCES += daemon/growth.c daemon/growth.h
libdaemon_la_SOURCES += daemon/ident.c daemon/ident.h
libdaemon_la_SOURCES += daemon/census.c daemon/census.h
libdaemon_la_SOURCES += daemon/policy.c daemon/policy.h \
	daemon/policy_back.c daemon/policy_lend.c daemon/policy_names.c \
	daemon/policy_page.c daemon/policy_short.c daemon/policy_snapshot.h \
	daemon/policy_units.c daemon/policy_work.h
libdaemon_la_SOURCES += daemon/report.c daemon/report.h \
	daemon/report_audit.c daemon/report_caches.c \
	daemon/report_clients.c daemon/report_do.c daemon/report_log.c \
	daemon/report_nodes.c daemon/report_param.c daemon/report_plan.c \
	daemon/report_set.c \
	daemon/report_slabs.c daemon/report_status.c
libdaemon_la_SOURCES += daemon/vault.c daemon/vault.h
libdaemon_la_SOURCES += daemon/lastconf.c daemon/lastconf.h
libdaemon_la_SOURCES += daemon/notice.c daemon/notice.h
libdaemon_la_SOURCES += daemon/store.c daemon/store.h
libdaemon_la_SOURCES += daemon/supervise.c daemon/supervise.h
libdaemon_la_SOURCES += daemon/listen.c daemon/listen.h
libdaemon_la_SOURCES += daemon/hello.c daemon/peer.c daemon/peer.h
libdaemon_la_SOURCES += daemon/server.c daemon/server.h daemon/server_balance.c daemon/server_watch.c
libdaemon_la_SOURCES += daemon/admin.c daemon/admin.h daemon/admin_query.c \
	daemon/admin_query.h

sbin_PROGRAMS += daemon/slabd
daemon_slabd_SOURCES = daemon/slabd.c
daemon_slabd_LDADD = libdaemon.la libnumatopo.la libshm.la $(daemon_libs) \
	$(numa_libs)

# libctl.la is all of slabctl but main(), for the tests to link too.
noinst_LTLIBRARIES += libctl.la
ctl_libs = $(CURL_LIBS) $(JANSSON_LIBS)
libctl_la_SOURCES = daemon/ctl_args.c daemon/ctl_args.h \
	daemon/ctl_audit.c daemon/ctl_caches.c daemon/ctl_clients.c \
	daemon/ctl_do.c daemon/ctl_doc.c daemon/ctl_doc.h daemon/ctl_drain.c \
	daemon/ctl_drain.h daemon/ctl_http.c daemon/ctl_http.h \
	daemon/ctl_log.c daemon/ctl_nodes.c daemon/ctl_plan.c \
	daemon/ctl_render.c daemon/ctl_render.h \
	daemon/ctl_slabs.c daemon/ctl_status.c \
	daemon/ctl_step.c daemon/ctl_step.h \
	daemon/ctl_table.c daemon/ctl_table.h \
	daemon/ctl_text.c daemon/ctl_text.h

bin_PROGRAMS += daemon/slabctl
daemon_slabctl_SOURCES = daemon/slabctl.c
daemon_slabctl_LDADD = libctl.la $(ctl_libs)

# make install leaves a configuration that is there alone; make uninstall
# takes it away only if nobody changed it.
confdir = $(sysconfdir)/slabd
EXTRA_DIST += daemon/slabd.conf daemon/slabd.service.in
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(confdir)'
	test -e '$(DESTDIR)$(confdir)/slabd.conf' || \
		$(INSTALL_DATA) $(srcdir)/daemon/slabd.conf \
			'$(DESTDIR)$(confdir)/slabd.conf'
uninstall-local:
	if cmp -s $(srcdir)/daemon/slabd.conf \
			'$(DESTDIR)$(confdir)/slabd.conf'; then \
		rm -f '$(DESTDIR)$(confdir)/slabd.conf'; \
		rmdir '$(DESTDIR)$(confdir)' 2>/dev/null || true; \
	fi

if HAVE_UNITDIR
nodist_systemdsystemunit_DATA = daemon/slabd.service
endif
CLEANFILES += daemon/slabd.service
daemon/slabd.service: daemon/slabd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) daemon && \
	sed 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/daemon/slabd.service.in >$@.new && \
	mv $@.new $@
