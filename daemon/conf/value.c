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

/* A number of a base with nothing but the unit after it. */
static int whole(const char *text, unsigned base, const char *unit,
                 uint64_t *out)
{
	const char *end;
	int r = digits(text, base, out, &end);
	return r == 0 && strcmp(end, unit) != 0 ? -EINVAL : r;
}

int config_value_number(const char *text, uint64_t *out)
{
	return whole(text, 10, "", out);
}

int config_value_mode(const char *text, uint64_t *out)
{
	int r = whole(text, 8, "", out);
	return r == 0 && *out > 0777 ? -ERANGE : r;
}

int config_value_percent(const char *text, uint64_t *out)
{
	return whole(text, 10, "%", out);
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

/* ---- units -------------------------------------------------------------- */

/* From small to large; those at the end are read and not written. */
struct unit {
	const char *name;
	uint64_t n;
};

static const struct unit sizes[] = {
	{ "", 1 }, { "K", UINT64_C(1) << 10 }, { "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 }, { "T", UINT64_C(1) << 40 },
	{ NULL, 0 },
};
static const struct unit times[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	{ "min", 60000 }, { NULL, 0 },
};

/* "M", or any of the endings after it: "MB", "MiB". */
static bool is_unit(const char *text, const char *name, bool bytes)
{
	size_t len = strlen(name);
	if (strncasecmp(text, name, len) != 0)
		return false;
	text += len;
	return *text == '\0' || (bytes && len > 0 &&
	                         (strcasecmp(text, "B") == 0 ||
	                          strcasecmp(text, "iB") == 0));
}

static int read_unit(const char *text, const struct unit *unit, uint64_t *out)
{
	bool bytes = unit == sizes;
	const char *end;
	uint64_t n;
	int r = digits(text, 10, &n, &end);
	*out = 0;
	if (r < 0 || (n == 0 && *end == '\0'))
		return r;
	for (; unit->name != NULL; unit++)
		if (is_unit(end, unit->name, bytes))
			return __builtin_mul_overflow(n, unit->n, out)
			               ? -ERANGE : 0;
	return -EINVAL;
}

/* In the largest unit of which it is a multiple. */
static char *put_unit(char out[CONFIG_SIZE_BYTES], const struct unit *unit,
                      unsigned largest, uint64_t n)
{
	while (n % unit[largest].n != 0)
		largest--;
	snprintf(out, CONFIG_SIZE_BYTES, "%" PRIu64 "%s", n / unit[largest].n,
	         n == 0 ? "" : unit[largest].name);
	return out;
}

int config_value_size(const char *text, uint64_t *out)
{
	return read_unit(text, sizes, out);
}

int config_value_duration(const char *text, uint64_t *out_ms)
{
	return read_unit(text, times, out_ms);
}

char *config_value_put_size(char out[CONFIG_SIZE_BYTES], uint64_t bytes)
{
	return put_unit(out, sizes, 4, bytes);
}

char *config_value_put_duration(char out[CONFIG_DURATION_BYTES], uint64_t ms)
{
	return put_unit(out, times, 3, ms);
}

/* ---- users and groups --------------------------------------------------- */

static bool find_id(const char *name, bool group, uint32_t *id)
{
	const struct passwd *user = group ? NULL : getpwnam(name);
	const struct group *members = group ? getgrnam(name) : NULL;
	if (user != NULL)
		*id = user->pw_uid;
	if (members != NULL)
		*id = members->gr_gid;
	return user != NULL || members != NULL;
}

static const char *kind(bool group)
{
	return group ? "group" : "user";
}

/* One name or number. UINT32_MAX is no id: chown takes it for "leave it". */
static int read_id(const char *text, bool group, uint32_t *id,
                   char why[CONFIG_WHY_BYTES])
{
	uint64_t number;
	int r = config_value_number(text, &number);
	if (r == 0 && number < UINT32_MAX) {
		*id = (uint32_t)number;
		return 0;
	}
	if (r == 0 || r == -ERANGE) {
		snprintf(why, CONFIG_WHY_BYTES, "%s id %.40s is out of range",
		         kind(group), text);
		return -ERANGE;
	}
	if (find_id(text, group, id))
		return 0;
	snprintf(why, CONFIG_WHY_BYTES, "%s \"%.64s\" does not exist",
	         kind(group), text);
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

static int read_list(const char *text, bool group, uint32_t *out, unsigned *n,
                     unsigned max, char why[CONFIG_WHY_BYTES])
{
	static const char parts[] = ", \t";
	char name[256];
	uint32_t id;
	int r;
	if (text[strspn(text, parts)] == '\0') {
		snprintf(why, CONFIG_WHY_BYTES, "no %s in the list",
		         kind(group));
		return -EINVAL;
	}
	for (text += strspn(text, parts); *text != '\0';
	     text += strspn(text, parts)) {
		size_t len = strcspn(text, parts);
		snprintf(name, sizeof(name), "%.*s",
		         (int)(len < sizeof(name) ? len : sizeof(name) - 1),
		         text);
		text += len;
		r = read_id(name, group, &id, why);
		if (r < 0)
			return r;
		if (add_id(id, out, n, max) < 0) {
			snprintf(why, CONFIG_WHY_BYTES, "more than %u %ss",
			         max, kind(group));
			return -E2BIG;
		}
	}
	return 0;
}

int config_value_group(const char *text, gid_t *out, char why[CONFIG_WHY_BYTES])
{
	return read_id(text, true, out, why);
}

int config_value_users(const char *text, uid_t *out, unsigned *n, unsigned max,
                       char why[CONFIG_WHY_BYTES])
{
	return read_list(text, false, out, n, max, why);
}

int config_value_groups(const char *text, gid_t *out, unsigned *n, unsigned max,
                        char why[CONFIG_WHY_BYTES])
{
	return read_list(text, true, out, n, max, why);
}
