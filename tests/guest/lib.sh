# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
# What the machine's tests share; sourced by each test_*.sh, in /guest.
n=0
dir=$(mktemp -d)
sys=/sys/devices/system/node
slabd_pid=
# online, nodes (those with memory), cpus, cpus_of, distances: of this machine.
# shellcheck source=/dev/null
. ./facts

# result STATUS NAME [FILE]: one line of TAP; FILE is shown where it failed.
result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
		return
	fi
	echo "not ok $n - $2"
	[ -z "${3-}" ] || sed 's/^/# /' "$3"
}

# equal NAME WANT GOT
equal() {
	[ "$2" = "$3" ]
	result $? "$1"
	[ "$2" = "$3" ] || echo "# wanted \"$2\", got \"$3\""
}

# program COMMAND...: its "ok" and "not ok" lines are this test's.
program() {
	"$@" >"$dir/program" 2>&1
	status=$?
	while read -r word rest; do
		case $word in
		ok) result 0 "$rest" ;;
		not) result 1 "${rest#ok }" ;;
		*) echo "# $word $rest" ;;
		esac
	done <"$dir/program"
	equal "$1 ends with status 0" 0 $status
}

# Seconds since the machine was started.
seconds() {
	read -r up _ </proc/uptime
	echo "${up%%.*}"
}

# within TRIES COMMAND...: runs it until it succeeds, so often and for two minutes
# at the least: an emulated machine is as slow as its host is busy, and its clock
# goes on while it stands still.
within() {
	tries=$1
	limit=$(($(seconds) + 120))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || [ "$(seconds)" -lt $limit ] || return 1
		sleep 0.1
	done
}

answers() {
	slabctl status >"$dir/status" 2>&1
}

# start_slabd LINES: with this as its configuration.
start_slabd() {
	printf '%b\n' "$1" >"$dir/slabd.conf"
	slabd --foreground --config "$dir/slabd.conf" >"$dir/log" 2>&1 &
	slabd_pid=$!
	within 200 answers
	started=$?
	result $started "slabd starts" "$dir/log"
	if [ $started -ne 0 ]; then
		echo "1..$n"
		exit 1
	fi
}

stop_slabd() {
	kill -TERM "$slabd_pid"
	wait "$slabd_pid"
	result $? "slabd stops with status 0" "$dir/log"
}

# count PAGE FILTER: out of slabctl --json.
count() {
	slabctl --json "$1" | jq -c "$2"
}

# but NODE A B: A for that node, B for each other one with memory, in order:
# "0 3 0 0".
but() {
	for i in $nodes; do
		[ "$i" = "$1" ] && echo "$2" || echo "$3"
	done | xargs
}

# all N: the same for each.
all() {
	but none '' "$1"
}

# reserve NODE N
reserve() {
	echo "$2" >"$sys/node$1/hugepages/hugepages-2048kB/nr_hugepages"
}

# The hugepages of the nodes with memory, in order.
hugepages() {
	for i in $nodes; do
		cat "$sys/node$i/hugepages/hugepages-2048kB/nr_hugepages"
	done | xargs
}

hugepages_are() {
	[ "$(hugepages)" = "$1" ]
}

nothing_used() {
	[ "$(count caches '[.pools[].caches[].used] | add // 0')" = 0 ]
}

audit() {
	slabctl audit >"$dir/audit" 2>&1
	result $? "$1: the audit agrees" "$dir/audit"
}

finish() {
	echo "1..$n"
	rm -rf "$dir"
}
