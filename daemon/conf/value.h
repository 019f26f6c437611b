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

#include "daemon/conf/config.h"

#define CONFIG_WHY_BYTES 128
#define CONFIG_VALUE_BYTES 24 /* of config_value_put */

enum config_form {
	CONFIG_FORM_NUMBER,   /* digits alone */
	CONFIG_FORM_MODE,     /* octal digits */
	CONFIG_FORM_PERCENT,  /* "25%" */
	/* "4096", "64M", "64MB", "1GiB", "2g": powers of 1024, no fractions */
	CONFIG_FORM_SIZE,
	CONFIG_FORM_DURATION, /* "500ms" "1s" "5m" "5min" "2h" to milliseconds */
	CONFIG_FORM_BOOL,     /* yes no true false on off 1 0 */
	CONFIG_FORM_FAR,      /* last, tier: far_is_tier */
	CONFIG_FORM_PAGE,     /* enum config_page */
	CONFIG_FORM_LEVEL,    /* enum log_level */
};

/* "0" needs no unit. */
int config_value_read(enum config_form form, const char *text, uint64_t *out);

/* The shortest text that config_value_read reads to the same. Returns out. */
char *config_value_put(enum config_form form, char out[CONFIG_VALUE_BYTES],
                       uint64_t n);

/* One user's or group's id by name, or by number. A number need not be in the
 * database; a name must. */
int config_value_id(const char *text, bool group, uint32_t *id,
                    char why[CONFIG_WHY_BYTES]);

/* A list parted by commas or blanks, of names and numbers, added to those that
 * are there. At most CONFIG_LIST_MAX in all, else -E2BIG; one named twice
 * counts once. */
int config_value_ids(const char *text, bool group, struct config_ids *ids,
                     char why[CONFIG_WHY_BYTES]);

#endif
