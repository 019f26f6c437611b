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
unit_tests += tests/test_backing_fault tests/test_backing_move
unit_tests += tests/test_sys_numa
unit_tests += tests/test_stock
tests_test_stock_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=huge_count \
	-Wl,--wrap=huge_reserve
tests_test_huge_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pwrite
backing_wraps = $(AM_LDFLAGS) \
	-Wl,--wrap=memfd_create,--wrap=madvise,--wrap=mbind \
	-Wl,--wrap=fstat,--wrap=move_pages
backing_bed = tests/backing_bed.c tests/backing_bed.h
tests_test_backing_SOURCES = tests/test_backing.c $(backing_bed)
tests_test_backing_LDFLAGS = $(backing_wraps)
tests_test_backing_fault_SOURCES = tests/test_backing_fault.c $(backing_bed)
tests_test_backing_fault_LDFLAGS = $(backing_wraps)
tests_test_backing_move_SOURCES = tests/test_backing_move.c $(backing_bed)
tests_test_backing_move_LDFLAGS = $(backing_wraps)
unit_tests += tests/test_config tests/test_config_load tests/test_config_value
unit_tests += tests/test_config_balance
unit_tests += tests/test_log tests/test_options tests/test_service
unit_tests += tests/test_pressure
unit_tests += tests/test_vault tests/test_store tests/test_notice
admin_bed = tests/admin_bed.c tests/admin_bed.h
unit_tests += tests/test_admin tests/test_admin_post
tests_test_admin_SOURCES = tests/test_admin.c $(admin_bed)
tests_test_admin_post_SOURCES = tests/test_admin_post.c $(admin_bed)
tests_test_admin_post_LDADD = $(LDADD) $(CURL_LIBS)
tests_test_admin_LDADD = $(LDADD) $(CURL_LIBS)
ctl_test_libs = libctl.la $(ctl_libs) $(CRITERION_LIBS)
unit_tests += tests/test_ctl_args
tests_test_ctl_args_LDADD = $(ctl_test_libs)
unit_tests += tests/test_ctl_http
tests_test_ctl_http_LDADD = $(ctl_test_libs)
unit_tests += tests/test_ctl_render
tests_test_ctl_render_LDADD = $(ctl_test_libs)
unit_tests += tests/test_ctl_text
tests_test_ctl_text_LDADD = $(ctl_test_libs)
report_bed = tests/report_bed.c tests/report_bed.h
report_libs = libctl.la $(LDADD) $(CURL_LIBS)
unit_tests += tests/test_report tests/test_report_audit tests/test_report_slabs
tests_test_report_SOURCES = tests/test_report.c $(report_bed)
tests_test_report_LDADD = $(report_libs)
tests_test_report_audit_SOURCES = tests/test_report_audit.c $(report_bed)
tests_test_report_audit_LDADD = $(report_libs)
tests_test_report_slabs_SOURCES = tests/test_report_slabs.c $(report_bed)
tests_test_report_slabs_LDADD = $(report_libs)

unit_tests += tests/test_report_do tests/test_report_plan
tests_test_report_do_SOURCES = tests/test_report_do.c $(report_bed)
tests_test_report_do_LDADD = $(report_libs)
tests_test_report_plan_SOURCES = tests/test_report_plan.c $(report_bed)
tests_test_report_plan_LDADD = $(report_libs)

tap_programs =

tap_scripts =

include $(srcdir)/tests/units.mk
include $(srcdir)/tests/replay/local.mk
include $(srcdir)/tests/guest/local.mk
include $(srcdir)/tests/proc/local.mk
include $(srcdir)/tests/torture/local.mk
include $(srcdir)/tests/model/local.mk
include $(srcdir)/tests/step/local.mk
include $(srcdir)/tests/sim/local.mk
tap_scripts += tests/check_layers.sh tests/test_plan.sh
tap_scripts += tests/test_again.sh
tap_scripts += tests/check_sizes.sh
tap_scripts += tests/check_atomics.sh
tap_scripts += tests/check_comments.sh
tap_scripts += tests/check_names.sh
tap_scripts += tests/check_exports.sh
tap_scripts += tests/check_man_example.sh
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

# For ./dev check, which leaves out of some builds what takes long.
print-tests:
	@echo $(TESTS)
.PHONY: print-tests

dist_check_SCRIPTS = $(tap_scripts) tests/no_unit_tests.sh tests/run_one.sh
EXTRA_DIST += tests/lint.sh tests/plan.sh tests/again.sh \
	tests/install_user.c tests/in_child.h \
	tests/lag.h

# Those that reserve hugepages: run_one.sh runs one of them at a time.
hugepage_tests = tests/test_huge tests/test_backing tests/test_backing_fault \
	tests/test_backing_move tests/test_sys_numa tests/proc_life \
	tests/proc_start tests/proc_scarce tests/test_replay.sh

include $(srcdir)/tests/bench/local.mk

