/* SPDX-License-Identifier: MIT */
#include "daemon/conf/value.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

_Static_assert(sizeof(uid_t) == 4 && sizeof(gid_t) == 4,
               "both lists are kept as 32-bit ids");

/* Reads digits of a base; *end is the first byte after them. */
static int digits(const char *text, unsigned base, uint64_t *out,
                  const char **end)
{
	uint64_t n = 0;
	const char *at = text;
	for (; *at >= '0' && *at < (char)('0' + base); at++) {
		if (__builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return -ERANGE;
	}
	*out = n;
	*end = at;
	return at == text ? -EINVAL : 0;
}

int config_value_number(const char *text, uint64_t *out)
{
	const char *end;
	int rc = digits(text, 10, out, &end);
	return rc == 0 && *end != '\0' ? -EINVAL : rc;
}

int config_value_mode(const char *text, uint64_t *out)
{
	const char *end;
	int rc = digits(text, 8, out, &end);
	if (rc == 0 && *end != '\0')
		return -EINVAL;
	return rc == 0 && *out > 0777 ? -ERANGE : rc;
}

int config_value_percent(const char *text, uint64_t *out)
{
	const char *end;
	int rc = digits(text, 10, out, &end);
	return rc == 0 && strcmp(end, "%") != 0 ? -EINVAL : rc;
}

int config_value_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *end;
	uint64_t n;
	int rc = digits(text, 10, &n, &end);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; *end != '\0' && units[i] != '\0'; i++) {
		if ((*end & ~0x20) != units[i])
			continue;
		end++;
		if (strcasecmp(end, "B") == 0 || strcasecmp(end, "iB") == 0)
			end += strlen(end);
		if (n > UINT64_MAX >> (10 * (i + 1)))
			rc = -ERANGE;
		n <<= 10 * (i + 1);
		break;
	}
	*out = n;
	return *end != '\0' ? -EINVAL : rc;
}

int config_value_bool(const char *text, bool *out)
{
	static const char *const words[] = { "no",  "yes", "false", "true",
		                             "off", "on",  "0",     "1" };
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return 0;
		}
	}
	return -EINVAL;
}

static const struct {
	const char *name;
	uint64_t ms;
} time_units[] = {
	{ "ms", 1 },     { "s", 1000 },    { "m", 60000 },
	{ "h", 3600000 }, { "min", 60000 },
};
#define TIME_UNITS_PRINTED 4

int config_value_duration(const char *text, uint64_t *out_ms)
{
	const char *end;
	uint64_t n;
	int rc = digits(text, 10, &n, &end);
	if (rc < 0)
		return rc;
	*out_ms = 0;
	if (n == 0 && *end == '\0')
		return 0;
	for (unsigned i = 0; i < sizeof(time_units) / sizeof(*time_units);
	     i++) {
		if (strcasecmp(end, time_units[i].name) == 0)
			return __builtin_mul_overflow(n, time_units[i].ms,
			                              out_ms) ? -ERANGE : 0;
	}
	return -EINVAL;
}

char *config_value_put_duration(char out[CONFIG_DURATION_BYTES], uint64_t ms)
{
	unsigned i = ms == 0 ? 0 : TIME_UNITS_PRINTED - 1;
	while (ms % time_units[i].ms != 0)
		i--;
	snprintf(out, CONFIG_DURATION_BYTES, "%" PRIu64 "%s",
	         ms / time_units[i].ms, ms == 0 ? "" : time_units[i].name);
	return out;
}

char *config_value_put_size(char out[CONFIG_SIZE_BYTES], uint64_t bytes)
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	unsigned i = 0;
	while (bytes != 0 && bytes % 1024 == 0 && i < 4) {
		bytes /= 1024;
		i++;
	}
	snprintf(out, CONFIG_SIZE_BYTES, "%" PRIu64 "%s", bytes, units[i]);
	return out;
}

/* The id of a user's or group's name. -ENOENT where there is none. */
typedef int lookup(const char *name, uint32_t *id);

static int lookup_user(const char *name, uint32_t *id)
{
	const struct passwd *user = getpwnam(name);
	if (user == NULL)
		return -ENOENT;
	*id = user->pw_uid;
	return 0;
}

static int lookup_group(const char *name, uint32_t *id)
{
	const struct group *group = getgrnam(name);
	if (group == NULL)
		return -ENOENT;
	*id = group->gr_gid;
	return 0;
}

/* One name or number. UINT32_MAX is no id: chown takes it for "leave it". */
static int read_id(const char *text, const char *kind, lookup *find,
                   uint32_t *id, char why[CONFIG_WHY_BYTES])
{
	uint64_t number;
	int rc = config_value_number(text, &number);
	if (rc == 0 && number < UINT32_MAX) {
		*id = (uint32_t)number;
		return 0;
	}
	if (rc == 0 || rc == -ERANGE) {
		snprintf(why, CONFIG_WHY_BYTES, "%s id %.40s is out of range",
		         kind, text);
		return -ERANGE;
	}
	if (find(text, id) == 0)
		return 0;
	snprintf(why, CONFIG_WHY_BYTES, "%s \"%.64s\" does not exist", kind,
	         text);
	return -ENOENT;
}

static int add_id(uint32_t id, uint32_t *out, unsigned *n, unsigned max)
{
	for (unsigned i = 0; i < *n; i++) {
		if (out[i] == id)
			return 0;
	}
	if (*n == max)
		return -E2BIG;
	out[(*n)++] = id;
	return 0;
}

static int read_list(const char *text, const char *kind, lookup *find,
                     uint32_t *out, unsigned *n, unsigned max,
                     char why[CONFIG_WHY_BYTES])
{
	static const char parts[] = ", \t";
	char name[256];
	uint32_t id;
	int rc;
	if (text[strspn(text, parts)] == '\0') {
		snprintf(why, CONFIG_WHY_BYTES, "no %s in the list", kind);
		return -EINVAL;
	}
	for (text += strspn(text, parts); *text != '\0';
	     text += strspn(text, parts)) {
		size_t len = strcspn(text, parts);
		snprintf(name, sizeof(name), "%.*s",
		         (int)(len < sizeof(name) ? len : sizeof(name) - 1),
		         text);
		text += len;
		rc = read_id(name, kind, find, &id, why);
		if (rc < 0)
			return rc;
		if (add_id(id, out, n, max) < 0) {
			snprintf(why, CONFIG_WHY_BYTES, "more than %u %ss",
			         max, kind);
			return -E2BIG;
		}
	}
	return 0;
}

int config_value_group(const char *text, gid_t *out, char why[CONFIG_WHY_BYTES])
{
	return read_id(text, "group", lookup_group, out, why);
}

int config_value_users(const char *text, uid_t *out, unsigned *n, unsigned max,
                       char why[CONFIG_WHY_BYTES])
{
	return read_list(text, "user", lookup_user, out, n, max, why);
}

int config_value_groups(const char *text, gid_t *out, unsigned *n, unsigned max,
                        char why[CONFIG_WHY_BYTES])
{
	return read_list(text, "group", lookup_group, out, n, max, why);
}
