# SPDX-License-Identifier: MIT
# Built by tests/bench/run.sh alone.
EXTRA_PROGRAMS += tests/bench/attach tests/bench/populate
tests_bench_attach_LDADD = client/libslabclient.la

# One workload source, a program for each contestant: see work.h, who.h.
bench_work = tests/bench/work.c tests/bench/work.h tests/bench/who.h \
	tests/bench/single.c tests/bench/pair.c tests/bench/duo.c \
	tests/bench/duo.h tests/bench/trace.c
bench_who = $(AM_CPPFLAGS) -DBENCH_WHO=

EXTRA_PROGRAMS += tests/bench/work_slabd tests/bench/work_floor \
	tests/bench/work_malloc
tests_bench_work_slabd_SOURCES = $(bench_work) tests/bench/who_slabd.c \
	tests/bench/who_slabd.h
tests_bench_work_slabd_CPPFLAGS = $(bench_who)'"tests/bench/who_slabd.h"'
tests_bench_work_slabd_LDADD = client/libslabclient.la
tests_bench_work_floor_SOURCES = $(bench_work) tests/bench/who_floor.c \
	tests/bench/who_floor.h
tests_bench_work_floor_CPPFLAGS = $(bench_who)'"tests/bench/who_floor.h"'
tests_bench_work_floor_LDADD =
tests_bench_work_malloc_SOURCES = $(bench_work) tests/bench/who_malloc.c \
	tests/bench/who_malloc.h
tests_bench_work_malloc_CPPFLAGS = $(bench_who)'"tests/bench/who_malloc.h"'
tests_bench_work_malloc_LDADD =

EXTRA_DIST += tests/bench/run.sh tests/bench/README.md
EXTRA_DIST += tests/bench/drive.py tests/bench/contest.py \
	tests/bench/place.py tests/bench/show.py
