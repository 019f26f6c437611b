/* SPDX-License-Identifier: MIT */
/* Arenas: the ones that nobody resets are to be seen. */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

static int64_t bytes_of(struct ctl *c, const json_t *arena)
{
	return ctl_doc_int(c, arena, "bytes");
}

/* Since the last reset; of one that is overdue, that is what somebody looks for. */
static void put_reset(struct ctl *c, struct ctl_cell *cell, const json_t *arena)
{
	char age[CTL_TEXT_SHORT];
	const json_t *reset = json_object_get(arena, "reset_age_s");
	if (json_is_null(reset))
		strcpy(cell->text, "never");
	else
		strcpy(cell->text,
		       ctl_text_age(age, ctl_doc_number(c, arena,
		                                        "reset_age_s")));
	if (json_is_true(json_object_get(arena, "overdue")))
		cell->color = CTL_YELLOW;
}

static const struct ctl_col cols[] = {
	{CTL_COL("arena", "name", CTL_NAME), .flex = true},
	{CTL_COL("client", "client", CTL_INT)},
	{CTL_COL("pid", "pid", CTL_INT), .rank = 2},
	{CTL_COL("process", "process", CTL_NAME), .rank = 1},
	{CTL_COL("bytes", "bytes", CTL_BYTES)},
	{CTL_COL("bytes/s", "bytes", CTL_RATE), .arg = 1},
	{CTL_COL("grown", "grown_bytes", CTL_BYTES)},
	{CTL_COL("resets", "resets", CTL_INT), .rank = 3},
	{CTL_COL("resets/s", "resets", CTL_RATE), .rank = 3},
	{CTL_COL("reset", NULL, CTL_OWN), .put = put_reset},
	{CTL_COL("age", "age_s", CTL_AGE)},
};

static const struct ctl_list arenas = {
	.key = "arenas", .none = "no arenas\n", CTL_COLS(cols),
	.weight = bytes_of,
};

void ctl_arenas(struct ctl *c, const json_t *pool)
{
	size_t shown = ctl_table_pool(c, pool, &arenas);
	if (ctl_doc_int(c, pool, "total") > (int64_t)shown)
		ctl_text_line(c, 0, pool, "{total} arenas in all; --limit shows "
		                          "more");
}
