/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "shm/names.h"

#define LONGEST                                                                \
	"123456789-123456789-123456789-123456789-123456789-123456789-123"

static struct layout_name row;
static char name[NAME_BYTES];

Test(names, none)
{
	names_read_any(&row, name);
	cr_expect_str_eq(name, "");
}

Test(names, each_is_the_last)
{
	static const char *const all[] = {"a", LONGEST, "b", "", "gateway"};
	for (unsigned i = 0; i < 5; i++) {
		names_set_srv(&row, all[i]);
		names_read_any(&row, name);
		cr_expect_str_eq(name, all[i]);
	}
	cr_expect_eq(row.turns, 5);
}

Test(names, one_that_is_cut_off_is_not_read)
{
	names_set_srv(&row, "before");
	/* As a kill leaves it before it counts. */
	names_set_srv(&row, "half of it");
	row.turns--;
	names_read_any(&row, name);
	cr_expect_str_eq(name, "before");
	names_set_srv(&row, "after");
	names_read_any(&row, name);
	cr_expect_str_eq(name, "after");
}

Test(names, a_longer_one_is_cut)
{
	names_set_srv(&row, LONGEST "45");
	names_read_any(&row, name);
	cr_expect_str_eq(name, LONGEST);
}

Test(names, the_count_wraps)
{
	row.turns = UINT32_MAX;
	names_set_srv(&row, "first");
	names_read_any(&row, name);
	cr_expect_str_eq(name, "first");
	cr_expect_eq(row.turns, 0);
}
