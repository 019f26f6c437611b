#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds the line on the hit path: instructions of one alloc and free that both
# hit, loop included, counted by callgrind. They repeat exactly, so a change
# that adds one to the hit shows here.
set -u
bound=32
builddir=${builddir:-.}
here=$(mktemp -d)
pid=
cleanup() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT

skip() {
	echo "1..1"
	echo "ok 1 - instructions of a hit # SKIP $1"
	exit 0
}

command -v valgrind >/dev/null 2>&1 || skip "valgrind is not installed"
[ -z "${SLABD_SANITIZER:-}" ] || skip "sanitizers add instructions"

cat >"$here/conf" <<EOF
[slabd]
reserve_hugepages = no
[pool default]
page = 4k
max = 16M
start = 2M
EOF
"$builddir/daemon/slabd" --config "$here/conf" --socket "$here/s" \
	--control "$here/c" >"$here/log" 2>&1 &
pid=$!
tries=0
until [ -S "$here/c" ] || [ $tries -ge 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
export SLABD_SOCKET="$here/s"

count() {
	"$builddir/libtool" --mode=execute valgrind --tool=callgrind \
		--callgrind-out-file=/dev/null "$builddir/tests/insn_hit" "$1" \
		2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

echo "1..2"
few=$(count 100000)
many=$(count 200000)
if [ -z "$few" ] || [ -z "$many" ]; then
	echo "not ok 1 - callgrind counted nothing"
	echo "not ok 2 - callgrind counted nothing"
	sed 's/^/# /' "$here/log"
	exit 1
fi
each=$(((many - few + 50000) / 100000))
echo "# $each instructions a pair ($few for 100,000, $many for 200,000)"
if [ "$each" -le $bound ]; then
	echo "ok 1 - a pair that hits takes $each instructions, at most $bound"
else
	echo "not ok 1 - a pair that hits takes $each instructions, over $bound"
fi
# A count that is far too small has measured something else.
if [ "$each" -ge 15 ]; then
	echo "ok 2 - the pair was not optimised away"
else
	echo "not ok 2 - $each instructions are too few for an alloc and a free"
fi
