/* SPDX-License-Identifier: MIT */
#include "daemon/admin/openmetrics.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"

#define ROOM_FIRST 16u

void openmetrics_begin(struct openmetrics_text *text)
{
	text->out = evbuffer_new();
	text->failed = text->out == NULL;
}

void openmetrics_print(struct openmetrics_text *text, const char *format, ...)
{
	va_list args;
	if (text->failed)
		return;
	va_start(args, format);
	text->failed = evbuffer_add_vprintf(text->out, format, args) < 0;
	va_end(args);
}

void openmetrics_family(struct openmetrics_text *text, const char *name,
                        const char *type, const char *unit, const char *help)
{
	openmetrics_print(text, "# TYPE %s %s\n", name, type);
	if (*unit != '\0')
		openmetrics_print(text, "# UNIT %s %s\n", name, unit);
	openmetrics_print(text, "# HELP %s %s\n", name, help);
}

/* ---- tables -------------------------------------------------------------- */

struct openmetrics_row *openmetrics_row(struct openmetrics_text *text,
                                        struct openmetrics_table *table)
{
	struct openmetrics_row *row = table->row;
	if (table->n_rows == table->room) {
		unsigned room = table->room > 0 ? table->room * 2 : ROOM_FIRST;
		row = realloc(row, room * sizeof(*row));
		if (row == NULL) {
			text->failed = true;
			return NULL;
		}
		table->row = row;
		table->room = room;
	}
	row += table->n_rows++;
	memset(row, 0, sizeof(*row));
	return row;
}

/* Whether it is whole UTF-8, as jansson has it. */
static bool is_utf8(const char *value)
{
	json_t *string = json_string(value);
	json_decref(string);
	return string != NULL;
}

void openmetrics_label(struct openmetrics_row *row, const char *key, const char *value)
{
	char shown[OM_LABELS_BYTES / 2];
	char quoted[OM_LABELS_BYTES];
	size_t at = strlen(row->labels);
	size_t n = 0;
	size_t more;
	if (!is_utf8(value))
		value = log_escape(shown, sizeof(shown), value);
	for (; *value != '\0' && n < sizeof(quoted) - 2; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			quoted[n++] = '\\';
		quoted[n++] = *value == '\n' ? 'n' : *value;
	}
	quoted[n] = '\0';
	more = strlen(key) + n + sizeof(",=\"\"");
	if (at + more <= sizeof(row->labels))
		snprintf(row->labels + at, sizeof(row->labels) - at,
		         "%s%s=\"%s\"", at > 0 ? "," : "", key, quoted);
}

void openmetrics_label_number(struct openmetrics_row *row, const char *key,
                              int64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, value);
	openmetrics_label(row, key, text);
}

/* The unit that a name ends in; "". */
static const char *unit_of(const char *name)
{
	static const char *const units[] = {"bytes", "seconds", "objects",
	                                    "slabs", "pages"};
	const char *last = strrchr(name, '_');
	last = last == NULL ? name : last + 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(last, units[i]) == 0)
			return units[i];
	return "";
}

static void write_column(struct openmetrics_text *text,
                         const struct openmetrics_table *table,
                         unsigned column)
{
	const struct openmetrics_column *of = &table->column[column];
	char name[96];
	snprintf(name, sizeof(name), "%s%s", table->prefix, of->name);
	openmetrics_family(text, name, of->counter ? "counter" : "gauge",
	          unit_of(of->name), of->help);
	for (unsigned i = 0; i < table->n_rows; i++)
		openmetrics_print(text, "%s%s{%s} %" PRIu64 "\n", name,
		         of->counter ? "_total" : "", table->row[i].labels,
		         table->row[i].value[column]);
}

void openmetrics_write_table(struct openmetrics_text *text,
                             struct openmetrics_table *table)
{
	for (unsigned i = 0; i < table->n_columns; i++)
		write_column(text, table, i);
	free(table->row);
	table->row = NULL;
	table->n_rows = table->room = 0;
}

json_t *openmetrics_end(struct openmetrics_text *text)
{
	json_t *whole = NULL;
	size_t bytes;
	const char *at;
	openmetrics_print(text, "# EOF");
	if (text->out == NULL)
		return NULL;
	bytes = evbuffer_get_length(text->out);
	at = (const char *)evbuffer_pullup(text->out, -1);
	if (!text->failed && at != NULL)
		whole = json_stringn(at, bytes);
	evbuffer_free(text->out);
	return whole;
}
