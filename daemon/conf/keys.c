/* SPDX-License-Identifier: MIT */
#include "daemon/conf/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define HOUR_MS 3600000u
#define MONTH_S (30u * 86400)
#define IDS_A_LINE 8u /* of up to 11 bytes: a line takes 198 */

static void *field(const struct config_key *key, const void *base)
{
	return (char *)base + key->off;
}

/* ---- numbers ------------------------------------------------------------ */

/* Reads a number within the key's bounds. */
static int read_number(const struct config_key *key, struct config_input *in,
                       uint64_t *n)
{
	int r = 0;
	*n = 0;
	if (key->zero == NULL || strcasecmp(in->value, key->zero) != 0)
		r = key->read(in->value, n);
	if (r == 0 && key->unit > 0 && *n % key->unit != 0) {
		snprintf(in->why, sizeof(in->why),
		         "%.40s is not whole seconds", in->value);
		return -EINVAL;
	}
	if (key->unit > 0)
		*n /= key->unit;
	return r == 0 && (*n < key->min || *n > key->max) ? -ERANGE : r;
}

static int set_unsigned(const struct config_key *key, struct config_input *in)
{
	uint64_t n;
	int r = read_number(key, in, &n);
	if (r == 0)
		*(unsigned *)field(key, in->base) = (unsigned)n;
	return r;
}

static int set_size(const struct config_key *key, struct config_input *in)
{
	uint64_t n;
	int r = read_number(key, in, &n);
	if (r == 0)
		*(uint64_t *)field(key, in->base) = n;
	return r;
}

static void put_count(const struct config_key *key, const void *base, char *out)
{
	sprintf(out, "%u", *(unsigned *)field(key, base));
}

static void put_percent(const struct config_key *key, const void *base,
                        char *out)
{
	sprintf(out, "%u%%", *(unsigned *)field(key, base));
}

static void put_mode(const struct config_key *key, const void *base, char *out)
{
	sprintf(out, "%04o", *(unsigned *)field(key, base));
}

static void put_duration(const struct config_key *key, const void *base,
                         char *out)
{
	unsigned n = *(unsigned *)field(key, base);
	uint64_t unit = key->unit > 0 ? key->unit : 1;
	if (n == 0 && key->zero != NULL)
		strcpy(out, key->zero);
	else
		config_value_put_duration(out, unit * n);
}

static void put_size(const struct config_key *key, const void *base, char *out)
{
	uint64_t bytes = *(uint64_t *)field(key, base);
	out[0] = '\0';
	if (bytes != UINT64_MAX)
		config_value_put_size(out, bytes);
}

/* A size or a share of the node; the one that was given last counts. */
static int set_max(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;
	uint64_t n;
	int r = config_value_percent(in->value, &n);
	if (r < 0)
		return set_size(key, in);
	if (n < 1 || n > 100)
		return -ERANGE;
	pool->max_bytes = 0;
	pool->max_percent = (unsigned)n;
	return 0;
}

static void put_max(const struct config_key *key, const void *base, char *out)
{
	const struct config_pool *pool = base;
	if (pool->max_bytes > 0)
		put_size(key, base, out);
	else
		sprintf(out, "%u%%", pool->max_percent);
}

/* ---- words -------------------------------------------------------------- */

static int set_bool(const struct config_key *key, struct config_input *in)
{
	return config_value_bool(in->value, field(key, in->base));
}

static void put_bool(const struct config_key *key, const void *base, char *out)
{
	strcpy(out, *(bool *)field(key, base) ? "yes" : "no");
}

static int set_far(const struct config_key *key, struct config_input *in)
{
	*(bool *)field(key, in->base) = strcmp(in->value, "tier") == 0;
	return strcmp(in->value, "last") == 0 || strcmp(in->value, "tier") == 0
	               ? 0 : -EINVAL;
}

static void put_far(const struct config_key *key, const void *base, char *out)
{
	strcpy(out, *(bool *)field(key, base) ? "tier" : "last");
}

