/* SPDX-License-Identifier: MIT */
/*
 * What slabctl top shows, as lines of text for a window of a size. Pure, as the
 * pages of show.h are: documents in, text out.
 *
 *   which pool, how many clients and caches
 *   memory, and rates of the last seconds
 *   a bar for each node, as many as a quarter of the window has room for
 *   a table, of caches or of clients, sorted by a column
 *   what slabd did last, where there is room
 */
#ifndef DAEMON_CTL_TOP_DRAW_H
#define DAEMON_CTL_TOP_DRAW_H

#include "daemon/ctl/doc.h"

#define CTL_TOP_COLUMNS 40
#define CTL_TOP_ROWS 10

/* What slabd said; NULL: nothing yet. */
struct ctl_top_docs {
	json_t *nodes, *history, *log;
	json_t *table; /* /caches or /clients */
	bool clients;  /* which */
};

struct ctl_top {
	unsigned pool; /* by position; too many is the first */
	bool clients;  /* the table is of clients, else of caches */
	bool help;
	bool reverse;
	char sort[24];    /* a column's title */
	unsigned every_s;
	char clock[16];   /* the time of day */
	char waits[600];  /* why nothing is new, or "" */
};

/* A key: the sort key of the table that is shown, as slabtop and top have them;
 * Tab, R, <, >, +, - and that of help. False: it means nothing here. */
bool ctl_top_key(struct ctl_top *top, int key);

/* Writes at most rows lines, none wider than c->style.width. */
void ctl_top_draw(struct ctl *c, const struct ctl_top *top,
                  const struct ctl_top_docs *docs, unsigned rows);

#endif
