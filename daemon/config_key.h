/* SPDX-License-Identifier: MIT */
/* The keys of the configuration file: their names, values and where they go. */
#ifndef DAEMON_CONFIG_KEY_H
#define DAEMON_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config_value.h"

/* What a setter works on; the key says which field of base. */
struct config_input {
	void *base; /* struct config or struct config_pool */
	const char *value;
	char why[CONFIG_WHY_BYTES]; /* out, on failure; "": not allowed */
};

struct config_key {
	const char *name;
	const char *allowed; /* for people */
	/* 0, -EINVAL another form, -ERANGE beyond min and max, others with a
	 * why. */
	int (*set)(const struct config_key *key, struct config_input *in);
	size_t off;
	uint64_t min;
	uint64_t max;
	bool list; /* may go on in indented lines */
};

#define CONFIG_KEYS_MAX 8u /* of one section */

/* In the order of config_slabd_keys and config_pool_keys. */
enum config_slabd_key {
	CONFIG_KEY_SOCKET,
	CONFIG_KEY_CONTROL,
	CONFIG_KEY_SOCKET_MODE,
	CONFIG_KEY_CONTROL_MODE,
	CONFIG_KEY_SOCKET_GROUP,
	CONFIG_KEY_RESERVE_HUGEPAGES,
	CONFIG_KEY_TOPOLOGY,
	CONFIG_KEY_LOG_LEVEL,
	CONFIG_SLABD_KEYS,
};
enum config_pool_key {
	CONFIG_KEY_MAX,
	CONFIG_KEY_START,
	CONFIG_KEY_PAGE,
	CONFIG_KEY_MAX_CACHES,
	CONFIG_KEY_MAX_CLIENTS,
	CONFIG_KEY_USERS,
	CONFIG_KEY_GROUPS,
	CONFIG_POOL_KEYS,
};

extern const struct config_key config_slabd_keys[CONFIG_SLABD_KEYS];
extern const struct config_key config_pool_keys[CONFIG_POOL_KEYS];

#endif
