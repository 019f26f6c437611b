#!/bin/sh
# SPDX-License-Identifier: MIT
# A node without hugepages takes lesser pages of its own, says why, and what
# it says to do about it helps.
. ./lib.sh
config='[slabd]\nreserve_hugepages = no\n[pool default]\nmax = 16M\nstart = 16M'
node3='.pools[0].nodes[] | select(.node == 3)'
for i in 0 1 2; do
	echo 8 >$sys/node$i/hugepages/hugepages-2048kB/nr_hugepages
done
start_slabd "$config"
equal "nodes that have hugepages" '["2m","2m","2m"]' \
	"$(count nodes '[.pools[0].nodes[:3][].backing]')"
equal "the one that has none" '"4k"' "$(count nodes "$node3 | .backing")"
reason=$(slabctl --json nodes | jq -r "$node3 | .reason")
remedy=$(slabctl --json nodes | jq -r "$node3 | .remedy")
echo "# $reason: $remedy"
[ -n "$reason" ]
result $? "says why"
[ -n "$remedy" ]
result $? "and what to do"
program homes 16
audit "all freed"
stop_slabd
equal "no reserve is touched" '8 8 8 0' "$(hugepages)"

sh -c "$remedy" >"$dir/remedy" 2>&1
result $? "what it says can be done" "$dir/remedy"
start_slabd "$config"
equal "and helps" '"2m"' "$(count nodes "$node3 | .backing")"
stop_slabd
finish
