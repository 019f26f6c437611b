#!/bin/sh
# SPDX-License-Identifier: MIT
# slabd and a worker as on kernels whose pages have 16 and 64 KiB: no mapping
# begins, ends or is protected within one. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
needs_library "a sanitizer maps as it likes"

to_show="out log"
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
configure 64M 4M
use_library
for bytes in 16384 65536; do
	kib=$((bytes / 1024))
	under="env LARGE_PAGES=$bytes LD_PRELOAD=$here/pages.so"
	start
	$under timeout 120 "$here/watched" good >"$here/out" 2>&1
	result $? "a worker where pages have $kib KiB"
	! grep -q large_pages "$here/out" "$here/log"
	result $? "it and slabd map whole ones of $kib KiB"
	audit "slabd's audit finds all in order"
	stop
	result $? "slabd ends well"
	rm -f "$here/s" "$here/c"
done
finish
