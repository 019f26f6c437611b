#!/bin/sh
# SPDX-License-Identifier: MIT
# The client library with musl as the C library, without optimization: it
# builds, and a worker of it, shared and static, works beside a slabd of this
# build. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
command -v musl-gcc >/dev/null 2>&1 ||
	skip_all "musl-gcc is not installed (musl-tools)"
[ -z "${SLABD_SANITIZER:-}" ] || skip_all "no sanitizer goes with musl"

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

configure 16M 16M
start
for how in shared static; do
	timeout 120 "$here/$how" good >"$here/out" 2>&1
	result $? "the $how one works with slabd"
done
audit "and slabd's audit finds all in order"
finish
