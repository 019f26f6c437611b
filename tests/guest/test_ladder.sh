#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four six
# A node without hugepages takes lesser pages of its own, says why, and what
# it says to do about it helps.
. ./lib.sh
config='[slabd]\nreserve_hugepages = no\n[balance]\nenabled = no\n[pool default]\nmax = 16M\nstart = 16M'
bare=${nodes##* }
of_bare=".pools[0].nodes[] | select(.node == $bare)"
for i in $nodes; do
	[ "$i" = "$bare" ] || reserve "$i" 8
done
start_slabd "$config"
equal "nodes that have hugepages" '["2m"]' \
	"$(count nodes '[.pools[0].nodes[:-1][].backing] | unique')"
equal "the one that has none" '"4k"' "$(count nodes "$of_bare | .backing")"
reason=$(slabctl --json nodes | jq -r "$of_bare | .reason")
remedy=$(slabctl --json nodes | jq -r "$of_bare | .remedy")
echo "# $reason: $remedy"
[ -n "$reason" ]
result $? "says why"
[ -n "$remedy" ]
result $? "and what to do"
program homes 16
audit "all freed"
stop_slabd
equal "no reserve is touched" "$(but "$bare" 0 8)" "$(hugepages)"

sh -c "$remedy" >"$dir/remedy" 2>&1
result $? "what it says can be done" "$dir/remedy"
start_slabd "$config"
equal "and helps" '"2m"' "$(count nodes "$of_bare | .backing")"
stop_slabd
finish
