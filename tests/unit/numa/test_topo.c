/* SPDX-License-Identifier: MIT */
#include "numa/topo.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <hwloc.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static struct topo topo;

static void load(const char *synthetic)
{
	int r = topo_load(&topo, synthetic);
	cr_assert(r == 0, "%s: %s", synthetic, topo.error);
}

Test(topo, flat)
{
	load("node:4 core:1 pu:2");
	cr_assert_eq(topo.n_nodes, 4);
	cr_assert_eq(topo.n_cpus, 8);
	cr_assert(topo.simulated);
	for (unsigned i = 0; i < 4; i++) {
		struct topo_node *node = &topo.node[i];
		cr_assert_eq(node->os_id, i);
		cr_assert(node->has_cpu);
		cr_assert_eq(node->bytes, UINT64_C(1) << 30);
		cr_assert_eq(topo.cpu_node[2 * i], i);
		cr_assert_eq(topo.cpu_node[2 * i + 1], i);
		for (unsigned k = 0; k < 4; k++)
			cr_assert_eq(node->distance[k], i == k ? 10 : 20);
	}
	cr_assert_str_eq(topo.node[1].cpus, "2-3");
	cr_assert_eq(topo.cpu_node[8], TOPO_NODE_NONE);
}

Test(topo, equally_far_nodes_start_at_the_neighbour)
{
	static const uint8_t of_2[] = {2, 3, 0, 1};
	load("node:4 core:1 pu:1");
	cr_assert(memcmp(topo.node[2].nearest, of_2, 4) == 0);
}

Test(topo, sparse_ids_are_sorted)
{
	load("node:3(indexes=5,2,9) pu:2");
	cr_assert_eq(topo.n_nodes, 3);
	cr_assert_eq(topo.node[0].os_id, 2);
	cr_assert_eq(topo.node[1].os_id, 5);
	cr_assert_eq(topo.node[2].os_id, 9);
	cr_assert_str_eq(topo.node[0].cpus, "2-3");
	cr_assert_eq(topo.cpu_node[0], 1);
	cr_assert_eq(topo_index_of(&topo, 9), 2);
	cr_assert_eq(topo_index_of(&topo, 0), -1);
	cr_assert_eq(topo_index_of(&topo, 3), -1);
}

Test(topo, node_zero_need_not_be)
{
	load("node:1(indexes=7) pu:1");
	cr_assert_eq(topo.n_nodes, 1);
	cr_assert_eq(topo_index_of(&topo, 7), 0);
	cr_assert_eq(topo_index_of(&topo, 0), -1);
}

Test(topo, memory_at_several_depths)
{
	load("Package:2 [numa(memory=16GB)] core:2 [numa(memory=2GB)] pu:2");
	cr_assert_eq(topo.n_nodes, 6);
	/* CPUs belong to the deepest; the package's memory has none. */
	for (unsigned i = 0; i < 6; i++) {
		bool package = topo.node[i].bytes == UINT64_C(16000000000);
		cr_assert(package ||
		          topo.node[i].bytes == UINT64_C(2000000000));
		cr_assert_eq(topo.node[i].has_cpu, !package);
		cr_assert_eq(*topo.node[i].cpus == '\0', package);
	}
	for (unsigned cpu = 0; cpu < 8; cpu++)
		cr_assert_neq(topo.cpu_node[cpu], TOPO_NODE_NONE);
}

Test(topo, second_memory_beside_the_first_has_no_cpus)
{
	load("Package:2 [numa] [numa] pu:2");
	cr_assert_eq(topo.n_nodes, 4);
	cr_assert(topo.node[0].has_cpu && topo.node[2].has_cpu);
	cr_assert_not(topo.node[1].has_cpu || topo.node[3].has_cpu);
	cr_assert_eq(topo.node[1].bytes, UINT64_C(1) << 30);
	cr_assert_eq(topo.node[1].nearest[0], 1);
}

Test(topo, sparse_cpu_ids)
{
	load("node:2 pu:1(indexes=8191,3)");
	cr_assert_eq(topo.n_cpus, 8192);
	cr_assert_eq(topo.cpu_node[8191], 0);
	cr_assert_eq(topo.cpu_node[3], 1);
	cr_assert_eq(topo.cpu_node[0], TOPO_NODE_NONE);
}

Test(topo, limits)
{
	load("node:64 pu:1");
	cr_assert_eq(topo.n_nodes, 64);
	cr_assert_eq(topo_load(&topo, "node:65 pu:1"), -E2BIG);
	cr_assert(strstr(topo.error, "64") != NULL);
	/* In cores: hwloc takes quadratic time for siblings. */
	load("node:1 core:64 pu:128");
	cr_assert_eq(topo.n_cpus, 8192);
	load("node:1 pu:2(indexes=0,8191)");
	cr_assert_eq(topo.n_cpus, 8192);
	cr_assert_eq(topo_load(&topo, "node:1 pu:2(indexes=0,8192)"), -E2BIG);
	cr_assert(strstr(topo.error, "8192") != NULL);
}

Test(topo, long_cpu_list_is_cut_at_a_comma)
{
	char text[4096] = "node:2 pu:256(indexes=";
	for (unsigned i = 0; i < 512; i++) {
		unsigned cpu = i < 256 ? 2 * i : 2 * (i - 256) + 1;
		snprintf(text + strlen(text), 8, "%s%u", i ? "," : "", cpu);
	}
	strcat(text, ")");
	load(text);
	size_t len = strlen(topo.node[0].cpus);
	cr_assert_lt(len, sizeof(topo.node[0].cpus));
	cr_assert_str_eq(topo.node[0].cpus + len - 4, ",...");
	cr_assert(strncmp(topo.node[0].cpus, "0,2,4,", 6) == 0);
}

