# SPDX-License-Identifier: MIT
# Tests in a virtual machine of several NUMA nodes: ./dev guest. The programs
# are built with the other tests and run in the machine alone.
guest_programs = tests/guest/homes tests/guest/threads tests/guest/nearest \
	tests/guest/orphan tests/guest/worker tests/guest/knock \
	tests/guest/powers tests/guest/migrate tests/guest/burst \
	tests/guest/local tests/guest/crowd
check_PROGRAMS += $(guest_programs)
guest_fixture = tests/guest/fixture.c tests/guest/fixture.h
tests_guest_homes_SOURCES = tests/guest/homes.c $(guest_fixture)
tests_guest_homes_LDADD = client/libslabclient.la
tests_guest_threads_SOURCES = tests/guest/threads.c $(guest_fixture)
tests_guest_threads_LDADD = client/libslabclient.la
tests_guest_nearest_SOURCES = tests/guest/nearest.c $(guest_fixture)
tests_guest_nearest_LDADD = client/libslabclient.la
tests_guest_local_SOURCES = tests/guest/local.c $(guest_fixture)
tests_guest_local_LDADD = client/libslabclient.la
tests_guest_burst_SOURCES = tests/guest/burst.c $(guest_fixture)
tests_guest_burst_LDADD = client/libslabclient.la
tests_guest_crowd_SOURCES = tests/guest/crowd.c $(guest_fixture)
tests_guest_crowd_LDADD = client/libslabclient.la
tests_guest_orphan_SOURCES = tests/guest/orphan.c $(guest_fixture)
tests_guest_orphan_LDADD = client/libslabclient.la
tests_guest_migrate_SOURCES = tests/guest/migrate.c $(guest_fixture) \
	tests/guest/moved_fixture.c tests/guest/moved_fixture.h \
	tests/guest/witness.c tests/guest/witness.h
tests_guest_migrate_LDADD = libnumatopo.a client/libslabclient.la $(numa_libs)
tests_guest_migrate_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mbind
tests_guest_worker_SOURCES = tests/guest/worker.c $(guest_fixture)
tests_guest_worker_LDADD = client/libslabclient.la
tests_guest_knock_SOURCES = tests/guest/knock.c $(guest_fixture)
tests_guest_knock_LDADD = client/libslabclient.la
tests_guest_powers_SOURCES = tests/guest/powers.c $(guest_fixture)
tests_guest_powers_LDADD = client/libslabclient.la
EXTRA_DIST += tests/guest/README.md tests/guest/run.sh tests/guest/init \
	tests/guest/tests.sh tests/guest/lib.sh tests/guest/unit.sh \
	tests/guest/debian.sh \
	tests/guest/shape_four.sh tests/guest/shape_four.facts \
	tests/guest/shape_six.sh tests/guest/shape_six.facts \
	tests/guest/shape_systemd.sh tests/guest/shape_systemd.facts \
	tests/guest/shape_giant.sh tests/guest/shape_giant.facts \
	tests/guest/shape_package.sh tests/guest/shape_package.facts \
	tests/guest/test_balance.sh tests/guest/test_clock.sh tests/guest/test_crowd.sh \
	tests/guest/test_death.sh tests/guest/test_down.sh tests/guest/test_homes.sh \
	tests/guest/test_hotplug.sh tests/guest/test_pools.sh \
	tests/guest/test_pressure.sh \
	tests/guest/test_giant.sh \
	tests/guest/test_hugepages.sh tests/guest/test_ladder.sh \
	tests/guest/test_local.sh tests/guest/test_migrate.sh tests/guest/test_nearest.sh \
	tests/guest/test_offline.sh tests/guest/test_package.sh \
	tests/guest/test_replay.sh \
	tests/guest/test_threads.sh \
	tests/guest/test_topology.sh tests/guest/test_unit.sh \
	tests/guest/test_unit_huge.sh tests/guest/test_unit_limit.sh \
	tests/guest/test_unit_powers.sh tests/guest/test_unit_restart.sh \
	tests/guest/test_unit_socket.sh tests/guest/test_unit_watchdog.sh
