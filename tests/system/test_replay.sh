#!/bin/sh
# SPDX-License-Identifier: MIT
# Replays real traces through slabd from several processes and threads, kills
# one of them, and audits the pool. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
to_show="out held ends log"
replay=$builddir/tests/replay/replay
gateway=$srcdir/tests/data/gateway-cut.trace.zst
mariadb=$srcdir/tests/data/mariadb-cut.trace.zst
traces=${SLABD_TRACES:-$srcdir/../shared/traces}

[ -x "$replay" ] || skip_all "replay is not built: no libzstd"
command -v jq >/dev/null || skip_all "jq is not installed"

# A sanitizer sees in a few loops what it sees in many.
some=5 many=10
[ -z "${SLABD_SANITIZER:-}" ] || some=2 many=2

# expect STATUS NAME COMMAND...: runs it and compares the exit status.
expect() {
	want=$1 name=$2
	shift 2
	"$@" >"$here/out" 2>&1
	got=$?
	[ $got -eq "$want" ] || echo "# exit status $got, not $want"
	[ $got -eq "$want" ]
	result $? "$name"
}

# says TEXT NAME: the last command's output holds TEXT.
says() {
	grep -q -e "$1" "$here/out"
	result $? "$2"
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
head -c 50000 "$gateway" >"$here/short.zst"
expect 2 "a trace cut off is refused" "$replay" --malloc "$here/short.zst"
says 'short.zst: record [0-9]*: the file is cut off' "and file and record named"
expect 2 "an option that is none is refused" "$replay" --loops x "$gateway"
says '--loops "x"' "and named"
expect 3 "no slabd: exit status 3" timeout 120 "$replay" "$gateway"
says 'opening the pool' "and said"

# ---- with slabd ------------------------------------------------------------
printf '[pool default]\nmax = 768M\n' >"$here/conf"
start --foreground
started=$?
result $started "slabd starts"
if [ $started -ne 0 ]; then
	finish
	exit 1
fi

expect 0 "gateway cut, 4 threads, $some loops" \
	"$replay" --threads 4 --loops $some "$gateway"
expect 0 "mariadb cut, its own threads, $some loops" \
	"$replay" --threads trace --loops $some "$mariadb"
audit "one after the other"
until_true nothing_used
result $? "and no object is left in use"

# Four at a time; each ends with its status in a file.
for i in 1 2 3 4; do
	trace=$gateway threads=3
	[ $((i % 2)) -eq 0 ] || trace=$mariadb threads=trace
	"$replay" --threads $threads --loops $many "$trace" \
		>"$here/worker$i" 2>&1 &
	others="$others $!"
done
for worker in $others; do
	wait "$worker"
	echo "$?"
done >"$here/ends"
others=
[ "$(sort -u "$here/ends")" = 0 ]
result $? "four processes side by side"
grep -h mismatch "$here"/worker? | grep -v 'mismatches  0,' | sed 's/^/# /'
audit "four side by side"

# A client that dies with objects, threads and magazines.
"$replay" --threads 3 --hold --progress-file "$here/progress" "$gateway" \
	>"$here/held" 2>&1 &
others=$!
until_true holding "$here/progress"
result $? "a worker holds what its trace left live"
client=$(tail -n 1 "$here/progress" | jq .client)
before=$(held "${client:-0}")
[ "${before:-0}" -ge 1000 ]
result $? "client $client owns $before objects"
kill -KILL $others
wait $others 2>/dev/null
others=
until_true nothing_held "${client:-0}"
result $? "killed: its objects come back"
until_true nothing_used
result $? "and nothing else is in use"
audit "after the kill"

"$replay" --threads 2 --hold --progress-file "$here/progress2" "$mariadb" \
	>"$here/held" 2>&1 &
others=$!
until_true holding "$here/progress2"
kill -TERM $others
wait $others
result $? "SIGTERM ends a worker with status 0"
others=
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
until_true nothing_used
result $? "and no object is left in use"

kill -TERM $pid
until_true gone $pid
result $? "slabd stops on SIGTERM"
wait $pid
result $? "with status 0"
pid=
finish
