#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds the line on instructions, counted by callgrind: a pair that hits, one of
# an object pool, a pair that the depot serves, an object that comes from its slab,
# one that goes home, and one that is given, told by handle, taken, and goes home.
# They repeat, so a change that adds one to the hit shows here. The bounds are
# what each compiler's code takes today: lower them with the code.
. "$(dirname "$0")/../lib/shell.sh"
set -u
to_show=log

# A miss more or less among the hits is a hundredth.
# path | pattern | few | objects each | what alone | gcc | clang, in hundredths
paths() {
	cat <<-'EOT'
	hit|hit|100000|1||2702|2702
	pool|pool|100000|1||3402|3302
	miss|miss|100|1024||4377|4290
	refill|home|100|1024|slabd_alloc_slow_|2450|2780
	flush|home|100|1024|slabd_flush|1690|1650
	give|gift|100|1024|slabd_give|20100|22200
	handle|gift|100|1024|slabd_handle_of|2910|3000
	take|gift|100|1024|slabd_take|12550|14850
	known|gift|100|1024|slabd_flush|1950|1800
	EOT
}

command -v valgrind >/dev/null 2>&1 || skip_all "valgrind is not installed"
[ -z "${SLABD_SANITIZER:-}" ] || skip_all "sanitizers add instructions"

configure 16M 16M
start

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
while IFS='|' read -r path pattern few each alone gcc clang; do
	[ $cc = gcc ] && bound=$gcc || bound=$clang
	a=$(count "$pattern" "$few" "$alone")
	b=$(count "$pattern" $((2 * few)) "$alone")
	if [ -z "$a" ] || [ -z "$b" ]; then
		result 1 "$path: callgrind counted nothing"
		result 1 "$path: callgrind counted nothing"
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
