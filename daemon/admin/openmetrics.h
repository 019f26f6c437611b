/* SPDX-License-Identifier: MIT */
/*
 * Text in the format of OpenMetrics 1.0, made of tables: each column is a family,
 * each row its sample with the row's labels.
 *
 *   table ──► openmetrics_row, _label, values ──► openmetrics_write_table
 *
 * What fails for want of memory is remembered in the text, which is NULL then.
 */
#ifndef DAEMON_ADMIN_OPENMETRICS_H
#define DAEMON_ADMIN_OPENMETRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define OM_COLUMNS_MAX 24u
#define OM_LABELS_BYTES 512u
#define OM_TYPE                                                                \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

struct evbuffer;

struct openmetrics_column {
	const char *name; /* without the table's prefix; its unit is its end */
	const char *help;
	bool counter; /* since the start; else a value of now */
};

struct openmetrics_row {
	char labels[OM_LABELS_BYTES];
	uint64_t value[OM_COLUMNS_MAX];
};

struct openmetrics_table {
	const char *prefix; /* "slabd_node_" */
	const struct openmetrics_column *column;
	unsigned n_columns;
	unsigned n_rows;
	unsigned room;
	struct openmetrics_row *row;
};

struct openmetrics_text {
	struct evbuffer *out;
	bool failed;
};

/* Adds a row without labels, all values 0. NULL without memory: the table is
 * failed then, too. */
struct openmetrics_row *openmetrics_row(struct openmetrics_text *text,
                                        struct openmetrics_table *table);

/* Adds a label; of a value that is no UTF-8 the bytes are written as in the log, and
 * what does not fit is left out. */
void openmetrics_label(struct openmetrics_row *row, const char *key, const char *value);
void openmetrics_label_number(struct openmetrics_row *row, const char *key,
                              int64_t value);

void openmetrics_begin(struct openmetrics_text *text);

/* Writes a table and empties it; without rows what its families are. */
void openmetrics_write_table(struct openmetrics_text *text,
                             struct openmetrics_table *table);

/* What comes before a family's samples. unit: "" or the end of its name. */
void openmetrics_family(struct openmetrics_text *text, const char *name,
                        const char *type, const char *unit, const char *help);
void openmetrics_print(struct openmetrics_text *text, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* The whole as a JSON string, a new reference; NULL without memory. */
json_t *openmetrics_end(struct openmetrics_text *text);

#endif
