# SPDX-License-Identifier: MIT
# Clients and slabd single-stepped and killed on the way, and calls that fail at
# each place. Those that step a client link its own code.
tap_programs += tests/crash/fault_client
tests_crash_fault_client_LDADD = $(system_libs)
tap_programs += tests/crash/fault_limits
tests_crash_fault_limits_LDADD = $(system_libs)
tap_programs += tests/crash/fault_slabd
tests_crash_fault_slabd_LDADD = $(system_libs)
tap_programs += tests/crash/step_arena
tests_crash_step_arena_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_channel
tests_crash_step_channel_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_client
tests_crash_step_client_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_handler
tests_crash_step_handler_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_handover
tests_crash_step_handover_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_node
tests_crash_step_node_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_pool
tests_crash_step_pool_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_race
tests_crash_step_race_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_root
tests_crash_step_root_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/crash/step_slabd
tests_crash_step_slabd_LDADD = $(system_libs)
# Symbols are bound before the first step: else it would count the linker's.
step_ldflags = -Wl,-z,now
