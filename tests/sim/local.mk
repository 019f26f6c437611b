# SPDX-License-Identifier: MIT
# slabd's policy on machines that are not there: ./dev sim, and as a test.
check_LIBRARIES += tests/libsim.a
tests_libsim_a_SOURCES = tests/sim/world.h tests/sim/heap.h tests/lib/rng.h \
	tests/sim/machine.c tests/sim/machine.h \
	tests/sim/slabs.c tests/sim/slabs.h \
	tests/sim/client.c tests/sim/daemon.c tests/sim/picture.c \
	tests/sim/apply.c tests/sim/verify.c \
	tests/sim/scenario.c tests/sim/scenario.h tests/sim/workload.c \
	tests/sim/other_policies.c tests/sim/other_policies.h tests/sim/curve.h \
	tests/sim/run.c tests/sim/run.h \
	tests/sim/progress.c tests/sim/progress.h
sim_libs = tests/libsim.a libdaemon.a libshm.la -lm
EXTRA_DIST += tests/sim/curve.c tests/sim/curve_none.c
if HAVE_ZSTD
sim_curve = tests/sim/curve.c
sim_libs += tests/libreplay.a $(ZSTD_LIBS)
else
sim_curve = tests/sim/curve_none.c
endif

EXTRA_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = tests/sim/sim.c $(sim_curve)
tests_sim_sim_LDADD = $(sim_libs)

tap_programs += tests/sim/check
tests_sim_check_SOURCES = tests/sim/check.c tests/sim/check_break.c \
	tests/sim/check_break.h $(sim_curve)
tests_sim_check_LDADD = $(sim_libs)

EXTRA_DIST += tests/sim/README.md tests/sim/run.sh tests/sim/draw.py

# The same machine, with plans carried out in any state that it may be in.
tests_unit_daemon_test_plan_random_LDADD = tests/libtest.a tests/libsim.a \
	libdaemon.a libnumatopo.a libshm.la $(daemon_libs) $(numa_libs) \
	$(CRITERION_LIBS) -lm
