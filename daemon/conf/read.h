/* SPDX-License-Identifier: MIT */
/* The files of a configuration: FILE, and FILE.d/NAME.conf in the order of their
 * names. */
#ifndef DAEMON_CONF_READ_H
#define DAEMON_CONF_READ_H

#include <sys/types.h>

#include "daemon/conf/config.h"

#define CONFIG_FILE_BYTES (1u << 20) /* nobody configures that much */
#define CONFIG_SHOWN_BYTES 200u      /* of a file's name in a fault */

/* The end of a path, which tells more. */
const char *config_shown(const char *path);

/* Reads a file whole; text has room for CONFIG_FILE_BYTES + 2. How many bytes, or
 * -1 with the fault added. */
ssize_t config_read(const char *path, char *text, struct config_error *err);

/* Calls one() for each of FILE.d, until one is a fault: -1 then, or where the
 * folder can't be read; else how many there are. */
int config_each_dropin(const char *path, struct config_error *err,
                       int (*one)(void *arg, const char *path), void *arg);

#endif
