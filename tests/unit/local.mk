# SPDX-License-Identifier: MIT
# One module each, in one process; by folder of the module.
unit_tests += tests/unit/shm/test_abandon
unit_tests += tests/unit/shm/test_audit
unit_tests += tests/unit/shm/test_channel
unit_tests += tests/unit/shm/test_layout
unit_tests += tests/unit/shm/test_names
unit_tests += tests/unit/shm/test_partial
unit_tests += tests/unit/shm/test_run
unit_tests += tests/unit/shm/test_slab
unit_tests += tests/unit/shm/test_slab_lend
unit_tests += tests/unit/shm/test_tags
unit_tests += tests/unit/numa/sys_numa
unit_tests += tests/unit/numa/test_backing
unit_tests += tests/unit/numa/test_backing_fault
unit_tests += tests/unit/numa/test_backing_move
unit_tests += tests/unit/numa/test_cgroup
unit_tests += tests/unit/numa/test_huge
unit_tests += tests/unit/numa/test_reserve
unit_tests += tests/unit/numa/test_topo
unit_tests += tests/unit/client/test_depot
unit_tests += tests/unit/record/test_live
tests_unit_record_test_live_SOURCES = tests/unit/record/test_live.c record/live.c
unit_tests += tests/unit/daemon/test_ahead
unit_tests += tests/unit/daemon/test_apply
unit_tests += tests/unit/daemon/test_arenas
unit_tests += tests/unit/daemon/test_asleep
unit_tests += tests/unit/daemon/test_backoff
unit_tests += tests/unit/daemon/test_balance
unit_tests += tests/unit/daemon/test_balance_look
unit_tests += tests/unit/daemon/test_caches
unit_tests += tests/unit/daemon/test_channels
unit_tests += tests/unit/daemon/test_clients
unit_tests += tests/unit/daemon/test_clock
unit_tests += tests/unit/daemon/test_config
unit_tests += tests/unit/daemon/test_config_balance
unit_tests += tests/unit/daemon/test_config_changes
unit_tests += tests/unit/daemon/test_config_dropins
unit_tests += tests/unit/daemon/test_config_load
unit_tests += tests/unit/daemon/test_config_value
unit_tests += tests/unit/daemon/test_ctl_args
unit_tests += tests/unit/daemon/test_ctl_complete
unit_tests += tests/unit/daemon/test_ctl_http
unit_tests += tests/unit/daemon/test_ctl_rates
unit_tests += tests/unit/daemon/test_ctl_render
unit_tests += tests/unit/daemon/test_ctl_save
unit_tests += tests/unit/daemon/test_choose
if HAVE_ZSTD
unit_tests += tests/unit/daemon/test_ctl_advise
endif
unit_tests += tests/unit/daemon/test_ctl_upgrade
unit_tests += tests/unit/daemon/test_ctl_text
unit_tests += tests/unit/daemon/test_denied
unit_tests += tests/unit/daemon/test_dump
unit_tests += tests/unit/daemon/test_duty
unit_tests += tests/unit/daemon/test_extent
unit_tests += tests/unit/daemon/test_fdstore
unit_tests += tests/unit/daemon/test_fits
unit_tests += tests/unit/daemon/test_follow
unit_tests += tests/unit/daemon/test_found
unit_tests += tests/unit/daemon/test_held
unit_tests += tests/unit/daemon/test_history
unit_tests += tests/unit/daemon/test_http
unit_tests += tests/unit/daemon/test_http_post
unit_tests += tests/unit/daemon/test_jumps
unit_tests += tests/unit/daemon/test_log
unit_tests += tests/unit/daemon/test_looks
unit_tests += tests/unit/daemon/test_message
unit_tests += tests/unit/daemon/test_notify
unit_tests += tests/unit/daemon/test_tells
tests_unit_shm_test_layout_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sysconf
tests_unit_daemon_test_config_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=poll
tests_unit_daemon_test_tells_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sendmsg
unit_tests += tests/unit/daemon/test_orphans
unit_tests += tests/unit/daemon/test_options
unit_tests += tests/unit/daemon/test_page
unit_tests += tests/unit/daemon/test_pages
unit_tests += tests/unit/daemon/test_places
unit_tests += tests/unit/daemon/test_openmetrics
unit_tests += tests/unit/daemon/test_peer
unit_tests += tests/unit/daemon/test_plan
unit_tests += tests/unit/daemon/test_plan_lend
unit_tests += tests/unit/daemon/test_plan_random
unit_tests += tests/unit/daemon/test_proc
unit_tests += tests/unit/daemon/test_past
unit_tests += tests/unit/daemon/test_psi
unit_tests += tests/unit/daemon/test_reload
unit_tests += tests/unit/daemon/test_remedy
unit_tests += tests/unit/daemon/test_report
unit_tests += tests/unit/daemon/test_report_act
unit_tests += tests/unit/daemon/test_ran
unit_tests += tests/unit/daemon/test_report_audit
unit_tests += tests/unit/daemon/test_report_advise
unit_tests += tests/unit/daemon/test_report_doctor
unit_tests += tests/unit/daemon/test_report_history
unit_tests += tests/unit/daemon/test_report_leaks
unit_tests += tests/unit/daemon/test_report_objpools
unit_tests += tests/unit/daemon/test_report_owned
unit_tests += tests/unit/daemon/test_report_plan
unit_tests += tests/unit/daemon/test_report_pool
unit_tests += tests/unit/daemon/test_report_slabs
unit_tests += tests/unit/daemon/test_report_slices
unit_tests += tests/unit/daemon/test_reuse
unit_tests += tests/unit/daemon/test_roots
unit_tests += tests/unit/daemon/test_settings
unit_tests += tests/unit/daemon/test_holders
unit_tests += tests/unit/daemon/test_holes
unit_tests += tests/unit/daemon/test_share
unit_tests += tests/unit/daemon/test_slabs
unit_tests += tests/unit/daemon/test_sweep
unit_tests += tests/unit/daemon/test_supervise_fds
unit_tests += tests/unit/daemon/test_supervise_msg
unit_tests += tests/unit/daemon/test_tidings
unit_tests += tests/unit/daemon/test_turn
unit_tests += tests/unit/daemon/test_uevent
unit_tests += tests/unit/daemon/test_users
unit_tests += tests/unit/daemon/test_walks
unit_tests += tests/unit/daemon/test_waiting
unit_tests += tests/unit/daemon/test_wants
# Threads that race: TAP of their own, for the thread sanitizer.
tap_programs += tests/unit/client/race_credit
tap_programs += tests/unit/client/race_depot
tap_programs += tests/unit/client/race_stopped
tap_programs += tests/unit/client/race_way
tap_programs += tests/unit/daemon/race_aside
tap_programs += tests/unit/daemon/race_crew
tap_programs += tests/unit/daemon/race_punch
tap_programs += tests/unit/daemon/race_work
tap_programs += tests/unit/record/race_ring
tests_unit_record_race_ring_SOURCES = tests/unit/record/race_ring.c record/ring.c
tap_programs += tests/unit/shm/race_partial
tap_programs += tests/unit/shm/race_slab
tap_programs += tests/unit/shm/race_tags
tap_programs += tests/unit/shm/stress_fence
tap_scripts += tests/unit/test_steps.sh

