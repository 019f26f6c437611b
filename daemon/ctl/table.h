/* SPDX-License-Identifier: MIT */
/*
 * Aligned columns in a given width. Where they don't fit, flexible columns
 * are cut first, down to CTL_TABLE_FLEX_MIN; then columns are left out, the
 * highest rank first, and named in a line below; a table that wraps goes on
 * with the rest of its columns in a block below instead.
 */
#ifndef DAEMON_CTL_TABLE_H
#define DAEMON_CTL_TABLE_H

#include "daemon/ctl/text.h"

#define CTL_TABLE_FLEX_MIN 10
#define CTL_TABLE_GAP 2
#define CTL_TABLE_TITLE 24

struct ctl_col {
	char title[CTL_TABLE_TITLE];
	bool left;     /* aligned; else right */
	bool flex;     /* may be cut */
	unsigned rank; /* 0: always shown */
};

struct ctl_table;

/* NULL when out of memory, and then the reply has a fault. */
struct ctl_table *ctl_table_new(struct ctl *c, const struct ctl_col *col,
                                size_t n_cols);
/* Appends the next cell, row by row. The text is taken as escaped. */
void ctl_table_add(struct ctl_table *t, enum ctl_color color, const char *fmt,
                   ...) __attribute__((format(printf, 3, 4)));
void ctl_table_bytes(struct ctl_table *t, int64_t bytes);
void ctl_table_int(struct ctl_table *t, int64_t value);
void ctl_table_real(struct ctl_table *t, double value, const char *unit);
/* A count of something bad: red unless 0. */
void ctl_table_bad(struct ctl_table *t, int64_t value);
/* A text from outside, escaped here. */
void ctl_table_name(struct ctl_table *t, const char *text);
/* Prints; under, where given, follows each row with lines of its own. */
void ctl_table_print(struct ctl_table *t,
                     void (*under)(struct ctl *c, size_t row, void *arg),
                     void *arg);
/* The first column names the rows; groups of columns stay together. */
void ctl_table_print_wrapped(struct ctl_table *t, size_t group);
void ctl_table_free(struct ctl_table *t);

#endif