static int set_level(const struct config_key *key, struct config_input *in)
{
	return log_level_parse(in->value, field(key, in->base));
}

static void put_level(const struct config_key *key, const void *base, char *out)
{
	strcpy(out, log_level_name(*(enum log_level *)field(key, base)));
}

static const char *const pages[] = { "1g", "2m", "thp", "4k" };

static int set_page(const struct config_key *key, struct config_input *in)
{
	for (int i = CONFIG_PAGE_1G; i <= CONFIG_PAGE_4K; i++)
		if (strcmp(in->value, pages[i]) == 0) {
			*(enum config_page *)field(key, in->base) = i;
			return 0;
		}
	return -EINVAL;
}

static void put_page(const struct config_key *key, const void *base, char *out)
{
	strcpy(out, pages[*(enum config_page *)field(key, base)]);
}

/* ---- texts and lists ---------------------------------------------------- */

static int set_path(const struct config_key *key, struct config_input *in)
{
	int r = config_set_path(field(key, in->base), in->value);
	if (r == -ENAMETOOLONG)
		snprintf(in->why, sizeof(in->why), "%zu bytes are too long",
		         strlen(in->value));
	return r;
}

static int set_topology(const struct config_key *key, struct config_input *in)
{
	size_t len = strlen(in->value);
	if (len > key->max)
		return -ERANGE;
	for (size_t i = 0; i < len; i++)
		if (in->value[i] < 0x20 || in->value[i] >= 0x7f)
			return -EINVAL;
	memcpy(field(key, in->base), in->value, len + 1);
	return 0;
}

static int set_socket_group(const struct config_key *key,
                            struct config_input *in)
{
	struct config *config = in->base;
	int r;
	if (strlen(in->value) > key->max)
		return -EINVAL;
	r = config_value_group(in->value, &config->socket_gid, in->why);
	if (r == 0)
		strcpy(field(key, in->base), in->value);
	return r;
}

static void put_text(const struct config_key *key, const void *base, char *out)
{
	strcpy(out, field(key, base));
}

static int set_users(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;
	return config_value_users(in->value, field(key, pool), &pool->n_users,
	                          CONFIG_LIST_MAX, in->why);
}

static int set_groups(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;
	return config_value_groups(in->value, field(key, pool), &pool->n_groups,
	                           CONFIG_LIST_MAX, in->why);
}

static void put_ids(const uint32_t *ids, unsigned n, char *out)
{
	size_t at = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < n && at < CONFIG_TEXT_BYTES; i++)
		at += (size_t)snprintf(
		        out + at, CONFIG_TEXT_BYTES - at, "%s%" PRIu32,
		        i == 0                ? ""
		        : i % IDS_A_LINE == 0 ? "\n\t"
		                              : " ",
		        ids[i]);
}

static void put_users(const struct config_key *key, const void *base, char *out)
{
	const struct config_pool *pool = base;
	put_ids(field(key, base), pool->n_users, out);
}

static void put_groups(const struct config_key *key, const void *base,
                       char *out)
{
	const struct config_pool *pool = base;
	put_ids(field(key, base), pool->n_groups, out);
}

/* ---- the rows ----------------------------------------------------------- */

#define PATH "an absolute path of at most 107 bytes, without ';'", \
	.set = set_path, .put = put_text
#define MODE "octal permissions from 0000 to 0777", .max = 0777, \
	.set = set_unsigned, .put = put_mode, .read = config_value_mode
#define BOOL "yes, no, true, false, on, off, 1 or 0", \
	.set = set_bool, .put = put_bool
#define COUNT .set = set_unsigned, .put = put_count, .read = config_value_number
#define SHARE .set = set_unsigned, .put = put_percent, \
	.read = config_value_percent
#define SPAN .set = set_unsigned, .put = put_duration, \
	.read = config_value_duration
