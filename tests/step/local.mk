# SPDX-License-Identifier: MIT
# Clients that are single-stepped, and killed or interrupted on the way.
step_lib = tests/step/step.h tests/step/step.c $(proc_harness)
step_ward = $(step_lib) tests/step/ward.h tests/step/ward.c \
	tests/step/living.h tests/step/living.c $(proc_raw)
step_kill = $(step_ward) tests/step/kill.h tests/step/kill.c
step_libs = libclient.la libshm.la $(JANSSON_LIBS)

tap_programs += tests/step_client
tests_step_client_SOURCES = tests/step_client.c $(step_kill)
tests_step_client_LDADD = $(step_libs)
tests_step_client_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/step_node
tests_step_node_SOURCES = tests/step_node.c $(step_kill)
tests_step_node_LDADD = $(step_libs)
tests_step_node_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/step_pool
tests_step_pool_SOURCES = tests/step_pool.c $(step_kill)
tests_step_pool_LDADD = $(step_libs)
tests_step_pool_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/step_race
tests_step_race_SOURCES = tests/step_race.c $(step_ward)
tests_step_race_LDADD = $(step_libs)
tests_step_race_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
tap_programs += tests/step_handler
tests_step_handler_SOURCES = tests/step_handler.c $(step_lib)
tests_step_handler_LDADD = $(step_libs)
tests_step_handler_LDFLAGS = $(AM_LDFLAGS) $(step_ldflags)
# Symbols are bound before the first step: else it would count the linker's.
step_ldflags = -Wl,-z,now

tap_programs += tests/stress_fence
tests_stress_fence_SOURCES = tests/stress_fence.c tests/image.c tests/image.h \
	$(proc_harness)
tests_stress_fence_LDADD = $(step_libs)
