# SPDX-License-Identifier: MIT
#
# A unit test of shm/, numa/ or daemon/ is one line: unit_tests += tests/test_x
# from tests/test_x.c. One of client/ has a second line: the libraries,
#     tests_test_x_LDADD = $(client_test_libs)
# A program that prints TAP itself: tap_programs += tests/step_x (same rules).
# A script that does: tap_scripts += tests/check_x.sh

LDADD = libdaemon.la libnumatopo.la libshm.la $(daemon_libs) $(numa_libs) \
	$(CRITERION_LIBS)
client_test_libs = libclient.la libshm.la $(CRITERION_LIBS)

unit_tests =
unit_tests += tests/test_topo tests/test_huge tests/test_backing
unit_tests += tests/test_backing_fault tests/test_sys_numa
tests_test_huge_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pwrite
backing_wraps = $(AM_LDFLAGS) \
	-Wl,--wrap=memfd_create,--wrap=madvise,--wrap=mbind
backing_bed = tests/backing_bed.c tests/backing_bed.h
tests_test_backing_SOURCES = tests/test_backing.c $(backing_bed)
tests_test_backing_LDFLAGS = $(backing_wraps)
tests_test_backing_fault_SOURCES = tests/test_backing_fault.c $(backing_bed)
tests_test_backing_fault_LDFLAGS = $(backing_wraps)
unit_tests += tests/test_config tests/test_config_load tests/test_config_value
unit_tests += tests/test_log tests/test_options tests/test_service

tap_programs =

tap_scripts =

include $(srcdir)/tests/replay/local.mk
tap_scripts += tests/check_layers.sh
tap_scripts += tests/check_sizes.sh
tap_scripts += tests/check_atomics.sh
tap_scripts += tests/check_comments.sh
tap_scripts += tests/check_names.sh
tap_scripts += tests/check_exports.sh
tap_scripts += tests/check_insn.sh
check_PROGRAMS += tests/insn_hit
tests_insn_hit_LDADD = client/libslabclient.la

check_PROGRAMS += $(tap_programs)
TESTS += $(tap_scripts) $(tap_programs)
if UNIT_TESTS
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
else
TESTS += tests/no_unit_tests.sh
endif

dist_check_SCRIPTS = $(tap_scripts) tests/no_unit_tests.sh tests/run_one.sh
EXTRA_DIST += tests/lint.sh tests/install_user.c

EXTRA_PROGRAMS += tests/bench/populate

# Data that tests read: EXTRA_DIST += tests/x.conf

TEST_EXTENSIONS = .sh
tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(tap_driver)
SH_LOG_DRIVER = $(tap_driver)
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/run_one.sh
SH_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/run_one.sh
AM_TESTS_ENVIRONMENT = \
	builddir='$(abs_top_builddir)'; export builddir; \
	srcdir='$(abs_top_srcdir)'; export srcdir; \
	SLABD_NM='$(NM)'; export SLABD_NM; \
	SLABD_NO_UNIT_TESTS='$(NO_UNIT_TESTS)'; export SLABD_NO_UNIT_TESTS;
