# SPDX-License-Identifier: MIT
# Unit tests of shm/, of the client's depot and of the daemon's books.
unit_tests += tests/test_layout
tests_test_layout_SOURCES = tests/test_layout.c tests/dice.h
