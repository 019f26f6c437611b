# SPDX-License-Identifier: MIT
# What two processes agree on. Links libc alone; hidden, as it is compiled into
# the client library.
noinst_LTLIBRARIES += libshm.la
libshm_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden

libshm_la_SOURCES =
libshm_la_SOURCES += shm/atom.h
libshm_la_SOURCES += shm/layout.c shm/layout.h
