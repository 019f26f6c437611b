#!/bin/sh
# SPDX-License-Identifier: MIT
# The kernel is short of memory: what a burst has left goes back, down to the
# floor, and can be had again.
. ./lib.sh

# MiB of each node that a pool has ready: "4 4 4 4".
ready() {
	count nodes "[.pools[] | select(.name == \"$1\") | .nodes[].ready_bytes
		/ 1048576] | join(\" \")" | tr -d '"'
}

ready_is() {
	[ "$(ready "$1")" = "$2" ]
}

# Events of the log under pressure, of one kind.
pressed() {
	slabctl --json log | jq "[.pools[].events[] | select(.cause == \"pressure\"
		and .refused == false and .kind == \"$1\")] | length"
}

calm() {
	[ "$(count nodes '[.pools[].nodes[].pressure] | unique')" = '["calm"]' ]
}

# said FILE TIMES: so many bursts are over.
said() {
	[ "$(grep -c freed "$1")" = "$2" ]
}

# A process that may use 8 MiB, and wants more: those who can't have memory stand
# still, which is what the kernel calls pressure.
cgroup=/sys/fs/cgroup
mount -t cgroup2 none $cgroup
echo +memory >$cgroup/cgroup.subtree_control
mkdir $cgroup/hog
echo 8M >$cgroup/hog/memory.high
hog() {
	sh -c "echo \$\$ >$cgroup/hog/cgroup.procs
		exec dd if=/dev/zero of=/tmp/hog bs=64k count=1024" 2>/dev/null &
	hog_pid=$!
}

start_slabd '[balance]\nidle = never\npressure = 50ms
[pool default]\nmax = 32M\nstart = 4M'
equal "pressure is watched" '{"watched":true,"reason":"","remedy":""}' \
	"$(slabctl --json status | jq -c .pressure)"
mkfifo "$dir/go"
burst default 20 4 <"$dir/go" >"$dir/burst" 2>&1 &
client=$!
exec 3>"$dir/go"
echo >&3
within 300 said "$dir/burst" 1
result $? "a burst" "$dir/burst"
held=$(ready default)
echo "# held after the burst: $held MiB, $(hugepages) hugepages"
sleep 2
equal "a burst leaves a hoard" "$held" "$(ready default)"
[ "${held%% *}" -ge 20 ]
result $? "of what it used"
read -r from _ </proc/uptime
hog
within 300 ready_is default '4 4 4 4'
result $? "under pressure all goes back down to the floor" "$dir/log"
read -r to _ </proc/uptime
echo "# from $from to $to s; $(cat /proc/pressure/memory | head -n 1)"
equal "and to the system" '2 2 2 2' "$(hugepages)"
[ "$(pressed trim)" -gt 0 ] && [ "$(pressed shrink)" -gt 0 ]
result $? "the log says that clients were asked, and what was given back"
kill -KILL $hog_pid
wait $hog_pid 2>/dev/null
rm -f /tmp/hog
audit "after pressure"
within 200 calm
result $? "it is over a while after the last sign of it" "$dir/log"
echo >&3
within 300 said "$dir/burst" 2
result $? "demand comes back" "$dir/burst"
equal "and is met" "$(head -n 2 "$dir/burst" | xargs)" \
	"$(tail -n 2 "$dir/burst" | xargs)"
audit "after the second burst"
slabctl set pressure off >"$dir/set" 2>&1
equal "set pressure off holds at once" false \
	"$(slabctl --json status | jq -c .pressure.watched)"
exec 3>&-
wait $client
result $? "the client ends well" "$dir/burst"
stop_slabd

# Its own control group is short, and somebody there is killed for it again and
# again: all stand still. Hugepages that lie free are of no use to those.
mkdir $cgroup/service
echo 96M >$cgroup/service/memory.max
echo $$ >$cgroup/service/cgroup.procs
echo -1000 >/proc/$$/oom_score_adj
start_slabd '[balance]\nidle = never\npressure = 50ms
[pool default]\nmax = 32M\nstart = 4M\nfloor = 32M'
while :; do
	sh -c 'echo 1000 >/proc/self/oom_score_adj
		exec dd if=/dev/zero of=/dev/null bs=192M count=1' 2>/dev/null
done &
killed=$!
burst default 20 4 <"$dir/go" >"$dir/burst" 2>&1 &
client=$!
exec 3>"$dir/go"
very_short() {
	[ "$(count nodes '[.pools[].nodes[].pressure] | unique')" = '["full"]' ]
}
within 300 very_short
result $? "the kernel is very short of memory" "$dir/log"
for i in $nodes; do
	reserve "$i" 12
done
echo >&3
within 300 said "$dir/burst" 1
result $? "a burst under full pressure" "$dir/burst"
very_short
result $? "it is still as short"
equal "it has what lay free: all that it asked for" "had 80" \
	"$(head -n 1 "$dir/burst")"
equal "and none was reserved for it" '12 12 12 12' "$(hugepages)"
kill -TERM $killed
wait $killed 2>/dev/null
exec 3>&-
wait $client
result $? "its client ends well" "$dir/burst"
stop_slabd
echo $$ >$cgroup/cgroup.procs
echo 0 >/proc/$$/oom_score_adj

umount $cgroup 2>/dev/null
finish
