# SPDX-License-Identifier: MIT
# Built by tests/bench/run.sh alone.
EXTRA_PROGRAMS += tests/bench/attach tests/bench/pairs tests/bench/populate
tests_bench_attach_LDADD = client/libslabclient.la
tests_bench_pairs_LDADD = client/libslabclient.la
EXTRA_DIST += tests/bench/run.sh tests/bench/README.md
