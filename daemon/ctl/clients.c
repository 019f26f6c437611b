/* SPDX-License-Identifier: MIT */
/* Clients: a table for each pool; and one of them, with what it has. */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

static int64_t bytes_held(struct ctl *c, const json_t *client)
{
	return ctl_doc_int(c, client, "bytes");
}

/* A live client without a connection can't ask slabd for anything. */
static void put_state(struct ctl *c, struct ctl_cell *cell,
                      const json_t *client)
{
	bool connected = ctl_doc_bool(c, client, "connected");
	ctl_text_field(c, cell->text, 64, client, cell->col->key);
	if (strcmp(cell->text, "live") != 0)
		return;
	cell->color = connected ? CTL_GREEN : CTL_YELLOW;
	strcpy(cell->text, connected ? "live" : "unlinked");
}

/* Unknown: it has no helper, or did not answer. */
static void put_held(struct ctl *c, struct ctl_cell *cell,
                     const json_t *client)
{
	if (json_is_true(json_object_get(client, "held_known")))
		ctl_text_bytes(cell->text, ctl_doc_int(c, client, "held_bytes"));
	else
		strcpy(cell->text, "?");
}

/* Gifts that it has not taken: they are its own by the tags, and others' doing. */
static void put_given(struct ctl *c, struct ctl_cell *cell,
                      const json_t *client)
{
	int64_t bytes = ctl_doc_int(c, client, cell->col->key);
	cell->color = bytes > 0 ? CTL_MAGENTA : CTL_PLAIN;
	ctl_text_bytes(cell->text, bytes);
}

/* The share that came from or went to another node. */
static void put_remote(struct ctl *c, struct ctl_cell *cell,
                       const json_t *client)
{
	int64_t remote = ctl_doc_sum(ctl_doc_int(c, client, "remote_allocs"),
	                             ctl_doc_int(c, client, "remote_frees"));
	int64_t moved = ctl_doc_sum(ctl_doc_int(c, client, "refilled"),
	                            ctl_doc_int(c, client, "flushed"));
	cell->is_number = true;
	cell->number = moved > 0 ? (double)remote / (double)moved : -1;
	ctl_text_share(cell->text, remote, moved);
}

static const struct ctl_col client_cols[] = {
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("pid", "pid", CTL_INT)},
	{CTL_COL("name", "name", CTL_NAME), .flex = true},
	{CTL_COL("uid", "uid", CTL_INT), .rank = 2},
	{CTL_COL("state", "state", CTL_OWN), .put = put_state, .left = true},
	{CTL_COL("age", "age_s", CTL_AGE), .rank = 1},
	{CTL_COL("objects", "objects", CTL_INT), .rank = 2},
	{CTL_COL("bytes", "bytes", CTL_BYTES), .rank = 1},
	{CTL_COL("bytes/s", "bytes", CTL_RATE), .rank = 2, .arg = 1},
	{CTL_COL("refilled/s", "refilled", CTL_RATE)},
	{CTL_COL("flushed/s", "flushed", CTL_RATE)},
	{CTL_COL("used", "used_bytes", CTL_OWN), .put = ctl_table_maybe,
	 .arg = 1},
	{CTL_COL("held", "held_bytes", CTL_OWN), .put = put_held},
	{CTL_COL("given", "given_bytes", CTL_OWN), .put = put_given,
	 .zeros = 3},
	{CTL_COL("remote", NULL, CTL_OWN), .put = put_remote},
	{CTL_COL("hasty", "remote_with_room", CTL_BAD), .zeros = 6},
	{CTL_COL("failed", "failures", CTL_BAD), .zeros = 4},
	{CTL_COL("refused", "refused", CTL_BAD), .zeros = 5},
	{CTL_COL("rings", "rings", CTL_INT), .rank = 3},
	{CTL_COL("rings/s", "rings", CTL_RATE), .rank = 3},
};

static const struct ctl_list clients = {
	.key = "clients", .none = "no clients\n", CTL_COLS(client_cols),
	.weight = bytes_held,
};

/* With --cache or --node: what of it is there, in place of what is seldom
 * asked for then. */
static const struct ctl_col matched_cols[] = {
	{CTL_COL("id", "id", CTL_INT)},
	{CTL_COL("pid", "pid", CTL_INT)},
	{CTL_COL("name", "name", CTL_NAME), .flex = true},
	{CTL_COL("uid", "uid", CTL_INT), .rank = 2},
	{CTL_COL("state", "state", CTL_OWN), .put = put_state, .left = true},
	{CTL_COL("age", "age_s", CTL_AGE), .rank = 1},
	{CTL_COL("objects there", "matched_objects", CTL_INT)},
	{CTL_COL("bytes there", "matched_bytes", CTL_BYTES)},
	{CTL_COL("bytes in all", "bytes", CTL_BYTES)},
};

static const struct ctl_list matched = {
	.key = "clients", .none = "no clients\n", CTL_COLS(matched_cols),
	.weight = ctl_table_matched,
};

void ctl_clients_rows(struct ctl *c, const json_t *pool)
{
	ctl_table_show(c, pool, &clients);
}

/* ---- one client ---------------------------------------------------------- */

static void put_held_objects(struct ctl *c, struct ctl_cell *cell,
                             const json_t *row)
{
	int64_t n = ctl_doc_int_or_null(c, row, cell->col->key);
	strcpy(cell->text, "?");
	if (n >= 0)
		ctl_text_count(cell->text, n);
}

static const struct ctl_col owned_cols[] = {
	{CTL_COL("cache", "cache", CTL_NAME), .flex = true},
	{CTL_COL("node", "node", CTL_INT)},
	{CTL_COL("objects", "objects", CTL_INT)},
	{CTL_COL("bytes", "bytes", CTL_BYTES)},
	{CTL_COL("held", "held_objects", CTL_OWN), .put = put_held_objects},
	{CTL_COL("given", "given_objects", CTL_INT)},
};

static const struct ctl_list owned = {
	.key = "caches", .none = "owns nothing\n", CTL_COLS(owned_cols),
	.weight = bytes_held,
};

/* "8 threads, last ran on node 0: 6, node 1: 2": slabd looks at some hundred. */
static void put_threads(struct ctl *c, const json_t *client)
{
	const char *before = ", last ran on ";
	struct ctl_iter it;
	const json_t *at;
	int64_t n;
	if (json_is_null(json_object_get(client, "threads"))) {
		fputs("threads: not seen from where slabd runs\n", c->out);
		return;
	}
	n = ctl_doc_int(c, client, "threads");
	fprintf(c->out, "%lld thread%s", (long long)n, n == 1 ? "" : "s");
	ctl_doc_begin(&it, c, client, "thread_nodes");
	while ((at = ctl_doc_next(&it))) {
		fprintf(c->out, "%snode %lld: %lld", before,
		        (long long)ctl_doc_int(c, at, "node"),
		        (long long)ctl_doc_int(c, at, "threads"));
		before = ", ";
	}
	fputc('\n', c->out);
}

static void show_one(struct ctl *c, const json_t *client)
{
	put_threads(c, client);
	fputc('\n', c->out);
	ctl_table_show(c, client, &owned);
}

void ctl_clients(struct ctl *c, const json_t *pool)
{
	ctl_table_pool(c, pool, ctl_table_is_matched(pool, "clients")
	                                ? &matched
	                                : &clients);
	if (json_object_get(pool, "client") != NULL)
		show_one(c, ctl_doc_object(c, pool, "client"));
}
