#!/bin/sh
# SPDX-License-Identifier: MIT
# Symbols: none of ours starts like those of POSIX, libnuma, systemd, libevent
# or hwloc; each global of stem.c or stem_part.c starts with "stem_", but for
# the library's slabd_ and main. No type of ours ends in _t, POSIX's ending.
. "$(dirname "$0")/lint.sh"
: "${SLABD_NM:=nm}"

look() {
	sources | xargs -r awk "$lint_awk"'
	FNR == 1 { in_typedef = 0 }
	{ split_line($0) }
	code ~ /^[ \t]*typedef([ \t]|$)/ { in_typedef = 1 }
	in_typedef && code ~ /[A-Za-z0-9_]_t(\[[^]]*\])?[ \t]*;/ {
		found("a typedef that ends in _t")
	}
	in_typedef && code ~ /^[ \t]*typedef.*[(][*][a-z0-9_]*_t[)]/ {
		found("a typedef that ends in _t")
	}
	code ~ /(struct|union|enum)[ \t]+[a-z0-9_]*_t[ \t]*\{/ {
		found("a tag that ends in _t")
	}
	in_typedef && code ~ /;[ \t]*$/ && code !~ /^[ \t]/ { in_typedef = 0 }'
	nm_text | awk '
	# archive:folder_la-stem.o:address letter symbol
	{
		member = $1; sub(/:[^:]*$/, "", member); sub(/.*:/, "", member)
		stem = member
		sub(/^.*_la-/, "", stem); sub(/[.]o$/, "", stem)
		first = stem; sub(/_.*/, "", first)
		symbol = $NF
	}
	symbol ~ /^(shm_|numa_|sd_|ev|hwloc_)/ {
		print stem ".c:0: " symbol " has the prefix of another library"
		next
	}
	# The sanitizers and the compiler add their own.
	symbol ~ /^(__|_GLOBAL_|main$|slabd_)/ { next }
	index(symbol, stem) != 1 && index(symbol, first "_") != 1 {
		print stem ".c:0: " symbol " does not start with " first "_"
	}'
}

nm_text() { cat nm.txt 2>/dev/null; }
while read -r path line; do
	echo "$line" | sample "$path"
	names "$path with $line" "^$path:1: "
done <<'EOT'
shm/a.h typedef struct a a_t;
shm/a.h typedef int (*visit_t)(void);
shm/a.h typedef unsigned char row_t[8];
client/a.c struct a_t {
EOT
printf 'typedef struct {\n\tint a;\n} row_t;\n' | sample shm/a.h
names "a typedef over several lines" '^shm/a.h:3: '
while read -r symbol member; do
	echo "lib.a:$member:0000 T $symbol" | sample nm.txt
	names "$symbol in $member" "$symbol"
done <<'EOT'
shm_open libshm_la-shm.o
numa_bind backing.o
evict_all evict.o
sd_tell service.o
hwloc_of topo.o
helper libclient_la-depot.o
pool_make libclient_la-depot.o
EOT
while read -r symbol member; do
	echo "lib.a:$member:0000 T $symbol" | sample nm.txt
	passes "$symbol in $member"
done <<'EOT'
slab_carve_srv libshm_la-slab_srv.o
slabd_open libclient_la-pool.o
ctl_nodes ctl_nodes.o
main slabd.o
EOT
printf 'typedef struct row {\n\tuint64_t a;\n} row;\n' | sample shm/a.h
passes "a member of a standard type"

# The build's own objects; their paths are relative to where make stands.
: "${builddir:=$PWD}"
nm_text() {
	for lib in libshm libnumatopo libclient libdaemon; do
		$SLABD_NM -A -g --defined-only "$builddir/.libs/$lib.a" \
			2>/dev/null
	done | grep ' [A-Z] ' | sed "s|^$builddir/||"
}
nm_text | grep -q ' T layout_compute$'
result $? "the build's symbols are there to be looked at"
finish "every symbol and type is named by its file"
