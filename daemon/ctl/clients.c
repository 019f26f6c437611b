/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/render.h"
#include "daemon/ctl/table.h"

enum { FAILED = 9, REFUSED = 10, N_COLUMNS = 12 };

static const struct ctl_col columns[N_COLUMNS] = {
	{.title = "id"},
	{.title = "pid"},
	{.title = "name", .left = true, .flex = true},
	{.title = "uid", .rank = 2},
	{.title = "state", .left = true},
	{.title = "age", .rank = 1},
	{.title = "objects"},
	{.title = "bytes"},
	{.title = "remote"},
	[FAILED] = {.title = "failed"},
	[REFUSED] = {.title = "refused"},
	{.title = "rings", .rank = 3},
};

struct line {
	const json_t *client;
	int64_t bytes, id;
};

static int by_bytes(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

static struct line *sorted(struct ctl *c, const json_t *pool, size_t *n)
{
	struct ctl_iter it;
	struct line *line;
	const json_t *client;

	ctl_doc_begin(&it, c, pool, "clients");
	*n = 0;
	line = calloc(it.n + 1, sizeof(*line));
	if (!line)
		ctl_doc_fail(c, "out of memory");
	while ((client = ctl_doc_next(&it)))
		line[(*n)++] = (struct line){
			client,
			ctl_doc_int(c, client, "bytes"),
			ctl_doc_int(c, client, "id"),
		};
	if (line)
		qsort(line, *n, sizeof(*line), by_bytes);
	return line;
}

/* A live client without a connection can't ask slabd for anything. */
static void add_state(struct ctl *c, struct ctl_table *t, const json_t *client)
{
	const char *state = ctl_doc_string(c, client, "state");
	bool connected = ctl_doc_bool(c, client, "connected");

	if (strcmp(state, "live") != 0)
		ctl_table_name(t, state);
	else
		ctl_table_add(t, connected ? CTL_GREEN : CTL_YELLOW, "%s",
		              connected ? "live" : "unlinked");
}

static void add_client(struct ctl *c, struct ctl_table *t,
                       const struct line *line)
{
	const json_t *cl = line->client;
	char buf[CTL_TEXT_SHORT];
	int64_t remote, moved;

	remote = ctl_doc_sum(ctl_doc_int(c, cl, "remote_allocs"),
	                     ctl_doc_int(c, cl, "remote_frees"));
	moved = ctl_doc_sum(ctl_doc_int(c, cl, "refilled"),
	                    ctl_doc_int(c, cl, "flushed"));
	ctl_table_int(t, line->id);
	ctl_table_int(t, ctl_doc_int(c, cl, "pid"));
	ctl_table_name(t, ctl_doc_string(c, cl, "name"));
	ctl_table_int(t, ctl_doc_int(c, cl, "uid"));
	add_state(c, t, cl);
	ctl_table_add(t, CTL_PLAIN, "%s",
	              ctl_text_age(buf, ctl_doc_number(c, cl, "age_s")));
	ctl_table_int(t, ctl_doc_int(c, cl, "objects"));
	ctl_table_bytes(t, line->bytes);
	ctl_table_add(t, CTL_PLAIN, "%s", ctl_text_share(buf, remote, moved));
	ctl_table_bad(t, ctl_doc_int(c, cl, "failures"));
	ctl_table_bad(t, ctl_doc_int(c, cl, "refused"));
	ctl_table_int(t, ctl_doc_int(c, cl, "rings"));
}

/* Columns of nothing but zeros are the first to go. */
static void rank_zeros(struct ctl *c, struct ctl_col *col,
                       const struct line *line, size_t n)
{
	bool failed = false, refused = false;
	size_t i;

	for (i = 0; i < n; i++) {
		failed |= ctl_doc_int(c, line[i].client, "failures") != 0;
		refused |= ctl_doc_int(c, line[i].client, "refused") != 0;
	}
	col[FAILED].rank = failed ? 0 : 4;
	col[REFUSED].rank = refused ? 0 : 5;
}

static void put_pool(struct ctl *c, const json_t *pool, bool first)
{
	struct ctl_col col[N_COLUMNS];
	struct ctl_table *t;
	struct line *line;
	size_t n, i;

	line = sorted(c, pool, &n);
	memcpy(col, columns, sizeof(col));
	rank_zeros(c, col, line, n);
	t = ctl_table_new(c, col, N_COLUMNS);
	ctl_render_pool(c, pool, first);
	fputc('\n', c->out);
	for (i = 0; i < n; i++)
		add_client(c, t, &line[i]);
	if (!n)
		fputs("no clients\n", c->out);
	else if (!c->fault[0])
		ctl_table_print(t, NULL, NULL);
	ctl_table_free(t);
	free(line);
}

void ctl_clients(struct ctl *c, const json_t *doc)
{
	ctl_render_pools(c, doc, put_pool);
}
