#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: giant
# Pages of 1 GiB: a pool begins with one a node, grows to all there are without
# keeping any back, gives them back, and keeps them over slabd's death and its
# clients'.
. ./lib.sh
# giant FILE: of each node, in order.
giant() {
	for i in $nodes; do
		cat "$sys/node$i/hugepages/hugepages-1048576kB/$1"
	done | xargs
}

giant_are() {
	[ "$(giant "$1")" = "$2" ]
}

# The pool's ready memory of each node, in GiB.
ready() {
	count nodes '[.pools[0].nodes[].ready_bytes / 1073741824] | join(" ")' |
		tr -d '"'
}

ready_is() {
	[ "$(ready)" = "$1" ]
}

is_new() {
	now=$(count status .pid) && [ -n "$now" ] && [ "$now" != "$old" ]
}

equal "the kernel has two on each node" "2 2" "$(giant nr_hugepages)"
printf '%b' '[balance]\nidle = 1s\n[pool default]\npage = 1g\nstart = 1G\nmax = 2G\n' \
	>"$dir/slabd.conf"
slabd --supervise --config "$dir/slabd.conf" >"$dir/log" 2>&1 &
supervisor=$!
within 200 answers
result $? "a supervised slabd starts" "$dir/log"
equal "with pages of 1 GiB" '["1g","1g"]' \
	"$(count status '[.startup[].backing]')"
equal "and no step down" 0 "$(count status '[.startup[].steps // [] | .[]] | length')"
equal "one on each node" "1 1" "$(ready)"
equal "of those that were free" "1 1" "$(giant free_hugepages)"
homes 2048 --hold >"$dir/hold" 2>&1 &
client=$!
within 200 grep -q holding "$dir/hold"
result $? "a client takes all there is, to the last object" "$dir/hold"
equal "where it wanted it" 0 "$(grep -c '^not ok' "$dir/hold")"
equal "of two pages on each node" "2 2" "$(ready)"
equal "none is kept back" "0 0" "$(giant free_hugepages)"
audit "with all pages in use"

echo "# turns: $(count status '.turns | {p999_us, longest_us, longest_what}')"
old=$(count status .pid)
kill -KILL "$old"
within 200 is_new
result $? "slabd is killed, and the next one starts" "$dir/log"
equal "with what there was" "2 2" "$(ready)"
owned=$(count clients '[.pools[0].clients[].objects] | add')
equal "the client has all its objects" 131072 "$owned"
audit "after the restart"
kill -TERM $client
wait $client
result $? "and ends: they are as they were" "$dir/hold"
within 200 ready_is "1 1"
result $? "what is idle is given back, but for the start" "$dir/log"
equal "to the kernel, which has it as before" "1 1" "$(giant free_hugepages)"

orphan >"$dir/orphan" 2>&1 &
client=$!
within 200 grep -q '^child ' "$dir/orphan"
result $? "another client has objects" "$dir/orphan"
kill -KILL $client
wait $client 2>/dev/null
within 200 nothing_used
result $? "and is killed: all is free"
audit "after the death"
kill -KILL "$(sed -n 's/^child //p' "$dir/orphan")"

echo "# turns: $(count status '.turns | {p999_us, longest_us, longest_what}')"
kill -TERM $supervisor
wait $supervisor
result $? "all ends with status 0" "$dir/log"
equal "the kernel's pages are as they were" "2 2 2 2" \
	"$(giant nr_hugepages) $(giant free_hugepages)"
finish
