/* SPDX-License-Identifier: MIT */
/* The pools of a reply, one after the other. */
#ifndef DAEMON_CTL_RENDER_H
#define DAEMON_CTL_RENDER_H

#include "daemon/ctl/table.h"

/* "pool NAME" as a headline, after an empty line unless it is the first. */
void ctl_render_pool(struct ctl *c, const json_t *pool, bool first);

/* "pool NAME: " and a sentence with fields of obj, of which key is the name. */
void ctl_render_say(struct ctl *c, const json_t *obj, const char *key,
                    const char *sentence);

/* Calls put for each pool of the document, or says that there is none. */
void ctl_render_pools(struct ctl *c, const json_t *doc,
                      void (*put)(struct ctl *c, const json_t *pool,
                                  bool first));

/* The pool's headline and one array of it; gives its length. */
size_t ctl_render_list(struct ctl *c, const json_t *pool, bool first,
                       const struct ctl_list *list);

#endif
