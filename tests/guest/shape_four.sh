# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Four nodes of one CPU and 512 MiB each; sourced by run.sh.
guest_programs+=(worker crowd)
make_root() {
	make_small_root
}

describe_machine() {
	local i
	machine+=(-accel "tcg,thread=multi" -smp 4 -m 2048)
	for i in 0 1 2 3; do
		with_memory "$i" 512M
		machine+=(-numa "node,nodeid=$i,cpus=$i,memdev=m$i")
	done
	# In no row is the order that of the numbers, nor that of the ring
	# that equal distances would give.
	at_distances 0 1 31  0 2 16  0 3 22  1 2 22  1 3 16  2 3 28
}
