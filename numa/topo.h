/* SPDX-License-Identifier: MIT */
/*
 * The machine's memory nodes, their CPUs and distances, as far as this process
 * may use them. Nodes are addressed by index, 0 to n_nodes - 1, in the order
 * of the kernel's ids; those ids may have gaps and need not start at 0. A node
 * with memory and no CPUs counts; one without memory does not, and its CPUs
 * count for the nearest node that has some.
 */
#ifndef NUMA_TOPO_H
#define NUMA_TOPO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TOPO_NODES_MAX 64u
#define TOPO_CPUS_MAX 8192u
#define TOPO_NODE_NONE 0xffu

struct topo_node {
	unsigned os_id; /* the kernel's id of this node */
	bool has_cpu;
	uint64_t bytes;                    /* memory on the node */
	uint16_t distance[TOPO_NODES_MAX]; /* by index; 10 is local */
	/* Indexes of all nodes: itself, then nearest first. Equally far ones
	 * start at its right-hand neighbour, so that they share the load. */
	uint8_t nearest[TOPO_NODES_MAX];
	char cpus[256]; /* "0-3,8"; ends in "..." where there are too many */
};

struct topo {
	unsigned n_nodes;
	unsigned n_cpus; /* highest CPU id of the kernel, plus 1; offline too */
	bool simulated;  /* describes some other machine: bind nothing */
	/* Of hwloc, in the environment, which decided what is seen; or NULL. */
	const char *variable;
	uint8_t cpu_node[TOPO_CPUS_MAX]; /* index or TOPO_NODE_NONE */
	struct topo_node node[TOPO_NODES_MAX];
	char error[200]; /* why topo_load failed, or "" */
};

/*
 * Read the topology into out. synthetic is an hwloc synthetic description
 * such as "node:4 core:1 pu:1", or NULL: the machine, or HWLOC_SYNTHETIC if
 * that is set. Returns 0, -EINVAL (bad description), -E2BIG (more nodes or
 * CPUs than the tables hold), -ENODEV (no node that we may use) or -ENOMEM;
 * out->error says more.
 */
int topo_load(struct topo *out, const char *synthetic);

/* Memory is cleared by the CPU that faults it in: has a thread run on those of a
 * node, where that has any. */
void topo_go_near(const struct topo *topo, unsigned ix, pthread_t thread);

/* The index of the kernel's node os_id, -1 if it is not among ours. */
int topo_index_of(const struct topo *topo, unsigned os_id);

#endif
