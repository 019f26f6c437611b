# SPDX-License-Identifier: MIT
# Topology, hugepages and backing: knows nodes, not slabs.
noinst_LTLIBRARIES += libnumatopo.la
numa_libs = $(HWLOC_LIBS) $(NUMA_LIBS)

libnumatopo_la_SOURCES = \
	numa/backing.c numa/backing.h \
	numa/datafile.c numa/datafile.h \
	numa/huge.c numa/huge.h \
	numa/ladder.c numa/ladder.h \
	numa/room.c numa/room.h \
	numa/stock.c numa/stock.h \
	numa/topo.c numa/topo.h \
	numa/transit.c numa/transit.h