Test(topo, bad_description)
{
	cr_assert_eq(topo_load(&topo, "bogus:3"), -EINVAL);
	cr_assert(strstr(topo.error, "bogus:3") != NULL);
}

Test(topo, environment)
{
	setenv("HWLOC_SYNTHETIC", "node:3 pu:1", 1);
	load(NULL);
	cr_assert_eq(topo.n_nodes, 3);
	cr_assert(topo.simulated);
	cr_expect_str_eq(topo.variable, "HWLOC_SYNTHETIC");
	load("node:2 pu:1");
	cr_assert_eq(topo.n_nodes, 2);
	cr_expect_null(topo.variable);
	setenv("HWLOC_SYNTHETIC", "nde:3", 1);
	cr_assert_eq(topo_load(&topo, NULL), -EINVAL);
	cr_expect_str_eq(topo.error, "HWLOC_SYNTHETIC is not an hwloc "
	                             "synthetic topology: nde:3");
}

/* Writes node:3 with distances as XML and has topo_load read it. */
static void load_far(hwloc_uint64_t *values)
{
	char path[] = "/tmp/slabd-topo-XXXXXX";
	hwloc_topology_t hw;
	hwloc_obj_t obj[3];
	hwloc_distances_add_handle_t handle;
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
	hwloc_topology_init(&hw);
	hwloc_topology_set_synthetic(hw, "node:3 pu:1");
	hwloc_topology_load(hw);
	for (unsigned i = 0; i < 3; i++)
		obj[i] = hwloc_get_obj_by_type(hw, HWLOC_OBJ_NUMANODE, i);
	handle = hwloc_distances_add_create(
		hw, "NUMALatency",
		HWLOC_DISTANCES_KIND_FROM_USER |
			HWLOC_DISTANCES_KIND_MEANS_LATENCY,
		0);
	cr_assert(handle != NULL);
	cr_assert_eq(hwloc_distances_add_values(hw, handle, 3, obj, values, 0),
	             0);
	cr_assert_eq(hwloc_distances_add_commit(hw, handle, 0), 0);
	cr_assert_eq(hwloc_topology_export_xml(hw, path, 0), 0);
	hwloc_topology_destroy(hw);
	setenv("HWLOC_XMLFILE", path, 1);
	int r = topo_load(&topo, NULL);
	unlink(path);
	cr_assert(r == 0, "%s", topo.error);
}

/* Whoever set it as a rule does not know that slabd reads it. */
Test(topo, names_a_variable_that_is_no_topology)
{
	setenv("HWLOC_XMLFILE", "/dev/null", 1);
	cr_assert_eq(topo_load(&topo, NULL), -ENODEV);
	cr_expect_not_null(strstr(topo.error, "HWLOC_XMLFILE"), "%s",
	                   topo.error);
}

Test(topo, distances)
{
	hwloc_uint64_t values[9] = {10, 31, 21, 31, 10, 12, 21, 13, 99999};
	static const uint8_t of_0[] = {0, 2, 1};
	static const uint8_t of_1[] = {1, 2, 0};
	/* Itself comes first even where a firmware calls it far. */
	static const uint8_t of_2[] = {2, 1, 0};
	load_far(values);
	cr_assert(topo.simulated);
	cr_assert_eq(topo.node[0].distance[1], 31);
	cr_assert_eq(topo.node[1].distance[2], 12);
	cr_assert_eq(topo.node[2].distance[1], 13);
	cr_assert_eq(topo.node[2].distance[2], UINT16_MAX);
	cr_assert(memcmp(topo.node[0].nearest, of_0, 3) == 0);
	cr_assert(memcmp(topo.node[1].nearest, of_1, 3) == 0);
	cr_assert(memcmp(topo.node[2].nearest, of_2, 3) == 0);
}

Test(topo, this_machine)
{
	long long before[TOPO_NODES_MAX];
	bool numa = numa_available() >= 0;
	struct sysinfo info;
	cr_assert_eq(sysinfo(&info), 0);
	int64_t whole = (int64_t)info.totalram * info.mem_unit;
	unsetenv("HWLOC_SYNTHETIC");
	for (int i = 0; i < (int)TOPO_NODES_MAX; i++)
		before[i] = numa ? numa_node_size64(i, NULL) : 0;
	if (topo_load(&topo, NULL) != 0)
		cr_assert_fail("%s", topo.error);
	cr_assert_not(topo.simulated);
	cr_assert_geq(topo.n_nodes, 1);
	if (!numa)
		cr_skip("this kernel has no NUMA interface");
	struct bitmask *mems = numa_get_mems_allowed();
	cr_assert_eq(topo.n_nodes, numa_bitmask_weight(mems));
	for (unsigned i = 0; i < topo.n_nodes; i++) {
		int id = (int)topo.node[i].os_id;
		cr_assert(numa_bitmask_isbitset(mems, (unsigned)id));
		/* A kernel may set memory up only as it is used. */
		int64_t bytes = (int64_t)topo.node[i].bytes;
		if (topo.n_nodes > 1)
			cr_assert_leq(bytes, numa_node_size64(id, NULL));
		cr_assert_leq(bytes, whole);
		if (id < (int)TOPO_NODES_MAX)
			cr_assert_geq(bytes, before[id]);
		cr_assert_eq(topo.node[i].distance[i], 10);
	}
	for (unsigned cpu = 0; cpu < topo.n_cpus; cpu++)
		if (topo.cpu_node[cpu] != TOPO_NODE_NONE)
			cr_assert_eq(topo.node[topo.cpu_node[cpu]].os_id,
			             (unsigned)numa_node_of_cpu((int)cpu));
	numa_bitmask_free(mems);
}
