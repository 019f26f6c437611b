#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: six
# A CPU and a node's memory go offline while slabd and its clients run: nothing
# is lost, and they come back.
. ./lib.sh
memory=/sys/devices/system/memory
gone=2   # a CPU, node 2's only one
far=6    # a node of memory without a CPU

# online FILE 0|1
online() {
	echo "$2" >"$1/online" 2>>"$dir/online"
}

# The blocks of memory of a node.
blocks_of() {
	for i in $memory/memory[0-9]*; do
		[ ! -d "$i/node$1" ] || echo "$i"
	done
}

# The blocks are a node's no more once they are offline.
blocks=$(blocks_of $far)
free_of() {
	cat "$sys/node$1/hugepages/hugepages-2048kB/free_hugepages"
}

none_lies_there() {
	[ "$(count nodes "[.pools[].nodes[] | select(.node == $far).here_pages] |
		add")" = 0 ]
}

working() {
	[ "$(grep -c '^working' "$dir/worker")" -ge "$1" ]
}

grow() {
	rounds=$((rounds + 1))
	kill -USR1 "$worker"
	within 300 working $rounds
	result $? "$1: a client gets more" "$dir/worker"
}

start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 64M\nstart = 16M'
: >"$dir/worker" # what an earlier one said is not its own
worker >"$dir/worker" 2>&1 &
worker=$!
rounds=1
within 300 working $rounds
result $? "a client at work" "$dir/worker"

online /sys/devices/system/cpu/cpu$gone 0
result $? "CPU $gone goes offline" "$dir/online"
grow "without CPU $gone"
audit "without CPU $gone"
online /sys/devices/system/cpu/cpu$gone 1
result $? "CPU $gone comes back" "$dir/online"
grow "with CPU $gone"
stop_worker() {
	kill -TERM "$worker"
	wait "$worker"
	result $? "the client ends, nothing failed, nothing lost" "$dir/worker"
}
stop_worker
# By itself: one that lacks slabs is given the empty ones of others.
program threads
within 100 nothing_used
result $? "nothing is left in use"
stop_slabd
equal "hugepages are given back" "$(all 0)" "$(hugepages)"

# All of a node's memory, in use by a client that checks its objects: the
# kernel moves the pages to where hugepages are free, which are others'.
for i in $nodes; do
	[ "$i" = $far ] || reserve "$i" 16
done
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 16M\nstart = 16M'
homes 16 --hold >"$dir/hold" 2>&1 &
client=$!
within 100 grep -q holding "$dir/hold"
result $? "a client holds all there is" "$dir/hold"
owned=$(count clients '[.pools[0].clients[].objects] | add')
equal "eight hugepages of it lie on node $far" '8 0' \
	"$(cat $sys/node$far/hugepages/hugepages-2048kB/nr_hugepages) \
$(free_of $far)"
off=0
for block in $blocks; do
	online "$block" 0 && off=$((off + 1))
done
echo "# $off of $(echo "$blocks" | wc -w) blocks of node $far are offline"
[ $off -gt 0 ]
result $? "memory of node $far goes offline" "$dir/online"
sed 's/^/# /' "$dir/online"
equal "no hugepage is left there" 0 \
	"$(cat $sys/node$far/hugepages/hugepages-2048kB/nr_hugepages)"
within 100 grep -q "memory of node $far was taken offline" "$dir/log"
result $? "slabd knows" "$dir/log"
within 100 none_lies_there
result $? "and has found the pages where they are now" "$dir/log"
equal "the client has all its objects" "$owned" \
	"$(count clients '[.pools[0].clients[].objects] | add')"
audit "without the memory of node $far"
kill -TERM $client
wait $client
result $? "it ends: they are as they were" "$dir/hold"
within 100 nothing_used
result $? "nothing is left in use"
: >"$dir/worker" # what an earlier one said is not its own
worker >"$dir/worker" 2>&1 &
worker=$!
within 300 working 1
result $? "the pool serves another client" "$dir/worker"
stop_worker
bring_back() {
	for block in $blocks; do
		online "$block" 1 || online "$block" online_movable
	done
	within 100 grep -q "memory of node $far is back" "$dir/log"
	result $? "slabd knows that it is back" "$dir/log"
	audit "with the memory back"
}
bring_back
stop_slabd
equal "those that others had reserved are left" "$(but $far 0 16)" \
	"$(hugepages)"

# The same where no hugepage is free: the kernel makes new ones for them on other
# nodes, which are slabd's to give back.
for i in $nodes; do
	reserve "$i" 0
done
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 16M\nstart = 16M'
homes 16 --hold >"$dir/hold" 2>&1 &
client=$!
within 100 grep -q holding "$dir/hold"
result $? "a client holds all there is once more" "$dir/hold"
for block in $blocks; do
	online "$block" 0
done
within 100 none_lies_there
result $? "its pages lie elsewhere" "$dir/log"
equal "in hugepages that the kernel made" "$(($(echo "$nodes" | wc -w) * 8))" \
	"$(($(hugepages | tr ' ' '+')))"
kill -TERM $client
wait $client
result $? "it ends: its objects are as they were" "$dir/hold"
bring_back
stop_slabd
equal "all hugepages are given back" "$(all 0)" "$(hugepages)"
finish
