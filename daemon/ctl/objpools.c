/* SPDX-License-Identifier: MIT */
/* Object pools: whether what they keep is worth its memory. */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

static int64_t bytes_of(struct ctl *c, const json_t *objpool)
{
	return ctl_doc_int(c, objpool, "idle_bytes");
}

/* Of gets. */
static void put_share(struct ctl *c, struct ctl_cell *cell,
                      const json_t *objpool)
{
	if (json_is_null(json_object_get(objpool, "hit_share"))) {
		strcpy(cell->text, "-");
		return;
	}
	cell->is_number = true;
	cell->number = 100 * ctl_doc_number(c, objpool, "hit_share");
	snprintf(cell->text, sizeof(cell->text), "%.1f%%", cell->number);
}

static void put_max(struct ctl *c, struct ctl_cell *cell, const json_t *objpool)
{
	int64_t max = ctl_doc_int(c, objpool, "max");
	if (max == 0)
		strcpy(cell->text, "any");
	else
		ctl_text_count(cell->text, max);
}

static const struct ctl_col cols[] = {
	{CTL_COL("objpool", "name", CTL_NAME), .flex = true},
	{CTL_COL("client", "client", CTL_INT)},
	{CTL_COL("pid", "pid", CTL_INT), .rank = 5},
	{CTL_COL("process", "process", CTL_NAME), .rank = 2},
	{CTL_COL("size", "object_bytes", CTL_INT), .rank = 4},
	{CTL_COL("hits", NULL, CTL_OWN), .put = put_share},
	{CTL_COL("hits/s", "hits", CTL_RATE)},
	{CTL_COL("misses", "misses", CTL_INT)},
	{CTL_COL("misses/s", "misses", CTL_RATE)},
	{CTL_COL("made", "made", CTL_INT), .rank = 3},
	{CTL_COL("aged", "aged", CTL_INT), .rank = 6},
	{CTL_COL("ended", "ended", CTL_INT), .rank = 7},
	{CTL_COL("idle", "idle", CTL_INT)},
	{CTL_COL("max", NULL, CTL_OWN), .rank = 8, .put = put_max},
	{CTL_COL("bytes", "idle_bytes", CTL_BYTES)},
	{CTL_COL("refused", "refused", CTL_BAD), .zeros = 9},
	{CTL_COL("told", "told_age_s", CTL_AGE)},
	{CTL_COL("age", "age_s", CTL_AGE), .rank = 4},
};

static const struct ctl_list objpools = {
	.key = "objpools", .none = "no object pools\n", CTL_COLS(cols),
	.weight = bytes_of,
};

void ctl_objpools(struct ctl *c, const json_t *pool)
{
	size_t shown = ctl_table_pool(c, pool, &objpools);
	if (ctl_doc_int(c, pool, "total") > (int64_t)shown)
		ctl_text_line(c, 0, pool, "{total} object pools in all; --limit "
		                          "shows more");
}
