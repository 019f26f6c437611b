/* SPDX-License-Identifier: MIT */
/* How often the kernel is asked for hugepages: its part is played here. */
#include "numa/reserve.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "numa/huge.h"
#include "numa/topo.h"

static unsigned asks;
static unsigned search_ms;
static uint64_t spare;

int __wrap_huge_count(const char *sysfs, unsigned os_node, unsigned page_shift,
                      struct huge_counts *out);
int __wrap_huge_reserve(const char *sysfs, unsigned os_node,
                        unsigned page_shift, uint64_t n, uint64_t *got);

int __wrap_huge_count(const char *sysfs, unsigned os_node, unsigned page_shift,
                      struct huge_counts *out)
{
	(void)sysfs;
	(void)os_node;
	(void)page_shift;
	*out = (struct huge_counts){.total_pages = spare, .free_pages = spare,
	                            .spare_pages = spare};
	return 0;
}

/* It finds none. */
int __wrap_huge_reserve(const char *sysfs, unsigned os_node,
                        unsigned page_shift, uint64_t n, uint64_t *got)
{
	(void)sysfs;
	(void)os_node;
	(void)page_shift;
	(void)n;
	asks++;
	usleep(search_ms * 1000);
	*got = 0;
	return 0;
}

Test(stock, who_searched_long_in_vain_is_left_alone)
{
	struct topo topo;
	struct backing backing = {.may_reserve = true, .topo = &topo};
	struct backing_step why = {.kind = BACKING_2M};
	cr_assert_eq(topo_load(&topo, "node:2 pu:1"), 0);
	search_ms = 300;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 1);
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 1, "for ten times as long");
	cr_expect(strstr(why.reason, "the kernel found no more") != NULL);
	cr_expect(strstr(why.remedy, "compact_memory") != NULL);
	spare = 4;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), 0,
	             "what is there may be had");
	spare = 0;
	search_ms = 0;
	cr_expect_eq(reserve_secure(&backing, 1, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 2, "another node is asked");
	backing.node[0].rest_until_ns -= INT64_C(60000000000);
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 3, "and it is asked again");
}
