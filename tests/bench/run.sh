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
--insn) exec sh "$srcdir/tests/lint/check_insn.sh" ;;
-h | --help) exec python3 "$here/drive.py" --build . --source . --out . --help ;;
esac

make -s -C "$builddir" daemon/slabd tests/bench/attach tests/bench/objpool tests/bench/populate \
	tests/bench/growth tests/bench/recovery tests/bench/drift tests/bench/plan \
	tests/bench/silence tests/bench/host tests/bench/wake tests/bench/arena daemon/slabctl \
	client/examples/gateway \
	tests/bench/work_slabd tests/bench/work_channel tests/bench/work_local tests/bench/work_floor tests/bench/work_malloc

# A peer whose package is not there is left out, and drive.py says so. DPDK is
# linked from its archives: as a shared library it loads a hundred drivers.
peer() {
	name=$1
	shift
	make -s -C "$builddir" "tests/bench/work_$name" "$@" \
		>"$builddir/tests/bench/work_$name.log" 2>&1 ||
		rm -f "$builddir/tests/bench/work_$name"
}
if dpdk=$(pkg-config --cflags libdpdk 2>/dev/null); then
	libs=
	for lib in mempool mempool_ring ring eal kvargs telemetry; do
		libs="$libs,-l:librte_$lib.a"
	done
	# One word, which libtool does not put in another order.
	libs=-Wl,--whole-archive$libs,--no-whole-archive
	peer dpdk BENCH_DPDK_CFLAGS="$dpdk" \
		BENCH_DPDK_LIBS="$libs -lnuma -lbsd -lm -ldl"
fi
peer boost

export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/drive.py" --build "$builddir" --source "$srcdir" --out "$out" "$@"
