/* SPDX-License-Identifier: MIT */
/* What a pool may have by slabd.conf, and how near it is to that. */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define NEAR_PERCENT 80

static void put_amount(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	int64_t n = ctl_doc_int(c, row, cell->col->key);
	cell->is_number = true;
	cell->number = (double)n;
	if (ctl_doc_bool(c, row, "bytes"))
		ctl_text_bytes(cell->text, n);
	else
		snprintf(cell->text, sizeof(cell->text), "%lld", (long long)n);
}

static void put_share(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	double used = (double)ctl_doc_int(c, row, "used");
	double most = (double)ctl_doc_int(c, row, "most");
	double percent = most > 0 ? 100 * used / most : used > 0 ? 100 : 0;
	percent = percent < 9999 ? percent : 9999;
	cell->is_number = true;
	cell->number = percent;
	cell->color = percent >= 100            ? CTL_RED
	              : percent >= NEAR_PERCENT ? CTL_YELLOW
	                                        : CTL_PLAIN;
	snprintf(cell->text, sizeof(cell->text), "%.0f %%", percent);
}

static void put_whose(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	if (ctl_doc_string_or_null(c, row, cell->col->key) == NULL)
		strcpy(cell->text, "-");
	else
		ctl_text_field(c, cell->text, 80, row, cell->col->key);
}

static const struct ctl_col bound_cols[] = {
	{CTL_COL("key of slabd.conf", "key", CTL_NAME)},
	{CTL_COL("used", "used", CTL_OWN), .put = put_amount},
	{CTL_COL("most", "most", CTL_OWN), .put = put_amount},
	{CTL_COL("share", NULL, CTL_OWN), .put = put_share},
	{CTL_COL("of", "whose", CTL_OWN), .put = put_whose, .left = true},
};

static const struct ctl_list bounds = {
	.key = "bounds", .none = "no bounds\n", CTL_COLS(bound_cols),
};

#define OPEN_BYTES 4096

/* "users 1000 1001, ", or nothing. */
static void add_ids(struct ctl *c, char text[OPEN_BYTES], const json_t *pool,
                    const char *key)
{
	const json_t *ids = ctl_doc_array(c, pool, key);
	const json_t *id;
	size_t i;
	json_array_foreach(ids, i, id) {
		if (!json_is_integer(id))
			ctl_doc_fail(c, "%s: no numbers", key);
		ctl_text_append(text, OPEN_BYTES, "%s %lld", i == 0 ? key : "",
		                (long long)json_integer_value(id));
	}
	if (json_array_size(ids) > 0)
		ctl_text_append(text, OPEN_BYTES, ", ");
}

static void put_open(struct ctl *c, const json_t *pool)
{
	char text[OPEN_BYTES] = "open to ";
	size_t before = strlen(text);
	add_ids(c, text, pool, "users");
	add_ids(c, text, pool, "groups");
	ctl_text_append(text, sizeof(text), "%s",
	                text[before] == '\0' ? "whoever reaches the socket"
	                                     : "and nobody else");
	ctl_text_wrap(c, 0, text);
}

void ctl_pool(struct ctl *c, const json_t *pool)
{
	ctl_table_pool(c, pool, &bounds);
	ctl_text_line(c, 0, pool,
	              "page {page t8}, of each node start {start_bytes b}, floor "
	              "{floor_bytes b}");
	put_open(c, pool);
	if (ctl_doc_bool(c, pool, "leaving"))
		ctl_text_wrap(c, 0, "no longer in slabd.conf: it ends with its last "
		              "client, and takes no new ones");
}
