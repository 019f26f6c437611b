/* SPDX-License-Identifier: MIT */
/*
 * Reading a reply: every look-up names what it expects, and the first thing
 * missing or of the wrong type is remembered with its place. After that the
 * getters give zero and "" and loops end, so a renderer reads on without
 * checks and its output is thrown away at the end.
 */
#ifndef DAEMON_CTL_DOC_H
#define DAEMON_CTL_DOC_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CTL_DOC_DEPTH 4

struct ctl_style {
	bool color;
	bool utf8;      /* block characters and names as they are */
	unsigned width; /* of the output, in columns */
	bool whole;     /* tables are shown whole, however wide */
	bool cut;       /* lines end at the width: tables are no wider */
	const char *sort; /* the title of a table's column, or NULL */
	bool reverse;     /* the last row first */
	bool rates;       /* with columns of what changes, see rates.h */
};

/* One rendering. */
struct ctl {
	FILE *out;
	struct ctl_style style;
	char fault[256]; /* the first thing wrong with the reply, or "" */
	struct {
		const char *key;
		size_t ix;
	} place[CTL_DOC_DEPTH];
	unsigned depth;
	void *arg; /* the page's own */
	bool sorted;       /* a table had the column to sort by */
	char columns[400]; /* if any is given, those of the first table */
};

struct ctl_iter {
	struct ctl *c;
	const json_t *array;
	size_t next, n;
};

void ctl_doc_fail(struct ctl *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int64_t ctl_doc_int(struct ctl *c, const json_t *obj, const char *key);
/* -1 and NULL where null stands. */
int64_t ctl_doc_int_or_null(struct ctl *c, const json_t *obj, const char *key);
const char *ctl_doc_string_or_null(struct ctl *c, const json_t *obj,
                                   const char *key);
double ctl_doc_number(struct ctl *c, const json_t *obj, const char *key);
bool ctl_doc_bool(struct ctl *c, const json_t *obj, const char *key);
const char *ctl_doc_string(struct ctl *c, const json_t *obj, const char *key);
const json_t *ctl_doc_object(struct ctl *c, const json_t *obj, const char *key);
const json_t *ctl_doc_array(struct ctl *c, const json_t *obj, const char *key);

/* Over the objects of an array: begin, then next until NULL, to the end. */
void ctl_doc_begin(struct ctl_iter *it, struct ctl *c, const json_t *obj,
                   const char *key);
const json_t *ctl_doc_next(struct ctl_iter *it);

/* Whether an earlier object of the array has the same string at the key. */
bool ctl_doc_seen(const json_t *array, size_t at, const char *key);

/* Sum that stops at the ends of its type. */
int64_t ctl_doc_sum(int64_t a, int64_t b);

#endif
