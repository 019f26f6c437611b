/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/table.h"

#include <stdlib.h>
#include <string.h>

struct cell {
	char *text;
	enum ctl_color color;
};

struct column {
	struct ctl_col col;
	unsigned width;
	bool shown;
	bool any; /* a number that is not 0 */
};

struct row {
	const json_t *json;
	struct cell *cell;
	int64_t weight, id;
};

struct ctl_table {
	struct ctl *c;
	struct column *column;
	struct row *row;
	struct cell *cell; /* of all rows */
	size_t n_cols, n_rows, n_cells;
};

/* ---- rows and cells ----------------------------------------------------- */

static bool make(struct ctl_table *t, const struct ctl_list *list, size_t n)
{
	t->column = calloc(list->n_cols, sizeof(*t->column));
	t->row = calloc(n + 1, sizeof(*t->row));
	t->cell = calloc(n * list->n_cols + 1, sizeof(*t->cell));
	if (!t->column || !t->row || !t->cell) {
		ctl_doc_fail(t->c, "out of memory");
		return false;
	}
	t->n_cols = list->n_cols;
	for (size_t i = 0; i < t->n_cols; i++) {
		struct column *column = &t->column[i];
		column->col = list->col[i];
		column->col.left |= column->col.form == CTL_NAME;
		column->width = ctl_text_columns(column->col.title);
		column->shown = true;
	}
	return true;
}

void ctl_table_add(struct ctl_table *t, enum ctl_color color, const char *fmt,
                   ...)
{
	struct column *column = &t->column[t->n_cells % t->n_cols];
	struct cell *cell = &t->cell[t->n_cells++];
	unsigned width;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&cell->text, fmt, ap) < 0)
		cell->text = NULL;
	va_end(ap);
	cell->color = color;
	if (!cell->text) {
		ctl_doc_fail(t->c, "out of memory");
		return;
	}
	width = ctl_text_columns(cell->text);
	if (width > column->width)
		column->width = width;
}

void ctl_table_bytes(struct ctl_table *t, int64_t bytes)
{
	char buf[CTL_TEXT_SHORT];
	ctl_table_add(t, CTL_PLAIN, "%s", ctl_text_bytes(buf, bytes));
}

void ctl_table_int(struct ctl_table *t, int64_t value)
{
	char buf[CTL_TEXT_SHORT];
	ctl_table_add(t, CTL_PLAIN, "%s", ctl_text_count(buf, value));
}

static void add_bad(struct ctl_table *t, struct column *column, int64_t n)
{
	char buf[CTL_TEXT_SHORT];
	column->any |= n != 0;
	ctl_table_add(t, n ? CTL_RED : CTL_PLAIN, "%s", ctl_text_count(buf, n));
}

static void add_real(struct ctl_table *t, double value, const char *unit)
{
	bool big = value >= 1e9 || value <= -1e9;
	ctl_table_add(t, CTL_PLAIN, big ? "%.2e%s" : "%.1f%s", value, unit);
}

static void add_cell(struct ctl *c, struct ctl_table *t, struct column *column,
                     const json_t *row)
{
	const struct ctl_col *col = &column->col;
	const char *key = col->key;
	char text[512];
	switch (col->form) {
	case CTL_INT:
		ctl_table_int(t, ctl_doc_int(c, row, key));
		break;
	case CTL_BYTES:
		ctl_table_bytes(t, ctl_doc_int(c, row, key));
		break;
	case CTL_BAD:
		add_bad(t, column, ctl_doc_int(c, row, key));
		break;
	case CTL_HEX:
		ctl_table_add(t, CTL_PLAIN, "0x%llx",
		              (unsigned long long)ctl_doc_int(c, row, key));
		break;
	case CTL_REAL:
	case CTL_PERCENT:
		add_real(t, ctl_doc_number(c, row, key),
		         col->form == CTL_PERCENT ? "%" : "");
		break;
	case CTL_AGE:
		ctl_text_age(text, ctl_doc_number(c, row, key));
		ctl_table_add(t, CTL_PLAIN, "%s", text);
		break;
	case CTL_YES:
		ctl_table_add(t, CTL_PLAIN,
		              ctl_doc_bool(c, row, key) ? "yes" : "no");
		break;
	case CTL_NAME:
		ctl_text_field(c, text, sizeof(text), row, key);
		ctl_table_add(t, CTL_PLAIN, "%s", text);
		break;
	case CTL_OWN:
		col->put(c, t, col, row);
		break;
	}
}

