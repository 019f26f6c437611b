/* SPDX-License-Identifier: MIT */
/*
 * Values of the configuration: text to number and back. Pure, but for the user
 * and group lookups, which ask the system's databases.
 *
 * All return 0; -EINVAL text of another form; -ERANGE a number too large for
 * its type; the lookups and lists say what is wrong in why.
 */
#ifndef DAEMON_CONF_VALUE_H
#define DAEMON_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFIG_WHY_BYTES 128
#define CONFIG_SIZE_BYTES 24     /* of config_value_put_size */
#define CONFIG_DURATION_BYTES 24 /* of config_value_put_duration */

/* Digits alone. */
int config_value_number(const char *text, uint64_t *out);

/* Octal digits, at most 0777. */
int config_value_mode(const char *text, uint64_t *out);

/* "4096", "64M", "64MB", "1GiB", "2g": powers of 1024, no fractions. */
int config_value_size(const char *text, uint64_t *out);

/* "25%". */
int config_value_percent(const char *text, uint64_t *out);

/* yes no true false on off 1 0. */
int config_value_bool(const char *text, bool *out);

/* "500ms", "1s", "5m" or "5min", "2h", to milliseconds; "0" needs no unit. */
int config_value_duration(const char *text, uint64_t *out_ms);

/* The shortest text that config_value_size, config_value_duration read to the
 * same. Both return out. */
char *config_value_put_size(char out[CONFIG_SIZE_BYTES], uint64_t bytes);
char *config_value_put_duration(char out[CONFIG_DURATION_BYTES], uint64_t ms);

/* One group's id by name, or by number. */
int config_value_group(const char *text, gid_t *out,
                       char why[CONFIG_WHY_BYTES]);

/* A list parted by commas or blanks, of names and numbers, added to the *n that
 * are there. A number need not be in the database; a name must. At most max in
 * all; one named twice counts once. */
int config_value_users(const char *text, uid_t *out, unsigned *n, unsigned max,
                       char why[CONFIG_WHY_BYTES]);
int config_value_groups(const char *text, gid_t *out, unsigned *n, unsigned max,
                        char why[CONFIG_WHY_BYTES]);

#endif
