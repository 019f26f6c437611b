/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define INDENT 6

static void put_head(struct ctl *c, const json_t *doc)
{
	char version[80] = "", rest[200] = "", up[CTL_TEXT_SHORT];
	ctl_text_paint(c, CTL_BOLD,
	               ctl_text_add(c, version, sizeof(version), doc,
	                            "slabd {version t64}"));
	ctl_text_add(c, rest, sizeof(rest), doc, "  pid {pid}, up ");
	ctl_text_append(rest, sizeof(rest), "%s, ",
	                ctl_text_age(up, ctl_doc_number(c, doc, "uptime_s")));
	ctl_text_add(c, rest, sizeof(rest), doc, "layout {layout_version}\n");
	fputs(rest, c->out);
}

/* Absent in what a slabd of before says. */
static void put_waiting(struct ctl *c, const json_t *pool)
{
	size_t i;
	json_t *row;
	if (json_is_true(json_object_get(pool, "leaving")))
		ctl_text_line(c, INDENT, pool,
		              "no longer in slabd.conf: it ends with its last "
		              "client, and takes no new ones");
	json_array_foreach(json_object_get(pool, "waiting"), i, row)
		ctl_text_line(c, INDENT, row,
		              json_is_true(json_object_get(row, "restart"))
		                      ? "{key t32} = {configured t32} in "
		                        "slabd.conf waits for a start of slabd: "
		                        "this one goes on with {running t32}"
		                      : "{key t32} = {configured t32} in "
		                        "slabd.conf waits for a pool made anew: "
		                        "this one goes on with {running t32}");
}

static void under_pool(struct ctl *c, const json_t *pool)
{
	/* Absent in what older ones said. */
	if (json_is_true(json_object_get(pool, "aside")))
		ctl_text_line(c, INDENT, pool,
		              "set aside: a client took memory of its owner "
		              "tags away; end its {clients} clients, and it "
		              "is as new");
	ctl_text_line(c, INDENT, pool,
	              "nodes {nodes}, grows by {page_bytes b}, caches "
	              "{caches}, clients {clients}");
	ctl_text_line(c, INDENT, pool,
	              "clients died {deaths}, objects swept {swept_objects}, "
	              "rings {rings}, slabs grown {grown_slabs}, taken "
	              "{taken_slabs}, growth denied {denied}");
	ctl_table_unknown(c, INDENT, pool);
	put_waiting(c, pool);
}

static const struct ctl_col pool_cols[] = {
	{CTL_COL("pool", "name", CTL_NAME), .flex = true},
	{CTL_COL("max", "max_bytes", CTL_BYTES)},
	{CTL_COL("ready", "ready_bytes", CTL_BYTES)},
	{CTL_COL("carved", "carved_bytes", CTL_BYTES)},
	{CTL_COL("used", "used_bytes", CTL_BYTES)},
	{CTL_COL("held", "held_bytes", CTL_OWN), .put = ctl_table_maybe,
	 .arg = 1},
	{CTL_COL("free", "free_bytes", CTL_BYTES)},
	{CTL_COL("metadata", "metadata_bytes", CTL_BYTES), .rank = 1},
};

static const struct ctl_list pools = {
	.key = "pools", .none = "no pools\n", CTL_COLS(pool_cols),
	.under = under_pool,
};

static void under_startup(struct ctl *c, const json_t *line)
{
	ctl_text_said(c, INDENT, "stepped down: ", line, "reason");
	ctl_text_said(c, INDENT, "remedy: ", line, "remedy");
}

static const struct ctl_col startup_cols[] = {
	{CTL_COL("startup", "pool", CTL_NAME), .flex = true},
	{CTL_COL("node", "node", CTL_INT)},
	{CTL_COL("backing", "backing", CTL_NAME)},
	{CTL_COL("pages", "pages", CTL_INT)},
	{CTL_COL("ms", "ms", CTL_REAL)},
};

static const struct ctl_list startup = {
	.key = "startup", .none = "nothing was carved at startup\n",
	CTL_COLS(startup_cols), .under = under_startup,
};

