# SPDX-License-Identifier: MIT
# Tests in a virtual machine of several NUMA nodes: ./dev guest. The programs
# are built with the other tests and run in the machine alone.
guest_programs = tests/guest/homes tests/guest/threads tests/guest/nearest \
	tests/guest/orphan tests/guest/migrate
check_PROGRAMS += $(guest_programs)
guest_bed = tests/guest/bed.c tests/guest/bed.h
tests_guest_homes_SOURCES = tests/guest/homes.c $(guest_bed)
tests_guest_homes_LDADD = client/libslabclient.la
tests_guest_threads_SOURCES = tests/guest/threads.c $(guest_bed)
tests_guest_threads_LDADD = client/libslabclient.la
tests_guest_nearest_SOURCES = tests/guest/nearest.c $(guest_bed)
tests_guest_nearest_LDADD = client/libslabclient.la
tests_guest_orphan_SOURCES = tests/guest/orphan.c $(guest_bed)
tests_guest_orphan_LDADD = client/libslabclient.la
tests_guest_migrate_SOURCES = tests/guest/migrate.c $(guest_bed) \
	tests/guest/moved_bed.c tests/guest/moved_bed.h \
	tests/guest/witness.c tests/guest/witness.h
tests_guest_migrate_LDADD = libnumatopo.la client/libslabclient.la $(numa_libs)
tests_guest_migrate_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mbind
EXTRA_DIST += tests/guest/run.sh tests/guest/init tests/guest/tests.sh \
	tests/guest/lib.sh tests/guest/test_death.sh \
	tests/guest/test_homes.sh tests/guest/test_hugepages.sh \
	tests/guest/test_ladder.sh tests/guest/test_migrate.sh \
	tests/guest/test_threads.sh \
	tests/guest/test_nearest.sh tests/guest/test_replay.sh \
	tests/guest/test_topology.sh
