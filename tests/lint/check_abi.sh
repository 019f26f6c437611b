#!/bin/sh
# SPDX-License-Identifier: MIT
# What is inline is in other people's binaries: a worker that was built with the
# header as it was runs with today's library, and one of another ABI number
# neither links nor starts. The version macros are the library's.
. "$(dirname "$0")/lint.sh"
: "${builddir:=$PWD}"
lib=$builddir/client/.libs
work=$samples.work
mkdir "$work"
slabd=
trap 'kill $slabd 2>/dev/null; rm -rf "$samples" "$work"' EXIT

# The number, and the name that carries it.
look() {
	abi=$(sed -n 's/^#define SLABD_ABI \([0-9]*\)$/\1/p' \
		client/slabclient_hit.h)
	grep -q "slabd_mags_${abi:-?}_" client/slabclient_hit.h ||
		echo "client/slabclient_hit.h:1: no name carries SLABD_ABI $abi"
	set -- "$(sed -n 's/^AC_INIT(\[slabd\], \[\(.*\)\])$/\1/p' configure.ac)" \
		"$(sed -n 's/^#define SLABD_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' \
			client/slabclient.h | paste -sd .)"
	[ "$1" = "$2" ] ||
		echo "client/slabclient.h:1: version $2, configure has $1"
}

# tree ABI NAME VERSION: a sample of the three files.
tree() {
	echo "AC_INIT([slabd], [1.2.3])" | sample configure.ac
	mkdir "$samples/client"
	printf '#define SLABD_ABI %s\nextern int slabd_mags_%s_;\n' "$1" "$2" \
		>"$samples/client/slabclient_hit.h"
	printf '#define SLABD_VERSION_%s\n' 'MAJOR 1' 'MINOR 2' "PATCH $3" \
		>"$samples/client/slabclient.h"
}
tree 7 7 3
passes "a header whose name carries its number"
tree 7 6 3
names "a number that was raised alone" 'carries SLABD_ABI 7$'
tree 7 7 4
names "a version of another release" 'version 1.2.4, configure has 1.2.3$'

if [ ! -f "$lib/libslabclient.so" ] || [ -n "${SLABD_SANITIZER:-}" ]; then
	skip "workers built and run" \
		"no shared library in this build that others can load"
	finish "the number is in a name, the version is the release's"
	exit
fi

# build NAME CFLAGS...: a worker; what the compiler said is in NAME.cc.
build() {
	name=$1
	shift
	# shellcheck disable=SC2086
	${CC:-cc} -O2 -std=c11 -pedantic -Wall -Wextra -Werror -o "$work/$name" \
		"$@" -L"$lib" -lslabclient >"$work/$name.cc" 2>&1
}

# run NAME: beside slabd; its output is in NAME.out.
run() {
	SLABD_SOCKET=$work/sock LD_LIBRARY_PATH=$lib \
		timeout 120 "$work/$1" >"$work/$1.out" 2>&1
}

printf '[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n' >"$work/conf"
"$builddir/daemon/slabd" --foreground --config "$work/conf" \
	--socket "$work/sock" --control "$work/ctl" >"$work/log" 2>&1 &
slabd=$!
tries=0
while ! grep -q ': ready' "$work/log" && [ $tries -lt 600 ]; do
	sleep 0.1
	tries=$((tries + 1))
done

old=$top/tests/data/abi_1
build old -I"$old" "$old/worker.c" && run old &&
	grep -q '^0 wrong$' "$work/old.out"
result $? "a worker built with ABI 1's header runs with today's library"
sed 's/^/# /' "$work/old.cc"

build calls -DSLABD_NO_INLINE -I"$top/client" "$old/worker.c" &&
	run calls && grep -q '^0 wrong$' "$work/calls.out"
result $? "one that has nothing inline does, too"

# As if the number had been raised.
mkdir "$work/next"
for header in slabclient slabclient_about slabclient_arena slabclient_bulk \
	slabclient_channel \
	slabclient_give slabclient_hit slabclient_objpool slabclient_objpool_hit \
	slabclient_root; do
	sed 's/slabd_mags_[0-9]*_/slabd_mags_999_/' "$top/client/$header.h" \
		>"$work/next/$header.h"
done
! build unlinked -I"$work/next" "$old/worker.c" &&
	grep -q 'slabd_mags_999_' "$work/unlinked.cc"
result $? "one of another ABI does not link, and the linker names it"

# It is linked with a library of its own ABI, and starts with this one.
cat >"$work/stub.c" <<'EOT'
#define SLABD_NO_INLINE
#include <slabclient.h>
#define NONE(type, name, args) type name args { return 0; }
__thread struct slabd_mag_ *slabd_mags_999_;
NONE(slabd_pool *, slabd_open, (const char *p, const struct slabd_options *o))
NONE(int, slabd_close, (slabd_pool *p))
NONE(const char *, slabd_last_error, (void))
NONE(slabd_cache *, slabd_cache_create,
     (slabd_pool *p, const char *n, size_t s, size_t a, unsigned f))
NONE(void *, slabd_alloc_slow_, (slabd_cache *c))
void slabd_free_slow_(slabd_cache *c, void *o) {}
EOT
${CC:-cc} -shared -fPIC -w -I"$work/next" -o "$work/next/libslabclient.so" \
	-Wl,-soname,"$(readelf -d "$lib/libslabclient.so" |
		sed -n 's/.*soname: \[\(.*\)\]/\1/p')" "$work/stub.c" &&
	${CC:-cc} -O2 -I"$work/next" -o "$work/later" "$old/worker.c" \
		-L"$work/next" -lslabclient
result $? "a worker of another ABI, with its library"
! run later && grep -q 'slabd_mags_999_' "$work/later.out" &&
	! grep -q wrong "$work/later.out"
result $? "does not start with this library, and the loader names it"
sed 's/^/# /' "$work/later.out"
kill "$slabd" && wait "$slabd"
result $? "slabd ends well"
slabd=
finish "the number is in a name, the version is the release's"
