#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four six
# The machine's nodes are those that slabd has.
. ./lib.sh
# distances_of NODE: from it to those with memory. The kernel's line is of all
# that are online.
distances_of() {
	for i in $sys/node[0-9]*; do
		echo "${i##*node}"
	done | sort -n >"$dir/online"
	tr ' ' '\n' <"$sys/node$1/distance" | paste "$dir/online" - |
		while read -r node distance; do
			case " $nodes " in
			*" $node "*) echo "$distance" ;;
			esac
		done | xargs | tr ' ' ,
}

start_slabd '[pool default]\nmax = 32M\nstart = 8M'

equal "the machine's nodes" "$online" "$(cat $sys/online)"
equal "nodes with memory" "[$(echo "$nodes" | tr ' ' ,)]" \
	"$(count nodes '[.pools[0].nodes[].node]')"
equal "their CPUs" "[$cpus_of]" "$(count nodes '[.pools[0].nodes[].cpus]')"
equal "none is simulated" '[false]' \
	"$(count nodes '[.pools[0].nodes[].simulated] | unique')"
equal "distances are the kernel's" \
	"$(for i in $nodes; do distances_of "$i"; done | xargs)" \
	"$(count nodes '.pools[0].nodes[].distance' | tr -d '[]' | xargs)"
equal "distances are the machine's" "$distances" \
	"$(tr ' ' , <$sys/node0/distance)"
equal "hugepages of 2 MiB on all" '["2m"]' \
	"$(count nodes '[.pools[0].nodes[].backing] | unique')"
stop_slabd
finish
