#!/bin/sh
# SPDX-License-Identifier: MIT
# The machine's nodes are those that slabd has.
. ./lib.sh
start_slabd '[pool default]\nmax = 32M\nstart = 8M'

equal "nodes" '[0,1,2,3]' "$(count nodes '[.pools[0].nodes[].node]')"
equal "each node's own CPU" '["0","1","2","3"]' \
	"$(count nodes '[.pools[0].nodes[].cpus]')"
equal "none is simulated" '[false]' \
	"$(count nodes '[.pools[0].nodes[].simulated] | unique')"
equal "distances are the kernel's" \
	"$(for i in $nodes; do tr ' ' , <$sys/node"$i"/distance; done | xargs)" \
	"$(count nodes '.pools[0].nodes[].distance' | tr -d '[]' | xargs)"
equal "distances are the machine's" 10,31,16,22 \
	"$(tr ' ' , <$sys/node0/distance)"
equal "hugepages of 2 MiB on all" '["2m"]' \
	"$(count nodes '[.pools[0].nodes[].backing] | unique')"
stop_slabd
finish
