# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Six nodes, 0 to 6 without 3: node 0 has a CPU and no memory, node 6 memory
# and no CPU; sourced by run.sh.
guest_programs+=(worker)
make_root() {
	make_small_root
}

# The kernel numbers nodes as the firmware's tables name them, which qemu makes
# without gaps: node 3 is there for a processor that is not plugged in, so that
# the kernel counts it among those that are possible and shows it nowhere. For
# that the processors are plugged one by one. Where not more than eight are
# possible the kernel addresses them in a mode in which qemu misses all those
# after the gap: so nine are.
describe_machine() {
	local node cpu nodes=(0 1 2 3 4 5 3 3 3)
	# All in one thread of qemu's: more threads than this machine has CPUs
	# would have the kernel wait for those that do not run.
	machine+=(-accel "tcg,thread=single"
		-smp "1,maxcpus=9,sockets=9,cores=1,threads=1"
		-m "2048M,slots=1,maxmem=4G")
	for node in 0 1 2 3 4 5 6; do
		case $node in
		0 | 3 | 6) machine+=(-numa "node,nodeid=$node") ;;
		*)
			with_memory "$node" 512M
			machine+=(-numa "node,nodeid=$node,memdev=m$node")
			;;
		esac
	done
	for cpu in "${!nodes[@]}"; do
		node=${nodes[cpu]}
		machine+=(-numa "cpu,node-id=$node,socket-id=$cpu")
		((cpu == 0 || node == 3)) ||
			machine+=(-device "qemu64-x86_64-cpu,rdrand=on,socket-id=$cpu,core-id=0,thread-id=0")
	done
	# Node 6 is a module of memory that the kernel can let go of.
	with_memory 6 512M
	machine+=(-device "pc-dimm,id=d6,memdev=m6,node=6")
	kernel_args+=' memhp_default_state=online_movable'
	# The nearest of node 0 is node 4; no row is in the numbers' order.
	at_distances 0 1 22  0 2 31  0 3 40  0 4 14  0 5 26  0 6 36 \
		1 2 17  1 3 40  1 4 25  1 5 21  1 6 19 \
		2 3 40  2 4 28  2 5 16  2 6 33 \
		3 4 40  3 5 40  3 6 40  4 5 23  4 6 18  5 6 27
}
