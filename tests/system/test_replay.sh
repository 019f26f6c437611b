#!/bin/sh
# SPDX-License-Identifier: MIT
# Replays real traces through slabd from several processes and threads, kills
# one of them, and audits the pool. Prints TAP; no arguments.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir}
slabd=$builddir/daemon/slabd
slabctl=$builddir/daemon/slabctl
replay=$builddir/tests/replay/replay
gateway=$srcdir/tests/data/gateway-cut.trace.zst
mariadb=$srcdir/tests/data/mariadb-cut.trace.zst
traces=${SLABD_TRACES:-$srcdir/../shared/traces}

if ! [ -x "$replay" ]; then
	echo "1..0 # SKIP replay is not built: no libzstd"
	exit 0
fi
if ! command -v jq >/dev/null; then
	echo "1..0 # SKIP jq is not installed"
	exit 0
fi

dir=$(mktemp -d) || exit 99
export SLABD_SOCKET="$dir/slabd.sock"
control=$dir/control.sock
slabd_pid=
worker_pids=
n=0
# A sanitizer sees in a few loops what it sees in many.
some=5 many=10
[ -z "${SLABD_SANITIZER:-}" ] || some=2 many=2

clean_up() {
	for pid in $worker_pids $slabd_pid; do
		kill -KILL "$pid" 2>/dev/null
	done
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 99' INT TERM HUP

# result STATUS NAME [FILE]: one line of TAP; FILE is shown where it failed.
result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
		return
	fi
	echo "not ok $n - $2"
	[ -z "$3" ] || sed 's/^/# /' "$3"
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# expect STATUS NAME COMMAND...: runs it and compares the exit status.
expect() {
	want=$1 name=$2
	shift 2
	"$@" >"$dir/out" 2>&1
	got=$?
	[ $got -eq "$want" ] || echo "# exit status $got, not $want"
	[ $got -eq "$want" ]
	result $? "$name" "$dir/out"
}

# says TEXT NAME: the last command's output holds TEXT.
says() {
	grep -q -e "$1" "$dir/out"
	result $? "$2" "$dir/out"
}

ctl() {
	"$slabctl" --control "$control" "$@"
}

# within TENTHS COMMAND...: runs it until it succeeds, for a minute at the least.
within() {
	tenths=$1
	[ "$tenths" -ge 600 ] || tenths=600
	shift
	while ! "$@"; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || return 1
		sleep 0.1
	done
}

answers() {
	ctl --json status >"$dir/status" 2>"$dir/status.err"
}

# Ended, whether or not anybody has asked how.
gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"
}

# Objects that clients own, over all pools.
used() {
	ctl --json caches | jq '[.pools[].caches[].used] | add // 0'
}

nothing_used() {
	[ "$(used)" = 0 ]
}

# Objects of the client with this id, 0 when it is gone.
held() {
	ctl --json clients |
		jq "[.pools[].clients[] | select(.id == $1) | .objects] |
		    add // 0"
}

nothing_held() {
	[ "$(held "$1")" = 0 ]
}

holding() {
	tail -n 1 "$1" 2>/dev/null | grep -q '"state":"hold"'
}

audit() {
	expect 0 "$1: slabctl audit agrees" ctl audit
}

# ---- without slabd ---------------------------------------------------------
expect 0 "malloc: gateway cut, 4 threads" \
	"$replay" --malloc --threads 4 --loops 3 "$gateway"
expect 0 "malloc: mariadb cut, its own threads" \
	"$replay" --malloc --threads trace --loops 3 "$mariadb"
head -c 50000 "$gateway" >"$dir/short.zst"
expect 2 "a trace cut off is refused" "$replay" --malloc "$dir/short.zst"
says 'short.zst: record [0-9]*: the file is cut off' "and file and record named"
expect 2 "an option that is none is refused" "$replay" --loops x "$gateway"
says '--loops "x"' "and named"
expect 3 "no slabd: exit status 3" timeout 120 "$replay" "$gateway"
says 'opening the pool' "and said"

# ---- with slabd ------------------------------------------------------------
printf '[pool default]\nmax = 768M\n' >"$dir/slabd.conf"
"$slabd" --foreground --config "$dir/slabd.conf" --socket "$SLABD_SOCKET" \
	--control "$control" >"$dir/log" 2>&1 &
slabd_pid=$!
within 100 answers
started=$?
result $started "slabd starts" "$dir/log"
if [ $started -ne 0 ]; then
	echo "1..$n"
	exit 1
fi

expect 0 "gateway cut, 4 threads, $some loops" \
	"$replay" --threads 4 --loops $some "$gateway"
expect 0 "mariadb cut, its own threads, $some loops" \
	"$replay" --threads trace --loops $some "$mariadb"
audit "one after the other"
within 50 nothing_used
result $? "and no object is left in use"

# Four at a time; each ends with its status in a file.
for i in 1 2 3 4; do
	trace=$gateway threads=3
	[ $((i % 2)) -eq 0 ] || trace=$mariadb threads=trace
	"$replay" --threads $threads --loops $many "$trace" \
		>"$dir/worker$i" 2>&1 &
	worker_pids="$worker_pids $!"
done
for pid in $worker_pids; do
	wait "$pid"
	echo "$?"
done >"$dir/ends"
worker_pids=
[ "$(sort -u "$dir/ends")" = 0 ]
result $? "four processes side by side" "$dir/ends"
grep -h mismatch "$dir"/worker? | grep -v 'mismatches  0,' | sed 's/^/# /'
audit "four side by side"

# A client that dies with objects, threads and magazines.
"$replay" --threads 3 --hold --progress-file "$dir/progress" "$gateway" \
	>"$dir/out" 2>&1 &
worker_pids=$!
within 200 holding "$dir/progress"
result $? "a worker holds what its trace left live" "$dir/out"
client=$(tail -n 1 "$dir/progress" | jq .client)
before=$(held "${client:-0}")
[ "${before:-0}" -ge 1000 ]
result $? "client $client owns $before objects"
kill -KILL $worker_pids
wait $worker_pids 2>/dev/null
worker_pids=
within 50 nothing_held "${client:-0}"
result $? "killed: its objects come back"
within 50 nothing_used
result $? "and nothing else is in use"
audit "after the kill"

"$replay" --threads 2 --hold --progress-file "$dir/progress2" "$mariadb" \
	>"$dir/out" 2>&1 &
worker_pids=$!
within 200 holding "$dir/progress2"
kill -TERM $worker_pids
wait $worker_pids
result $? "SIGTERM ends a worker with status 0" "$dir/out"
worker_pids=
audit "after the end by SIGTERM"

# ---- whole traces ----------------------------------------------------------
for name in gateway mariadb; do
	threads=2
	[ $name = gateway ] || threads=trace
	if [ -r "$traces/$name.trace.zst" ]; then
		expect 0 "all of $name" "$replay" --threads $threads \
			"$traces/$name.trace.zst"
	else
		skip "all of $name" "no traces in $traces"
	fi
done
audit "at the end"
within 50 nothing_used
result $? "and no object is left in use"

kill -TERM $slabd_pid
within 100 gone $slabd_pid
result $? "slabd stops on SIGTERM" "$dir/log"
wait $slabd_pid
result $? "with status 0" "$dir/log"
slabd_pid=
echo "1..$n"
