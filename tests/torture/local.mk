# SPDX-License-Identifier: MIT
# Workers and slabd killed at random: 20 seconds of it here, two minutes in
# ./dev check, ./dev stress for as long as you like.
tap_programs += tests/proc_torture
tests_proc_torture_SOURCES = tests/proc_torture.c tests/torture/torture.h \
	tests/torture/actor.c tests/torture/item.c tests/torture/slayer.c \
	tests/torture/meddler.c tests/torture/worker.c tests/proc/super.h tests/proc/super.c \
	$(proc_manager) $(proc_harness)
tests_proc_torture_LDADD = $(proc_libs)
EXTRA_DIST += tests/stress.sh
CLEANFILES += tests/proc_torture.slabd-log

tap_programs += tests/proc_lease
tests_proc_lease_SOURCES = tests/proc_lease.c $(proc_harness)
tests_proc_lease_LDADD = libclient.la libshm.la $(JANSSON_LIBS)
