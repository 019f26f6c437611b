/* SPDX-License-Identifier: MIT */
/*
 * Section [balance]: its keys, read from the file or set at run time, and
 * what contradicts what among them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/config.h"
#include "daemon/conf/keys.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define HOUR_MS 3600000u
#define MONTH_S (30u * 86400)

static unsigned *count_of(const struct config_key *key, struct config_input *in)
{
	return (unsigned *)((char *)in->base + key->off);
}

static int set_far(const struct config_key *key, struct config_input *in)
{
	bool *tier = (bool *)((char *)in->base + key->off);

	if (strcmp(in->value, "last") != 0 && strcmp(in->value, "tier") != 0)
		return -EINVAL;
	*tier = in->value[0] == 't';
	return 0;
}

static int set_ms(const struct config_key *key, struct config_input *in)
{
	uint64_t ms = 0;
	int rc = config_value_duration(in->value, &ms);

	return config_key_store(key, in, rc, ms);
}

static int set_percent(const struct config_key *key, struct config_input *in)
{
	uint64_t n = 0;
	int rc = config_value_percent(in->value, &n);

	return config_key_store(key, in, rc, n);
}

/* Seconds, or a word for 0. */
static int set_idle(const struct config_key *key, struct config_input *in)
{
	uint64_t ms = 0;
	int rc = 0;

	if (strcasecmp(in->value, "never") != 0)
		rc = config_value_duration(in->value, &ms);
	if (rc == 0 && ms % 1000 != 0) {
		snprintf(in->why, sizeof(in->why),
		         "%.40s is not whole seconds", in->value);
		return -EINVAL;
	}
	return config_key_store(key, in, rc, ms / 1000);
}

static int set_pressure(const struct config_key *key, struct config_input *in)
{
	if (strcasecmp(in->value, "off") == 0) {
		*count_of(key, in) = 0;
		return 0;
	}
	return set_ms(key, in);
}

#define FIELD(name) .off = offsetof(struct config_balance, name)

const struct config_key config_balance_keys[CONFIG_BALANCE_KEYS] = {
	[CONFIG_KEY_ENABLED] = {
		.name = "enabled", .set = config_key_set_bool,
		.allowed = CONFIG_ALLOWED_BOOL, FIELD(enabled) },
	[CONFIG_KEY_MIGRATE] = {
		.name = "migrate", .set = config_key_set_bool,
		.allowed = CONFIG_ALLOWED_BOOL, FIELD(migrate) },
	[CONFIG_KEY_FAR] = {
		.name = "far", .set = set_far, .allowed = "last or tier",
		FIELD(far_is_tier) },
	[CONFIG_KEY_HOLD] = {
		.name = "hold", .set = set_ms,
		.allowed = "a duration from 10ms to 1h, such as 500ms or 2s",
		FIELD(hold_ms), .min = 10, .max = HOUR_MS },
	[CONFIG_KEY_HOLD_MAX] = {
		.name = "hold_max", .set = set_ms,
		.allowed = "a duration from 10ms to 1h, at least hold",
		FIELD(hold_max_ms), .min = 10, .max = HOUR_MS },
	[CONFIG_KEY_LEND_KEEP] = {
		.name = "lend_keep", .set = config_key_set_count,
		.allowed = "a number of slabs from 1 to 65536",
		FIELD(lend_keep), .min = 1, .max = 65536 },
	[CONFIG_KEY_LEND_MAX] = {
		.name = "lend_max", .set = config_key_set_count,
		.allowed = "a number of slabs from 1 to 65536",
		FIELD(lend_max), .min = 1, .max = 65536 },
	[CONFIG_KEY_KEEP_SLABS] = {
		.name = "keep_slabs", .set = config_key_set_count,
		.allowed = "a number of slabs from 0 to 65536",
		FIELD(keep_slabs), .max = 65536 },
	[CONFIG_KEY_MIGRATE_COST] = {
		.name = "migrate_cost", .set = set_percent,
		.allowed = "a share from 1% to 100000%, such as 100%",
		FIELD(migrate_cost), .min = 1, .max = 100000 },
	[CONFIG_KEY_MIGRATE_RATE] = {
		.name = "migrate_rate", .set = config_key_set_size,
		.allowed = "a size a second from 1M to 1T, such as 64M",
		FIELD(migrate_rate), .min = MIB, .max = TIB },
	[CONFIG_KEY_IDLE] = {
		.name = "idle", .set = set_idle,
		.allowed = "a duration of whole seconds up to 720h, such as "
		           "60s, or never",
		FIELD(idle_s), .max = MONTH_S },
	[CONFIG_KEY_PRESSURE] = {
		.name = "pressure", .set = set_pressure,
		.allowed = "a duration from 1ms to 1s, such as 100ms, or off",
		FIELD(pressure_ms), .max = 1000 },
};

