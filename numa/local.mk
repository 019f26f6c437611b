# SPDX-License-Identifier: MIT
# Topology, hugepages and backing: knows nodes, not slabs.
noinst_LTLIBRARIES += libnumatopo.la
numa_libs = $(HWLOC_LIBS) $(NUMA_LIBS)

libnumatopo_la_SOURCES =
