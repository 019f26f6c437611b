#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory evened out between real nodes under clients at work: pages moved, a
# node drained and taken back, slabs lent, empty pages given back.
. ./lib.sh

# A worker on one CPU; its output in $dir/worker.CPU.
start_worker() {
	taskset -c "$1" ./worker >"$dir/worker.$1" 2>&1 &
	eval "worker_$1=$!"
	within 300 grep -q working "$dir/worker.$1"
	result $? "a worker on CPU $1 is at work" "$dir/worker.$1"
}

end_worker() {
	eval "pid=\$worker_$1"
	kill -TERM "$pid"
	wait "$pid"
	result $? "the worker on CPU $1: none failed, none changed" \
		"$dir/worker.$1"
	sed 's/^/# /' "$dir/worker.$1"
}

# order ARGUMENTS...: of slabctl, which must do it.
order() {
	slabctl "$@" >"$dir/order" 2>&1
	result $? "slabctl $*" "$dir/order"
}

# of_node NODE FIELD
of_node() {
	count nodes ".pools[0].nodes[] | select(.node == $1) | .$2"
}

# As many hugepages in use on each node as slabd says that it has there.
pages_agree() {
	for node in $nodes; do
		pool=$sys/node$node/hugepages/hugepages-2048kB
		used=$(($(cat "$pool/nr_hugepages") - $(cat "$pool/free_hugepages")))
		[ "$(of_node "$node" here_pages)" = $used ] || return 1
	done
}

is_bare() {
	[ "$(of_node 1 here_pages)" = 0 ]
}

has_pages() {
	[ "$(of_node 1 here_pages)" -gt 0 ]
}

nothing_lent() {
	[ "$(count nodes '[.pools[0].nodes[].lent_bytes] | add')" = 0 ]
}

# Pages to and fro, some of which the kernel may not move just then.
moves() {
	for _ in 1 2 3; do
		slabctl migrate 0 1 2 >>"$dir/moves" 2>&1
		slabctl migrate 1 0 2 >>"$dir/moves" 2>&1
	done
	moved=$(($(count log '.pools[0].counts.done.migrate') - done_before))
	[ $moved -ge 3 ]
}

start_slabd '[balance]\nhold = 500ms\nhold_max = 2s\n[pool default]\nmax = 48M\nstart = 8M'
start_worker 0
start_worker 1
done_before=$(count log '.pools[0].counts.done.migrate')
within 3 moves
result $? "pages go to and fro between nodes 0 and 1" "$dir/moves"
echo "# $moved pages moved; the longest took" \
	"$(count log '.pools[0].counts.move_ns_max / 1e6 | floor') ms"
# Workers may have slabd take one just then.
within 20 pages_agree
result $? "the kernel has the pages where slabd says"
audit "moved"

order drain 1
within 600 is_bare
result $? "node 1 is bare" "$dir/log"
slabctl nodes >"$dir/nodes" 2>&1
within 20 pages_agree
result $? "for the kernel, too"
equal "and no hugepage is left reserved on it" 0 \
	"$(cat $sys/node1/hugepages/hugepages-2048kB/nr_hugepages)"
audit "drained"
order drain 1 --undo
kill -USR1 "$worker_1"
within 300 has_pages
result $? "node 1 is used again"
audit "taken back"

# Held until that was seen, however slow the machine is.
order set hold_max 1h
order set hold 1h
order lend worker-96 0 2 1
equal "slabs of node 0 stand on the list of node 2" true \
	"$(count nodes '.pools[0].nodes[0].lent_bytes > 0')"
order set hold 500ms
order set hold_max 2s
within 600 nothing_lent
went=$?
{ slabctl nodes; slabctl plan; slabctl log; } >"$dir/lent" 2>&1
result $went "and go back by themselves" "$dir/lent"
end_worker 0
end_worker 1
within 50 nothing_used
result $? "nothing is left in use"
order trim
audit "all freed"
count log '[.pools[0].events[] | "\(.cause): \(.kind) \(.reason)"] | unique[]' |
	sed 's/^/# /'
stop_slabd
finish
