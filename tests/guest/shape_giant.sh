# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Two nodes of a CPU each, and processors that know pages of 1 GiB, of which the
# kernel sets two aside on each node as it starts; sourced by run.sh.
needed_mib=6144
make_root() {
	make_small_root
}

describe_machine() {
	# The first GiB is the kernel's, the second has the file system.
	local i sizes=(5120M 4096M)
	machine+=(-cpu "qemu64,+rdrand,+pdpe1gb" -accel "tcg,thread=multi"
		-smp 2 -m 9216)
	for i in 0 1; do
		with_memory "$i" "${sizes[i]}"
		machine+=(-numa "node,nodeid=$i,cpus=$i,memdev=m$i")
	done
	at_distances 0 1 21
	kernel_args+=' hugepagesz=1G hugepages=0:2,1:2'
}