/* Absent where no control group limits slabd. */
static void put_limits(struct ctl *c, const json_t *doc)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(doc, "limits"), i, row)
		ctl_text_line(c, 0, row,
		              "limit of {of t32}: {limit_bytes b}, {used_bytes b} "
		              "in use, {reserve_bytes b} kept back, by {file t512}");
}

/* Absent where there are none. */
static void put_orphans(struct ctl *c, const json_t *doc)
{
	size_t i;
	size_t k;
	json_t *row;
	json_t *pid;
	json_array_foreach(json_object_get(doc, "orphans"), i, row)
	{
		ctl_text_line(c, 0, row,
		              "left by a slabd that is gone: pool {pool t64}, "
		              "{bytes b}, until those that have it mapped, "
		              "{processes} in all, end:");
		json_array_foreach(json_object_get(row, "pids"), k, pid)
			ctl_text_line(c, INDENT, pid, "pid {pid} ({name t16})");
	}
}

static void put_dropped(struct ctl *c, const json_t *doc)
{
	char text[1024];
	ctl_text_counts(c, text, sizeof(text), doc, "dropped");
	fputs(*text ? "\nconnections dropped:\n"
	            : "\nno connection was dropped\n",
	      c->out);
	ctl_text_wrap(c, INDENT, text);
}

/* Absent in what older ones said. */
static void put_turns(struct ctl *c, const json_t *doc)
{
	const json_t *turns = json_object_get(doc, "turns");
	if (turns != NULL)
		ctl_text_line(c, 0, turns,
		              "turns of the loop: {count}, p50 {p50_us} us, p99 "
		              "{p99_us} us, p99.9 {p999_us} us, longest "
		              "{longest_us} us ({longest_what t32})");
}

static void put_left(struct ctl *c, const json_t *doc)
{
	char name[256];
	size_t i;
	json_t *pool;
	json_array_foreach(json_object_get(doc, "left"), i, pool)
	{
		if (!json_is_string(pool))
			continue;
		ctl_text_escape(&c->style, name, sizeof(name),
		                json_string_value(pool));
		fprintf(c->out,
		        "pool %s could not be taken over and is left as it "
		        "was: slabd's log says why\n",
		        name);
	}
}

/* Absent in what older ones said, and null where there never was one. */
static void put_supervisor(struct ctl *c, const json_t *doc)
{
	const json_t *pid = json_object_get(doc, "supervisor");
	if (json_is_integer(pid) && json_integer_value(pid) == 0)
		fputs("the supervisor is gone: nobody would start slabd again, "
		      "and nothing of it is kept; start slabd --supervise\n",
		      c->out);
}

/* Absent in what older ones said. */
static void put_config(struct ctl *c, const json_t *doc)
{
	const json_t *config = json_object_get(doc, "config");
	size_t i;
	json_t *row;
	if (json_is_string(json_object_get(config, "fault")))
		ctl_text_line(c, 0, config,
		              "slabd.conf has errors, and slabd goes on with "
		              "what it ran with before: {fault t512}");
	json_array_foreach(json_object_get(config, "waiting"), i, row)
		ctl_text_line(c, 0, row,
		              json_is_string(json_object_get(row, "pool"))
		                      ? "{what t96} is {pool t16} in slabd.conf, "
		                        "which waits for a start of slabd"
		                      : "{what t96} = {configured t64} in "
		                        "slabd.conf waits for a start of slabd: "
		                        "this one goes on with {running t64}");
}

void ctl_status(struct ctl *c, const json_t *doc)
{
	put_head(c, doc);
	put_supervisor(c, doc);
	put_limits(c, doc);
	put_orphans(c, doc);
	put_left(c, doc);
	put_config(c, doc);
	fputc('\n', c->out);
	ctl_table_show(c, doc, &pools);
	fputc('\n', c->out);
	ctl_table_show(c, doc, &startup);
	put_dropped(c, doc);
	put_turns(c, doc);
}
