/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/table.h"

#include <math.h>
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
	bool bad; /* a cell is red, or magenta */
};

struct row {
	const json_t *json;
	struct cell *cell;
	int64_t weight, id;
	size_t at;         /* its place in the reply */
	bool is_number;    /* what it is sorted by */
	double number;
	const char *text;
};

struct ctl_table {
	struct ctl *c;
	struct column *column;
	struct row *row;
	struct cell *cell; /* of all rows */
	size_t n_cols, n_rows;
	size_t sort; /* the column; n_cols: none */
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
	for (size_t i = 0; i < list->n_cols; i++) {
		struct column *column = &t->column[t->n_cols];
		if (list->col[i].form == CTL_RATE && !t->c->style.rates)
			continue;
		t->n_cols++;
		column->col = list->col[i];
		column->col.left |= column->col.form == CTL_NAME;
		column->width = ctl_text_columns(column->col.title);
		column->shown = true;
	}
	return true;
}

/* "-" of what was not there before. */
static void put_rate(struct ctl_cell *cell, const json_t *row)
{
	const json_t *rate = json_object_get(json_object_get(row, "per_s"),
	                                     cell->col->key);
	double n = json_number_value(rate);
	cell->is_number = json_is_number(rate);
	cell->number = n;
	if (!cell->is_number)
		strcpy(cell->text, "-");
	else if (cell->col->arg != 0)
		ctl_text_bytes(cell->text, (int64_t)n);
	else if (fabs(n) >= 1e12)
		snprintf(cell->text, sizeof(cell->text), "%.2e", n);
	else
		snprintf(cell->text, sizeof(cell->text), "%.*f",
		         fabs(n) < 10 && n != (double)(int)n, n);
}

static void fill(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	const struct ctl_col *col = cell->col;
	const char *key = col->key;
	const json_t *at = key ? json_object_get(row, key) : NULL;
	char *text = cell->text;
	int64_t n = col->form <= CTL_HEX ? ctl_doc_int(c, row, key) : 0;
	double real = 0;
	if (col->form > CTL_HEX && col->form <= CTL_AGE)
		real = ctl_doc_number(c, row, key);
	cell->is_number = json_is_number(at);
	cell->number = json_number_value(at);
	if (col->form == CTL_RATE) {
		put_rate(cell, row);
		return;
	}
	switch (col->form) {
	case CTL_INT:
	case CTL_BAD:
		if (n && col->form == CTL_BAD)
			cell->color = CTL_RED;
		ctl_text_count(text, n);
		break;
	case CTL_BYTES:
		ctl_text_bytes(text, n);
		break;
	case CTL_HEX:
		snprintf(text, sizeof(cell->text), "0x%llx",
		         (unsigned long long)n);
		break;
	case CTL_REAL:
	case CTL_PERCENT:
		snprintf(text, sizeof(cell->text),
		         fabs(real) >= 1e9 ? "%.2e%s" : "%.1f%s", real,
		         col->form == CTL_PERCENT ? "%" : "");
		break;
	case CTL_AGE:
		ctl_text_age(text, real);
		break;
	case CTL_YES:
		strcpy(text, ctl_doc_bool(c, row, key) ? "yes" : "no");
		break;
	case CTL_NAME:
		ctl_text_field(c, text, sizeof(cell->text), row, key);
		break;
	case CTL_RATE:
		break;
	case CTL_OWN:
		col->put(c, cell, row);
		break;
	}
}

static void add_row(struct ctl *c, struct ctl_table *t,
                    const struct ctl_list *list, const json_t *json)
{
	struct row *row = &t->row[t->n_rows];
	row->json = json;
	row->at = t->n_rows;
	row->cell = &t->cell[t->n_rows++ * t->n_cols];
	if (list->weight) {
		row->weight = list->weight(c, json);
		row->id = ctl_doc_int(c, json, "id");
	}
	for (size_t i = 0; i < t->n_cols; i++) {
		struct column *column = &t->column[i];
		struct ctl_cell cell = {.col = &column->col};
		unsigned width;
		fill(c, &cell, json);
		column->bad |= cell.color == CTL_RED ||
		               cell.color == CTL_MAGENTA;
		width = ctl_text_columns(cell.text);
		if (width > column->width)
			column->width = width;
		row->cell[i] = (struct cell){strdup(cell.text), cell.color};
		if (!row->cell[i].text)
			ctl_doc_fail(c, "out of memory");
		if (i != t->sort)
			continue;
		row->is_number = cell.is_number;
		row->number = cell.number;
		row->text = row->cell[i].text;
	}
}

