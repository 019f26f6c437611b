/* SPDX-License-Identifier: MIT */
/*
 * The configuration that slabd last ran with, kept by whoever keeps its
 * descriptors (manager/fdstore.h). A file that was mistyped must not cost
 * clients their memory: the slabd that ends for it would have all that is kept
 * dropped.
 */
#ifndef DAEMON_MANAGER_LASTCONF_H
#define DAEMON_MANAGER_LASTCONF_H

#include <stdbool.h>

#include "daemon/conf/config.h"

/* Once at the start, after fdstore_open: takes what was kept, if anything. */
void lastconf_open(void);

/* Fills config with what was kept. 0, or -ENOENT: nothing was, or it can't be
 * read, which the log says then. */
int lastconf_recall(struct config *config);

/* The section of one pool in what was kept; false: it has none. */
bool lastconf_pool(const char *name, struct config_pool *out);

/* Whether slabd.conf, read again, has errors. */
void lastconf_set_bad(bool is);

/* For the status of the service: "", or that slabd.conf, as it is now, is not
 * used. */
const char *lastconf_note(void);

/* Has config kept for the next slabd, once this one serves. A failure is logged
 * and no reason to stop. */
void lastconf_keep(const struct config *config);

/* What is kept, for who looks on: this module's own; -1: nothing. */
int lastconf_fd(void);

#endif
