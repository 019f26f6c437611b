/* SPDX-License-Identifier: MIT */
#include "daemon/pool/share.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "shm/layout.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static struct topo topo;
static struct config_pool config;
static uint64_t bytes[TOPO_NODES_MAX];

/* So many nodes of so much memory each, and the defaults. */
static void machine(unsigned n_nodes, uint64_t each)
{
	topo = (struct topo){.n_nodes = n_nodes};
	for (unsigned i = 0; i < n_nodes; i++)
		topo.node[i].bytes = each;
	config_default_pool(&config, "default");
}

static uint64_t sum(void)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < topo.n_nodes; i++)
		all += bytes[i];
	return all;
}

/* Tables of that much are what the layout has room for. */
static void fits(void)
{
	uint64_t page = config_page_bytes(config.page);
	struct layout_geometry geo = {
		.n_nodes = topo.n_nodes,
		.n_cpus = 1,
		.n_caches = config.max_caches,
		.page_shift = config.page == CONFIG_PAGE_1G ? 30 : 21};
	for (unsigned i = 0; i < topo.n_nodes; i++) {
		cr_expect_geq(bytes[i], page);
		cr_expect_eq(bytes[i] % page, 0);
	}
	geo.n_units = sum() / UNIT_BYTES;
	cr_expect_eq(layout_compute(&geo), 0);
}

Test(share, a_quarter_by_default)
{
	machine(2, 100 * GIB);
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), 0);
	cr_expect_eq(bytes[0], 25 * GIB);
	cr_expect_eq(bytes[1], 25 * GIB);
	cr_expect_eq(share_percent(&config), 25);
	machine(1, 3 * MIB);
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), 0);
	cr_expect_eq(bytes[0], 2 * MIB, "a page at least");
}

Test(share, of_large_machines_what_the_tables_hold)
{
	static const struct {
		unsigned n_nodes;
		uint64_t each;
	} large[] = {
		{1, 9 * TIB},  {1, 64 * TIB}, {4, 4 * TIB},  {8, 8 * TIB},
		{64, TIB},     {64, 4 * TIB}, {3, 31 * TIB}, {64, 133 * GIB},
	};
	static const enum config_page pages[] = {CONFIG_PAGE_1G, CONFIG_PAGE_2M,
	                                         CONFIG_PAGE_4K};
	for (unsigned i = 0; i < sizeof(large) / sizeof(*large); i++)
		for (unsigned k = 0; k < 3; k++) {
			machine(large[i].n_nodes, large[i].each);
			config.page = pages[k];
			cr_expect_eq(share_of_nodes(&config, &topo, bytes),
			             SHARE_E_CUT);
			fits();
			cr_expect_gt(sum(), 2 * TIB - 128 * GIB);
		}
}

Test(share, as_much_as_the_tables_hold_is_not_cut)
{
	machine(8, TIB);
	config.max_percent = 25;
	topo.node[0].bytes = TIB / 100 * 100;
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), 0);
	fits();
	cr_expect_leq(sum(), 2 * TIB);
}

/* Small ones keep their part beside large ones. */
Test(share, parts_are_alike)
{
	machine(3, 16 * TIB);
	topo.node[1].bytes = 4 * TIB;
	topo.node[2].bytes = MIB;
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), SHARE_E_CUT);
	fits();
	cr_expect_leq(bytes[0], 4 * bytes[1]);
	cr_expect_gt(bytes[0], 4 * (bytes[1] - 2 * MIB));
	cr_expect_eq(bytes[2], 2 * MIB);
	config.max_percent = 100;
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), SHARE_E_CUT);
	fits();
}

Test(share, a_size_is_as_it_is_or_an_error)
{
	machine(4, 16 * GIB);
	config.max_bytes = 512 * GIB;
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), 0);
	cr_expect_eq(sum(), 2 * TIB);
	fits();
	cr_expect_eq(share_largest(&config, 4), 512 * GIB);
	config.max_bytes += 2 * MIB;
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), -E2BIG);
	cr_expect_eq(bytes[3], 512 * GIB + 2 * MIB);
	cr_expect_eq(share_percent(&config), 0);
	machine(3, GIB);
	config.max_bytes = share_largest(&config, 3);
	cr_expect_eq(share_of_nodes(&config, &topo, bytes), 0);
	fits();
	config.page = CONFIG_PAGE_1G;
	cr_expect_eq(share_largest(&config, 3), 682 * GIB);
}
