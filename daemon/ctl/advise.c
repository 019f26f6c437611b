/* SPDX-License-Identifier: MIT */
/* What slabctl advise shows of its document. */
#include <string.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

#define INDENT 4
#define ADVICE_INDENT 11 /* behind "1023.9 KiB" */

/* ---- a trace ------------------------------------------------------------- */

static void put_held(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	int64_t bytes = ctl_doc_int_or_null(c, row, "held_bytes");
	if (bytes < 0)
		strcpy(cell->text, "-");
	else
		ctl_text_bytes(cell->text, bytes);
}

static void put_ns(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	double ns;
	if (json_is_null(json_object_get(row, "event_ns"))) {
		strcpy(cell->text, "-");
		return;
	}
	ns = ctl_doc_number(c, row, "event_ns");
	snprintf(cell->text, sizeof(cell->text), ns < 1e9 ? "%.1f" : "%.2e",
	         ns);
}

/* Of what is asked for, which is the first row of the document's. */
static void put_share(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	const json_t *first = c->arg;
	int64_t asked = json_integer_value(json_object_get(first, "held_bytes"));
	int64_t held = ctl_doc_int_or_null(c, row, "held_bytes");
	if (held < 0 || asked <= 0)
		strcpy(cell->text, "-");
	else
		snprintf(cell->text, sizeof(cell->text), "%.0f%%",
		         (double)held * 100 / (double)asked);
}

static const struct ctl_col way_cols[] = {
	{CTL_COL("way", "way", CTL_NAME)},
	{CTL_COL("at peak", NULL, CTL_OWN), .put = put_held},
	{CTL_COL("of asked", NULL, CTL_OWN), .put = put_share},
	{CTL_COL("ns an event", NULL, CTL_OWN), .put = put_ns},
};

static const struct ctl_list ways = {
	.key = "ways", .none = "", CTL_COLS(way_cols),
};

static const struct ctl_col cache_cols[] = {
	{CTL_COL("size", "size", CTL_INT)},
	{CTL_COL("from", "from", CTL_INT)},
	{CTL_COL("stride", "stride", CTL_INT), .rank = 4},
	{CTL_COL("slab", "slab_bytes", CTL_BYTES), .rank = 2},
	{CTL_COL("objects", "objects", CTL_INT)},
	{CTL_COL("live", "live_objects", CTL_INT)},
	{CTL_COL("slabs", "slabs", CTL_INT)},
	{CTL_COL("bytes", "held_bytes", CTL_BYTES)},
	{CTL_COL("waste", "waste_pct", CTL_PERCENT)},
	{CTL_COL("elsewhere", "freed_elsewhere", CTL_INT), .rank = 1,
	 .zeros = 6},
	{CTL_COL("life", "life_events", CTL_INT), .rank = 3},
	{CTL_COL("never freed", "never_freed", CTL_INT), .rank = 5},
};

static const struct ctl_list caches = {
	.key = "caches", .none = "", CTL_COLS(cache_cols),
};

static void show_head(struct ctl *c, const json_t *trace)
{
	const json_t *large = ctl_doc_object(c, trace, "large");
	ctl_text_line(c, 0, trace,
	              "trace {file t300}: {events event} by {threads thread}");
	ctl_text_line(c, 0, trace,
	              "{objects object} of {smallest} to {largest} bytes, "
	              "{live_objects} at most at a time; {freed_elsewhere} "
	              "freed by another thread, {never_freed} never");
	if (ctl_doc_int(c, large, "objects") > 0)
		ctl_text_line(c, 0, large,
		              "{objects} of them over {over_bytes b}, at most "
		              "{live_bytes b} at a time: malloc is right for "
		              "these");
}

static int64_t held_by(struct ctl *c, const json_t *doc, size_t ix)
{
	return ctl_doc_int_or_null(
		c, json_array_get(json_object_get(doc, "ways"), ix),
		"held_bytes");
}

/* What it comes to, in a sentence. */
static void show_saving(struct ctl *c, const json_t *doc)
{
	int64_t by_malloc = held_by(c, doc, 1), by_slabd = held_by(c, doc, 2);
	json_t *saved;
	if (by_malloc < 0 || by_slabd < 0)
		return;
	saved = json_pack("{s:I}", "n",
	                  (json_int_t)(by_malloc > by_slabd
	                                       ? by_malloc - by_slabd
	                                       : by_slabd - by_malloc));
	ctl_text_line(c, 0, saved,
	              by_malloc >= by_slabd
	                      ? "these caches hold {n b} less than malloc"
	                      : "these caches hold {n b} more than malloc: "
	                        "slabs are 64 KiB at least, which counts less "
	                        "the more a program has");
	json_decref(saved);
}

static void show_unplayed(struct ctl *c, const json_t *doc)
{
	struct ctl_iter it;
	const json_t *way;
	ctl_doc_begin(&it, c, doc, "unplayed");
	while ((way = ctl_doc_next(&it))) {
		ctl_text_line(c, 0, way, "not played by {way t16}: {what t300}");
		ctl_text_said(c, INDENT, "do: ", way, "todo");
	}
}

