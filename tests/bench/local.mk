# SPDX-License-Identifier: MIT
# Built by tests/bench/run.sh alone.
EXTRA_PROGRAMS += tests/bench/attach tests/bench/growth tests/bench/populate \
	tests/bench/recovery
tests_bench_growth_LDADD = client/libslabclient.la
tests_bench_attach_LDADD = client/libslabclient.la
EXTRA_PROGRAMS += tests/bench/objpool
tests_bench_objpool_SOURCES = tests/bench/objpool.c tests/bench/work.h
tests_bench_objpool_LDADD = client/libslabclient.la
tests_bench_recovery_LDADD = client/libslabclient.la
EXTRA_PROGRAMS += tests/bench/host
tests_bench_host_SOURCES = tests/bench/host.c tests/bench/work.h
tests_bench_host_LDADD = client/libslabclient.la
EXTRA_PROGRAMS += tests/bench/crowd
tests_bench_crowd_LDADD = libclient.la libshm.la
EXTRA_PROGRAMS += tests/bench/plan
tests_bench_plan_SOURCES = tests/bench/plan.c tests/lib/rng.h
tests_bench_plan_LDADD = libdaemon.a
EXTRA_PROGRAMS += tests/bench/arena
tests_bench_arena_LDADD = $(system_libs)
EXTRA_PROGRAMS += tests/bench/wake
tests_bench_wake_SOURCES = tests/bench/wake.c tests/bench/work.h
tests_bench_wake_LDADD = client/libslabclient.la
EXTRA_PROGRAMS += tests/bench/silence
tests_bench_silence_LDADD = $(system_libs)

# The library's own code, so that one function of it can be wrapped.
EXTRA_PROGRAMS += tests/bench/drift
tests_bench_drift_SOURCES = tests/bench/drift.c tests/bench/drift.h \
	tests/bench/drift_work.c tests/bench/drift_lists.c \
	tests/bench/drift_policy.c tests/bench/drift_cost.c
tests_bench_drift_LDADD = libclient.la libshm.la
tests_bench_drift_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=slab_release_any

# One workload source, a program for each contestant: see work.h, who.h.
bench_work = tests/bench/work.c tests/bench/work.h tests/bench/who.h \
	tests/bench/single.c tests/bench/pair.c tests/bench/two_processes.c \
	tests/bench/two_processes.h tests/bench/keep.h tests/bench/trace.c tests/bench/tail.c \
	tests/bench/tail.h $(trace_sources) \
	tests/replay/classes.c tests/replay/classes.h
bench_who = $(AM_CPPFLAGS) -DBENCH_WHO=

EXTRA_PROGRAMS += tests/bench/work_local tests/bench/work_slabd tests/bench/work_floor \
	tests/bench/work_malloc tests/bench/work_channel
tests_bench_work_channel_SOURCES = $(bench_work) tests/bench/who_slabd.c \
	tests/bench/who_slabd.h tests/bench/who_channel.h
tests_bench_work_channel_CPPFLAGS = $(bench_who)'"tests/bench/who_channel.h"'
tests_bench_work_channel_LDADD = client/libslabclient.la $(ZSTD_LIBS)
tests_bench_work_slabd_SOURCES = $(bench_work) tests/bench/who_slabd.c \
	tests/bench/who_slabd.h
tests_bench_work_slabd_CPPFLAGS = $(bench_who)'"tests/bench/who_slabd.h"'
tests_bench_work_slabd_LDADD = client/libslabclient.la $(ZSTD_LIBS)
tests_bench_work_local_SOURCES = $(bench_work) tests/bench/who_slabd.c \
	tests/bench/who_local.h
tests_bench_work_local_CPPFLAGS = $(bench_who)'"tests/bench/who_local.h"'
tests_bench_work_local_LDADD = client/libslabclient.la $(ZSTD_LIBS)
tests_bench_work_floor_SOURCES = $(bench_work) tests/bench/who_floor.c \
	tests/bench/who_floor.h
tests_bench_work_floor_CPPFLAGS = $(bench_who)'"tests/bench/who_floor.h"'
tests_bench_work_floor_LDADD = $(ZSTD_LIBS)
tests_bench_work_malloc_SOURCES = $(bench_work) tests/bench/who_malloc.c \
	tests/bench/who_malloc.h
tests_bench_work_malloc_CPPFLAGS = $(bench_who)'"tests/bench/who_malloc.h"'
tests_bench_work_malloc_LDADD = $(ZSTD_LIBS)

# Peers, where their packages are: run.sh gives the flags. Not held to our own
# warnings, as their headers are not.
EXTRA_PROGRAMS += tests/bench/work_dpdk
tests_bench_work_dpdk_SOURCES = $(bench_work) tests/bench/who_dpdk.c \
	tests/bench/who_dpdk.h
tests_bench_work_dpdk_CPPFLAGS = $(bench_who)'"tests/bench/who_dpdk.h"' \
	$(BENCH_DPDK_CFLAGS)
tests_bench_work_dpdk_CFLAGS = -std=gnu11 -pthread
tests_bench_work_dpdk_LDADD = $(BENCH_DPDK_LIBS) $(ZSTD_LIBS)

# C++, so no program of automake: configure need not know of another compiler.
BENCH_CXX = g++
bench_boost = tests/bench/who_boost.cc tests/bench/who_boost.h \
	tests/bench/trace_none.cc
tests/bench/work_boost: $(bench_work) $(bench_boost)
	$(AM_V_at)$(MKDIR_P) tests/bench
	$(AM_V_GEN)$(BENCH_CXX) -std=gnu++20 -O2 -pthread -w \
		$(DEFS) -I$(top_srcdir) \
		-DBENCH_WHO='"tests/bench/who_boost.h"' -o $@ \
		-x c++ $(srcdir)/tests/bench/work.c \
		$(srcdir)/tests/bench/single.c $(srcdir)/tests/bench/pair.c \
		$(srcdir)/tests/bench/two_processes.c \
		$(srcdir)/tests/bench/trace_none.cc \
		$(srcdir)/tests/bench/who_boost.cc -x none -lrt
CLEANFILES += tests/bench/work_boost
EXTRA_DIST += $(bench_boost)

EXTRA_DIST += tests/bench/run.sh tests/bench/README.md
EXTRA_DIST += tests/bench/arena.py tests/bench/drive.py tests/bench/contest.py \
	tests/bench/gateway.py tests/bench/growth.py \
	tests/bench/place.py tests/bench/show.py tests/bench/picture.py \
	tests/bench/plan.py tests/bench/pool.py tests/bench/recovery.py tests/bench/scale.py \
	tests/bench/host.py tests/bench/silence.py \
	tests/bench/wake.py \
	tests/bench/drift.py tests/bench/drift_picture.py
