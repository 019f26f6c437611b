/* SPDX-License-Identifier: MIT */
#include "daemon/conf/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/conf/config.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

_Static_assert(CONFIG_SLABD_KEYS <= CONFIG_KEYS_MAX &&
               CONFIG_POOL_KEYS <= CONFIG_KEYS_MAX &&
               CONFIG_BALANCE_KEYS <= CONFIG_KEYS_MAX, "lines of a section");

const struct config_key *config_key_find(const struct config_key *keys,
                                         unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

char *config_key_names(const struct config_key *keys, unsigned n, char *out,
                       size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s",
		                       i > 0 ? ", " : "", keys[i].name);
	return out;
}

static void *field(const struct config_key *key, struct config_input *in)
{
	return (char *)in->base + key->off;
}

int config_key_store(const struct config_key *key, struct config_input *in,
                     int rc, uint64_t n)
{
	if (rc == 0 && (n < key->min || n > key->max))
		rc = -ERANGE;
	if (rc == 0)
		*(unsigned *)field(key, in) = (unsigned)n;
	return rc;
}

static int set_path(const struct config_key *key, struct config_input *in)
{
	int rc = config_set_path(field(key, in), in->value);

	if (rc == -ENAMETOOLONG)
		snprintf(in->why, sizeof(in->why), "%zu bytes are too long",
		         strlen(in->value));
	return rc;
}

static int set_mode(const struct config_key *key, struct config_input *in)
{
	uint64_t n = 0;
	int rc = config_value_mode(in->value, &n);

	return config_key_store(key, in, rc, n);
}

int config_key_set_count(const struct config_key *key, struct config_input *in)
{
	uint64_t n = 0;
	int rc = config_value_number(in->value, &n);

	return config_key_store(key, in, rc, n);
}

static int set_socket_group(const struct config_key *key,
                            struct config_input *in)
{
	struct config *config = in->base;
	char *name = field(key, in);
	int rc;

	if (strlen(in->value) >= sizeof(config->socket_group))
		return -EINVAL;
	rc = config_value_group(in->value, &config->socket_gid, in->why);
	if (rc == 0)
		strcpy(name, in->value);
	return rc;
}

int config_key_set_bool(const struct config_key *key, struct config_input *in)
{
	return config_value_bool(in->value, field(key, in));
}

static int set_topology(const struct config_key *key, struct config_input *in)
{
	size_t len = strlen(in->value);

	if (len > key->max)
		return -ERANGE;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)in->value[i];
		if (c < 0x20 || c >= 0x7f)
			return -EINVAL;
	}
	memcpy(field(key, in), in->value, len + 1);
	return 0;
}

static int set_level(const struct config_key *key, struct config_input *in)
{
	return log_level_parse(in->value, field(key, in));
}

static int set_max(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;
	uint64_t n;
	int rc = config_value_percent(in->value, &n);

	if (rc == 0 && (n < 1 || n > 100))
		return -ERANGE;
	if (rc == 0) {
		pool->max_bytes = 0;
		pool->max_percent = (unsigned)n;
		return 0;
	}
	return config_key_set_size(key, in);
}

int config_key_set_size(const struct config_key *key, struct config_input *in)
{
	uint64_t n;
	int rc = config_value_size(in->value, &n);

	if (rc == 0 && (n < key->min || n > key->max))
		return -ERANGE;
	if (rc == 0)
		*(uint64_t *)field(key, in) = n;
	return rc;
}

