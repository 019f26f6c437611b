/* SPDX-License-Identifier: MIT */
/* The keys of the configuration file: their names, values and where they go. */
#ifndef DAEMON_CONF_KEYS_H
#define DAEMON_CONF_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/value.h"

/* What a setter works on; the key says which field of base. */
struct config_input {
	void *base; /* the section's: struct config, config_pool ... */
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

#define CONFIG_ALLOWED_BOOL "yes, no, true, false, on, off, 1 or 0"
#define CONFIG_KEYS_MAX 16u /* of one section */

/* In the order of config_slabd_keys, config_pool_keys, config_balance_keys. */
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
	CONFIG_KEY_FLOOR,
	CONFIG_KEY_PAGE,
	CONFIG_KEY_MAX_CACHES,
	CONFIG_KEY_MAX_CLIENTS,
	CONFIG_KEY_USERS,
	CONFIG_KEY_GROUPS,
	CONFIG_POOL_KEYS,
};
enum config_balance_key {
	CONFIG_KEY_ENABLED,
	CONFIG_KEY_MIGRATE,
	CONFIG_KEY_FAR,
	CONFIG_KEY_HOLD,
	CONFIG_KEY_HOLD_MAX,
	CONFIG_KEY_LEND_KEEP,
	CONFIG_KEY_LEND_MAX,
	CONFIG_KEY_KEEP_SLABS,
	CONFIG_KEY_MIGRATE_COST,
	CONFIG_KEY_MIGRATE_RATE,
	CONFIG_KEY_IDLE,
	CONFIG_KEY_PRESSURE,
	CONFIG_BALANCE_KEYS,
};

extern const struct config_key config_slabd_keys[CONFIG_SLABD_KEYS];
extern const struct config_key config_pool_keys[CONFIG_POOL_KEYS];
extern const struct config_key config_balance_keys[CONFIG_BALANCE_KEYS];

/* By name, of n keys; NULL. */
const struct config_key *config_key_find(const struct config_key *keys,
                                         unsigned n, const char *name);

/* "a, b, c": the names of n keys. Returns out. */
char *config_key_names(const struct config_key *keys, unsigned n,
                       char *out, size_t size);

/* Setters that several sections use: a truth into a bool, a number within min
 * and max into an unsigned, a size within them into a uint64_t. */
int config_key_set_bool(const struct config_key *key, struct config_input *in);
int config_key_set_count(const struct config_key *key,
                         struct config_input *in);
int config_key_set_size(const struct config_key *key, struct config_input *in);

/* Stores a number that was read with rc, if it is within the key's bounds. */
int config_key_store(const struct config_key *key, struct config_input *in,
                     int rc, uint64_t n);

#endif
