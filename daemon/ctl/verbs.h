/* SPDX-License-Identifier: MIT */
/* slabctl's verbs, and what each of them shows. */
#ifndef DAEMON_CTL_VERBS_H
#define DAEMON_CTL_VERBS_H

#include "daemon/ctl/doc.h"

#define CTL_WORDS 4

struct ctl_verb {
	const char *name; /* "/name" is the path */
	/* Parameters that are words after the verb, in order, and how many of
	 * them there must be; and those that are options. */
	const char *usage; /* of the words, for people */
	const char *word[CTL_WORDS];
	int n_must;
	bool skips; /* with those alone, the second word is left out */
	const char *options;
	long timeout_s;
	bool changes; /* by POST */
	bool looks_without; /* words */
	bool watched; /* goes with --watch */
	bool whole;   /* show takes the document, else each of its pools */
	void (*show)(struct ctl *c, const json_t *doc); /* NULL: ctl/top.h */
	/* Exit status by the document; NULL: always 0. */
	int (*verdict)(const json_t *doc);
};

/* Ends with one whose name is NULL. */
extern const struct ctl_verb ctl_verbs[];

/* Shows of /nodes what is being emptied. */
extern const struct ctl_verb ctl_verbs_progress;

const struct ctl_verb *ctl_verbs_find(const char *name);

/*
 * Writes the document as text. -EPROTO with fault filled in, and nothing
 * written, where the document is not what the verb's reply must be; -EINVAL, the same
 * where no table has the column to sort by; -ENOMEM.
 */
int ctl_verbs_show(const struct ctl_verb *verb, const json_t *doc,
                   const struct ctl_style *style, FILE *out, char *fault,
                   size_t fault_size);

/*
 * The titles of the table that the document is shown in, as one text with ", "
 * between them; to be freed. With what --watch adds to it, if rates.
 */
char *ctl_verbs_columns(const struct ctl_verb *verb, const json_t *doc,
                        bool rates);

#endif
