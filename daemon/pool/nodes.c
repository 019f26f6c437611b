/* SPDX-License-Identifier: MIT */
#include "daemon/pool/nodes.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL 10u
#define FAR 254u /* from where it is not known how far it is */

bool nodes_are_those(const struct journal *journal, const struct topo *now)
{
	bool same = journal->n_nodes == now->n_nodes;
	for (unsigned i = 0; same && i < journal->n_nodes; i++)
		same = journal->node[i].os_id == now->node[i].os_id;
	return same || journal->n_nodes == 0;
}

static void fill_distances(struct topo *out, const struct topo *now)
{
	for (unsigned i = 0; i < out->n_nodes; i++) {
		int from = topo_index_of(now, out->node[i].os_id);
		for (unsigned k = 0; k < out->n_nodes; k++) {
			int to = topo_index_of(now, out->node[k].os_id);
			out->node[i].distance[k] =
				i == k ? LOCAL
				: from < 0 || to < 0
					? FAR
					: now->node[from].distance[to];
		}
	}
}

/* Itself, then nearest first; of equally far ones the next on the right. */
static void fill_nearest(struct topo *out, unsigned i)
{
	struct topo_node *node = &out->node[i];
	for (unsigned n = 0; n < out->n_nodes; n++) {
		unsigned at = n;
		unsigned k = (i + n) % out->n_nodes;
		for (; at > 0 && node->distance[node->nearest[at - 1]] >
		                         node->distance[k];
		     at--)
			node->nearest[at] = node->nearest[at - 1];
		node->nearest[at] = (uint8_t)k;
	}
}

struct topo *nodes_view(const struct journal *journal, const struct topo *now)
{
	struct topo *out = calloc(1, sizeof(*out));
	if (out == NULL)
		return NULL;
	out->n_nodes = journal->n_nodes;
	out->n_cpus = now->n_cpus;
	out->simulated = now->simulated;
	for (unsigned i = 0; i < out->n_nodes; i++) {
		int ix = topo_index_of(now, journal->node[i].os_id);
		if (ix >= 0)
			out->node[i] = now->node[ix];
		out->node[i].os_id = journal->node[i].os_id;
	}
	fill_distances(out, now);
	for (unsigned i = 0; i < out->n_nodes; i++)
		fill_nearest(out, i);
	for (unsigned cpu = 0; cpu < TOPO_CPUS_MAX; cpu++)
		out->cpu_node[cpu] = (uint8_t)nodes_of_cpu(out, now, cpu);
	return out;
}

uint32_t nodes_of_cpu(const struct topo *table, const struct topo *now,
                      uint32_t cpu)
{
	const struct topo_node *node;
	if (cpu >= now->n_cpus || now->cpu_node[cpu] >= now->n_nodes)
		return NODE_NONE;
	node = &now->node[now->cpu_node[cpu]];
	for (unsigned i = 0; i < now->n_nodes; i++) {
		unsigned os_id = now->node[node->nearest[i]].os_id;
		int ix = topo_index_of(table, os_id);
		if (ix >= 0)
			return (uint32_t)ix;
	}
	return NODE_NONE;
}
