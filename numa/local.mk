# SPDX-License-Identifier: MIT
# Topology, hugepages and backing: knows nodes, not slabs.
noinst_LIBRARIES += libnumatopo.a
numa_libs = $(HWLOC_LIBS) $(NUMA_LIBS)

libnumatopo_a_SOURCES = \
	numa/backing.c \
	numa/backing.h \
	numa/backing_kind.c \
	numa/backing_kind.h \
	numa/cgroup.c \
	numa/cgroup.h \
	numa/fallback.c \
	numa/fallback.h \
	numa/huge.c \
	numa/huge.h \
	numa/hugepool.c \
	numa/hugepool.h \
	numa/lack.c \
	numa/lack.h \
	numa/memfile.c \
	numa/memfile.h \
	numa/meminfo.c \
	numa/meminfo.h \
	numa/migrate.c \
	numa/migrate.h \
	numa/reserve.c \
	numa/reserve.h \
	numa/reserve_groups.c \
	numa/surplus.c \
	numa/surplus.h \
	numa/tick.c \
	numa/tick.h \
	numa/topo.c \
	numa/topo.h \
	numa/types.h
