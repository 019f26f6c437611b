/* SPDX-License-Identifier: MIT */
#include "daemon/serve/fits.h"

#include <criterion/criterion.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct topo topo;
static struct config config;
static struct fits_machine machine;
static struct fits_lacks lacks;

/* Nodes of 32 GiB, pools by default, descriptors without end. */
static void set_up(unsigned n_nodes, unsigned n_pools)
{
	topo = (struct topo){.n_nodes = n_nodes};
	for (unsigned i = 0; i < n_nodes; i++)
		topo.node[i] = (struct topo_node){.os_id = i,
		                                  .bytes = 32 * GIB};
	memset(&config, 0, sizeof(config));
	config.reserve_hugepages = true;
	config.n_pools = n_pools;
	for (unsigned i = 0; i < n_pools; i++) {
		char name[8] = {'p', (char)('0' + i), '\0'};
		config_default_pool(&config.pools[i], name);
	}
	machine = (struct fits_machine){.topo = &topo, .files = RLIM_INFINITY};
}

static unsigned look(void)
{
	memset(&lacks, 0, sizeof(lacks));
	fits_check(&config, &machine, &lacks);
	return lacks.n;
}

static void says(unsigned line, const char *text)
{
	cr_assert_lt(line, lacks.n);
	cr_expect(strstr(lacks.lack[line].what, text) != NULL ||
	                  strstr(lacks.lack[line].todo, text) != NULL,
	          "\"%s\" in: %s; %s", text, lacks.lack[line].what,
	          lacks.lack[line].todo);
}

Test(fits, what_fits_is_no_matter)
{
	set_up(4, 1);
	cr_expect_eq(look(), 0);
	set_up(4, 4);
	cr_expect_eq(look(), 0, "4 times 25%% are all of it");
	config.pools[0].max_bytes = 8 * GIB;
	cr_expect_eq(look(), 0);
}

Test(fits, a_quarter_five_times_over)
{
	set_up(1, 5);
	cr_expect_eq(look(), 1);
	says(0, "key \"max\" of 5 pools, p0 (25%), p1 (25%), p2 (25%), p3 (25%), "
	        "p4 (25%), is ");
	says(0, "MiB of node 0 together, which has 32768 MiB: ");
	says(0, "lower max");
}

Test(fits, sizes_and_shares_together)
{
	set_up(2, 2);
	config.pools[0].max_bytes = 28 * GIB;
	cr_expect_eq(look(), 1);
	says(0, "p0 (28672M), p1 (25%)");
	says(0, "and likewise 1 more node");
	topo.node[1].bytes = 16 * GIB;
	topo.node[1].os_id = 7;
	config.pools[0].max_bytes = 15 * GIB;
	cr_expect_eq(look(), 1);
	says(0, "of node 7 together");
	cr_expect(strstr(lacks.lack[0].what, "more node") == NULL);
}

Test(fits, a_pool_above_its_node)
{
	set_up(1, 2);
	config.pools[1].max_bytes = 64 * GIB;
	cr_expect_eq(look(), 1, "and not in the sum as well");
	says(0, "key \"max\" in [pool p1] is 65536 MiB, and node 0 has 32768 MiB");
	says(0, "lower max");
	config.pools[1].max_bytes = 32 * GIB;
	config.n_pools = 1;
	cr_expect_eq(look(), 0);
}

Test(fits, names_that_do_not_fit)
{
	set_up(1, 16);
	for (unsigned i = 0; i < 16; i++)
		memset(config.pools[i].name, 'x', 63);
	cr_expect_eq(look(), 1);
	says(0, "..., is ");
	says(0, "at most 100%");
}

Test(fits, hugepages_that_slabd_may_not_reserve)
{
	set_up(2, 1);
	machine.huge_bytes[0][0] = 8 * GIB;
	machine.huge_bytes[0][1] = GIB;
	cr_expect_eq(look(), 0, "reserved as needed");
	config.reserve_hugepages = false;
	cr_expect_eq(look(), 1);
	says(0, "\"reserve_hugepages\" is no");
	says(0, "a pool that starts in these grows no further");
	says(0, "8190 MiB of node 1, and the kernel has 1024 MiB in pages of 2 MiB "
	        "there:");
	says(0, "raise nr_hugepages of the node by 3583");
	machine.huge_bytes[0][1] = 8 * GIB;
	cr_expect_eq(look(), 0);
	config.pools[0].page = CONFIG_PAGE_1G;
	cr_expect_eq(look(), 1);
	says(0, "pages of 1 GiB");
	config.pools[0].page = CONFIG_PAGE_THP;
	cr_expect_eq(look(), 0);
}

Test(fits, descriptors)
{
	set_up(2, 2);
	config.pools[1].max_clients = 5000;
	machine.files = fits_files(&config, &topo);
	cr_expect_eq(look(), 0);
	machine.files--;
	cr_expect_eq(look(), 1);
	says(0, "key \"max_clients\" is 6024 of all pools, which takes 18364 open "
	        "files, and slabd may have 18363 (RLIMIT_NOFILE)");
	says(0, "LimitNOFILE");
}

Test(fits, all_of_it_at_one_time)
{
	set_up(1, 6);
	config.reserve_hugepages = false;
	config.pools[0].max_bytes = 40 * GIB;
	machine.files = 1024;
	cr_expect_eq(look(), 4);
}

/* Names as long as they may be, on a machine as large as any: nothing is cut. */
Test(fits, as_much_as_there_can_be)
{
	set_up(1, CONFIG_POOLS_MAX);
	topo.node[0].bytes = UINT64_C(1) << 40;
	topo.node[0].os_id = 1023;
	config.reserve_hugepages = false;
	machine.files = 1024;
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++) {
		config.pools[i].page = i % 2 ? CONFIG_PAGE_1G : CONFIG_PAGE_2M;
		config.pools[i].max_percent = 100;
		memset(config.pools[i].name, 'x', 63);
	}
	cr_expect_eq(look(), 4);
	for (unsigned i = 0; i < lacks.n; i++) {
		cr_expect_lt(strlen(lacks.lack[i].what),
		             sizeof(lacks.lack[i].what) - 1);
		cr_expect_lt(strlen(lacks.lack[i].todo),
		             sizeof(lacks.lack[i].todo) - 1);
	}
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++)
		config.pools[i].max_bytes = UINT64_C(2) << 40;
	cr_expect_leq(look(), FITS_LACKS_MAX);
}
