#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# The unit under a limit of hugepages of a control group: no client is killed, who
# wants more is refused and told why. systemd has no setting for it: the slice's
# file is written, as whoever runs containers does.
. ./lib.sh
. ./unit.sh
slice=/sys/fs/cgroup/system.slice

# had_of MIB: what a client had of so much on each node.
had_of() {
	echo | burst default "$1" 2 >"$dir/burst" 2>&1
	awk '/^had/ { n += $2 } END { print n + 0 }' "$dir/burst"
}

# put TEXT FILE
put() {
	echo "$1" >"$2"
}

if ! grep -qw hugetlb /sys/fs/cgroup/cgroup.controllers; then
	echo "ok 1 - hugetlb limits # SKIP this kernel has none"
	echo "1..1"
	exit 0
fi
put +hugetlb /sys/fs/cgroup/cgroup.subtree_control
result $? "hugetlb is counted for slices"
put 48M $slice/hugetlb.2MB.max
result $? "and the system's has a limit of 48 MiB"
configure '[balance]\nenabled = no\n[pool default]\nmax = 256M\nstart = 8M'
start_unit
main=$(show MainPID)
equal "the pages are huge" '["2m"]' \
	"$(count nodes '[.pools[0].nodes[].backing] | unique')"
equal "the limit is shown" "$slice/hugetlb.2MB.max 50331648" \
	"$(slabctl --json status | jq -r '.limits[] |
		select(.file | endswith("hugetlb.2MB.max")) |
		"\(.file) \(.limit_bytes)"')"
had=$(had_of 100)
echo "# $had MiB of 200"
[ "$had" -ge 24 ] && [ "$had" -le 48 ]
result $? "a client that wants 200 MiB has what the limit allows" "$dir/burst"
# slabctl nodes, or status where a machine so slow took a second to refuse.
grep -q '^none on node .*slabctl ' "$dir/burst"
result $? "and is refused the rest with where to look" "$dir/burst"
equal "which names the file to write" true "$(count nodes \
	"[.pools[0].nodes[].remedy | contains(\"$slice/hugetlb.2MB.max\")] | any")"
equal "and slabd is the same process" "$main 0" "$(show MainPID) $(show NRestarts)"
audit "below the limit"
put max $slice/hugetlb.2MB.max
equal "without the limit all of it comes" 200 "$(had_of 100)"
equal "of the same slabd" "$main 0" "$(show MainPID) $(show NRestarts)"
finish_unit
put -hugetlb /sys/fs/cgroup/cgroup.subtree_control
