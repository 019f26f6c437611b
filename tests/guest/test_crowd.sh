#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four
# Many clients on all nodes are killed at once, while another one comes and goes:
# all that they had comes back, on each node, and nobody is refused.
. ./lib.sh
clients=150
each=200

owned() {
	count caches '[.pools[].caches[].used] | add // 0'
}

# Objects of the crowd on each node: how many nodes have any.
nodes_with_some() {
	count caches '[.pools[].caches[] | select(.name == "crowd") | .nodes[]
		| select(.used > 0)] | length'
}

ready() {
	grep -q '^ready' "$dir/crowd"
}

ended() {
	! kill -0 "$crowd" 2>/dev/null
}

is_zero() {
	[ "$(count status "$1")" = 0 ]
}

start_slabd '[pool default]\nmax = 64M\nstart = 32M'
mkfifo "$dir/go"
crowd $clients $each <"$dir/go" >"$dir/crowd" 2>&1 &
crowd=$!
exec 3>"$dir/go"
within 6000 ready
result $? "a crowd of $clients clients, and one who comes and goes" "$dir/crowd"
[ "$(owned)" -ge $((clients * each)) ]
result $? "the crowd owns $((clients * each)) objects"
equal "on all nodes" "$(all x | wc -w)" "$(nodes_with_some)"
echo go >&3
exec 3>&-
within 6000 ended
wait $crowd
equal "crowd ends with status 0" 0 $?
grep '^not ok ' "$dir/crowd" >"$dir/failed"
equal "nobody of it failed" '' "$(cat "$dir/failed")"
grep -q '^ok .* opened and closed meanwhile, 0 failed' "$dir/crowd"
result $? "no open failed while the crowd died" "$dir/crowd"
within 600 nothing_used
result $? "all objects are back"
equal "on no node is one left" 0 "$(nodes_with_some)"
equal "each death is counted once" $clients \
	"$(count status '[.pools[].deaths] | add')"
within 600 is_zero '[.pools[].clients] | add'
result $? "no client is left"
# Who closes late may be refused when it looks for its connection again.
echo "# dropped: $(count status .dropped)"
audit "after the deaths"
stop_slabd
finish
