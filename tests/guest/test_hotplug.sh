#!/bin/sh
# SPDX-License-Identifier: MIT
# CPUs and memory go and come while slabd and a client run.
. ./lib.sh
cpus=/sys/devices/system/cpu

logged() {
	grep -q "$1" "$dir/log"
}

# said TIMES: so many bursts are over.
said() {
	[ "$(grep -c freed "$dir/burst")" -ge "$1" ]
}

# has_cpu NODE
has_cpu() {
	count nodes ".pools[0].nodes[] | select(.node == $1).has_cpu"
}

has_one() {
	[ "$(has_cpu "$1")" = true ]
}

echo 0 >$cpus/cpu2/online
start_slabd '[pool default]\nmax = 64M\nstart = 32M'
mkfifo "$dir/go"
burst default 6 2 <"$dir/go" >"$dir/burst" 2>&1 &
client=$!
exec 3>"$dir/go"
(while echo 2>/dev/null; do sleep 0.2; done) >&3 &
feeder=$!
within 100 said 2
result $? "a client at work" "$dir/burst"

equal "a node whose CPUs are offline counts as one without" false "$(has_cpu 2)"
echo 1 >$cpus/cpu2/online
within 50 has_one 2
result $? "until they come" "$dir/log"
within 50 logged 'CPU 2 counts for node 2 from now on'
result $? "a CPU that slabd has not seen yet comes online" "$dir/log"
equal "that is all that changed" 1 "$(grep -c 'counts for node' "$dir/log")"
program threads
for round in 1 2 3; do
	echo 0 >$cpus/cpu3/online
	sleep 0.2
	echo 1 >$cpus/cpu3/online
	sleep 0.2
done
echo 0 >$cpus/cpu3/online
within 50 logged 'CPU 3 is gone'
result $? "a CPU goes" "$dir/log"
echo 1 >$cpus/cpu3/online
audit "after CPUs went and came"

# Blocks of memory of the last node, as far as the kernel lets them go.
gone=''
for state in $sys/node3/memory*/state; do
	if echo offline 2>/dev/null >"$state"; then
		gone="$gone $state"
	fi
done
echo "# memory of node 3 that the kernel let go: $(echo "$gone" | wc -w)" \
	"of $(ls -d $sys/node3/memory* | wc -l) blocks"
sleep 1
audit "with that memory offline"
for state in $gone; do
	echo online >"$state"
done
sleep 1
from=$(grep -c freed "$dir/burst")
within 100 said $((from + 2))
result $? "the client is at work all the while" "$dir/burst"
audit "with all of it back"
kill -TERM $feeder
wait $feeder 2>/dev/null
exec 3>&-
wait $client
result $? "and ends well" "$dir/burst"
equal "with all that it asked for, each time" 'freed had 12' \
	"$(sort -u "$dir/burst" | xargs)"
grep -i 'offline\|is back\|moved page' "$dir/log" | sed 's/^/# /'
stop_slabd
equal "no hugepage is left" '0 0 0 0' "$(hugepages)"
finish
