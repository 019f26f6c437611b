/* SPDX-License-Identifier: MIT */
/*
 * What slabctl shows of each reply. Pure: a document in, text out, nothing
 * else read or changed (but for the locale, which says how wide a character
 * is). The files ctl_<verb>.c hold one renderer each.
 */
#ifndef DAEMON_CTL_RENDER_H
#define DAEMON_CTL_RENDER_H

#include "daemon/ctl_doc.h"

struct ctl_verb {
	const char *name; /* "/name" is the path */
	long timeout_s;
	bool filters; /* takes --pool, --cache, --node, --limit */
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

#endif
