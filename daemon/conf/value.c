/* SPDX-License-Identifier: MIT */
#include "daemon/conf/value.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

_Static_assert(sizeof(uid_t) == 4 && sizeof(gid_t) == 4,
               "struct config_ids holds either");

/* ---- forms -------------------------------------------------------------- */

/* From small to large; those at the end are read and not written. */
struct unit {
	const char *name;
	uint64_t n;
};

static const struct unit none[] = {{"", 1}, {NULL, 0}};
static const struct unit percents[] = {{"%", 1}, {NULL, 0}};
static const struct unit sizes[] = {
	{"", 1}, {"K", UINT64_C(1) << 10}, {"M", UINT64_C(1) << 20},
	{"G", UINT64_C(1) << 30}, {"T", UINT64_C(1) << 40},
	{NULL, 0},
};
static const struct unit times[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
	{"min", 60000}, {NULL, 0},
};

static const char *const truths[] = {"no",  "yes", "false", "true",
	                              "off", "on",  "0",     "1"};
static const char *const fars[] = {"last", "tier"};
static const char *const pages[] = {"1g", "2m", "thp", "4k"};

/* A number and a unit; or one of some words, each for its index, of which the
 * first n_written are written. */
static const struct form {
	const struct unit *units;
	unsigned largest; /* unit that is written */
	int base;
	const char *const *words;
	unsigned n_words;
	unsigned n_written;
	int (*compare)(const char *a, const char *b);
} forms[] = {
	[CONFIG_FORM_NUMBER] = {.units = none, .base = 10},
	[CONFIG_FORM_MODE] = {.units = none, .base = 8},
	[CONFIG_FORM_PERCENT] = {.units = percents, .base = 10},
	[CONFIG_FORM_SIZE] = {.units = sizes, .largest = 4, .base = 10},
	[CONFIG_FORM_DURATION] = {.units = times, .largest = 3, .base = 10},
	[CONFIG_FORM_BOOL] = {NULL, 0, 0, truths, 8, 2, strcasecmp},
	[CONFIG_FORM_FAR] = {NULL, 0, 0, fars, 2, 2, strcmp},
	[CONFIG_FORM_PAGE] = {NULL, 0, 0, pages, 4, 4, strcmp},
	[CONFIG_FORM_LEVEL] = {NULL, 0, 0, log_level_names, 4, 4, strcmp},
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

int config_value_read(enum config_form which, const char *text, uint64_t *out)
{
	const struct form *form = &forms[which];
	char *end;
	uint64_t n;
	*out = 0;
	for (unsigned i = 0; i < form->n_words; i++)
		if (form->compare(text, form->words[i]) == 0) {
			*out = i % form->n_written;
			return 0;
		}
	if (form->n_words > 0 || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, form->base);
	if (errno != 0)
		return -errno;
	if (n == 0 && *end == '\0')
		return 0;
	for (const struct unit *unit = form->units; unit->name != NULL; unit++)
		if (is_unit(end, unit->name, form->units == sizes))
			return __builtin_mul_overflow(n, unit->n, out)
			               ? -ERANGE : 0;
	return -EINVAL;
}

/* A number is written in the largest unit of which it is a multiple. */
char *config_value_put(enum config_form which, char out[CONFIG_VALUE_BYTES],
                       uint64_t n)
{
	const struct form *form = &forms[which];
	const struct unit *unit = form->units + form->largest;
	if (form->n_words > 0)
		return strcpy(out, form->words[n]);
	while (n % unit->n != 0)
		unit--;
	if (form->base == 8)
		snprintf(out, CONFIG_VALUE_BYTES, "%04" PRIo64, n);
	else
		snprintf(out, CONFIG_VALUE_BYTES, "%" PRIu64 "%s", n / unit->n,
		         n == 0 ? "" : unit->name);
	return out;
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

/* UINT32_MAX is no id: chown takes it for "leave it". */
int config_value_id(const char *text, bool group, uint32_t *id,
                    char why[CONFIG_WHY_BYTES])
{
	const char *kind = group ? "group" : "user";
	uint64_t number;
	int r = config_value_read(CONFIG_FORM_NUMBER, text, &number);
	if (r == 0 && number < UINT32_MAX) {
		*id = (uint32_t)number;
		return 0;
	}
	if (r == 0 || r == -ERANGE) {
		snprintf(why, CONFIG_WHY_BYTES, "%s id %.40s is out of range", kind,
		         text);
		return -ERANGE;
	}
	if (find_id(text, group, id))
		return 0;
	snprintf(why, CONFIG_WHY_BYTES, "%s \"%.64s\" does not exist", kind,
	         text);
	return -ENOENT;
}

int config_value_ids(const char *text, bool group, struct config_ids *ids,
                     char why[CONFIG_WHY_BYTES])
{
	static const char parts[] = ", \t";
	const char *kind = group ? "group" : "user";
	char name[256];
	uint32_t id;
	unsigned i;
	int r;
	text += strspn(text, parts);
	if (*text == '\0') {
		snprintf(why, CONFIG_WHY_BYTES, "no %s in the list", kind);
		return -EINVAL;
	}
	for (; *text != '\0'; text += strspn(text, parts)) {
		int len = (int)strcspn(text, parts);
		snprintf(name, sizeof(name), "%.*s", len, text);
		text += len;
		r = config_value_id(name, group, &id, why);
		if (r < 0)
			return r;
		for (i = 0; i < ids->n && ids->id[i] != id; i++)
			;
		if (i == CONFIG_LIST_MAX) {
			snprintf(why, CONFIG_WHY_BYTES, "more than %u %ss",
			         CONFIG_LIST_MAX, kind);
			return -E2BIG;
		}
		ids->id[i] = id;
		if (i == ids->n)
			ids->n++;
	}
	return 0;
}