# Data that tests read: EXTRA_DIST += tests/x.conf
# Tests find $srcdir, $builddir and $SLABD_SANITIZER (empty: none) set.
EXTRA_DIST += tests/ctl/four/audit.80.txt tests/ctl/four/audit.color.txt \
	tests/ctl/four/audit.json tests/ctl/four/caches.120.txt \
	tests/ctl/four/caches.80.txt tests/ctl/four/caches.json \
	tests/ctl/four/clients.80.txt tests/ctl/four/clients.json \
	tests/ctl/four/nodes.120.txt tests/ctl/four/nodes.80.txt \
	tests/ctl/four/nodes.ascii.txt tests/ctl/four/nodes.color.txt \
	tests/ctl/four/nodes.json tests/ctl/four/slabs.80.txt \
	tests/ctl/four/slabs.json tests/ctl/four/status.80.txt \
	tests/ctl/four/status.json tests/ctl/huge/audit.80.txt \
	tests/ctl/huge/audit.json tests/ctl/huge/caches.80.txt \
	tests/ctl/huge/caches.json tests/ctl/huge/clients.80.txt \
	tests/ctl/huge/clients.json tests/ctl/huge/nodes.80.txt \
	tests/ctl/huge/nodes.json tests/ctl/huge/slabs.80.txt \
	tests/ctl/huge/slabs.json tests/ctl/huge/status.80.txt \
	tests/ctl/huge/status.json tests/ctl/one/audit.80.txt \
	tests/ctl/one/audit.json tests/ctl/one/caches.80.txt \
	tests/ctl/one/caches.json tests/ctl/one/clients.120.txt \
	tests/ctl/one/clients.80.txt tests/ctl/one/clients.ascii.txt \
	tests/ctl/one/clients.color.txt tests/ctl/one/clients.json \
	tests/ctl/one/nodes.80.txt tests/ctl/one/nodes.json \
	tests/ctl/one/slabs.80.txt tests/ctl/one/slabs.json \
	tests/ctl/one/status.80.txt tests/ctl/one/status.json \
	tests/ctl/zero/audit.80.txt tests/ctl/zero/audit.json \
	tests/ctl/zero/caches.80.txt tests/ctl/zero/caches.json \
	tests/ctl/zero/clients.80.txt tests/ctl/zero/clients.json \
	tests/ctl/zero/nodes.80.txt tests/ctl/zero/nodes.json \
	tests/ctl/zero/slabs.80.txt tests/ctl/zero/slabs.json \
	tests/ctl/zero/status.80.txt tests/ctl/zero/status.json
EXTRA_DIST += tests/ctl/four/plan.json tests/ctl/four/plan.80.txt \
	tests/ctl/four/log.json tests/ctl/four/log.80.txt \
	tests/ctl/four/lend.json tests/ctl/four/lend.80.txt \
	tests/ctl/four/migrate.json tests/ctl/four/migrate.80.txt \
	tests/ctl/four/drain.json tests/ctl/four/drain.80.txt \
	tests/ctl/four/trim.json tests/ctl/four/trim.80.txt \
	tests/ctl/four/set.json tests/ctl/four/set.80.txt \
	tests/ctl/one/plan.json tests/ctl/one/plan.80.txt \
	tests/ctl/one/log.json tests/ctl/one/log.80.txt \
	tests/ctl/one/lend.json tests/ctl/one/lend.80.txt \
	tests/ctl/one/migrate.json tests/ctl/one/migrate.80.txt \
	tests/ctl/one/drain.json tests/ctl/one/drain.80.txt \
	tests/ctl/one/trim.json tests/ctl/one/trim.80.txt \
	tests/ctl/one/set.json tests/ctl/one/set.80.txt \
	tests/ctl/zero/plan.json tests/ctl/zero/plan.80.txt \
	tests/ctl/zero/log.json tests/ctl/zero/log.80.txt \
	tests/ctl/zero/lend.json tests/ctl/zero/lend.80.txt \
	tests/ctl/zero/migrate.json tests/ctl/zero/migrate.80.txt \
	tests/ctl/zero/drain.json tests/ctl/zero/drain.80.txt \
	tests/ctl/zero/trim.json tests/ctl/zero/trim.80.txt \
	tests/ctl/zero/set.json tests/ctl/zero/set.80.txt \
	tests/ctl/huge/plan.json tests/ctl/huge/plan.80.txt \
	tests/ctl/huge/log.json tests/ctl/huge/log.80.txt \
	tests/ctl/huge/lend.json tests/ctl/huge/lend.80.txt \
	tests/ctl/huge/migrate.json tests/ctl/huge/migrate.80.txt \
	tests/ctl/huge/drain.json tests/ctl/huge/drain.80.txt \
	tests/ctl/huge/trim.json tests/ctl/huge/trim.80.txt \
	tests/ctl/huge/set.json tests/ctl/huge/set.80.txt \
	tests/ctl/four/plan.ascii.txt tests/ctl/four/log.color.txt \
	tests/ctl/four/draining.json tests/ctl/four/draining.80.txt

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
	SLABD_HUGEPAGE_TESTS='$(hugepage_tests)'; \
	export SLABD_HUGEPAGE_TESTS; \
	SLABD_SANITIZER='$(SANITIZER)'; export SLABD_SANITIZER; \
	SLABD_NO_UNIT_TESTS='$(NO_UNIT_TESTS)'; export SLABD_NO_UNIT_TESTS;
