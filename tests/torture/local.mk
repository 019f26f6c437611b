# SPDX-License-Identifier: MIT
# Workers and slabd killed at random: 20 seconds of it in ./dev check, two minutes
# in ./dev stress, or as long as you like.
tap_programs += tests/torture/proc_torture
tests_torture_proc_torture_SOURCES = tests/torture/proc_torture.c \
	tests/torture/torture.h tests/torture/flows.h tests/torture/actor.c \
	tests/torture/crates.c tests/torture/flows.c tests/torture/item.c \
	tests/torture/killer.c tests/torture/reconfigurer.c \
	tests/torture/worker.c
tests_torture_proc_torture_LDADD = $(system_libs)
EXTRA_DIST += tests/torture/stress.sh
CLEANFILES += tests/torture/proc_torture.slabd-log
