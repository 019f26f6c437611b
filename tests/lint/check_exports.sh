#!/bin/sh
# SPDX-License-Identifier: MIT
# libslabclient.so shows what its public headers declare and nothing else,
# needs libc alone, and stays in the process when its last user is unloaded.
. "$(dirname "$0")/lint.sh"
: "${SLABD_NM:=nm}" "${builddir:=$PWD}"
so=$builddir/client/.libs/libslabclient.so

look() {
	# What the header declares, without its inline functions.
	awk "$lint_awk"'
	{ split_line($0) }
	code ~ /^static inline/ || code ~ /^[ \t#]/ { next }
	{
		while (match(code, /slabd_[a-z0-9_]+([(]|$)/)) {
			name = substr(code, RSTART, RLENGTH)
			code = substr(code, RSTART + RLENGTH)
			sub(/[(]$/, "", name)
			print name
		}
	}' client/slabclient*.h | LC_ALL=C sort -u >"$samples.declared"
	exports | awk '$2 != "A" { print $NF }' |
		sed 's/@.*//' | LC_ALL=C sort -u >"$samples.exported"
	LC_ALL=C comm -13 "$samples.declared" "$samples.exported" |
		sed 's/^/exports what the header does not declare: /'
	LC_ALL=C comm -23 "$samples.declared" "$samples.exported" |
		sed 's/^/does not export what the header declares: /'
	rm -f "$samples.declared" "$samples.exported"
	needed | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -v -e '^libc\.so\.' -e '^ld-linux' |
		sed 's/^/needs more than libc: /'
	# What the loader keeps for libraries that come late is little, and theirs.
	local_bytes | awk '$1 > 64 { print "has " $1 \
		" bytes of thread-local room, at most 64" }'
	needed | grep -q '(FLAGS_1).*NODELETE' ||
		echo "may be unloaded before a thread that used it ends"
}

header='slabd_pool *slabd_open(const char *pool);
extern __thread int *slabd_mags_1_
	__attribute__((x));
static inline void *slabd_alloc(void)'
exports() {
	printf '%s\n' '0 A SLABCLIENT_0.1' '0 T slabd_open@@SLABCLIENT_0.1' \
		'0 B slabd_mags_1_@@SLABCLIENT_0.1' $more
}
needed() {
	echo " 0x1 (NEEDED)  Shared library: [$lib]"
	echo " 0x6ffffffb (FLAGS_1)  Flags: $flags"
}
local_bytes() { echo $room; }
more='' lib=libc.so.6 flags=NODELETE room=64
echo "$header" | sample client/slabclient.h
passes "a library that shows what the header declares"
more=depot_get
names "an internal symbol" 'not declare: depot_get$'
more=slabd_secret
names "a slabd_ symbol that the header lacks" 'not declare: slabd_secret$'
more=''
echo "$header
int slabd_flush(slabd_pool *pool);" | sample client/slabclient.h
names "a function that is not there" 'header declares: slabd_flush$'
echo "$header" | sample client/slabclient.h
lib=libnuma.so.1
names "another library" 'more than libc: libnuma.so.1$'
lib=libc.so.6 room=65
names "much thread-local room" '^has 65 bytes of thread-local'
room=64 flags=NOW
names "a library that can be unloaded" '^may be unloaded'

if [ ! -f "$so" ]; then
	skip "the library's symbols" "no shared library in this build"
	echo "1..$n"
	exit "$bad"
fi
exports() { $SLABD_NM -D --defined-only "$so"; }
needed() { readelf -d "$so"; }
local_bytes() { echo $(($(readelf -lW "$so" | awk '$1 == "TLS" { print $6 }'))); }
needed | grep -q NEEDED
result $? "the library is there to be looked at"
finish "the library shows its header's symbols, needs libc alone and stays"