/* Numbers before texts, the greatest first; texts by their characters. */
static int by_column(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order;
	if (x->is_number != y->is_number)
		return x->is_number ? -1 : 1;
	if (x->is_number)
		order = (x->number < y->number) - (x->number > y->number);
	else
		order = strcmp(x->text ? x->text : "", y->text ? y->text : "");
	if (order == 0)
		order = (x->at > y->at) - (x->at < y->at);
	return order;
}

static void reverse(struct ctl_table *t)
{
	for (size_t i = 0; i < t->n_rows / 2; i++) {
		struct row row = t->row[i];
		t->row[i] = t->row[t->n_rows - 1 - i];
		t->row[t->n_rows - 1 - i] = row;
	}
}

/* As in the title, with "-" or "_" for a blank. */
static bool is_titled(const char *title, const char *name)
{
	while (*title && (*title == *name ||
	                  (*title == ' ' && (*name == '-' || *name == '_')))) {
		title++;
		name++;
	}
	return *title == *name;
}

/* The column to sort by; n_cols: none. The first table's titles are noted. */
static void find_sort(struct ctl *c, struct ctl_table *t)
{
	bool note = c->style.sort != NULL && c->columns[0] == '\0';
	t->sort = t->n_cols;
	for (size_t i = 0; i < t->n_cols; i++) {
		const char *title = t->column[i].col.title;
		if (c->style.sort != NULL && t->sort == t->n_cols &&
		    is_titled(title, c->style.sort))
			t->sort = i;
		if (note)
			ctl_text_append(c->columns, sizeof(c->columns),
			                "%s%s", i ? ", " : "", title);
	}
	c->sorted |= t->sort < t->n_cols;
}

