# SPDX-License-Identifier: MIT
# Tests of several processes around a real slabd: tests/proc_*.c.
proc_harness = tests/proc/harness.h tests/proc/tap.c tests/proc/bed.c
proc_libs = client/libslabclient.la libshm.la $(JANSSON_LIBS)

tap_programs += tests/proc_life
tests_proc_life_SOURCES = tests/proc_life.c $(proc_harness)
tests_proc_life_LDADD = $(proc_libs)
tap_programs += tests/proc_give
tests_proc_give_SOURCES = tests/proc_give.c $(proc_harness)
tests_proc_give_LDADD = $(proc_libs)
tap_programs += tests/proc_fork
proc_churn = tests/proc/churn.h tests/proc/churn.c
tests_proc_fork_SOURCES = tests/proc_fork.c $(proc_harness) $(proc_churn)
tests_proc_fork_LDADD = $(proc_libs)
tap_programs += tests/proc_exhaust
tests_proc_exhaust_SOURCES = tests/proc_exhaust.c $(proc_harness)
tests_proc_exhaust_LDADD = $(proc_libs)
proc_cut = tests/proc/cut.h tests/proc/cut.c
tap_programs += tests/proc_gone
tests_proc_gone_SOURCES = tests/proc_gone.c $(proc_harness) $(proc_cut)
tests_proc_gone_LDADD = $(proc_libs)
tap_programs += tests/proc_door
tests_proc_door_SOURCES = tests/proc_door.c $(proc_harness)
tests_proc_door_LDADD = $(proc_libs)
proc_raw = tests/proc/raw.h tests/proc/raw.c
tap_programs += tests/proc_hostile
tests_proc_hostile_SOURCES = tests/proc_hostile.c $(proc_harness) $(proc_raw)
tests_proc_hostile_LDADD = $(proc_libs)
tap_programs += tests/proc_half
tests_proc_half_SOURCES = tests/proc_half.c $(proc_harness) $(proc_raw)
tests_proc_half_LDADD = $(proc_libs)
tap_programs += tests/proc_resume tests/proc_resume_raw
tests_proc_resume_SOURCES = tests/proc_resume.c $(proc_harness) $(proc_cut) \
	$(proc_churn)
tests_proc_resume_LDADD = $(proc_libs)
tests_proc_resume_raw_SOURCES = tests/proc_resume_raw.c $(proc_harness) \
	$(proc_raw) $(proc_keeper)
tests_proc_resume_raw_LDADD = $(proc_libs)
tap_programs += tests/proc_scribble
tests_proc_scribble_SOURCES = tests/proc_scribble.c $(proc_harness) $(proc_raw)
tests_proc_scribble_LDADD = $(proc_libs)
tap_programs += tests/proc_start
tests_proc_start_SOURCES = tests/proc_start.c $(proc_harness)
tests_proc_start_LDADD = $(proc_libs)
tap_programs += tests/proc_balance
tests_proc_balance_SOURCES = tests/proc_balance.c $(proc_harness)
tests_proc_balance_LDADD = $(proc_libs)
tap_programs += tests/proc_notify
proc_manager = tests/proc/manager.h tests/proc/manager.c
tests_proc_notify_SOURCES = tests/proc_notify.c $(proc_harness) $(proc_manager)
tests_proc_notify_LDADD = $(proc_libs)
tap_programs += tests/proc_supervise
tests_proc_supervise_SOURCES = tests/proc_supervise.c $(proc_harness) \
	$(proc_manager) tests/proc/super.h tests/proc/super.c
tests_proc_supervise_LDADD = $(proc_libs)
check_PROGRAMS += tests/proc_played
tests_proc_played_SOURCES = tests/proc/played.c
tests_proc_played_LDADD = libdaemon.la libnumatopo.la libshm.la \
	$(daemon_libs) $(numa_libs)
tap_programs += tests/proc_magazine
tests_proc_magazine_SOURCES = tests/proc_magazine.c $(proc_harness)
tests_proc_magazine_LDADD = $(proc_libs)
tap_programs += tests/proc_pools
tests_proc_pools_SOURCES = tests/proc_pools.c $(proc_harness)
tests_proc_pools_LDADD = $(proc_libs)
proc_keeper = tests/proc/keeper.h tests/proc/keeper.c
tap_programs += tests/proc_lastconf
tests_proc_lastconf_SOURCES = tests/proc_lastconf.c $(proc_harness) \
	$(proc_keeper)
tests_proc_lastconf_LDADD = $(proc_libs)
tap_programs += tests/proc_adopt
tests_proc_adopt_SOURCES = tests/proc_adopt.c $(proc_harness) $(proc_keeper)
tests_proc_adopt_LDADD = $(proc_libs)
tap_programs += tests/proc_upgrade
tests_proc_upgrade_SOURCES = tests/proc_upgrade.c $(proc_harness) \
	$(proc_keeper)
tests_proc_upgrade_LDADD = $(proc_libs)
proc_tamper = tests/proc/tamper.h tests/proc/tamper.c tests/proc/stores.h \
	tests/proc/stores.c
proc_deed = tests/proc/deed.h tests/proc/deed.c tests/proc/doer.h \
	tests/proc/doer.c $(proc_tamper)
tap_programs += tests/step_slabd
tests_step_slabd_SOURCES = tests/step_slabd.c $(proc_deed) $(proc_harness) \
	$(proc_keeper)
tests_step_slabd_LDADD = $(proc_libs)
tap_programs += tests/proc_spawn
tests_proc_spawn_SOURCES = tests/proc_spawn.c $(proc_harness) $(proc_raw) \
	$(proc_churn)
tests_proc_spawn_LDADD = $(proc_libs)
tap_programs += tests/fault_slabd
tests_fault_slabd_SOURCES = tests/fault_slabd.c $(proc_deed) $(proc_harness) \
	$(proc_keeper)
tests_fault_slabd_LDADD = $(proc_libs)
tap_programs += tests/fault_client
tests_fault_client_SOURCES = tests/fault_client.c $(proc_tamper) \
	$(proc_harness)
tests_fault_client_LDADD = $(proc_libs)
tap_programs += tests/fault_limits
tests_fault_limits_SOURCES = tests/fault_limits.c $(proc_harness) $(proc_keeper)
tests_fault_limits_LDADD = $(proc_libs)
tap_programs += tests/proc_drift
tests_proc_drift_SOURCES = tests/proc_drift.c $(proc_harness)
tests_proc_drift_LDADD = $(proc_libs)
tap_programs += tests/proc_scarce
tests_proc_scarce_SOURCES = tests/proc_scarce.c $(proc_harness)
tests_proc_scarce_LDADD = client/libslabclient.la libnumatopo.la libshm.la \
	$(numa_libs) $(JANSSON_LIBS)
tap_programs += tests/proc_ctl
tests_proc_ctl_SOURCES = tests/proc_ctl.c $(proc_harness)
tests_proc_ctl_LDADD = $(proc_libs)