static void add_row(struct ctl *c, struct ctl_table *t,
                    const struct ctl_list *list, const json_t *json)
{
	struct row *row = &t->row[t->n_rows++];
	row->json = json;
	row->cell = &t->cell[t->n_cells];
	if (list->weight) {
		row->weight = list->weight(c, json);
		row->id = ctl_doc_int(c, json, "id");
	}
	for (size_t i = 0; i < t->n_cols; i++)
		add_cell(c, t, &t->column[i], json);
}

static int by_weight(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

/* ---- the width ---------------------------------------------------------- */

/* Columns of output that the shown columns take. */
static unsigned total(const struct ctl_table *t)
{
	unsigned sum = 0;
	size_t i;
	for (i = 0; i < t->n_cols; i++)
		if (t->column[i].shown)
			sum += t->column[i].width + CTL_TABLE_GAP;
	return sum ? sum - CTL_TABLE_GAP : 0;
}

static void shrink(struct ctl_table *t)
{
	size_t i;
	for (i = 0; i < t->n_cols; i++) {
		struct column *column = &t->column[i];
		if (column->col.flex)
			while (total(t) > t->c->style.width &&
			       column->width > CTL_TABLE_FLEX_MIN)
				column->width--;
	}
}

/* Leaves out the column of the highest rank, the last of them. */
static bool leave_out(struct ctl_table *t)
{
	struct column *worst = NULL;
	size_t i;
	for (i = 0; i < t->n_cols; i++) {
		struct column *column = &t->column[i];
		if (column->shown && column->col.rank &&
		    (!worst || column->col.rank >= worst->col.rank))
			worst = column;
	}
	if (worst)
		worst->shown = false;
	return worst;
}

/*
 * Flexible columns are made small to see what must go, and get back what the
 * columns left out made room for.
 */
static void fit(struct ctl_table *t)
{
	unsigned natural;
	size_t i;
	for (;;) {
		unsigned saved = 0;
		for (i = 0; i < t->n_cols; i++)
			if (t->column[i].col.flex && t->column[i].shown &&
			    t->column[i].width > CTL_TABLE_FLEX_MIN)
				saved +=
					t->column[i].width - CTL_TABLE_FLEX_MIN;
		natural = total(t);
		if (natural - saved <= t->c->style.width || !leave_out(t))
			break;
	}
	shrink(t);
}

static void put_cell(const struct ctl_table *t, const struct column *column,
                     const char *text, enum ctl_color color, bool last)
{
	const struct ctl_style *s = &t->c->style;
	unsigned n = ctl_text_columns(text), pad;
	size_t len = strlen(text);
	const char *more = "";
	if (n > column->width) {
		len = ctl_text_cut(text, column->width - 1, &n);
		more = s->utf8 ? "\u2026" : "~";
		n++;
	}
	pad = n < column->width ? column->width - n : 0;
	fprintf(t->c->out, "%*s%s%.*s%s%s%*s", column->col.left ? 0 : (int)pad,
	        "", ctl_text_on(s, color), (int)len, text, more,
	        ctl_text_off(s, color),
	        column->col.left && !last ? (int)pad : 0, "");
}

/* Row r, or the titles where cell is NULL. */
static void put_row(const struct ctl_table *t, const struct cell *cell)
{
	size_t i, last = 0;
	bool first = true;
	for (i = 0; i < t->n_cols; i++)
		if (t->column[i].shown)
			last = i;
	for (i = 0; i < t->n_cols; i++) {
		const struct column *column = &t->column[i];
		if (!column->shown)
			continue;
		if (!first)
			fprintf(t->c->out, "%*s", CTL_TABLE_GAP, "");
		put_cell(t, column, cell ? cell[i].text : column->col.title,
		         cell ? cell[i].color : CTL_BOLD, i == last);
		first = false;
	}
	fputc('\n', t->c->out);
}

static void put_left_out(struct ctl_table *t)
{
	char *text = NULL;
	size_t i, size;
	FILE *f = NULL;
	for (i = 0; i < t->n_cols; i++) {
		if (t->column[i].shown)
			continue;
		if (!f)
			f = open_memstream(&text, &size);
		if (f)
			fprintf(f, "%s%s",
			        ftell(f) ? ", " : "not shown at this width: ",
			        t->column[i].col.title);
	}
	if (!f)
		return;
	fclose(f);
	fputs(ctl_text_on(&t->c->style, CTL_DIM), t->c->out);
	ctl_text_wrap(t->c, 0, text);
	fputs(ctl_text_off(&t->c->style, CTL_DIM), t->c->out);
	free(text);
}

static void print(struct ctl_table *t, const struct ctl_list *list)
{
	for (size_t i = 0; i < t->n_cols; i++)
		if (!t->column[i].any && t->column[i].col.zeros)
			t->column[i].col.rank = t->column[i].col.zeros;
	fit(t);
	put_row(t, NULL);
	for (size_t i = 0; i < t->n_rows; i++) {
		put_row(t, t->row[i].cell);
		if (list->under)
			list->under(t->c, t->row[i].json, list->arg);
	}
	put_left_out(t);
}

/* Shows the first column and as many groups from a column on as fit. */
static size_t show_from(struct ctl_table *t, size_t from, size_t group)
{
	size_t i, to = from;
	for (i = 1; i < t->n_cols; i++)
		t->column[i].shown = false;
	while (to < t->n_cols) {
		for (i = to; i < to + group && i < t->n_cols; i++)
			t->column[i].shown = true;
		if (to > from && total(t) > t->c->style.width)
			break;
		to = i;
	}
	for (i = to; i < t->n_cols; i++)
		t->column[i].shown = false;
	return to;
}

static void print_wrapped(struct ctl_table *t, size_t group)
{
	unsigned key_max = t->c->style.width / 3;
	if (key_max < CTL_TABLE_FLEX_MIN)
		key_max = CTL_TABLE_FLEX_MIN;
	if (t->column[0].width > key_max)
		t->column[0].width = key_max;
	for (size_t from = 1; from < t->n_cols;) {
		if (from > 1)
			fputc('\n', t->c->out);
		from = show_from(t, from, group);
		put_row(t, NULL);
		for (size_t i = 0; i < t->n_rows; i++)
			put_row(t, t->row[i].cell);
	}
}

size_t ctl_table_show(struct ctl *c, const json_t *obj,
                      const struct ctl_list *list)
{
	struct ctl_table t = {.c = c};
	struct ctl_iter it;
	const json_t *row;
	ctl_doc_begin(&it, c, obj, list->key);
	if (make(&t, list, it.n))
		while ((row = ctl_doc_next(&it)))
			add_row(c, &t, list, row);
	if (list->weight && !c->fault[0])
		qsort(t.row, t.n_rows, sizeof(*t.row), by_weight);
	if (it.n == 0)
		fputs(list->none, c->out);
	else if (list->group && !c->fault[0])
		print_wrapped(&t, list->group);
	else if (!c->fault[0])
		print(&t, list);
	for (size_t i = 0; i < t.n_cells; i++)
		free(t.cell[i].text);
	free(t.cell);
	free(t.row);
	free(t.column);
	return it.n;
}