static int set_page(const struct config_key *key, struct config_input *in)
{
	enum config_page *page = field(key, in);

	for (int i = CONFIG_PAGE_1G; i <= CONFIG_PAGE_4K; i++) {
		if (strcmp(in->value, config_page_name(i)) == 0) {
			*page = (enum config_page)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Adds: the list may go on in a second line, and starts empty. */
static int set_users(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;

	return config_value_users(in->value, field(key, in), &pool->n_users,
	                          CONFIG_LIST_MAX, in->why);
}

static int set_groups(const struct config_key *key, struct config_input *in)
{
	struct config_pool *pool = in->base;

	return config_value_groups(in->value, field(key, in), &pool->n_groups,
	                           CONFIG_LIST_MAX, in->why);
}

#define PATH_ALLOWED "an absolute path of at most 107 bytes, without ';'"
#define MODE_ALLOWED "octal permissions from 0000 to 0777"
#define LIST_ALLOWED                                                           \
	"up to 64 names that exist, or ids, parted by commas or blanks"

const struct config_key config_slabd_keys[CONFIG_SLABD_KEYS] = {
	[CONFIG_KEY_SOCKET] = {
		.name = "socket", .allowed = PATH_ALLOWED, .set = set_path,
		.off = offsetof(struct config, socket) },
	[CONFIG_KEY_CONTROL] = {
		.name = "control", .allowed = PATH_ALLOWED, .set = set_path,
		.off = offsetof(struct config, control) },
	[CONFIG_KEY_SOCKET_MODE] = {
		.name = "socket_mode", .allowed = MODE_ALLOWED, .set = set_mode,
		.off = offsetof(struct config, socket_mode), .max = 0777 },
	[CONFIG_KEY_CONTROL_MODE] = {
		.name = "control_mode", .allowed = MODE_ALLOWED,
		.set = set_mode,
		.off = offsetof(struct config, control_mode), .max = 0777 },
	[CONFIG_KEY_SOCKET_GROUP] = {
		.name = "socket_group", .set = set_socket_group,
		.allowed = "a group that exists, or its id",
		.off = offsetof(struct config, socket_group) },
	[CONFIG_KEY_RESERVE_HUGEPAGES] = {
		.name = "reserve_hugepages", .set = config_key_set_bool,
		.allowed = CONFIG_ALLOWED_BOOL,
		.off = offsetof(struct config, reserve_hugepages) },
	[CONFIG_KEY_TOPOLOGY] = {
		.name = "topology", .set = set_topology,
		.allowed = "an hwloc synthetic description of at most 255 "
		           "bytes, such as node:2 core:4 pu:1",
		.off = offsetof(struct config, topology), .max = 255 },
	[CONFIG_KEY_LOG_LEVEL] = {
		.name = "log_level", .set = set_level,
		.allowed = "error, warn, info or debug",
		.off = offsetof(struct config, log_level) },
};

const struct config_key config_pool_keys[CONFIG_POOL_KEYS] = {
	[CONFIG_KEY_MAX] = {
		.name = "max", .set = set_max,
		.allowed = "a size from 2M to 2T, such as 512M or 4GiB, or a "
		           "share of each node from 1% to 100%",
		.off = offsetof(struct config_pool, max_bytes),
		.min = 2 * MIB, .max = 2 * TIB },
	[CONFIG_KEY_START] = {
		.name = "start", .set = config_key_set_size,
		.allowed = "a size from 2M to 2T, such as 16M or 1GiB",
		.off = offsetof(struct config_pool, start_bytes),
		.min = 2 * MIB, .max = 2 * TIB },
	[CONFIG_KEY_FLOOR] = {
		.name = "floor", .set = config_key_set_size,
		.allowed = "a size up to 2T, such as 0, 16M or 1GiB",
		.off = offsetof(struct config_pool, floor_bytes),
		.max = 2 * TIB },
	[CONFIG_KEY_PAGE] = {
		.name = "page", .set = set_page,
		.allowed = "1g, 2m, thp or 4k",
		.off = offsetof(struct config_pool, page) },
	[CONFIG_KEY_MAX_CACHES] = {
		.name = "max_caches", .set = config_key_set_count,
		.allowed = "a number from 1 to 4096",
		.off = offsetof(struct config_pool, max_caches),
		.min = 1, .max = 4096 },
	[CONFIG_KEY_MAX_CLIENTS] = {
		.name = "max_clients", .set = config_key_set_count,
		.allowed = "a number from 1 to 16384",
		.off = offsetof(struct config_pool, max_clients),
		.min = 1, .max = 16384 },
	[CONFIG_KEY_USERS] = {
		.name = "users", .allowed = LIST_ALLOWED, .set = set_users,
		.off = offsetof(struct config_pool, users), .list = true },
	[CONFIG_KEY_GROUPS] = {
		.name = "groups", .allowed = LIST_ALLOWED, .set = set_groups,
		.off = offsetof(struct config_pool, groups), .list = true },
};
