/* SPDX-License-Identifier: MIT */
/* What differs between two configurations, key by key, as their files would have
 * it. */
#ifndef DAEMON_CONF_CHANGES_H
#define DAEMON_CONF_CHANGES_H

#include "daemon/conf/keys.h"

#define CONFIG_CHANGE_BYTES 48u /* of a value, for people; longer ones are cut */

struct config_change {
	const struct config_key *key;
	char was[CONFIG_CHANGE_BYTES];
	char is[CONFIG_CHANGE_BYTES];
};

/*
 * The next key of a section that differs, from the at-th on, which moves; was and
 * is are the two sections' structures, and may be one. False: no further one.
 */
bool config_next_change(const struct config_keys *keys, const void *was,
                        const void *is, unsigned *at,
                        struct config_change *out);

/* The pool of that name, NULL. */
const struct config_pool *config_find_pool(const struct config *config,
                                           const char *name);

#endif
