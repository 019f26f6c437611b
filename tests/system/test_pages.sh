#!/bin/sh
# SPDX-License-Identifier: MIT
# slabd and a worker as on kernels whose pages have 16 and 64 KiB: no mapping
# begins, ends or is protected within one. Prints TAP; no arguments.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir}
lib=$builddir/client/.libs
here=$(mktemp -d) || exit 99
pid=
n=0
cleanup() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT
trap 'exit 99' INT TERM HUP

if [ -n "${SLABD_SANITIZER:-}" ] || [ ! -f "$lib/libslabclient.so" ]; then
	echo "1..0 # SKIP a sanitizer maps as it likes"
	exit 0
fi

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		cat "$here/out" "$here/log" 2>/dev/null | head -n 40 |
			sed 's/^/# /'
	fi
}

gcc -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -D_GNU_SOURCE \
	-o "$here/pages.so" "$srcdir/tests/system/large_pages.c" -ldl \
	>"$here/out" 2>&1
result $? "the kernel's stand-in builds"
for part in '' -DPART; do
	gcc -std=gnu11 -O2 $part -I"$srcdir/client" \
		-c "$srcdir/tests/system/watched.c" -o "$here/watched$part.o"
done >"$here/out" 2>&1
gcc -o "$here/watched" "$here"/watched*.o -L"$lib" -lslabclient -pthread \
	>>"$here/out" 2>&1
result $? "and a worker"
cat >"$here/conf" <<EOT
[slabd]
reserve_hugepages = no
[pool default]
page = 4k
max = 64M
start = 4M
EOT
for bytes in 16384 65536; do
	kib=$((bytes / 1024))
	LARGE_PAGES=$bytes LD_PRELOAD="$here/pages.so" \
		"$builddir/daemon/slabd" --config "$here/conf" \
		--socket "$here/s" --control "$here/c" >"$here/log" 2>&1 &
	pid=$!
	tries=0
	until [ -S "$here/c" ] || [ $tries -ge 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	LARGE_PAGES=$bytes LD_PRELOAD="$here/pages.so" SLABD_SOCKET="$here/s" \
		LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
		timeout 120 "$here/watched" good >"$here/out" 2>&1
	result $? "a worker where pages have $kib KiB"
	! grep -q large_pages "$here/out" "$here/log"
	result $? "it and slabd map whole ones of $kib KiB"
	"$builddir/daemon/slabctl" --control "$here/c" audit \
		>"$here/out" 2>&1
	result $? "slabd's audit finds all in order"
	kill "$pid"
	wait "$pid"
	result $? "slabd ends well"
	pid=
	rm -f "$here/s" "$here/c"
done
echo "1..$n"
