#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: six
# The kernel moves pages while no slabd runs: the next one finds out where they
# are, with clients at work, and gives back what is its own alone.
. ./lib.sh
memory=/sys/devices/system/memory
far=6    # a node of memory without a CPU

blocks=''
for i in $memory/memory[0-9]*; do
	[ ! -d "$i/node$far" ] || blocks="$blocks $i"
done

# online FILE 0|1
online() {
	echo "$2" >"$1/online" 2>>"$dir/online"
}

# Of node $far.
lie_there() {
	count nodes "[.pools[].nodes[] | select(.node == $far).here_pages] | add"
}

none_lies_there() {
	[ "$(lie_there)" = 0 ]
}

is_new() {
	now=$(count status .pid) && [ -n "$now" ] && [ "$now" != "$old" ]
}

printf '[balance]\nenabled = no\n[pool default]\nmax = 16M\nstart = 16M\n' \
	>"$dir/slabd.conf"
slabd --supervise --config "$dir/slabd.conf" >"$dir/log" 2>&1 &
supervisor=$!
within 200 answers
result $? "a supervised slabd starts" "$dir/log"
homes 16 --hold >"$dir/hold" 2>&1 &
client=$!
within 100 grep -q holding "$dir/hold"
result $? "a client holds all there is" "$dir/hold"
equal "eight pages lie on node $far" 8 "$(lie_there)"
owned=$(count clients '[.pools[0].clients[].objects] | add')

old=$(count status .pid)
kill -STOP $supervisor
kill -KILL "$old"
off=0
for block in $blocks; do
	online "$block" 0 && off=$((off + 1))
done
[ $off -gt 0 ]
result $? "memory of node $far goes offline while no slabd runs" "$dir/online"
for block in $blocks; do
	online "$block" 1 || online "$block" online_movable
done
kill -CONT $supervisor
within 200 is_new
result $? "the next slabd starts" "$dir/log"
within 100 none_lies_there
result $? "and has found the pages where they are now" "$dir/log"
equal "all eight of them" 8 "$(count status '.pools[0].stray_pages')"
equal "the client has all its objects" "$owned" \
	"$(count clients '[.pools[0].clients[].objects] | add')"
audit "after pages were moved behind slabd's back"
kill -TERM $client
wait $client
result $? "the client ends: its objects are as they were" "$dir/hold"
kill -TERM $supervisor
wait $supervisor
result $? "all ends with status 0" "$dir/log"
equal "all hugepages are given back" "$(all 0)" "$(hugepages)"
sed -n 's/.*\(had moved\)/# \1/p' "$dir/log"
finish
