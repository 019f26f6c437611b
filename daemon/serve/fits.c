/* SPDX-License-Identifier: MIT */
#include "daemon/serve/fits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/pool/share.h"
#include "numa/huge.h"

#define MIB_SHIFT 20
#define FILES_A_CLIENT 3u /* connection, pidfd, and one while it is let in */
#define FILES_A_POOL 16u  /* besides one a node */
#define FILES_OWN 256u    /* loop, log, sockets, slabctl's connections */
#define NAMES_BYTES 160u

/* What pools may take of one node. */
struct demand {
	uint64_t bytes;
	unsigned n;
	char names[NAMES_BYTES]; /* "orders (25%), quotes (4G)" */
};

/* The node where most is missing. */
struct worst {
	unsigned node;
	uint64_t missing; /* bytes; 0: none is */
	unsigned n_others; /* nodes that lack some, too */
};

/* One more, of which todo is to be filled in. */
__attribute__((format(printf, 2, 3))) static struct fits_lack *
add_lack(struct fits_lacks *lacks, const char *format, ...)
{
	struct fits_lack *lack = &lacks->lack[lacks->n++];
	va_list args;
	va_start(args, format);
	vsnprintf(lack->what, sizeof(lack->what), format, args);
	va_end(args);
	return lack;
}

static uint64_t mib(uint64_t bytes)
{
	return bytes >> MIB_SHIFT;
}

static void note(struct worst *worst, unsigned node, uint64_t want,
                 uint64_t have)
{
	if (want <= have)
		return;
	worst->n_others += worst->missing > 0;
	if (want - have <= worst->missing)
		return;
	worst->missing = want - have;
	worst->node = node;
}

/* ", and 3 more nodes", or "". */
static const char *others(const struct worst *worst, char out[40])
{
	out[0] = '\0';
	if (worst->n_others > 0)
		snprintf(out, 40, ", and likewise %u more node%s",
		         worst->n_others, worst->n_others == 1 ? "" : "s");
	return out;
}

static void add(struct demand *demand, const struct config_pool *pool,
                uint64_t bytes)
{
	size_t len = strlen(demand->names);
	char share[16];
	snprintf(share, sizeof(share), "%u%%", pool->max_percent);
	demand->bytes += bytes;
	demand->n++;
	/* A list that is cut ends in dots. */
	if (len + 4 >= NAMES_BYTES)
		return;
	if (pool->max_bytes > 0)
		snprintf(share, sizeof(share), "%" PRIu64 "M", mib(bytes));
	if (snprintf(demand->names + len, NAMES_BYTES - len, "%s%s (%s)",
	             len > 0 ? ", " : "", pool->name,
	             share) >= (int)(NAMES_BYTES - len))
		strcpy(demand->names + NAMES_BYTES - 4, "...");
}

/* Of each node by each pool; a size that the tables do not hold is said where
 * the pool is made. */
static void shares(const struct config *config, const struct topo *topo,
                   uint64_t bytes[CONFIG_POOLS_MAX][TOPO_NODES_MAX])
{
	for (unsigned i = 0; i < config->n_pools; i++)
		(void)share_of_nodes(&config->pools[i], topo, bytes[i]);
}

/* ---- memory ------------------------------------------------------------- */

/* A pool that no node can hold. */
static bool is_too_large(const struct config_pool *pool,
                         const struct topo *topo, const uint64_t *bytes,
                         struct fits_lacks *lacks)
{
	struct worst worst = {0};
	struct fits_lack *lack;
	char text[40];
	uint64_t have;
	if (pool->max_bytes == 0)
		return false;
	for (unsigned i = 0; i < topo->n_nodes; i++)
		note(&worst, i, bytes[i], topo->node[i].bytes);
	if (worst.missing == 0)
		return false;
	have = topo->node[worst.node].bytes;
	lack = add_lack(lacks,
	                "key \"max\" in [pool %s] is %" PRIu64 " MiB, and node %u "
	                "has %" PRIu64 " MiB%s: memory ends before max is "
	                "reached, and the kernel then kills programs",
	                pool->name, mib(pool->max_bytes),
	                topo->node[worst.node].os_id, mib(have),
	                others(&worst, text));
	snprintf(lack->todo, sizeof(lack->todo),
	         "lower max to less than %" PRIu64 "M, or to a share such as 80%%",
	         mib(have));
	return true;
}

/* Pools that are not too large by themselves, on one node. */
static void sum_node(const struct config *config, const bool *large,
                     uint64_t bytes[][TOPO_NODES_MAX], unsigned node,
                     struct demand *demand)
{
	*demand = (struct demand){0};
	for (unsigned i = 0; i < config->n_pools; i++)
		if (!large[i])
			add(demand, &config->pools[i], bytes[i][node]);
}

static void check_memory(const struct config *config, const struct topo *topo,
                         uint64_t bytes[][TOPO_NODES_MAX],
                         struct fits_lacks *lacks)
{
	bool large[CONFIG_POOLS_MAX];
	struct worst worst = {0};
	struct fits_lack *lack;
	struct demand demand;
	char text[40];
	for (unsigned i = 0; i < config->n_pools; i++)
		large[i] = is_too_large(&config->pools[i], topo, bytes[i],
		                        lacks);
	for (unsigned i = 0; i < topo->n_nodes; i++) {
		sum_node(config, large, bytes, i, &demand);
		if (demand.n > 1)
			note(&worst, i, demand.bytes, topo->node[i].bytes);
	}
	if (worst.missing == 0)
		return;
	sum_node(config, large, bytes, worst.node, &demand);
	lack = add_lack(lacks,
	                "key \"max\" of %u pools, %s, is %" PRIu64 " MiB of node "
	                "%u together, which has %" PRIu64 " MiB%s: whichever "
	                "grows last finds no memory", demand.n, demand.names,
	                mib(demand.bytes), topo->node[worst.node].os_id,
	                mib(topo->node[worst.node].bytes), others(&worst, text));
	strcpy(lack->todo, "lower max of some, so that all are at most 100%");
}

