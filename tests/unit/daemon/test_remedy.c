/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/base/remedy.h"

Test(remedy, what_and_todo)
{
	struct remedy r;
	int e = remedy_set(&r, -EBUSY, "wait, or give it 100%", "node %d has %s",
	                   3, "none");
	cr_assert_eq(e, -EBUSY);
	cr_assert_str_eq(r.what, "node 3 has none");
	cr_assert_str_eq(r.todo, "wait, or give it 100%", "it is no format");
	cr_assert_eq(remedy_set(&r, 0, "", "%s", ""), 0);
	cr_assert(r.what[0] == '\0' && r.todo[0] == '\0');
}

Test(remedy, of_what_there_is_no_more_of)
{
	cr_expect(strstr(remedy_of(EMFILE), "RLIMIT_NOFILE") != NULL);
	cr_expect(strstr(remedy_of(ENFILE), "fs.file-max") != NULL);
	cr_expect(strstr(remedy_of(ENOMEM), "memory") != NULL);
	cr_expect_str_eq(remedy_of(EACCES), "");
}

Test(remedy, long_texts_are_cut)
{
	static char text[2 * REMEDY_BYTES];
	struct remedy r;
	memset(text, 'x', sizeof(text) - 1);
	remedy_set(&r, 0, text, "%s", text);
	cr_assert_eq(strlen(r.what), REMEDY_BYTES - 1);
	cr_assert_eq(strlen(r.todo), REMEDY_BYTES - 1);
}
