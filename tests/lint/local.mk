# SPDX-License-Identifier: MIT
# What is held to by looking at the sources, symbols and instructions.
tap_scripts += tests/lint/check_abi.sh
tap_scripts += tests/lint/check_atomics.sh
tap_scripts += tests/lint/check_clocks.sh
tap_scripts += tests/lint/check_comments.sh
tap_scripts += tests/lint/check_errors.sh
tap_scripts += tests/lint/check_exports.sh
tap_scripts += tests/lint/check_insn.sh
tap_scripts += tests/lint/check_layers.sh
tap_scripts += tests/lint/check_listed.sh
tap_scripts += tests/lint/check_map.sh
tap_scripts += tests/lint/check_man_example.sh
tap_scripts += tests/lint/check_man_reasons.sh
tap_scripts += tests/lint/check_names.sh
tap_scripts += tests/lint/check_package.sh
tap_scripts += tests/lint/check_sizes.sh
EXTRA_DIST += tests/lint/lint.sh
EXTRA_DIST += tests/lint/errors.txt
EXTRA_DIST += tests/data/abi_1/slabclient.h tests/data/abi_1/slabclient_hit.h
EXTRA_DIST += tests/data/abi_1/worker.c
check_PROGRAMS += tests/lint/insn_hit
tests_lint_insn_hit_LDADD = client/libslabclient.la
