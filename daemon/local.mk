# SPDX-License-Identifier: MIT
# libdaemon.a is all of slabd but main(), for the tests to link too; libctl.a
# is all of slabctl but main(). Each room has its own lines.
noinst_LIBRARIES += libdaemon.a libctl.a
daemon_libs = $(EVENT_LIBS) $(JANSSON_LIBS) $(SYSTEMD_LIBS) $(UDEV_LIBS)
ctl_libs = $(CURL_LIBS) $(JANSSON_LIBS) $(CURSES_LIBS) -lpthread
libdaemon_a_SOURCES =
libctl_a_SOURCES =
include $(srcdir)/daemon/base/local.mk
include $(srcdir)/daemon/conf/local.mk
include $(srcdir)/daemon/manager/local.mk
include $(srcdir)/daemon/plan/local.mk
include $(srcdir)/daemon/pool/local.mk
include $(srcdir)/daemon/balance/local.mk
include $(srcdir)/daemon/watch/local.mk
include $(srcdir)/daemon/serve/local.mk
include $(srcdir)/daemon/admin/local.mk
include $(srcdir)/daemon/advice/local.mk
include $(srcdir)/daemon/ctl/local.mk

sbin_PROGRAMS += daemon/slabd
daemon_slabd_SOURCES = daemon/slabd.c
daemon_slabd_LDADD = libdaemon.a libnumatopo.a libshm.la $(daemon_libs) \
	$(numa_libs)

# make install leaves a configuration that is there alone; make uninstall
# takes it away only if nobody changed it.
confdir = $(sysconfdir)/slabd
EXTRA_DIST += daemon/slabd.conf daemon/slabd.service.in daemon/install.sh
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(confdir)'
	test -e '$(DESTDIR)$(confdir)/slabd.conf' || \
		$(INSTALL_DATA) $(srcdir)/daemon/slabd.conf \
			'$(DESTDIR)$(confdir)/slabd.conf'

# Alert rules and a dashboard, for who collects metrics.
prometheusdir = $(pkgdatadir)/prometheus
dist_prometheus_DATA = daemon/prometheus/slabd.rules.yml \
	daemon/prometheus/slabd.dashboard.json

# All or nothing: into a folder by itself first.
install: all
	@stage=`mktemp -d "$${TMPDIR:-/tmp}/slabd-install.XXXXXX"` || exit; \
	trap 'rm -rf "$$stage"' EXIT; trap 'exit 1' HUP INT TERM; \
	$(MAKE) $(AM_MAKEFLAGS) install-am DESTDIR="$$stage" && \
	sh $(srcdir)/daemon/install.sh "$$stage" '$(DESTDIR)' \
		'$(confdir)/slabd.conf'

uninstall-local:
	if cmp -s $(srcdir)/daemon/slabd.conf \
			'$(DESTDIR)$(confdir)/slabd.conf'; then \
		rm -f '$(DESTDIR)$(confdir)/slabd.conf'; \
		rmdir '$(DESTDIR)$(confdir)' 2>/dev/null || true; \
	fi

if HAVE_UNITDIR
nodist_systemdsystemunit_DATA = daemon/slabd.service
dist_systemdsystemunit_DATA = daemon/slabd.socket
# Read of /usr and /usr/local, as units are.
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = daemon/sysusers.d/slabd.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_tmpfiles_DATA = daemon/tmpfiles.d/slabd.conf
endif
CLEANFILES += daemon/slabd.service
daemon/slabd.service: daemon/slabd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) daemon && \
	sed 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/daemon/slabd.service.in >$@.new && \
	mv $@.new $@
