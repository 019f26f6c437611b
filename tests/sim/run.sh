#!/bin/sh
# SPDX-License-Identifier: MIT
# What "./dev sim" runs: the simulator, then the table and the pictures.
set -eu
builddir=${builddir:?the build folder}
srcdir=${srcdir:-$(dirname "$0")/../..}
out=$builddir/../sim

# An --out of the caller's own is where the pictures go, too.
previous=
for argument; do
	case $argument in
	--out=*) out=${argument#--out=} ;;
	esac
	[ "$previous" != --out ] || out=$argument
	previous=$argument
done

traces=${SLABD_TRACES:-$srcdir/../shared/traces}
ls "$traces"/*.trace.zst >/dev/null 2>&1 || traces=$srcdir/tests/data

make -s -C "$builddir" tests/sim/sim
"$builddir/tests/sim/sim" --traces "$traces" --out "$out" "$@" || exit
case " $* " in
*" --help "* | *" -h "*) exit 0 ;;
esac
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$srcdir/tests/sim/draw.py" "$out"
