#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four
# Recorded traces in four processes with threads on every node, one killed.
. ./lib.sh
gateway=/guest/gateway-cut.trace.zst
mariadb=/guest/mariadb-cut.trace.zst

held() {
	count clients "[.pools[].clients[] | select(.id == $1) | .objects] |
		add // 0"
}

nothing_held() {
	[ "$(held "$1")" = 0 ]
}

holding() {
	tail -n 1 "$1" 2>/dev/null | grep -q '"state":"hold"'
}

spread=$(echo "$nodes" | tr ' ' ,)
start_slabd '[pool default]\nmax = 128M\nstart = 32M'
replay --spread --nodes "$spread" --threads 4 --hold \
	--progress-file "$dir/progress" "$gateway" >"$dir/victim" 2>&1 &
victim=$!
for i in 1 2 3; do
	trace=$gateway threads=4
	[ $i != 2 ] || trace=$mariadb threads=trace
	replay --spread --nodes "$spread" --threads $threads "$trace" \
		>"$dir/worker$i" 2>&1 &
	echo $! >"$dir/pid$i"
done
within 600 holding "$dir/progress"
result $? "one holds what its trace left live" "$dir/victim"
client=$(tail -n 1 "$dir/progress" | jq .client)
before=$(held "${client:-0}")
[ "${before:-0}" -ge 1000 ]
result $? "client $client owns $before objects"
kill -KILL $victim
wait $victim 2>/dev/null
within 50 nothing_held "${client:-0}"
result $? "killed: its objects come back"
for i in 1 2 3; do
	wait "$(cat "$dir/pid$i")"
	result $? "worker $i ends with status 0" "$dir/worker$i"
done
within 50 nothing_used
result $? "nothing is left in use"
equal "all nodes were used" "[$spread]" \
	"$(count nodes '[.pools[0].nodes[] | select(.carved_bytes > 0) | .node]')"
audit "at the end"
stop_slabd
equal "hugepages are given back" "$(all 0)" "$(hugepages)"
finish
