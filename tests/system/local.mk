# SPDX-License-Identifier: MIT
# Several processes around a real slabd. Those that count what a call waits for
# link the library's own code.
asked_sources = tests/lib/asked.c tests/lib/asked.h
asked_ldflags = -Wl,--wrap=clock_gettime,--wrap=poll,--wrap=syscall \
	-Wl,--wrap=pthread_mutex_timedlock,--wrap=connect,--wrap=recvmsg \
	-Wl,--wrap=setsockopt
tap_programs += tests/system/proc_adopt
tests_system_proc_adopt_LDADD = $(system_libs)
tap_programs += tests/system/proc_balance
tests_system_proc_balance_LDADD = $(system_libs)
tap_programs += tests/system/proc_ctl
tests_system_proc_ctl_LDADD = $(system_libs)
tap_programs += tests/system/proc_door
tests_system_proc_door_SOURCES = tests/system/proc_door.c $(asked_sources)
tests_system_proc_door_LDFLAGS = $(AM_LDFLAGS) $(asked_ldflags)
tap_programs += tests/system/proc_drift
tests_system_proc_drift_LDADD = $(system_libs)
tap_programs += tests/system/proc_exhaust
tests_system_proc_exhaust_LDADD = $(system_libs)
tap_programs += tests/system/proc_fork
tests_system_proc_fork_LDADD = $(system_libs)
tap_programs += tests/system/proc_give
tests_system_proc_give_LDADD = $(system_libs)
tap_programs += tests/system/proc_gone
tests_system_proc_gone_SOURCES = tests/system/proc_gone.c $(asked_sources)
tests_system_proc_gone_LDFLAGS = $(AM_LDFLAGS) $(asked_ldflags)
tap_programs += tests/system/proc_half
tests_system_proc_half_SOURCES = tests/system/proc_half.c $(asked_sources)
tests_system_proc_half_LDFLAGS = $(AM_LDFLAGS) $(asked_ldflags)
tap_programs += tests/system/proc_hostile
tests_system_proc_hostile_LDADD = $(system_libs)
tap_programs += tests/system/proc_lastconf
tests_system_proc_lastconf_LDADD = $(system_libs)
tap_programs += tests/system/proc_lease
tests_system_proc_lease_SOURCES = tests/system/proc_lease.c $(asked_sources)
tests_system_proc_lease_LDFLAGS = $(AM_LDFLAGS) $(asked_ldflags)
tap_programs += tests/system/proc_life
tests_system_proc_life_LDADD = $(system_libs)
tap_programs += tests/system/proc_magazine
tests_system_proc_magazine_LDADD = $(system_libs)
tap_programs += tests/system/proc_notify
tests_system_proc_notify_LDADD = $(system_libs)
tap_programs += tests/system/proc_pools
tests_system_proc_pools_LDADD = $(system_libs)
tap_programs += tests/system/proc_resume
tests_system_proc_resume_SOURCES = tests/system/proc_resume.c $(asked_sources)
tests_system_proc_resume_LDFLAGS = $(AM_LDFLAGS) $(asked_ldflags)
tap_programs += tests/system/proc_resume_raw
tests_system_proc_resume_raw_LDADD = $(system_libs)
tap_programs += tests/system/proc_scarce
tests_system_proc_scarce_LDADD = $(system_libs)
tap_programs += tests/system/proc_scribble
tests_system_proc_scribble_LDADD = $(system_libs)
tap_programs += tests/system/proc_spawn
tests_system_proc_spawn_LDADD = $(system_libs)
tap_programs += tests/system/proc_start
tests_system_proc_start_LDADD = $(system_libs)
tap_programs += tests/system/proc_supervise
tests_system_proc_supervise_LDADD = $(system_libs) libdaemon.la
tap_programs += tests/system/proc_upgrade
tests_system_proc_upgrade_SOURCES = tests/system/proc_upgrade.c $(asked_sources)
tests_system_proc_upgrade_LDFLAGS = $(AM_LDFLAGS) $(asked_ldflags)
# What proc_notify and others start in slabd's place.
check_PROGRAMS += tests/system/played
tap_scripts += tests/system/test_replay.sh
EXTRA_DIST += tests/system/install_user.c
