/* SPDX-License-Identifier: MIT */
#include "numa/topo.h"

#include <dirent.h>
#include <errno.h>
#include <hwloc.h>
#include <numaif.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#define LOCAL_DISTANCE 10
#define FAR_DISTANCE 20
#define SYNTHETIC_BYTES (UINT64_C(1) << 30) /* where a description has none */
#define MASK_NODES 4096u /* the kernel wants room for all its node ids */
#define MASK_WORD_BITS (8 * sizeof(unsigned long))

struct loader {
	struct topo *out;
	hwloc_topology_t hw;
	struct hwloc_distances_s *distances; /* or NULL */
	hwloc_obj_t kept[TOPO_NODES_MAX];    /* by our index */
	bool have_allowed;
	unsigned long allowed[MASK_NODES / MASK_WORD_BITS];
};

static int fail(struct topo *out, int error, const char *text)
{
	snprintf(out->error, sizeof(out->error), "%s", text);
	return error;
}

static const char *find_variable(void)
{
	static const char *const names[] = {
		"HWLOC_XMLFILE",    "HWLOC_SYNTHETIC",  "HWLOC_FSROOT",
		"HWLOC_CPUID_PATH", "HWLOC_COMPONENTS", "HWLOC_THISSYSTEM",
	};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && value[0] != '\0')
			return names[i];
	}
	return NULL;
}

static int describe(struct loader *load, const char *synthetic)
{
	char text[160];
	const char *env = getenv("HWLOC_SYNTHETIC");
	const char *from = "";
	/* hwloc passes a bad HWLOC_SYNTHETIC over in silence, and would show
	 * the real machine to somebody who asked for another. */
	if (!synthetic && env && *env && !getenv("HWLOC_XMLFILE")) {
		synthetic = env;
		from = "HWLOC_SYNTHETIC is ";
	}
	if (!synthetic)
		return 0;
	if (hwloc_topology_set_synthetic(load->hw, synthetic) == 0)
		return 0;
	snprintf(text, sizeof(text),
	         "%snot an hwloc synthetic topology: "
	         "%.100s",
	         from, synthetic);
	return fail(load->out, -EINVAL, text);
}

/* hwloc sees a cgroup's limits only where that file system is mounted: so the
 * kernel is asked too, which knows memory-less nodes as well. */
static void ask_allowed(struct loader *load)
{
	if (load->out->simulated)
		return;
	load->have_allowed = get_mempolicy(NULL, load->allowed, MASK_NODES,
	                                   NULL, MPOL_F_MEMS_ALLOWED) == 0;
}

static hwloc_obj_t any_node(const struct loader *load, unsigned i)
{
	return hwloc_get_obj_by_type(load->hw, HWLOC_OBJ_NUMANODE, i);
}

static bool usable(const struct loader *load, hwloc_obj_t obj)
{
	unsigned id = obj->os_index;
	if (load->out->simulated)
		return true;
	/* The only one is the machine, whatever is known of it. */
	if (obj->attr->numanode.local_memory == 0 && any_node(load, 1) != NULL)
		return false;
	return !load->have_allowed ||
	       (id < MASK_NODES &&
	        (load->allowed[id / MASK_WORD_BITS] >> id % MASK_WORD_BITS &
	         1));
}

/* hwloc's own order is that of its tree: ours is that of the kernel's ids. */
static void keep_sorted(struct loader *load, hwloc_obj_t obj)
{
	unsigned i = load->out->n_nodes++;
	while (i > 0 && load->kept[i - 1]->os_index > obj->os_index) {
		load->kept[i] = load->kept[i - 1];
		i--;
	}
	load->kept[i] = obj;
}

/* A kernel that sets memory up as it is first used tells of a node only what
 * it has set up so far. Where the one node is the machine, the machine's total
 * is the truth. */
static void whole_machine(struct loader *load)
{
	struct topo_node *node = &load->out->node[0];
	struct sysinfo info;
	uint64_t bytes;
	if (hwloc_bitmap_weight(
		    hwloc_topology_get_complete_nodeset(load->hw)) != 1 ||
	    sysinfo(&info) < 0)
		return;
	bytes = (uint64_t)info.totalram * info.mem_unit;
	if (bytes > node->bytes)
		node->bytes = bytes;
}

static int keep_nodes(struct loader *load)
{
	struct topo *out = load->out;
	hwloc_obj_t obj;
	for (unsigned i = 0; (obj = any_node(load, i)); i++) {
		if (!usable(load, obj))
			continue;
		if (out->n_nodes == TOPO_NODES_MAX)
			return fail(
				out, -E2BIG,
				"more than 64 memory nodes on this machine");
		keep_sorted(load, obj);
	}
	if (out->n_nodes == 0)
		return fail(out, -ENODEV, "no memory node that we may use");
	for (unsigned i = 0; i < out->n_nodes; i++) {
		struct topo_node *node = &out->node[i];
		node->os_id = load->kept[i]->os_index;
		node->bytes = load->kept[i]->attr->numanode.local_memory;
		if (node->bytes == 0)
			node->bytes = SYNTHETIC_BYTES;
	}
	if (out->n_nodes == 1 && !out->simulated)
		whole_machine(load);
	return 0;
}

