/* SPDX-License-Identifier: MIT */
#include "daemon/conf/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/address.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define HOUR_MS 3600000u
#define MONTH_S (30u * 86400)
#define IDS_A_LINE 8u /* of up to 11 bytes: a line takes 198 */

static void *field(const struct config_key *key, const void *base)
{
	return (char *)base + key->off;
}

/* ---- numbers and words -------------------------------------------------- */

static int set_number(const struct config_key *key, struct config_input *in)
{
	void *at = field(key, in->base);
	uint64_t unit = key->unit > 0 ? key->unit : 1;
	uint64_t n = 0;
	int r = 0;
	if (key->zero == NULL || strcasecmp(in->value, key->zero) != 0)
		r = config_value_read(key->form, in->value, &n);
	if (r < 0)
		return r;
	if (n % unit != 0) {
		snprintf(in->why, sizeof(in->why),
		         "%.40s is not whole seconds", in->value);
		return -EINVAL;
	}
	n /= unit;
	if (n < key->min || n > key->max)
		return -ERANGE;
	if (key->bytes == sizeof(bool))
		*(bool *)at = n;
	else if (key->bytes == sizeof(unsigned))
		*(unsigned *)at = (unsigned)n;
	else
		*(uint64_t *)at = n;
	return 0;
}

static void put_number(const struct config_key *key, const void *base,
                       char *out)
{
	const void *at = field(key, base);
	uint64_t n = key->bytes == sizeof(bool)       ? *(const bool *)at
	             : key->bytes == sizeof(unsigned) ? *(const unsigned *)at
	                                              : *(const uint64_t *)at;
	if (n == UINT64_MAX)
		out[0] = '\0';
	else if (n == 0 && key->zero != NULL)
		strcpy(out, key->zero);
	else
		config_value_put(key->form, out,
		                 key->unit > 0 ? n * key->unit : n);
}

/* A size or a share of the node; the one that was given last counts. */
static int set_max(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;
	uint64_t n;
	int r = config_value_read(CONFIG_FORM_PERCENT, in->value, &n);
	if (r < 0)
		return set_number(key, in);
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
		put_number(key, base, out);
	else
		config_value_put(CONFIG_FORM_PERCENT, out, pool->max_percent);
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
	if (len >= key->bytes)
		return -ERANGE;
	for (size_t i = 0; i < len; i++)
		if (in->value[i] < 0x20 || in->value[i] >= 0x7f)
			return -EINVAL;
	memcpy(field(key, in->base), in->value, len + 1);
	return 0;
}

static int set_group(const struct config_key *key, struct config_input *in,
                     gid_t *gid)
{
	int r;
	if (strlen(in->value) >= key->bytes)
		return -EINVAL;
	r = config_value_id(in->value, true, gid, in->why);
	if (r == 0)
		strcpy(field(key, in->base), in->value);
	return r;
}

static int set_socket_group(const struct config_key *key,
                            struct config_input *in)
{
	return set_group(key, in, &((struct config *)in->base)->socket_gid);
}

static int set_control_group(const struct config_key *key,
                             struct config_input *in)
{
	return set_group(key, in, &((struct config *)in->base)->control_gid);
}

static int set_metrics(const struct config_key *key, struct config_input *in)
{
	struct config_address address;
	int r = 0;
	if (strcasecmp(in->value, "off") != 0)
		r = config_address_read(in->value, &address, in->why);
	if (r == 0 && strlen(in->value) >= key->bytes)
		r = -EINVAL;
	if (r == 0)
		strcpy(field(key, in->base), in->value);
	return r;
}

static void put_text(const struct config_key *key, const void *base, char *out)
{
	strcpy(out, field(key, base));
}

static int set_ids(const struct config_key *key, struct config_input *in)
{
	return config_value_ids(in->value, key->groups, field(key, in->base),
	                        in->why);
}

static void put_ids(const struct config_key *key, const void *base, char *out)
{
	const struct config_ids *ids = field(key, base);
	size_t at = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < ids->n && at < CONFIG_TEXT_BYTES; i++)
		at += (size_t)snprintf(
		        out + at, CONFIG_TEXT_BYTES - at, "%s%" PRIu32,
		        i == 0                ? ""
		        : i % IDS_A_LINE == 0 ? "\n\t"
		                              : " ",
		        ids->id[i]);
}

/* ---- the rows ----------------------------------------------------------- */

#define NUMBER .set = set_number, .put = put_number
#define PATH "an absolute path of at most 107 bytes, without ';'", \
	.set = set_path, .put = put_text
#define MODE "octal permissions from 0000 to 0777", NUMBER, \
	.form = CONFIG_FORM_MODE, .max = 0777
#define BOOL "yes, no, true, false, on, off, 1 or 0", \
	WORD, .form = CONFIG_FORM_BOOL
#define WORD NUMBER, .max = UINT64_MAX
#define COUNT NUMBER, .form = CONFIG_FORM_NUMBER
#define SPAN NUMBER, .form = CONFIG_FORM_DURATION
#define SIZE NUMBER, .form = CONFIG_FORM_SIZE
#define IDS "up to 64 names that exist, or ids, parted by commas or blanks", \
	.set = set_ids, .put = put_ids, .list = true
#define PLACE(type, field) \
	.off = offsetof(type, field), .bytes = sizeof(((type *)0)->field)

