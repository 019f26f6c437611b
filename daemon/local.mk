# SPDX-License-Identifier: MIT
# libdaemon.la is all of slabd but main(), for the tests to link too.
noinst_LTLIBRARIES += libdaemon.la
daemon_libs = $(EVENT_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(SYSTEMD_LIBS)

libdaemon_la_SOURCES =