static int by_weight(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

/* ---- the width ---------------------------------------------------------- */

/* Columns of output that the shown columns take; or would, with the flexible
 * ones as small as can be. */
static unsigned total(const struct ctl_table *t, bool small)
{
	unsigned sum = 0;
	for (size_t i = 0; i < t->n_cols; i++) {
		const struct column *column = &t->column[i];
		bool cut = small && column->col.flex &&
		           column->width > CTL_TABLE_FLEX_MIN;
		if (column->shown)
			sum += CTL_TABLE_GAP +
			       (cut ? CTL_TABLE_FLEX_MIN : column->width);
	}
	return sum ? sum - CTL_TABLE_GAP : 0;
}

/* Leaves out the column of the highest rank, the last of them. Half of a number is
 * another one: where lines are cut all may go but the first. */
static bool leave_out(struct ctl_table *t)
{
	struct column *worst = NULL;
	for (size_t i = 0; i < t->n_cols; i++) {
		struct column *column = &t->column[i];
		if (column->shown &&
		    (column->col.rank || (t->c->style.cut && i > 0)) &&
		    (!worst || column->col.rank >= worst->col.rank))
			worst = column;
	}
	if (worst)
		worst->shown = false;
	return worst;
}

/* Flexible columns get back what the columns left out made room for. */
static void fit(struct ctl_table *t)
{
	unsigned width = t->c->style.width;
	if (t->c->style.whole)
		return;
	while (total(t, true) > width && leave_out(t))
		continue;
	for (size_t i = 0; i < t->n_cols; i++)
		while (t->column[i].col.flex && total(t, false) > width &&
		       t->column[i].width > CTL_TABLE_FLEX_MIN)
			t->column[i].width--;
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
	size_t last = 0;
	int gap = 0;
	for (size_t i = 0; i < t->n_cols; i++)
		if (t->column[i].shown)
			last = i;
	for (size_t i = 0; i < t->n_cols; i++) {
		const struct column *column = &t->column[i];
		if (!column->shown)
			continue;
		fprintf(t->c->out, "%*s", gap, "");
		put_cell(t, column, cell ? cell[i].text : column->col.title,
		         cell ? cell[i].color : CTL_BOLD, i == last);
		gap = CTL_TABLE_GAP;
	}
	fputc('\n', t->c->out);
}

static void put_left_out(const struct ctl_table *t)
{
	char text[1024] = "";
	for (size_t i = 0; i < t->n_cols; i++)
		if (!t->column[i].shown)
			ctl_text_append(text, sizeof(text), "%s%s",
			                *text ? ", "
			                      : "not shown at this width: ",
			                t->column[i].col.title);
	fputs(*text ? ctl_text_on(&t->c->style, CTL_DIM) : "", t->c->out);
	ctl_text_wrap(t->c, 0, text);
	fputs(*text ? ctl_text_off(&t->c->style, CTL_DIM) : "", t->c->out);
}

static void print(struct ctl_table *t, const struct ctl_list *list)
{
	for (size_t i = 0; i < t->n_cols; i++)
		if (!t->column[i].bad && t->column[i].col.zeros)
			t->column[i].col.rank = t->column[i].col.zeros;
	fit(t);
	put_row(t, NULL);
	for (size_t i = 0; i < t->n_rows; i++) {
		put_row(t, t->row[i].cell);
		if (list->under)
			list->under(t->c, t->row[i].json);
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
		if (to > from && total(t, false) > t->c->style.width)
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
	if (make(&t, list, it.n)) {
		find_sort(c, &t);
		while ((row = ctl_doc_next(&it)))
			add_row(c, &t, list, row);
	}
	if (!c->fault[0] && t.sort < t.n_cols)
		qsort(t.row, t.n_rows, sizeof(*t.row), by_column);
	else if (!c->fault[0] && list->weight)
		qsort(t.row, t.n_rows, sizeof(*t.row), by_weight);
	if (c->style.reverse)
		reverse(&t);
	if (it.n == 0)
		fputs(list->none, c->out);
	else if (list->group && !c->fault[0])
		print_wrapped(&t, list->group);
	else if (!c->fault[0])
		print(&t, list);
	for (size_t i = 0; i < t.n_rows * t.n_cols; i++)
		free(t.cell[i].text);
	free(t.cell);
	free(t.row);
	free(t.column);
	return it.n;
}

size_t ctl_table_pool(struct ctl *c, const json_t *pool,
                      const struct ctl_list *list)
{
	ctl_text_pool(c, pool);
	fputc('\n', c->out);
	return ctl_table_show(c, pool, list);
}

void ctl_table_maybe(struct ctl *c, struct ctl_cell *cell, const json_t *row)
{
	const char *key = cell->col->key;
	if (json_object_get(row, key) == NULL)
		strcpy(cell->text, "-");
	else if (cell->col->arg != 0)
		ctl_text_bytes(cell->text, ctl_doc_int(c, row, key));
	else
		ctl_text_count(cell->text, ctl_doc_int(c, row, key));
}

bool ctl_table_is_matched(const json_t *pool, const char *key)
{
	const json_t *first = json_array_get(json_object_get(pool, key), 0);
	return json_object_get(first, "matched_bytes") != NULL;
}

int64_t ctl_table_matched(struct ctl *c, const json_t *row)
{
	return ctl_doc_int(c, row, "matched_bytes");
}

void ctl_table_unknown(struct ctl *c, unsigned indent, const json_t *pool)
{
	if (json_object_get(pool, "held_unknown") != NULL &&
	    ctl_doc_int(c, pool, "held_unknown") > 0)
		ctl_text_line(c, indent, pool,
		              "held by {held_unknown client} without a helper "
		              "thread, or that did not answer in time: not known, "
		              "and counted as used");
}