#define AT(field) PLACE(struct config, field)
static const struct config_key slabd_rows[] = {
	{"socket", PATH, AT(socket)},
	{"control", PATH, AT(control)},
	{"socket_mode", MODE, AT(socket_mode)},
	{"control_mode", MODE, AT(control_mode)},
	{"socket_group", "a group that exists, or its id", AT(socket_group),
	 .set = set_socket_group, .put = put_text},
	{"control_group", "a group that exists, or its id", AT(control_group),
	 .set = set_control_group, .put = put_text},
	{"reserve_hugepages", BOOL, AT(reserve_hugepages)},
	{"topology", "an hwloc synthetic description of at most 255 bytes, "
	 "such as node:2 core:4 pu:1", AT(topology),
	 .set = set_topology, .put = put_text},
	{"log_level", "error, warn, info or debug", AT(log_level),
	 WORD, .form = CONFIG_FORM_LEVEL},
	{"metrics", CONFIG_ADDRESS_ALLOWED, AT(metrics), .set = set_metrics,
	 .put = put_text},
	{"watchdog", "a duration up to 1h, such as 30s, or off",
	 AT(watchdog_ms), SPAN, .max = HOUR_MS, .zero = "off"},
};
#undef AT

#define AT(field) PLACE(struct config_pool, field)
static const struct config_key pool_rows[] = {
	{"max", "a size from 2M to 2T, such as 512M or 4GiB, or a share of "
	 "each node from 1% to 100%", AT(max_bytes),
	 .form = CONFIG_FORM_SIZE, .min = 2 * MIB, .max = 2 * TIB,
	 .set = set_max, .put = put_max},
	{"start", "a size from 2M to 2T, such as 16M or 1GiB",
	 AT(start_bytes), SIZE, .min = 2 * MIB, .max = 2 * TIB},
	{"floor", "a size up to 2T, such as 0, 16M or 1GiB",
	 AT(floor_bytes), SIZE, .max = 2 * TIB},
	{"page", "1g, 2m, thp or 4k", AT(page), WORD,
	 .form = CONFIG_FORM_PAGE},
	{"max_caches", "a number from 1 to 4096", AT(max_caches), COUNT,
	 .min = 1, .max = 4096},
	{"max_clients", "a number from 1 to 16384", AT(max_clients), COUNT,
	 .min = 1, .max = 16384},
	{"users", IDS, AT(users)},
	{"groups", IDS, AT(groups), .groups = true},
	{"max_clients_process", "a number from 1 to 16384, or auto",
	 AT(max_clients_process), COUNT, .max = 16384, .zero = "auto"},
	{"max_clients_user", "a number from 1 to 16384, or auto",
	 AT(max_clients_user), COUNT, .max = 16384, .zero = "auto"},
	{"max_roots", "a number from 0 to 1024", AT(max_roots), COUNT,
	 .max = 1024},
	{"max_channels", "a number from 0 to 64", AT(max_channels), COUNT,
	 .max = 64},
	{"max_channel_capacity", "a number from 1 to 16384",
	 AT(max_channel_capacity), COUNT, .min = 1, .max = 16384},
	{"arena_warn_age", "a duration of whole seconds up to 720h, such as 6h, "
	 "or never", AT(arena_warn_s), SPAN, .max = MONTH_S, .unit = 1000,
	 .zero = "never"},
	{"arena_warn_bytes", "a size up to 2T, such as 16M",
	 AT(arena_warn_bytes), SIZE, .max = 2 * TIB},
};
#undef AT

#define AT(field) PLACE(struct config_balance, field)
static const struct config_key balance_rows[] = {
	{"enabled", BOOL, AT(enabled)},
	{"migrate", BOOL, AT(migrate)},
	{"far", "last or tier", AT(far_is_tier), WORD,
	 .form = CONFIG_FORM_FAR},
	{"hold", "a duration from 10ms to 1h, such as 500ms or 2s",
	 AT(hold_ms), SPAN, .min = 10, .max = HOUR_MS},
	{"hold_max", "a duration from 10ms to 1h, at least hold",
	 AT(hold_max_ms), SPAN, .min = 10, .max = HOUR_MS},
	{"lend_keep", "a number of slabs from 1 to 65536", AT(lend_keep),
	 COUNT, .min = 1, .max = 65536},
	{"lend_max", "a number of slabs from 1 to 65536", AT(lend_max),
	 COUNT, .min = 1, .max = 65536},
	{"keep_slabs", "a number of slabs from 0 to 65536", AT(keep_slabs),
	 COUNT, .max = 65536},
	{"migrate_cost", "a share from 1% to 100000%, such as 100%",
	 AT(migrate_cost), NUMBER, .form = CONFIG_FORM_PERCENT, .min = 1,
	 .max = 100000},
	{"migrate_rate", "a size a second from 1M to 1T, such as 64M",
	 AT(migrate_rate), SIZE, .min = MIB, .max = TIB},
	{"idle", "a duration of whole seconds up to 720h, such as 60s, or "
	 "never", AT(idle_s), SPAN, .max = MONTH_S, .unit = 1000,
	 .zero = "never"},
	{"remote_wait", "a duration from 1ms to 1s, such as 20ms, or never",
	 AT(remote_wait_ms), SPAN, .max = 1000, .zero = "never"},
	{"pressure", "a duration from 1ms to 1s, such as 100ms, or off",
	 AT(pressure_ms), SPAN, .max = 1000, .zero = "off"},
};

#define ROWS(rows) {rows, sizeof(rows) / sizeof(rows[0])}
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
	struct config_input in = {.base = base, .value = value};
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
	char hold[CONFIG_VALUE_BYTES], most[CONFIG_VALUE_BYTES];
	if (balance->hold_max_ms >= balance->hold_ms)
		return 0;
	return remedy_set(why, -EINVAL,
	                  "allowed: hold_max of at least hold, so set the "
	                  "other first",
	                  "key \"hold_max\" (%s) contradicts key \"hold\" (%s)",
	                  config_value_put(CONFIG_FORM_DURATION, most,
	                                   balance->hold_max_ms),
	                  config_value_put(CONFIG_FORM_DURATION, hold,
	                                   balance->hold_ms));
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
