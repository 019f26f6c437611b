# SPDX-License-Identifier: MIT
# What slabctl advise finds out of a recorded trace: its sizes, the caches that
# hold them best, and how it plays again. trace and unpack serve the tests' replay,
# too.
trace_sources = daemon/advice/trace.c daemon/advice/trace.h \
	daemon/advice/progress.h daemon/advice/unpack.h
if HAVE_ZSTD
trace_sources += daemon/advice/unpack_zstd.c
else
trace_sources += daemon/advice/unpack_none.c
endif

noinst_LIBRARIES += libadvice.a
libadvice_a_SOURCES = $(trace_sources) \
	daemon/advice/choose.c \
	daemon/advice/choose.h \
	daemon/advice/peaks.c \
	daemon/advice/peaks.h \
	daemon/advice/play.c \
	daemon/advice/play.h \
	daemon/advice/profile.c \
	daemon/advice/profile.h
# The library's own code, so that slabctl runs without another file.
advice_libs = libadvice.a libclient.la libshm.la $(ZSTD_LIBS)