const char *config_balance_key(unsigned i)
{
	return i < CONFIG_BALANCE_KEYS ? config_balance_keys[i].name : NULL;
}

static char *put(char out[CONFIG_BALANCE_VALUE], const char *text)
{
	snprintf(out, CONFIG_BALANCE_VALUE, "%s", text);
	return out;
}

static char *put_count(char out[CONFIG_BALANCE_VALUE], unsigned n,
                       const char *unit)
{
	snprintf(out, CONFIG_BALANCE_VALUE, "%u%s", n, unit);
	return out;
}

char *config_balance_get(const struct config_balance *balance, const char *key,
                         char out[CONFIG_BALANCE_VALUE])
{
	const struct config_key *found = config_key_find(
	        config_balance_keys, CONFIG_BALANCE_KEYS, key);

	if (found == NULL)
		return put(out, "");
	switch ((enum config_balance_key)(found - config_balance_keys)) {
	case CONFIG_KEY_ENABLED:
		return put(out, balance->enabled ? "yes" : "no");
	case CONFIG_KEY_MIGRATE:
		return put(out, balance->migrate ? "yes" : "no");
	case CONFIG_KEY_FAR:
		return put(out, balance->far_is_tier ? "tier" : "last");
	case CONFIG_KEY_HOLD:
		return config_value_put_duration(out, balance->hold_ms);
	case CONFIG_KEY_HOLD_MAX:
		return config_value_put_duration(out, balance->hold_max_ms);
	case CONFIG_KEY_LEND_KEEP:
		return put_count(out, balance->lend_keep, "");
	case CONFIG_KEY_LEND_MAX:
		return put_count(out, balance->lend_max, "");
	case CONFIG_KEY_KEEP_SLABS:
		return put_count(out, balance->keep_slabs, "");
	case CONFIG_KEY_MIGRATE_COST:
		return put_count(out, balance->migrate_cost, "%");
	case CONFIG_KEY_MIGRATE_RATE:
		return config_value_put_size(out, balance->migrate_rate);
	case CONFIG_KEY_IDLE:
		if (balance->idle_s == 0)
			return put(out, "never");
		return config_value_put_duration(
		        out, UINT64_C(1000) * balance->idle_s);
	case CONFIG_KEY_PRESSURE:
		if (balance->pressure_ms == 0)
			return put(out, "off");
		return config_value_put_duration(out, balance->pressure_ms);
	case CONFIG_BALANCE_KEYS:
		break;
	}
	return put(out, "");
}

/* What hold and hold_max say together. 0 or -EINVAL with why. */
static int check_hold(const struct config_balance *balance,
                      char why[CONFIG_BALANCE_WHY])
{
	char hold[CONFIG_DURATION_BYTES], most[CONFIG_DURATION_BYTES];

	if (balance->hold_max_ms >= balance->hold_ms)
		return 0;
	snprintf(why, CONFIG_BALANCE_WHY,
	         "key \"hold_max\" (%s) contradicts key \"hold\" (%s); "
	         "allowed: hold_max of at least hold, so set the other first",
	         config_value_put_duration(most, balance->hold_max_ms),
	         config_value_put_duration(hold, balance->hold_ms));
	return -EINVAL;
}

int config_balance_set(struct config_balance *balance, const char *key,
                       const char *value, char why[CONFIG_BALANCE_WHY])
{
	const struct config_key *found = config_key_find(
	        config_balance_keys, CONFIG_BALANCE_KEYS, key);
	struct config_balance changed = *balance;
	struct config_input in = { .base = &changed, .value = value };
	char names[256];
	int rc;

	if (found == NULL) {
		snprintf(why, CONFIG_BALANCE_WHY,
		         "key \"%.60s\" is unknown; allowed: %s", key,
		         config_key_names(config_balance_keys,
		                          CONFIG_BALANCE_KEYS, names,
		                          sizeof(names)));
		return -EINVAL;
	}
	rc = found->set(found, &in);
	if (rc < 0 && in.why[0] == '\0')
		snprintf(in.why, sizeof(in.why), "\"%.60s\" is %s", value,
		         rc == -ERANGE ? "out of range" : "not a valid value");
	if (rc < 0) {
		snprintf(why, CONFIG_BALANCE_WHY, "key \"%s\": %s; allowed: %s",
		         key, in.why, found->allowed);
		return -EINVAL;
	}
	if (check_hold(&changed, why) < 0)
		return -EINVAL;
	*balance = changed;
	return 0;
}
