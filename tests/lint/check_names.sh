#!/bin/sh
# SPDX-License-Identifier: MIT
# Symbols: none of ours starts like those of POSIX, libnuma, systemd, libevent
# or hwloc; each global of stem.c or stem_part.c starts with "stem_", or with what
# its room has in common (config_, plan_, balance_, admin_, report_, ctl_), but for
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
	# folder/stem.o: address letter symbol
	BEGIN {
		room["conf"] = "config"; room["plan"] = "plan"
		room["balance"] = "balance"; room["admin"] = "report"
		room["ctl"] = "ctl"
	}
	{
		folder = $1; sub(/\/[^\/]*$/, "", folder); sub(/.*\//, "", folder)
		stem = $1; sub(/.*\//, "", stem); sub(/[.]o:?$/, "", stem)
		sub(/^.*-/, "", stem) # of a library, or a program
		first = stem; sub(/_.*/, "", first)
		symbol = $NF
	}
	symbol ~ /^(shm_|numa_|sd_|ev|hwloc_)/ {
		print stem ".c:0: " symbol " has the prefix of another library"
		next
	}
	# The sanitizers, the compiler and <sys/sdt.h> add their own.
	symbol ~ /^(__|_GLOBAL_|_[.]stapsdt[.]|main$|slabd_)/ { next }
	# They stand in for those of the C library.
	stem == "turn" && symbol == "epoll_wait" { next }
	stem == "door" && symbol == "readv" { next }
	stem == "calls" && symbol ~ /^([cm]|re)alloc$|^(realloc|free)[a-z_]*$|^(posix_)?memalign$|^(aligned_a|p?va)lloc$/ { next }
	index(symbol, stem) == 1 || index(symbol, first "_") == 1 { next }
	folder in room && index(symbol, room[folder] "_") == 1 { next }
	folder == "admin" && index(symbol, "admin_") == 1 { next }
	{
		print stem ".c:0: " symbol " starts neither with " first \
			"_ nor with its room"
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
	echo "$member: 0000 T $symbol" | sample nm.txt
	names "$symbol in $member" "$symbol"
done <<'EOT'
shm_open shm/libshm_la-shm.o
numa_bind numa/backing.o
evict_all daemon/pool/evict.o
sd_tell daemon/manager/notify.o
hwloc_of numa/topo.o
helper client/libclient_la-depot.o
pool_make client/libclient_la-depot.o
malloc record/libslabrecord_la-attach.o
plan_make daemon/pool/slabs.o
EOT
while read -r symbol member; do
	echo "$member: 0000 T $symbol" | sample nm.txt
	passes "$symbol in $member"
done <<'EOT'
slab_carve_srv shm/libshm_la-slab_srv.o
slabd_open client/libclient_la-pool.o
ctl_nodes daemon/ctl/nodes.o
plan_lend daemon/plan/lend.o
aligned_alloc record/libslabrecord_la-calls.o
main daemon/slabd.o
gateway_match client/examples/client_examples_gateway-gateway_work.o
EOT
printf 'typedef struct row {\n\tuint64_t a;\n} row;\n' | sample shm/a.h
passes "a member of a standard type"

# The build's own objects; their paths are relative to where make stands.
: "${builddir:=$PWD}"
nm_text() {
	(cd "$builddir" && find shm numa client daemon record -name '*.o' \
		-not -path '*/.libs/*' | xargs $SLABD_NM -A -g --defined-only |
		sed -n 's|^\([^:]*\):[0-9a-f]* [A-Z] |\1: 0 T |p')
}
nm_text | grep ' T layout_compute$' >/dev/null
result $? "the build's symbols are there to be looked at"
finish "every symbol and type is named by its file"
