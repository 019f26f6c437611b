#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds the line on instructions, counted by callgrind: a pair that hits, one of
# an object pool, a pair that the depot serves, an object that comes from its slab, one that goes home.
# They repeat, so a change that adds one to the hit shows here. The bounds are
# what each compiler's code takes today: lower them with the code.
set -u
builddir=${builddir:-.}
here=$(mktemp -d)
pid=
cleanup() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT

# A miss more or less among the hits is a hundredth.
# path | pattern | few | objects each | what alone | gcc | clang, in hundredths
paths() {
	cat <<-'EOT'
	hit|hit|100000|1||2702|2702
	pool|pool|100000|1||3402|3302
	miss|miss|100|1024||4377|4290
	refill|home|100|1024|slabd_alloc_slow_|2450|2780
	flush|home|100|1024|slabd_flush|1690|1650
	EOT
}

skip() {
	echo "1..1"
	echo "ok 1 - instructions # SKIP $1"
	exit 0
}

command -v valgrind >/dev/null 2>&1 || skip "valgrind is not installed"
[ -z "${SLABD_SANITIZER:-}" ] || skip "sanitizers add instructions"

cat >"$here/conf" <<EOT
[slabd]
reserve_hugepages = no
[pool default]
page = 4k
max = 16M
start = 16M
EOT
"$builddir/daemon/slabd" --config "$here/conf" --socket "$here/s" \
	--control "$here/c" >"$here/log" 2>&1 &
pid=$!
tries=0
until [ -S "$here/c" ] || [ $tries -ge 600 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
export SLABD_SOCKET="$here/s"

# Copies without debugging data: valgrind can't read all that clang writes.
cp "$builddir/tests/lint/insn_hit" "$here/insn_hit"
for binary in "$builddir"/client/.libs/libslabclient.so.[0-9]; do
	[ ! -f "$binary" ] || cp "$binary" "$here"
done
for binary in "$here"/insn_hit "$here"/lib*; do
	[ ! -f "$binary" ] || strip --strip-debug "$binary"
done
cc=gcc
grep -aq 'clang version' "$here/insn_hit" && cc=clang

# count PATTERN N FUNCTION
count() {
	LD_LIBRARY_PATH=$here valgrind --tool=callgrind \
		--callgrind-out-file=/dev/null ${3:+--toggle-collect="$3"} \
		"$here/insn_hit" "$1" "$2" 2>&1 |
		sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# hundredths N: as a decimal.
hundredths() { echo "$(($1 / 100)).$(printf %02d $(($1 % 100)))"; }

echo "1..$((2 * $(paths | wc -l)))"
n=0
bad=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=1
	fi
}
while IFS='|' read -r path pattern few each alone gcc clang; do
	[ $cc = gcc ] && bound=$gcc || bound=$clang
	a=$(count "$pattern" "$few" "$alone")
	b=$(count "$pattern" $((2 * few)) "$alone")
	if [ -z "$a" ] || [ -z "$b" ]; then
		result 1 "$path: callgrind counted nothing"
		result 1 "$path: callgrind counted nothing"
		sed 's/^/# /' "$here/log"
		continue
	fi
	# Rounded to hundredths of an instruction; a few of the run's own vary.
	is=$(((100 * (b - a) + few * each / 2) / (few * each)))
	[ $is -le "$bound" ]
	result $? "$path: $(hundredths $is) instructions, at most $(hundredths \
		"$bound") ($cc)"
	# A count that is far too small has measured something else, and a
	# bound that is far too large holds no line.
	[ $((2 * is)) -ge "$bound" ]
	result $? "$path: not under half of its bound"
done <<EOT
$(paths)
EOT
exit $bad
