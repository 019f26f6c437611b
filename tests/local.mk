# SPDX-License-Identifier: MIT
# tests/README.md says what each folder proves. A new test is one line:
#     unit_tests += tests/unit/daemon/test_x   Criterion, from test_x.c
#     tap_programs += tests/system/proc_x      prints TAP itself (tests/lib/harness.h)
#     tap_scripts += tests/lint/check_x.sh     a script that does
# What several tests share is in tests/lib, linked as needed. A test that uses
# the installed library names it: tests_..._LDADD = $(system_libs).
unit_tests =
tap_programs =
tap_scripts =

LDADD = tests/libtest.a libctl.a libadvice.a libdaemon.a libnumatopo.a libclient.la \
	libshm.la $(daemon_libs) $(numa_libs) $(ctl_libs) \
	$(ZSTD_LIBS) $(CRITERION_LIBS)
system_libs = tests/libtest.a libnumatopo.a client/libslabclient.la \
	libshm.la $(numa_libs) $(JANSSON_LIBS)

check_LIBRARIES += tests/libtest.a
tests_libtest_a_SOURCES = \
	tests/lib/admin_fixture.h \
	tests/lib/background_clients.c \
	tests/lib/background_clients.h \
	tests/lib/doctor.c \
	tests/lib/doctor.h \
	tests/lib/backing_fixture.h \
	tests/lib/churn.c \
	tests/lib/churn.h \
	tests/lib/clock.c \
	tests/lib/clock.h \
	tests/lib/cut.c \
	tests/lib/cut.h \
	tests/lib/fixture.c \
	tests/lib/fixture_sums.c \
	tests/lib/harness.h \
	tests/lib/image.c \
	tests/lib/image.h \
	tests/lib/keeper.c \
	tests/lib/keeper.h \
	tests/lib/sent.h \
	tests/lib/kill.c \
	tests/lib/kill.h \
	tests/lib/lag.h \
	tests/lib/manager.c \
	tests/lib/manager.h \
	tests/lib/plan_fixture.h \
	tests/lib/plan_model.h \
	tests/lib/pool_fixture.h \
	tests/lib/ptrace_fault.c \
	tests/lib/ptrace_fault.h \
	tests/lib/never.c \
	tests/lib/never.h \
	tests/lib/raw.c \
	tests/lib/raw.h \
	tests/lib/report_fixture.h \
	tests/lib/rng.h \
	tests/lib/scenario.c \
	tests/lib/scenario.h \
	tests/lib/scenario_actor.c \
	tests/lib/scenario_actor.h \
	tests/lib/scenario_channel.c \
	tests/lib/scenario_channel.h \
	tests/lib/situation.c \
	tests/lib/situation.h \
	tests/lib/situation_deaths.c \
	tests/lib/situation_door.c \
	tests/lib/situation_files.c \
	tests/lib/situation_grow.c \
	tests/lib/situation_rings.c \
	tests/lib/situation_wide.c \
	tests/lib/slow.c \
	tests/lib/slow.h \
	tests/lib/spin_barrier.h \
	tests/lib/step.c \
	tests/lib/step.h \
	tests/lib/stores.c \
	tests/lib/stores.h \
	tests/lib/super.c \
	tests/lib/super.h \
	tests/lib/swept.h \
	tests/lib/tags_reference.c \
	tests/lib/tags_reference.h \
	tests/lib/tap.c \
	tests/lib/traced_pool.c \
	tests/lib/traced_pool.h \
	tests/lib/things.c \
	tests/lib/things.h \
	tests/lib/turns.h
if UNIT_TESTS
tests_libtest_a_SOURCES += \
	tests/lib/admin_fixture.c \
	tests/lib/backing_fixture.c \
	tests/lib/plan_apply.c \
	tests/lib/plan_fixture.c \
	tests/lib/plan_model.c \
	tests/lib/pool_fixture.c \
	tests/lib/report_fixture.c \
	tests/lib/in_child.h
else
EXTRA_DIST += \
	tests/lib/admin_fixture.c \
	tests/lib/backing_fixture.c \
	tests/lib/plan_apply.c \
	tests/lib/plan_fixture.c \
	tests/lib/plan_model.c \
	tests/lib/pool_fixture.c \
	tests/lib/report_fixture.c \
	tests/lib/in_child.h
endif

include $(srcdir)/tests/unit/local.mk
include $(srcdir)/tests/system/local.mk
include $(srcdir)/tests/crash/local.mk
include $(srcdir)/tests/torture/local.mk
include $(srcdir)/tests/lint/local.mk
include $(srcdir)/tests/model/local.mk
include $(srcdir)/tests/replay/local.mk
include $(srcdir)/tests/sim/local.mk
include $(srcdir)/tests/guest/local.mk
include $(srcdir)/tests/bench/local.mk

check_PROGRAMS += $(tap_programs)
TESTS += $(tap_scripts) $(tap_programs)
if UNIT_TESTS
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
else
TESTS += tests/unit/no_unit_tests.sh
endif

# For ./dev check, which leaves out of some builds what takes long.
print-tests:
	@echo $(TESTS)
.PHONY: print-tests

dist_check_SCRIPTS = $(tap_scripts) tests/unit/no_unit_tests.sh \
	tests/lib/run_one.sh
EXTRA_DIST += tests/README.md tests/lib/steps.sh tests/lib/shell.sh tests/demo.sh \
	tests/pictures.sh tests/bare.sh
# Data that tests read: they find $srcdir, $builddir and $SLABD_SANITIZER
# (empty: none) set.
EXTRA_DIST += tests/golden tests/data

# Those that reserve hugepages: run_one.sh runs one of them at a time.
hugepage_tests = test_huge test_backing test_backing_fault test_backing_move \
	sys_numa proc_counts proc_holes proc_left proc_life proc_manager proc_theirs \
	proc_silence proc_start proc_scarce test_replay.sh

TEST_EXTENSIONS = .sh
tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(tap_driver)
SH_LOG_DRIVER = $(tap_driver)
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/lib/run_one.sh
SH_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/lib/run_one.sh
AM_TESTS_ENVIRONMENT = \
	builddir='$(abs_top_builddir)'; export builddir; \
	srcdir='$(abs_top_srcdir)'; export srcdir; \
	SLABD_NM='$(NM)'; export SLABD_NM; \
	SLABD_HUGEPAGE_TESTS='$(hugepage_tests)'; \
	export SLABD_HUGEPAGE_TESTS; \
	SLABD_SANITIZER='$(SANITIZER)'; export SLABD_SANITIZER; \
	SLABD_WATCH=no; export SLABD_WATCH; \
	SLABD_NO_UNIT_TESTS='$(NO_UNIT_TESTS)'; export SLABD_NO_UNIT_TESTS;
