/* SPDX-License-Identifier: MIT */
/*
 * What slabctl shows of each reply. Pure: a document in, text out, nothing
 * else read or changed (but for the locale, which says how wide a character
 * is). The files ctl_<verb>.c hold one renderer each.
 */
#ifndef DAEMON_CTL_RENDER_H
#define DAEMON_CTL_RENDER_H

#include "daemon/ctl/doc.h"

#define CTL_WORDS 4

struct ctl_verb {
	const char *name; /* "/name" is the path */
	/* Parameters that are words after the verb, in order, and how many of
	 * them there must be; and those that are options. */
	const char *usage; /* of the words, for people */
	const char *word[CTL_WORDS];
	int n_must;
	const char *options;
	long timeout_s;
	bool changes; /* by POST */
	bool looks_without; /* words */
	bool watched; /* goes with --watch */
	void (*render)(struct ctl *c, const json_t *doc);
	/* Exit status by the document; NULL: always 0. */
	int (*verdict)(const json_t *doc);
};

/* Ends with one whose name is NULL. */
extern const struct ctl_verb ctl_render_verbs[];

const struct ctl_verb *ctl_render_verb(const char *name);

/*
 * Writes the document as text. -EPROTO with fault filled in, and nothing
 * written, where the document is not what the verb's reply must be; -ENOMEM.
 */
int ctl_render(const struct ctl_verb *verb, const json_t *doc,
               const struct ctl_style *style, FILE *out, char *fault,
               size_t fault_size);

/* "pool NAME" as a headline, after an empty line unless it is the first. */
void ctl_render_pool(struct ctl *c, const json_t *pool, bool first);

/* "pool NAME: " and a sentence, escaped. key holds the name. */
void ctl_render_say(struct ctl *c, const json_t *obj, const char *key,
                    const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Calls put for each pool of the document, or says that there is none. */
void ctl_render_pools(struct ctl *c, const json_t *doc,
                      void (*put)(struct ctl *c, const json_t *pool,
                                  bool first));

void ctl_status(struct ctl *c, const json_t *doc);
void ctl_nodes(struct ctl *c, const json_t *doc);
void ctl_caches(struct ctl *c, const json_t *doc);
void ctl_clients(struct ctl *c, const json_t *doc);
void ctl_slabs(struct ctl *c, const json_t *doc);
void ctl_audit(struct ctl *c, const json_t *doc);
int ctl_audit_verdict(const json_t *doc);
void ctl_plan(struct ctl *c, const json_t *doc);
void ctl_log(struct ctl *c, const json_t *doc);
void ctl_lend(struct ctl *c, const json_t *doc);
void ctl_migrate(struct ctl *c, const json_t *doc);
void ctl_drain(struct ctl *c, const json_t *doc);
void ctl_trim(struct ctl *c, const json_t *doc);
void ctl_set(struct ctl *c, const json_t *doc);

/* Of a reply of trim: whether a client was asked; and adds what a second one
 * gave back. */
bool ctl_trim_asked(const json_t *doc);
void ctl_trim_add(json_t *doc, const json_t *more);

#endif