static void show_trace(struct ctl *c, const json_t *doc)
{
	const json_t *all = ctl_doc_array(c, doc, "ways");
	show_head(c, ctl_doc_object(c, doc, "trace"));
	fputc('\n', c->out);
	c->arg = json_array_get(all, 0);
	ctl_table_show(c, doc, &ways);
	show_unplayed(c, doc);
	if (json_array_size(ctl_doc_array(c, doc, "caches")) == 0) {
		fputs("\nno object is small enough for a cache\n", c->out);
		return;
	}
	fputs("\ncaches that hold the rest in the least memory:\n", c->out);
	ctl_table_show(c, doc, &caches);
	show_saving(c, doc);
	ctl_text_wrap(c, 0, "do: a slabd_cache_create() for the types of these "
	                    "sizes, those with the most objects first");
}

/* ---- a slabd that runs ---------------------------------------------------- */

static int64_t waste_of(struct ctl *c, const json_t *cache)
{
	return ctl_doc_sum(ctl_doc_int(c, cache, "slot_waste_bytes"),
	                   ctl_doc_int(c, cache, "free_bytes"));
}

static const struct ctl_col live_cols[] = {
	{CTL_COL("cache", "name", CTL_NAME), .flex = true},
	{CTL_COL("size", "size", CTL_INT)},
	{CTL_COL("stride", "stride", CTL_INT)},
	{CTL_COL("align", "align", CTL_INT), .rank = 4},
	{CTL_COL("slab", "slab_bytes", CTL_BYTES), .rank = 2},
	{CTL_COL("in a slab", "objects_per_slab", CTL_INT), .rank = 3},
	{CTL_COL("slabs", "slabs", CTL_INT)},
	{CTL_COL("used", "used", CTL_INT)},
	{CTL_COL("held", "held", CTL_INT)},
	{CTL_COL("bytes", "bytes", CTL_BYTES)},
	{CTL_COL("waste", "slot_waste_bytes", CTL_BYTES)},
	{CTL_COL("free", "free_bytes", CTL_BYTES)},
	{CTL_COL("looked at", "looked", CTL_INT), .rank = 5},
	{CTL_COL("filled", "filled_bytes", CTL_INT), .rank = 1},
	{CTL_COL("id", "id", CTL_INT), .rank = 6},
};

static const struct ctl_list live_caches = {
	.key = "caches", .none = "no caches\n", CTL_COLS(live_cols),
	.weight = waste_of,
};

static void show_pool(struct ctl *c, const json_t *pool)
{
	char text[400] = "", age[CTL_TEXT_SHORT];
	ctl_table_pool(c, pool, &live_caches);
	ctl_table_unknown(c, 0, pool);
	ctl_text_add(c, text, sizeof(text), pool,
	             "of a node: start {start_bytes b}, floor {floor_bytes b}, "
	             "max {max_bytes b}; carved {carved_bytes b} at most, and "
	             "{half_bytes b} half of the time, in ");
	ctl_text_append(text, sizeof(text), "%s",
	                ctl_text_age(age, ctl_doc_number(c, pool, "span_s")));
	ctl_text_wrap(c, 0, text);
}

static void show_advice(struct ctl *c, const json_t *doc)
{
	struct ctl_iter it;
	const json_t *one;
	ctl_doc_begin(&it, c, doc, "advice");
	if (it.n == 0)
		fputs("nothing to change\n", c->out);
	while ((one = ctl_doc_next(&it))) {
		char saves[CTL_TEXT_SHORT], text[800] = "";
		int64_t bytes = ctl_doc_int(c, one, "saves_bytes");
		ctl_text_add(c, text, sizeof(text), one,
		             json_is_null(json_object_get(one, "cache"))
		                     ? "pool {pool t64}: {what t512}"
		                     : "pool {pool t64}, cache {cache t64}: "
		                       "{what t512}");
		if (bytes > 0)
			ctl_text_bytes(saves, bytes);
		else
			strcpy(saves, "-");
		ctl_text_hang(c, saves, ADVICE_INDENT, text);
		ctl_text_said(c, ADVICE_INDENT, "do: ", one, "todo");
	}
}

/* ---- configuration ------------------------------------------------------- */

static void show_config(struct ctl *c, const json_t *doc)
{
	struct ctl_iter pools, keys;
	const json_t *pool, *key;
	ctl_doc_begin(&pools, c, doc, "config");
	while ((pool = ctl_doc_next(&pools))) {
		ctl_text_line(c, 0, pool, "do: in [pool {pool t64}] of "
		                          "slabd.conf:");
		ctl_doc_begin(&keys, c, pool, "keys");
		while ((key = ctl_doc_next(&keys)))
			ctl_text_line(c, INDENT, key,
			              "{key t64} = {value t64}, {why t200}");
	}
}

static void show_file(struct ctl *c, const json_t *doc)
{
	if (!json_object_get(doc, "file"))
		return;
	ctl_text_line(c, 0, doc,
	              ctl_doc_bool(c, doc, "written")
	                      ? "{file t512} has it: a drop-in for slabd.conf.d"
	                      : "{file t512} is not written: there is nothing "
	                        "to change");
}

static void show_pools(struct ctl *c, const json_t *doc)
{
	struct ctl_iter it;
	const json_t *pool;
	fputc('\n', c->out);
	ctl_doc_begin(&it, c, doc, "pools");
	while ((pool = ctl_doc_next(&it)))
		show_pool(c, pool);
}

void ctl_advise(struct ctl *c, const json_t *doc)
{
	if (json_object_get(doc, "trace")) {
		show_trace(c, doc);
		show_config(c, doc);
		show_file(c, doc);
		return;
	}
	show_advice(c, doc);
	show_file(c, doc);
	show_pools(c, doc);
}
