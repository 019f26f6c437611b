# SPDX-License-Identifier: MIT
# The replay worker of the tests, the demo and the benchmarks: tests/replay.
if HAVE_ZSTD
check_LIBRARIES += tests/libreplay.a
tests_libreplay_a_SOURCES = tests/replay/classes.c tests/replay/classes.h \
	tests/replay/pattern.c tests/replay/pattern.h \
	tests/replay/cut.c tests/replay/cut.h $(trace_sources) \
	tests/replay/run.c tests/replay/run.h tests/replay/backend.h

check_PROGRAMS += tests/replay/replay
tests_replay_replay_SOURCES = tests/replay/replay.c tests/replay/backend.c \
	tests/replay/options.c tests/replay/options.h \
	tests/replay/report.c tests/replay/report.h
tests_replay_replay_LDADD = tests/libreplay.a client/libslabclient.la $(ZSTD_LIBS)

replay_test_libs = tests/libreplay.a $(ZSTD_LIBS) $(CRITERION_LIBS)
unit_tests += tests/unit/replay/test_classes tests/unit/replay/test_pattern \
	tests/unit/replay/test_trace tests/unit/replay/test_run
tests_unit_replay_test_classes_LDADD = $(replay_test_libs)
tests_unit_replay_test_pattern_LDADD = $(replay_test_libs)
tests_unit_replay_test_trace_LDADD = $(replay_test_libs)
tests_unit_replay_test_run_LDADD = $(replay_test_libs)
endif