/* ---- hugepages ---------------------------------------------------------- */

static void sum_huge(const struct config *config, enum config_page page,
                     uint64_t bytes[][TOPO_NODES_MAX], unsigned node,
                     struct demand *demand)
{
	*demand = (struct demand){0};
	for (unsigned i = 0; i < config->n_pools; i++)
		if (config->pools[i].page == page)
			add(demand, &config->pools[i], bytes[i][node]);
}

/* Where slabd must do with those that the kernel has. */
static void check_huge(const struct config *config,
                       const struct fits_machine *machine,
                       enum config_page page,
                       uint64_t bytes[][TOPO_NODES_MAX],
                       struct fits_lacks *lacks)
{
	const uint64_t *have = machine->huge_bytes[page == CONFIG_PAGE_1G];
	const char *size = page == CONFIG_PAGE_1G ? "1 GiB" : "2 MiB";
	struct worst worst = {0};
	struct fits_lack *lack;
	struct demand demand;
	char text[40];
	for (unsigned i = 0; i < machine->topo->n_nodes; i++) {
		sum_huge(config, page, bytes, i, &demand);
		note(&worst, i, demand.bytes, have[i]);
	}
	if (worst.missing == 0)
		return;
	sum_huge(config, page, bytes, worst.node, &demand);
	lack = add_lack(lacks,
	                "key \"reserve_hugepages\" is no, key \"max\" of %s is %"
	                PRIu64 " MiB of node %u, and the kernel has %" PRIu64
	                " MiB in pages of %s there%s: a pool that starts in "
	                "these grows no further, and one that does not fit has "
	                "smaller pages", demand.names, mib(demand.bytes),
	                machine->topo->node[worst.node].os_id,
	                mib(have[worst.node]), size, others(&worst, text));
	snprintf(lack->todo, sizeof(lack->todo),
	         "raise nr_hugepages of the node by %" PRIu64 ", lower max, or set "
	         "reserve_hugepages = yes",
	         worst.missing / config_page_bytes(page));
}

/* ---- descriptors -------------------------------------------------------- */

static uint64_t clients_of(const struct config *config)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < config->n_pools; i++)
		all += config->pools[i].max_clients;
	return all;
}

uint64_t fits_files(const struct config *config, const struct topo *topo)
{
	return FILES_OWN + FILES_A_CLIENT * clients_of(config) +
	       config->n_pools * (FILES_A_POOL + (uint64_t)topo->n_nodes);
}

static void check_files(const struct config *config,
                        const struct fits_machine *machine,
                        struct fits_lacks *lacks)
{
	uint64_t need = fits_files(config, machine->topo);
	struct fits_lack *lack;
	if (machine->files == RLIM_INFINITY || machine->files >= need)
		return;
	lack = add_lack(lacks,
	                "key \"max_clients\" is %" PRIu64 " of all pools, which "
	                "takes %" PRIu64 " open files, and slabd may have %" PRIu64
	                " (RLIMIT_NOFILE): the last clients are let wait",
	                clients_of(config), need, (uint64_t)machine->files);
	snprintf(lack->todo, sizeof(lack->todo),
	         "raise LimitNOFILE= (ulimit -n) to %" PRIu64
	         ", or lower max_clients", need);
}

/* ---- all of it ---------------------------------------------------------- */

void fits_check(const struct config *config, const struct fits_machine *machine,
                struct fits_lacks *lacks)
{
	uint64_t bytes[CONFIG_POOLS_MAX][TOPO_NODES_MAX];
	shares(config, machine->topo, bytes);
	check_memory(config, machine->topo, bytes, lacks);
	if (!config->reserve_hugepages) {
		check_huge(config, machine, CONFIG_PAGE_2M, bytes, lacks);
		check_huge(config, machine, CONFIG_PAGE_1G, bytes, lacks);
	}
	check_files(config, machine, lacks);
}

/* Nodes of a simulated machine share what the kernel has. */
static uint64_t huge_of(const struct topo *topo, unsigned node, unsigned shift)
{
	struct huge_counts now;
	unsigned os_node =
		topo->simulated ? HUGE_ANY_NODE : topo->node[node].os_id;
	if (huge_count(NULL, os_node, shift, &now) < 0)
		return 0;
	return (now.total_pages << shift) /
	       (topo->simulated ? topo->n_nodes : 1);
}

void fits_look(const struct config *config, const struct topo *topo,
               struct fits_lacks *lacks)
{
	struct fits_machine machine = {.topo = topo, .files = RLIM_INFINITY};
	struct rlimit limit;
	for (unsigned i = 0; i < topo->n_nodes; i++) {
		machine.huge_bytes[0][i] = huge_of(topo, i, 21);
		machine.huge_bytes[1][i] = huge_of(topo, i, 30);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		machine.files = limit.rlim_cur;
	fits_check(config, &machine, lacks);
}

void fits_say(const struct config *config, const struct topo *topo)
{
	struct fits_lacks lacks = {.n = 0};
	fits_look(config, topo, &lacks);
	for (unsigned i = 0; i < lacks.n; i++)
		log_warn("%s; %s", lacks.lack[i].what, lacks.lack[i].todo);
}
