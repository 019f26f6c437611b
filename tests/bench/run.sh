#!/bin/sh
# SPDX-License-Identifier: MIT
# What "./dev bench" runs: builds the contestants whose packages are there and
# hands over to drive.py.
set -eu
builddir=${builddir:?the build folder}
srcdir=${srcdir:-$(dirname "$0")/../..}
here=$srcdir/tests/bench
out=${SLABD_BENCH_OUT:-$builddir/../bench}
case ${1:-} in
--insn) exec sh "$srcdir/tests/check_insn.sh" ;;
-h | --help) exec python3 "$here/drive.py" --build . --out . --help ;;
esac

make -s -C "$builddir" tests/bench/attach tests/bench/populate \
	tests/bench/work_slabd tests/bench/work_floor tests/bench/work_malloc

export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/drive.py" --build "$builddir" --out "$out" "$@"
