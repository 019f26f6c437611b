/* SPDX-License-Identifier: MIT */
/* How often the kernel is asked for hugepages: its part is played here. */
#include "numa/reserve.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "numa/huge.h"
#include "numa/tick.h"
#include "numa/topo.h"

static unsigned asks;
static int64_t now_ns;
static int64_t search_ns;
static uint64_t spare;
static int denial;

int __wrap_huge_count(const char *sysfs, unsigned os_node, unsigned page_shift,
                      struct huge_counts *out);
int __wrap_huge_reserve(const char *sysfs, unsigned os_node,
                        unsigned page_shift, uint64_t n, uint64_t *got);
int __wrap_huge_release(const char *sysfs, unsigned os_node,
                        unsigned page_shift, uint64_t n, uint64_t *gone);
int64_t __wrap_tick_ns(void);

int64_t __wrap_tick_ns(void)
{
	return now_ns;
}

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
	now_ns += search_ns;
	*got = 0;
	return denial;
}

/* All that is asked for goes. */
int __wrap_huge_release(const char *sysfs, unsigned os_node,
                        unsigned page_shift, uint64_t n, uint64_t *gone)
{
	(void)sysfs;
	(void)os_node;
	(void)page_shift;
	asks++;
	*gone = denial == 0 ? n : 0;
	return denial;
}

/* Another slabd that changes counts is no lack, unless it stands still. */
Test(reserve, another_slabd_is_waited_for_and_is_no_lack)
{
	struct topo topo;
	struct backing backing = {.may_reserve = true, .topo = &topo};
	struct backing_step why = {.kind = BACKING_2M};
	cr_assert_eq(topo_load(&topo, "node:1 pu:1"), 0);
	now_ns = INT64_C(5000000000);
	denial = -EAGAIN;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), -EAGAIN);
	now_ns += INT64_C(4999999999);
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), -EAGAIN);
	cr_expect_eq(asks, 2, "it is asked again at once");
	cr_expect_str_empty(why.reason);
	denial = 0;
	spare = 4;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), 0);
	spare = 0;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK,
	             "that there are none is one");
	denial = -EAGAIN;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), -EAGAIN);
	now_ns += INT64_C(5000000000);
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect(strstr(why.reason, "another slabd stands still") != NULL,
	          "%s", why.reason);
	denial = 0;
}

Test(reserve, what_could_not_go_back_for_another_slabd_goes_later)
{
	struct topo topo;
	struct backing backing = {.topo = &topo};
	struct backing_node *node = &backing.node[0];
	cr_assert_eq(topo_load(&topo, "node:1 pu:1"), 0);
	node->reserved_pages = node->resident_pages = 8;
	denial = -EAGAIN;
	reserve_give_back(&backing, 0, 3);
	cr_expect_not(reserve_late(&backing, 0));
	reserve_give_back(&backing, 0, 1);
	cr_expect_eq(node->reserved_pages, 8);
	denial = 0;
	cr_expect(reserve_late(&backing, 0));
	cr_expect_eq(node->reserved_pages, 4, "all of it");
	asks = 0;
	cr_expect(reserve_late(&backing, 0));
	cr_expect_eq(asks, 0, "once");
}

/* A search of 300 ms in vain is followed by 3 s of rest. */
Test(reserve, kernel_that_searched_long_in_vain_is_left_alone)
{
	struct topo topo;
	struct backing backing = {.may_reserve = true, .topo = &topo};
	struct backing_step why = {.kind = BACKING_2M};
	cr_assert_eq(topo_load(&topo, "node:2 pu:1"), 0);
	now_ns = INT64_C(5000000000);
	search_ns = 300000000;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 1);
	now_ns += 10 * search_ns - 1;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 1, "for ten times as long");
	cr_expect(strstr(why.reason, "the kernel found no more") != NULL);
	cr_expect(strstr(why.remedy, "compact_memory") != NULL);
	spare = 4;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), 0,
	             "what is there may be had");
	spare = 0;
	search_ns = 0;
	cr_expect_eq(reserve_secure(&backing, 1, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 2, "another node is asked");
	now_ns++;
	cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why), RESERVE_E_LACK);
	cr_expect_eq(asks, 3, "and it is asked again");
}