static void get_distances(struct loader *load)
{
	struct hwloc_distances_s *all[8];
	unsigned n = 8;
	if (hwloc_distances_get_by_type(load->hw, HWLOC_OBJ_NUMANODE, &n, all,
	                                HWLOC_DISTANCES_KIND_MEANS_LATENCY,
	                                0) != 0)
		return;
	for (unsigned i = 0; i < n && i < 8; i++) {
		if (!load->distances)
			load->distances = all[i];
		else
			hwloc_distances_release(load->hw, all[i]);
	}
}

static uint16_t distance_of(const struct loader *load, hwloc_obj_t from,
                            hwloc_obj_t to)
{
	hwloc_uint64_t there = 0;
	hwloc_uint64_t back = 0;
	if (load->distances &&
	    hwloc_distances_obj_pair_values(load->distances, from, to, &there,
	                                    &back) == 0 &&
	    there > 0)
		return there < UINT16_MAX ? (uint16_t)there : UINT16_MAX;
	return from == to ? LOCAL_DISTANCE : FAR_DISTANCE;
}

static void order_nearest(struct topo *out, unsigned self)
{
	struct topo_node *node = &out->node[self];
	unsigned n = 1;
	node->nearest[0] = (uint8_t)self;
	for (unsigned step = 1; step < out->n_nodes; step++) {
		unsigned other = (self + step) % out->n_nodes;
		unsigned i = n++;
		while (i > 1 && node->distance[node->nearest[i - 1]] >
		                        node->distance[other]) {
			node->nearest[i] = node->nearest[i - 1];
			i--;
		}
		node->nearest[i] = (uint8_t)other;
	}
}

static void fill_distances(struct loader *load)
{
	struct topo *out = load->out;
	get_distances(load);
	for (unsigned i = 0; i < out->n_nodes; i++) {
		for (unsigned k = 0; k < out->n_nodes; k++)
			out->node[i].distance[k] =
				distance_of(load, load->kept[i], load->kept[k]);
		order_nearest(out, i);
	}
}

static void assign(struct topo *out, unsigned cpu, unsigned node_ix)
{
	out->cpu_node[cpu] = (uint8_t)node_ix;
	out->node[node_ix].has_cpu = true;
}

/* The kernel's own word on which CPUs are a node's: hwloc shows memory
 * without CPUs as local to the CPUs near it. */
static void assign_by_kernel(struct loader *load, unsigned ix,
                             hwloc_const_cpuset_t ours)
{
	char path[80];
	char text[4096];
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	unsigned os_id = load->out->node[ix].os_id;
	FILE *file;
	int cpu;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist",
	         os_id);
	file = fopen(path, "re");
	if (cpus && file && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		if (*text && hwloc_bitmap_list_sscanf(cpus, text) == 0)
			hwloc_bitmap_and(cpus, cpus, ours);
		else
			hwloc_bitmap_zero(cpus);
		/* Leaves alone what an ill-formed list might hold. */
		for (cpu = hwloc_bitmap_first(cpus);
		     cpu >= 0 && cpu < (int)TOPO_CPUS_MAX;
		     cpu = hwloc_bitmap_next(cpus, cpu))
			assign(load->out, (unsigned)cpu, ix);
	}
	if (file)
		fclose(file);
	hwloc_bitmap_free(cpus);
}

/* Of the nodes local to a CPU: the one with the fewest CPUs, deepest in the
 * tree; of equal ones the first, which by hwloc's custom is the plain DRAM. */
static hwloc_obj_t local_node(const struct loader *load, unsigned cpu)
{
	hwloc_obj_t best = NULL;
	hwloc_obj_t obj;
	int fewest = 0;
	for (unsigned i = 0; (obj = any_node(load, i)); i++) {
		int weight = hwloc_bitmap_weight(obj->cpuset);
		if (!hwloc_bitmap_isset(obj->cpuset, cpu))
			continue;
		if (!best || weight < fewest) {
			best = obj;
			fewest = weight;
		}
	}
	return best;
}

static void assign_by_tree(struct loader *load, unsigned cpu)
{
	struct topo *out = load->out;
	hwloc_obj_t local = local_node(load, cpu);
	unsigned best = 0;
	if (!local)
		return;
	for (unsigned i = 1; i < out->n_nodes; i++)
		if (load->kept[i] == local ||
		    (load->kept[best] != local &&
		     distance_of(load, local, load->kept[i]) <
		             distance_of(load, local, load->kept[best])))
			best = i;
	assign(out, cpu, best);
}