#define SIZE .set = set_size, .put = put_size, .read = config_value_size
#define IDS "up to 64 names that exist, or ids, parted by commas or blanks", \
	.list = true

#define AT(field) .off = offsetof(struct config, field)
static const struct config_key slabd_rows[] = {
	{ "socket", PATH, AT(socket) },
	{ "control", PATH, AT(control) },
	{ "socket_mode", MODE, AT(socket_mode) },
	{ "control_mode", MODE, AT(control_mode) },
	{ "socket_group", "a group that exists, or its id", AT(socket_group),
	  .set = set_socket_group, .put = put_text, .max = 63 },
	{ "reserve_hugepages", BOOL, AT(reserve_hugepages) },
	{ "topology", "an hwloc synthetic description of at most 255 bytes, "
	  "such as node:2 core:4 pu:1", AT(topology),
	  .set = set_topology, .put = put_text, .max = 255 },
	{ "log_level", "error, warn, info or debug", AT(log_level),
	  .set = set_level, .put = put_level },
};
#undef AT

#define AT(field) .off = offsetof(struct config_pool, field)
static const struct config_key pool_rows[] = {
	{ "max", "a size from 2M to 2T, such as 512M or 4GiB, or a share of "
	  "each node from 1% to 100%", AT(max_bytes), .min = 2 * MIB,
	  .max = 2 * TIB, .set = set_max, .put = put_max,
	  .read = config_value_size },
	{ "start", "a size from 2M to 2T, such as 16M or 1GiB",
	  AT(start_bytes), SIZE, .min = 2 * MIB, .max = 2 * TIB },
	{ "floor", "a size up to 2T, such as 0, 16M or 1GiB",
	  AT(floor_bytes), SIZE, .max = 2 * TIB },
	{ "page", "1g, 2m, thp or 4k", AT(page), .set = set_page,
	  .put = put_page },
	{ "max_caches", "a number from 1 to 4096", AT(max_caches), COUNT,
	  .min = 1, .max = 4096 },
	{ "max_clients", "a number from 1 to 16384", AT(max_clients), COUNT,
	  .min = 1, .max = 16384 },
	{ "users", IDS, AT(users), .set = set_users, .put = put_users },
	{ "groups", IDS, AT(groups), .set = set_groups, .put = put_groups },
};
#undef AT

#define AT(field) .off = offsetof(struct config_balance, field)
static const struct config_key balance_rows[] = {
	{ "enabled", BOOL, AT(enabled) },
	{ "migrate", BOOL, AT(migrate) },
	{ "far", "last or tier", AT(far_is_tier), .set = set_far,
	  .put = put_far },
	{ "hold", "a duration from 10ms to 1h, such as 500ms or 2s",
	  AT(hold_ms), SPAN, .min = 10, .max = HOUR_MS },
	{ "hold_max", "a duration from 10ms to 1h, at least hold",
	  AT(hold_max_ms), SPAN, .min = 10, .max = HOUR_MS },
	{ "lend_keep", "a number of slabs from 1 to 65536", AT(lend_keep),
	  COUNT, .min = 1, .max = 65536 },
	{ "lend_max", "a number of slabs from 1 to 65536", AT(lend_max),
	  COUNT, .min = 1, .max = 65536 },
	{ "keep_slabs", "a number of slabs from 0 to 65536", AT(keep_slabs),
	  COUNT, .max = 65536 },
	{ "migrate_cost", "a share from 1% to 100000%, such as 100%",
	  AT(migrate_cost), SHARE, .min = 1, .max = 100000 },
	{ "migrate_rate", "a size a second from 1M to 1T, such as 64M",
	  AT(migrate_rate), SIZE, .min = MIB, .max = TIB },
	{ "idle", "a duration of whole seconds up to 720h, such as 60s, or "
	  "never", AT(idle_s), SPAN, .max = MONTH_S, .unit = 1000,
	  .zero = "never" },
	{ "pressure", "a duration from 1ms to 1s, such as 100ms, or off",
	  AT(pressure_ms), SPAN, .max = 1000, .zero = "off" },
};

