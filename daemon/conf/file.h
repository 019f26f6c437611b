/* SPDX-License-Identifier: MIT */
/* The configuration file: read with a fault for each line that is wrong, and
 * written so that it reads back to the same. */
#ifndef DAEMON_CONF_FILE_H
#define DAEMON_CONF_FILE_H

#include <stdio.h>

#include "daemon/conf/config.h"

/*
 * Reads a file on top of config, which holds the defaults.
 *
 * A file with pool sections replaces the default pool by them. Adds every
 * fault to err, so that the operator can repair all in one go. 0, or -EINVAL
 * with err->n > 0; config is then to be thrown away.
 */
int config_load(struct config *config, const char *path,
                struct config_error *err);

/* Writes config as a file that config_load reads to the same config. */
void config_print(const struct config *config, FILE *out);

#endif
