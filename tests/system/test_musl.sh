#!/bin/sh
# SPDX-License-Identifier: MIT
# The client library with musl as the C library, without optimization: it
# builds, and a worker of it, shared and static, works beside a slabd of this
# build. Prints TAP; no arguments.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir}
here=$(mktemp -d) || exit 99
pid=
n=0
cleanup() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT
trap 'exit 99' INT TERM HUP

if ! command -v musl-gcc >/dev/null 2>&1; then
	echo "1..0 # SKIP musl-gcc is not installed (musl-tools)"
	exit 0
fi
if [ -n "${SLABD_SANITIZER:-}" ]; then
	echo "1..0 # SKIP no sanitizer goes with musl"
	exit 0
fi

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		head -n 40 "$here/out" | sed 's/^/# /'
	fi
}

# compile FILES...: as the build does it, into objects.
compile() {
	musl-gcc -std=gnu11 -O0 -Wall -Wextra -Werror -fPIC -pthread \
		-fvisibility=hidden -D_GNU_SOURCE -DPACKAGE_VERSION='"0"' \
		-I"$srcdir" -include client/export.h -c "$@"
}

mkdir -p "$here/include" "$here/objects/client" "$here/objects/shm"
cp "$srcdir"/client/slabclient*.h "$here/include"
{
	(cd "$here/objects/client" && compile "$srcdir"/client/*.c) &&
		(cd "$here/objects/shm" && compile "$srcdir"/shm/*.c)
} >"$here/out" 2>&1
result $? "the library builds"
# Either is one way to do the same.
rm -f "$here/objects/shm/tags_wide.o"
# libgcc_s of the compiler's own C library would need that.
musl-gcc -shared -nodefaultlibs -o "$here/libslabclient.so" \
	-Wl,--version-script="$srcdir/client/libslabclient.map" \
	-Wl,-z,nodelete "$here"/objects/*/*.o -lgcc -lc >"$here/out" 2>&1
result $? "it makes a shared library"
# Two folders have files of one name.
mv "$here/objects/shm/channel.o" "$here/objects/shm/shm_channel.o"
ar rc "$here/libslabclient.a" "$here"/objects/*/*.o
for part in '' -DPART; do
	musl-gcc -std=gnu11 -O2 -Wall -Wextra -Werror $part \
		-I"$here/include" -c "$srcdir/tests/system/watched.c" \
		-o "$here/watched$part.o" || break
done >"$here/out" 2>&1
musl-gcc -o "$here/shared" "$here"/watched*.o -L"$here" -lslabclient \
	-Wl,-rpath,"$here" >>"$here/out" 2>&1
result $? "a worker links with it"
musl-gcc -static -o "$here/static" "$here"/watched*.o \
	"$here/libslabclient.a" >"$here/out" 2>&1
result $? "and with a static one"

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
for how in shared static; do
	timeout 120 "$here/$how" good >"$here/out" 2>&1
	result $? "the $how one works with slabd"
done
"$builddir/daemon/slabctl" --control "$here/c" audit >"$here/out" 2>&1
result $? "and slabd's audit finds all in order"
echo "1..$n"