/* What is said while it is left alone is what it said. */
Test(reserve, denial_is_said_until_it_is_asked_again)
{
	struct topo topo;
	struct backing backing = {.may_reserve = true, .topo = &topo};
	struct backing_step why = {.kind = BACKING_2M};
	cr_assert_eq(topo_load(&topo, "node:1 pu:1"), 0);
	now_ns = INT64_C(5000000000);
	search_ns = 1000000;
	denial = -EACCES;
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(reserve_secure(&backing, 0, 4, 0, &why),
		             RESERVE_E_LACK);
		cr_expect(strstr(why.reason, "Permission denied") != NULL,
		          "%s", why.reason);
		cr_expect(strstr(why.remedy, "compact") == NULL, "%s",
		          why.remedy);
	}
	cr_expect_eq(asks, 1);
	denial = 0;
}

/* A change of by pages from 100 that lasted, 40 of them ours, was cut short,
 * and now so many last. */
static uint64_t recalled(uint64_t towards, uint64_t by, uint64_t lasting)
{
	struct topo topo;
	struct backing_journal journal = {.kind = BACKING_2M,
	                                  .reserved_pages = 40,
	                                  .before_pages = 40,
	                                  .base_pages = 100,
	                                  .change_pages = towards | by};
	struct backing backing = {.topo = &topo, .journal = &journal};
	uint64_t pages;
	cr_assert_eq(topo_load(&topo, "node:1 pu:1"), 0);
	spare = lasting;
	pages = reserve_recall(&backing, 0);
	spare = 0;
	cr_expect_eq(journal.change_pages, 0);
	cr_expect_eq(journal.reserved_pages, pages);
	return pages;
}

Test(reserve, a_rise_that_was_cut_short_is_what_came_of_it)
{
	cr_expect_eq(recalled(0, 8, 100), 40, "none of it was written");
	cr_expect_eq(recalled(0, 8, 103), 43, "the kernel had found three");
	cr_expect_eq(recalled(0, 8, 108), 48, "all of it");
	cr_expect_eq(recalled(0, 8, 140), 48, "the rest is somebody else's");
	cr_expect_eq(recalled(0, 8, 60), 40, "others took theirs away");
}

Test(reserve, a_fall_that_was_cut_short_is_never_more_than_ours)
{
	const uint64_t down = BACKING_JOURNAL_DOWN;
	cr_expect_eq(recalled(down, 8, 100), 40, "none of it was written");
	cr_expect_eq(recalled(down, 8, 92), 32, "all of it");
	cr_expect_eq(recalled(down, 8, 60), 32, "others gave back more");
	cr_expect_eq(recalled(down, 8, 132), 32, "an administrator added 40, "
	             "or 32 and it was not written: theirs stay theirs");
	cr_expect_eq(recalled(down, 60, 40), 0);
}

/* What lasted when nothing was under way is known to the next slabd. */
Test(reserve, what_lasted_is_known_after_a_takeover)
{
	struct topo topo;
	struct backing_journal journal = {0};
	struct backing backing = {
		.topo = &topo, .journal = &journal, .may_reserve = true};
	cr_assert_eq(topo_load(&topo, "node:1 pu:1"), 0);
	backing.node[0].reserved_pages = backing.node[0].resident_pages = 8;
	spare = 20;
	reserve_give_back(&backing, 0, 3);
	spare = 0;
	cr_expect_eq(backing.node[0].reserved_pages, 5);
	cr_expect_eq(reserve_last_seen(&backing, 0), 17);
	journal.change_pages = 1;
	cr_expect_eq(reserve_last_seen(&backing, 0), 0);
	journal.change_pages = 0;
	journal.before_pages = 8;
	cr_expect_eq(reserve_last_seen(&backing, 0), 0,
	             "of a slabd that left something else there");
}