# The time is the test's to say: tests/lib/clock.h.
tests_unit_daemon_race_crew_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pthread_create
work_gate_sources = tests/unit/daemon/work_gate.c tests/unit/daemon/work_gate.h
work_gate_ldflags = $(AM_LDFLAGS) -Wl,--wrap=backing_grow,--wrap=memfile_punch,--wrap=lseek
tests_unit_daemon_race_punch_SOURCES = tests/unit/daemon/race_punch.c \
	$(work_gate_sources)
tests_unit_daemon_race_punch_LDFLAGS = $(work_gate_ldflags)
tests_unit_daemon_race_work_SOURCES = tests/unit/daemon/race_work.c \
	$(work_gate_sources)
tests_unit_daemon_race_work_LDFLAGS = $(work_gate_ldflags)
clock_wrap = $(AM_LDFLAGS) -Wl,--wrap=clock_ns
tests_unit_daemon_test_ahead_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_arenas_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_asleep_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_balance_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_balance_look_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_channels_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_clients_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_clock_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_denied_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_duty_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_found_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_held_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_history_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_jumps_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_log_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_tidings_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_pages_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_peer_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_reuse_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_users_LDFLAGS = $(clock_wrap)

tests_unit_daemon_test_looks_LDFLAGS = $(clock_wrap) \
	-Wl,--wrap=usage_piece,--wrap=usage_audit_piece
tests_unit_daemon_test_report_slices_LDFLAGS = $(clock_wrap)
tests_unit_daemon_test_walks_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=backing_where,--wrap=backing_purge

# What the kernel answers is the test's to say.
backing_wraps = $(AM_LDFLAGS) \
	-Wl,--wrap=memfd_create,--wrap=madvise,--wrap=mbind \
	-Wl,--wrap=fstat,--wrap=move_pages
tests_unit_numa_test_backing_LDFLAGS = $(backing_wraps)
tests_unit_numa_test_backing_fault_LDFLAGS = $(backing_wraps)
tests_unit_numa_test_backing_move_LDFLAGS = $(backing_wraps)
unit_tests += tests/unit/numa/test_cgroup
tests_unit_numa_test_huge_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pwrite \
	-Wl,--wrap=usleep
tests_unit_numa_test_reserve_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=huge_count \
	-Wl,--wrap=huge_reserve,--wrap=tick_ns,--wrap=huge_release
# Which messages come is the test's to say.
tests_unit_daemon_test_uevent_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=udev_monitor_receive_device,--wrap=udev_monitor_get_fd \
	-Wl,--wrap=udev_device_get_subsystem,--wrap=udev_device_get_action \
	-Wl,--wrap=udev_device_unref
