# SPDX-License-Identifier: MIT
# libdaemon.la is all of slabd but main(), for the tests to link too.
noinst_LTLIBRARIES += libdaemon.la
daemon_libs = $(EVENT_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(SYSTEMD_LIBS)

libdaemon_la_SOURCES =
libdaemon_la_SOURCES += daemon/config.c daemon/config.h \
	daemon/config_key.c daemon/config_key.h \
	daemon/config_load.c daemon/config_value.c daemon/config_value.h \
	daemon/log.c daemon/log.h daemon/options.c daemon/options.h \
	daemon/service.c daemon/service.h
