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
};

struct ctl_table {
	struct ctl *c;
	struct column *column;
	struct cell *cell; /* row by row */
	size_t n_cols, n_cells, room;
};

static struct ctl_table *no_memory(struct ctl *c)
{
	ctl_doc_fail(c, "out of memory");
	return NULL;
}

struct ctl_table *ctl_table_new(struct ctl *c, const struct ctl_col *col,
                                size_t n_cols)
{
	struct ctl_table *t = calloc(1, sizeof(*t));
	size_t i;

	if (!t)
		return no_memory(c);
	t->c = c;
	t->column = calloc(n_cols, sizeof(*t->column));
	if (!t->column) {
		free(t);
		return no_memory(c);
	}
	t->n_cols = n_cols;
	for (i = 0; i < n_cols; i++) {
		t->column[i].col = col[i];
		t->column[i].width = ctl_text_columns(col[i].title);
		t->column[i].shown = true;
	}
	return t;
}

static void append(struct ctl_table *t, enum ctl_color color, char *text)
{
	struct column *column = &t->column[t->n_cells % t->n_cols];
	unsigned width = ctl_text_columns(text);
	size_t room = t->room ? 2 * t->room : 64;
	struct cell *cell = t->cell;

	if (t->n_cells == t->room) {
		cell = reallocarray(t->cell, room, sizeof(*cell));
		if (!cell) {
			free(text);
			no_memory(t->c);
			return;
		}
		t->cell = cell;
		t->room = room;
	}
	cell[t->n_cells++] = (struct cell){text, color};
	if (width > column->width)
		column->width = width;
}

void ctl_table_add(struct ctl_table *t, enum ctl_color color, const char *fmt,
                   ...)
{
	char *text;
	va_list ap;
	int r;

	if (!t)
		return;
	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0)
		no_memory(t->c);
	else
		append(t, color, text);
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

void ctl_table_bad(struct ctl_table *t, int64_t value)
{
	char buf[CTL_TEXT_SHORT];

	ctl_table_add(t, value ? CTL_RED : CTL_PLAIN, "%s",
	              ctl_text_count(buf, value));
}

void ctl_table_real(struct ctl_table *t, double value, const char *unit)
{
	bool big = value >= 1e9 || value <= -1e9;

	ctl_table_add(t, CTL_PLAIN, big ? "%.2e%s" : "%.1f%s", value, unit);
}

void ctl_table_name(struct ctl_table *t, const char *text)
{
	char buf[512];

	if (t)
		ctl_table_add(
			t, CTL_PLAIN, "%s",
			ctl_text_escape(&t->c->style, buf, sizeof(buf), text));
}

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

void ctl_table_print(struct ctl_table *t,
                     void (*under)(struct ctl *c, size_t row, void *arg),
                     void *arg)
{
	size_t row;

	if (!t)
		return;
	fit(t);
	put_row(t, NULL);
	for (row = 0; (row + 1) * t->n_cols <= t->n_cells; row++) {
		put_row(t, t->cell + row * t->n_cols);
		if (under)
			under(t->c, row, arg);
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

void ctl_table_print_wrapped(struct ctl_table *t, size_t group)
{
	unsigned key_max;
	size_t from, row;

	if (!t)
		return;
	key_max = t->c->style.width / 3;
	if (key_max < CTL_TABLE_FLEX_MIN)
		key_max = CTL_TABLE_FLEX_MIN;
	if (t->column[0].width > key_max)
		t->column[0].width = key_max;
	for (from = 1; from < t->n_cols;) {
		if (from > 1)
			fputc('\n', t->c->out);
		from = show_from(t, from, group);
		put_row(t, NULL);
		for (row = 0; (row + 1) * t->n_cols <= t->n_cells; row++)
			put_row(t, t->cell + row * t->n_cols);
	}
}

void ctl_table_free(struct ctl_table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->n_cells; i++)
		free(t->cell[i].text);
	free(t->cell);
	free(t->column);
	free(t);
}
