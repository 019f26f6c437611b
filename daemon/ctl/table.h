/* SPDX-License-Identifier: MIT */
/*
 * Any array of a reply as a table: columns are data, rows are its objects.
 *
 * Columns are aligned, in a given width. Where they don't fit, flexible columns
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

/* What stands at the key, and how it is shown. */
enum ctl_form {
	CTL_INT,
	CTL_BYTES,
	CTL_BAD,     /* a count of something bad: red unless 0 */
	CTL_HEX,
	CTL_REAL,
	CTL_PERCENT,
	CTL_AGE,     /* in seconds */
	CTL_YES,     /* or no */
	CTL_NAME,    /* a text from outside; to the left */
	CTL_RATE,    /* with --watch alone: by how much it changes, a second; arg:
	              * in bytes */
	CTL_OWN,     /* what put says */
};

struct ctl_col;

struct ctl_cell {
	const struct ctl_col *col;
	enum ctl_color color;
	bool is_number; /* what it is sorted by; else by its text */
	double number;
	char text[512]; /* escaped */
};

struct ctl_col {
	char title[CTL_TABLE_TITLE];
	const char *key; /* of a row's object */
	enum ctl_form form;
	unsigned rank;  /* 0: always shown */
	unsigned zeros; /* the rank instead, where all numbers are 0 */
	bool flex;      /* may be cut */
	bool left;      /* aligned, as names are in any case; else right */
	/* CTL_OWN: fills the cell. */
	void (*put)(struct ctl *c, struct ctl_cell *cell, const json_t *row);
	int64_t arg; /* for put */
};

#define CTL_COL(head, at, how) .title = head, .key = (at), .form = (how)

struct ctl_list {
	const char *key;  /* of the array */
	const char *none; /* a line where it is empty */
	const struct ctl_col *col;
	size_t n_cols;
	/* Most first, then the lowest "id"; NULL: in the reply's order. */
	int64_t (*weight)(struct ctl *c, const json_t *row);
	/* NULL, or follows each row with lines of its own. */
	void (*under)(struct ctl *c, const json_t *row);
	size_t group; /* not 0: wraps; so many columns stay together behind the
	                 first, which names the rows */
};

#define CTL_COLS(cols) .col = (cols), .n_cols = sizeof(cols) / sizeof((cols)[0])

/* For put: the number at the key, in bytes where arg is not 0; "-" where there
 * is none, as a slabd of before does not say. */
void ctl_table_maybe(struct ctl *c, struct ctl_cell *cell, const json_t *row);

/* Of a list that --cache or --node was given for: whether its rows say what is there,
 * and how many bytes that are. */
bool ctl_table_is_matched(const json_t *pool, const char *key);
int64_t ctl_table_matched(struct ctl *c, const json_t *row);

/* Says where it is not known what some clients hold. */
void ctl_table_unknown(struct ctl *c, unsigned indent, const json_t *pool);

/* Shows an array of obj. Its length. */
size_t ctl_table_show(struct ctl *c, const json_t *obj,
                      const struct ctl_list *list);
/* The same of a pool, behind its headline. */
size_t ctl_table_pool(struct ctl *c, const json_t *pool,
                      const struct ctl_list *list);

#endif