static int fill_cpus(struct loader *load)
{
	struct topo *out = load->out;
	hwloc_const_cpuset_t ours = hwloc_topology_get_allowed_cpuset(load->hw);
	int last = hwloc_bitmap_last(ours);
	int any =
		hwloc_bitmap_last(hwloc_topology_get_complete_cpuset(load->hw));
	memset(out->cpu_node, TOPO_NODE_NONE, sizeof(out->cpu_node));
	if (last < 0)
		return fail(out, -ENODEV, "no CPU that we may use");
	if ((unsigned)last >= TOPO_CPUS_MAX)
		return fail(out, -E2BIG, "more than 8192 CPUs on this machine");
	/* Room for those that may yet come online. */
	if (any > last && (unsigned)any < TOPO_CPUS_MAX)
		last = any;
	out->n_cpus = (unsigned)last + 1;
	for (unsigned i = 0; i < out->n_nodes && !out->simulated; i++)
		assign_by_kernel(load, i, ours);
	for (unsigned cpu = 0; cpu < out->n_cpus; cpu++)
		if (hwloc_bitmap_isset(ours, cpu) &&
		    out->cpu_node[cpu] == TOPO_NODE_NONE)
			assign_by_tree(load, cpu);
	return 0;
}

static int name_cpus(struct topo *out, unsigned ix)
{
	struct topo_node *node = &out->node[ix];
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	int len;
	if (!set)
		return fail(out, -ENOMEM, "out of memory");
	for (unsigned cpu = 0; cpu < out->n_cpus; cpu++)
		if (out->cpu_node[cpu] == ix)
			hwloc_bitmap_set(set, cpu);
	len = hwloc_bitmap_list_snprintf(node->cpus, sizeof(node->cpus), set);
	hwloc_bitmap_free(set);
	if (len >= (int)sizeof(node->cpus)) {
		node->cpus[sizeof(node->cpus) - 4] = '\0';
		char *comma = strrchr(node->cpus, ',');
		snprintf(comma ? comma + 1 : node->cpus, 4, "...");
	}
	return 0;
}

/* Where a sandbox hides the kernel's nodes hwloc would end us: it then is to look
 * at nothing but the C library. */
static void avoid_masked(struct loader *load)
{
	DIR *dir = opendir("/sys/devices/system/node");
	struct dirent *entry;
	bool masked = true;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		masked &= strncmp(entry->d_name, "node", 4) != 0;
	if (dir != NULL)
		closedir(dir);
	if (masked)
		(void)hwloc_topology_set_components(
			load->hw, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
			"linux");
}

static int fail_load(struct topo *out)
{
	char text[120];
	snprintf(text, sizeof(text), "hwloc can't read the topology%s%s%s",
	         out->variable ? " that " : "",
	         out->variable ? out->variable : "",
	         out->variable ? " in slabd's environment names: unset it" : "");
	return fail(out, -ENODEV, text);
}

static int load_all(struct loader *load, const char *synthetic)
{
	struct topo *out = load->out;
	int r = describe(load, synthetic);
	if (r < 0)
		return r;
	avoid_masked(load);
	out->variable = synthetic == NULL ? find_variable() : NULL;
	if (hwloc_topology_load(load->hw) != 0)
		return fail_load(out);
	out->simulated = !hwloc_topology_is_thissystem(load->hw);
	ask_allowed(load);
	r = keep_nodes(load);
	if (r < 0)
		return r;
	fill_distances(load);
	r = fill_cpus(load);
	for (unsigned i = 0; i < out->n_nodes && r == 0; i++)
		r = name_cpus(out, i);
	return r;
}

int topo_load(struct topo *out, const char *synthetic)
{
	struct loader load = {.out = out};
	int r;
	memset(out, 0, sizeof(*out));
	if (hwloc_topology_init(&load.hw) != 0)
		return fail(out, -ENOMEM, "out of memory");
	r = load_all(&load, synthetic);
	if (load.distances)
		hwloc_distances_release(load.hw, load.distances);
	hwloc_topology_destroy(load.hw);
	return r;
}

int topo_index_of(const struct topo *topo, unsigned os_id)
{
	for (unsigned i = 0; i < topo->n_nodes; i++)
		if (topo->node[i].os_id == os_id)
			return (int)i;
	return -1;
}

void topo_go_near(const struct topo *topo, unsigned ix, pthread_t thread)
{
	size_t bytes = CPU_ALLOC_SIZE(TOPO_CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(TOPO_CPUS_MAX);
	if (!set)
		return;
	CPU_ZERO_S(bytes, set);
	for (unsigned cpu = 0; cpu < topo->n_cpus; cpu++)
		if (topo->cpu_node[cpu] == ix)
			CPU_SET_S(cpu, bytes, set);
	if (!topo->simulated && topo->node[ix].has_cpu)
		(void)pthread_setaffinity_np(thread, bytes, set);
	CPU_FREE(set);
}