#define ROWS(rows) { rows, sizeof(rows) / sizeof(rows[0]) }
#define FEW(rows) sizeof(rows) / sizeof(rows[0]) <= CONFIG_KEYS_MAX
_Static_assert(FEW(slabd_rows) && FEW(pool_rows) && FEW(balance_rows),
               "lines of a section");

const struct config_keys config_slabd_keys = ROWS(slabd_rows);
const struct config_keys config_pool_keys = ROWS(pool_rows);
const struct config_keys config_balance_keys = ROWS(balance_rows);

const struct config_key *config_key_find(const struct config_keys *keys,
                                         const char *name)
{
	for (unsigned i = 0; i < keys->n; i++)
		if (strcmp(keys->row[i].name, name) == 0)
			return &keys->row[i];
	return NULL;
}

char *config_key_names(const struct config_keys *keys, char *out, size_t size)
{
	size_t at = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < keys->n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s",
		                       i > 0 ? ", " : "", keys->row[i].name);
	return out;
}

int config_key_set(const struct config_key *key, void *base, const char *value,
                   char why[CONFIG_WHY_BYTES])
{
	struct config_input in = { .base = base, .value = value };
	int r = key->set(key, &in);
	if (r == 0)
		return 0;
	if (in.why[0] == '\0')
		snprintf(in.why, sizeof(in.why), "\"%.100s\" is %s", value,
		         r == -ERANGE ? "out of range" : "not a valid value");
	strcpy(why, in.why);
	return -EINVAL;
}

/* ---- [balance] at run time ---------------------------------------------- */

const char *config_balance_key(unsigned i)
{
	return i < config_balance_keys.n ? balance_rows[i].name : NULL;
}

char *config_balance_get(const struct config_balance *balance, const char *key,
                         char out[CONFIG_BALANCE_VALUE])
{
	const struct config_key *found =
		config_key_find(&config_balance_keys, key);
	char text[CONFIG_TEXT_BYTES] = "";
	if (found != NULL)
		found->put(found, balance, text);
	snprintf(out, CONFIG_BALANCE_VALUE, "%.*s", CONFIG_BALANCE_VALUE - 1,
	         text);
	return out;
}

/* What hold and hold_max say together. 0 or -EINVAL with why. */
static int check_hold(const struct config_balance *balance,
                      struct remedy *why)
{
	char hold[CONFIG_DURATION_BYTES], most[CONFIG_DURATION_BYTES];
	if (balance->hold_max_ms >= balance->hold_ms)
		return 0;
	return remedy_set(why, -EINVAL,
	                  "allowed: hold_max of at least hold, so set the "
	                  "other first",
	                  "key \"hold_max\" (%s) contradicts key \"hold\" (%s)",
	                  config_value_put_duration(most, balance->hold_max_ms),
	                  config_value_put_duration(hold, balance->hold_ms));
}

int config_balance_set(struct config_balance *balance, const char *key,
                       const char *value, struct remedy *why)
{
	const struct config_key *found =
		config_key_find(&config_balance_keys, key);
	struct config_balance changed = *balance;
	char text[CONFIG_WHY_BYTES], todo[REMEDY_BYTES] = "allowed: ";
	size_t len = strlen(todo);
	if (found == NULL) {
		config_key_names(&config_balance_keys, todo + len,
		                 sizeof(todo) - len);
		return remedy_set(why, -EINVAL, todo,
		                  "key \"%.60s\" is unknown", key);
	}
	if (config_key_set(found, &changed, value, text) < 0) {
		snprintf(todo + len, sizeof(todo) - len, "%s", found->allowed);
		return remedy_set(why, -EINVAL, todo, "key \"%s\": %s", key,
		                  text);
	}
	if (check_hold(&changed, why) < 0)
		return -EINVAL;
	*balance = changed;
	return 0;
}
