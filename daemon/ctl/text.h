/* SPDX-License-Identifier: MIT */
/* Text for people: units, times, escapes, colours, bars. */
#ifndef DAEMON_CTL_TEXT_H
#define DAEMON_CTL_TEXT_H

#include "daemon/ctl/doc.h"

#define CTL_TEXT_SHORT 32 /* fits every number below */

enum ctl_color {
	CTL_PLAIN,
	CTL_BOLD,
	CTL_DIM,
	CTL_RED,
	CTL_GREEN,
	CTL_YELLOW,
	CTL_BLUE,
	CTL_MAGENTA,
};

/* SGR sequences; "" where colour is off or plain. */
const char *ctl_text_on(const struct ctl_style *s, enum ctl_color color);
const char *ctl_text_off(const struct ctl_style *s, enum ctl_color color);
void ctl_text_paint(struct ctl *c, enum ctl_color color, const char *text);

/* "0", "512 B", "1.5 KiB" ... "8.0 EiB" */
const char *ctl_text_bytes(char buf[CTL_TEXT_SHORT], int64_t bytes);
/* "1234"; from 10^12 on "1.23e+12", so that no column bursts */
const char *ctl_text_count(char buf[CTL_TEXT_SHORT], int64_t n);
/* "3.2s", "5m 07s", "3h 20m", "12d 04h" */
const char *ctl_text_age(char buf[CTL_TEXT_SHORT], double seconds);
/* "12.5%" of part in whole, at most 100 %, "-" of nothing */
const char *ctl_text_share(char buf[CTL_TEXT_SHORT], int64_t part,
                           int64_t whole);

/*
 * What may be shown of a text that a client chose: no control characters,
 * nothing invisible or that turns the direction of writing, and in ASCII
 * style nothing else beyond ASCII. Gives what it needs of buf, cut if need be.
 */
const char *ctl_text_escape(const struct ctl_style *s, char *buf, size_t size,
                            const char *text);
/* The same of a string of the reply. */
const char *ctl_text_field(struct ctl *c, char *buf, size_t size,
                           const json_t *obj, const char *key);
/*
 * Appends a sentence with fields of an object in it to buf: "{n}" is a number,
 * "{name t}" a text, "{name t64}" one that is cut to fewer bytes, "{bytes b}" a
 * size, "{n new slab}" a count of things: 1 new slab, 2 new slabs. Returns buf.
 */
const char *ctl_text_add(struct ctl *c, char *buf, size_t size,
                         const json_t *obj, const char *sentence);
void ctl_text_append(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "name 2, other 1": the numbers but 0 of the object at a key, as far as they
 * fit in buf. Returns buf. */
const char *ctl_text_counts(struct ctl *c, char *buf, size_t size,
                            const json_t *obj, const char *key);
/* Columns that an escaped text takes. */
unsigned ctl_text_columns(const char *text);
/* The bytes of an escaped text's first columns, and how many they take. */
size_t ctl_text_cut(const char *text, unsigned columns, unsigned *taken);

/* Writes an escaped text as paragraphs of whole words, indented. */
void ctl_text_wrap(struct ctl *c, unsigned indent, const char *text);
/* The same, with head, escaped, in the first line's indent; followed by as
 * many blanks as it lacks, one at least. */
void ctl_text_hang(struct ctl *c, const char *head, unsigned indent,
                   const char *text);
/* A sentence as ctl_text_add() makes it, wrapped. */
void ctl_text_line(struct ctl *c, unsigned indent, const json_t *obj,
                   const char *sentence);
/* The same behind "pool NAME: ", the name being at key. */
void ctl_text_say(struct ctl *c, const json_t *obj, const char *key,
                  const char *sentence);
/* What slabd says at a key, behind a few words of slabctl's; unless it is
 * "". */
void ctl_text_said(struct ctl *c, unsigned indent, const char *intro,
                   const json_t *obj, const char *key);
/* "pool NAME" as a headline, after an empty line unless it is the first of the
 * document's pools. */
void ctl_text_pool(struct ctl *c, const json_t *pool);

/* Splits columns by the parts' share in whole; each part > 0 is seen. */
void ctl_text_split(const int64_t *part, unsigned n, int64_t whole,
                    unsigned columns, unsigned *cells);

/* A node's own, then what of others stands on its lists. */
enum { CTL_USED, CTL_FREE, CTL_LENT, CTL_EMPTY, CTL_BORROWED, CTL_N_PARTS };

/* A bar of these parts; gives how many of the columns it took. */
unsigned ctl_text_bar(struct ctl *c, const int64_t part[CTL_N_PARTS],
                      int64_t whole, unsigned columns);
void ctl_text_legend(struct ctl *c, int64_t whole);

#endif
