#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# The unit under MemoryMax=: a client that wants more than the limit is refused
# and told why, slabd is killed never, and a limit that is raised is taken up.
. ./lib.sh
. ./unit.sh
group=/sys/fs/cgroup/system.slice/slabd.service

# want MIB: on each node; what was had of it, on both.
want() {
	echo | burst default "$1" 2 >"$dir/burst" 2>&1
	awk '/^had/ { n += $2 } END { print n + 0 }' "$dir/burst"
}

# Has systemd start the unit with a limit.
limit() {
	mkdir -p /run/systemd/system/slabd.service.d
	printf '[Service]\nMemoryMax=64M\n' \
		>/run/systemd/system/slabd.service.d/limit.conf
	systemctl daemon-reload
}

# kills: of the unit, by the kernel.
kills() {
	awk '$1 == "oom_kill" { print $2 }' $group/memory.events
}

limit
configure '[balance]\nenabled = no\n[pool default]\npage = 4k\nmax = 256M\nstart = 2M'
start_unit
main=$(show MainPID)
equal "the limit is shown" "\"$group/memory.max\" 67108864" \
	"$(slabctl --json status |
		jq -r '.limits[0] | "\"\(.file)\" \(.limit_bytes)"')"
had=$(want 100)
echo "# $had MiB of 200"
[ "$had" -ge 24 ] && [ "$had" -lt 64 ]
result $? "a client that wants 200 MiB has less than the limit" "$dir/burst"
grep -q '^none on node .*slabctl nodes' "$dir/burst"
result $? "and is refused the rest with where to look" "$dir/burst"
equal "which names the group" true "$(count nodes \
	'[.pools[0].nodes[].reason | contains("control group slabd.service")] | any')"
equal "and the file to write" true "$(count nodes \
	"[.pools[0].nodes[].remedy | contains(\"$group/memory.max\")] | any")"
journal
grep -q 'control group slabd.service allows slabd 64 MiB' "$dir/journal"
result $? "so does the journal" "$dir/journal"
equal "the kernel has killed nobody" 0 "$(kills)"
equal "and slabd is the same process" "$main 0" "$(show MainPID) $(show NRestarts)"
audit "below the limit"

systemctl set-property --runtime slabd.service MemoryMax=400M
equal "with a higher limit all of it comes" 200 "$(want 100)"
equal "of the same slabd" "$main 0" "$(show MainPID) $(kills)"

systemctl stop slabd.service
rm -rf /run/systemd/system/slabd.service.d /run/systemd/system.control
limit
configure '[balance]\nenabled = no\n[pool default]\npage = 4k\nstart = 2M'
start_unit
equal "max is a quarter of the limit" '[16777216]' \
	"$(count nodes '[.pools[0].nodes[].max_bytes] | unique')"
equal "no kill" 0 "$(kills)"
rm -rf /run/systemd/system/slabd.service.d
systemctl daemon-reload
finish_unit
